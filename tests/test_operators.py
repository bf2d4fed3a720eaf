"""Operators: the contract on every kind, size and boundary, and values against NumPy, SciPy and dense matrices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch

from deconlab import fourier
from deconlab.operators import (
    Blur,
    Composition,
    Convolution,
    Crop,
    Diagonal,
    Gradient,
    Identity,
    Laplacian,
    LinearOperator,
    Pointwise,
    Reflect,
    blur,
)
from deconlab.testing import check_operator

BOUNDARIES = ("open", "periodic", "reflect", "zero")
SIZES = [((9,), (4,)), ((8,), (5,)), ((7, 6), (3, 4)), ((6, 5), (5, 5)), ((4, 5, 6), (3, 2, 5)), ((1, 5, 4), (1, 3, 3))]


def random(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def skewed_psf(shape: tuple[int, ...], seed: int = 1) -> torch.Tensor:
    psf = random(shape, seed).abs() + 0.1
    return psf / psf.sum()


def dense(H: LinearOperator) -> np.ndarray:
    size = int(np.prod(H.in_shape))
    columns = torch.eye(size, dtype=torch.float64).reshape(size, *H.in_shape)
    return H.forward(columns).reshape(size, -1).T.numpy()


@pytest.mark.parametrize(("shape", "psf"), SIZES)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_contract_of_blur(shape: tuple[int, ...], psf: tuple[int, ...], boundary: str) -> None:
    check_operator(blur(skewed_psf(psf), shape, boundary))


@pytest.mark.parametrize("shape", [(7,), (8,), (5, 6), (4, 3, 5), (2, 1, 4)])
def test_contract_of_grid_operators(shape: tuple[int, ...]) -> None:
    spacing = [0.3, 0.1, 0.2][: len(shape)]
    for H in (
        Convolution(skewed_psf(tuple(3 for _ in shape)), shape),
        Convolution(skewed_psf(tuple(n + 2 for n in shape)), shape),  # larger than its grid
        Gradient(shape),
        Gradient(shape, spacing),
        Laplacian(shape),
        Laplacian(shape, spacing),
        Identity(shape),
        Diagonal(random(shape)),
        Diagonal(random(shape)) @ Convolution(skewed_psf(shape), shape),
        Crop(tuple(n + 3 for n in shape), shape, (1,) * len(shape)),
        Reflect(shape, tuple(3 * n + 1 for n in shape), (2,) * len(shape)),
        Gradient(shape) @ Convolution(skewed_psf(shape), shape),
        Crop(tuple(n + 3 for n in shape), shape, (1,) * len(shape)).T,
    ):
        check_operator(H)


def test_contract_in_single_precision() -> None:
    check_operator(blur(skewed_psf((3, 4)).float(), (8, 7)), dtype=torch.float32)


def test_exact_norms_where_they_are_stated() -> None:
    check_operator(Diagonal(random((5, 6))), tightness=1 + 1e-6)
    """The convolution's bound is exact on every grid, differences' on even ones, the reflection's everywhere."""
    for H in (
        Convolution(skewed_psf((5, 3)), (8, 9)),
        blur(skewed_psf((3, 3)), (8, 8), "periodic"),
        Gradient((8, 6), (0.2, 0.1)),
        Laplacian((4, 4, 4)),
        Reflect((4, 3), (13, 8), (5, 1)),
        Identity((5,)),
    ):
        check_operator(H, tightness=1 + 1e-3)
    assert Laplacian((4, 4, 4)).norm_squared == 144
    check_operator(blur(skewed_psf((3, 4)), (7, 6), "open"), tightness=1.5)
    check_operator(blur(skewed_psf((3, 4)), (7, 6), "reflect"), tightness=1.5)


@pytest.mark.parametrize(("shape", "psf"), SIZES)
def test_open_and_zero_are_the_linear_convolution(shape: tuple[int, ...], psf: tuple[int, ...]) -> None:
    """SciPy's direct sums: "valid" of a larger object, and "full" of one that is dark outside."""
    kernel = skewed_psf(psf)
    H = blur(kernel, shape, "open")
    needed = Crop(
        H.in_shape,
        tuple(n + p - 1 for n, p in zip(shape, psf, strict=True)),
        tuple(o - (p - 1 - p // 2) for o, p in zip(H.frame.offset, psf, strict=True)),
    )
    x = random(H.in_shape)
    expected = scipy.signal.convolve(needed.forward(x).numpy(), kernel.numpy(), "valid", "direct")
    np.testing.assert_allclose(H.forward(x).numpy(), expected, atol=1e-12)

    dark = blur(kernel, shape, "zero")
    x = random(shape)
    expected = scipy.signal.convolve(x.numpy(), kernel.numpy(), "full", "direct")
    np.testing.assert_allclose(dark.forward(x).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(dark.adjoint(torch.ones(dark.out_shape, dtype=torch.float64)), 1, atol=1e-12)


@pytest.mark.parametrize(("shape", "psf"), SIZES)
@pytest.mark.parametrize(("boundary", "mode"), [("periodic", "wrap"), ("reflect", "reflect")])
def test_periodic_and_reflect_are_scipys(
    shape: tuple[int, ...], psf: tuple[int, ...], boundary: str, mode: str
) -> None:
    kernel, x = skewed_psf(psf), random(shape)

    expected = scipy.ndimage.convolve(x.numpy(), kernel.numpy(), mode=mode)
    found = blur(kernel, shape, boundary).forward(x).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_delta_psf_leaves_the_image_in_its_place(boundary: str) -> None:
    """A centred δ: the data show the object where ``frame`` and ``measured`` say it lies."""
    for shape, size in (((6, 7), (4, 5)), ((5, 8), (3, 2))):
        delta = torch.zeros(size, dtype=torch.float64)
        delta[tuple(n // 2 for n in size)] = 1
        H = blur(delta, shape, boundary)
        x = random(H.in_shape)
        np.testing.assert_allclose(H.measured.forward(H.forward(x)), H.frame.forward(x), atol=1e-12)
        assert H.shape == shape


def test_open_domain_is_image_plus_psf_rounded_to_good_sizes() -> None:
    H = blur(skewed_psf((5, 9)), (16, 31), "open")
    assert H.in_shape == fourier.good_shape((20, 39)) == (20, 40)
    assert blur(skewed_psf((5, 9)), (16, 30), "open", extension_px=(0, 2)).in_shape == (16, 32)
    assert blur(skewed_psf((5, 9)), (16, 30), "open", extension_px=(50, 50)).in_shape == (20, 40)


@pytest.mark.parametrize("extension", [(0, 0), (1, 2), (3, 0)])
def test_a_bounded_extension_folds_what_lies_further_out(extension: tuple[int, int]) -> None:
    kernel, shape = skewed_psf((4, 7)), (6, 5)
    H = blur(kernel, shape, "open", extension_px=extension)
    check_operator(H)
    x = random(H.in_shape)
    wrapped = scipy.ndimage.convolve(x.numpy(), kernel.numpy(), mode="wrap")
    np.testing.assert_allclose(H.forward(x), wrapped[H.frame.box], atol=1e-12)


def test_zero_surrounds_data_and_weights_with_darkness() -> None:
    H = blur(skewed_psf((3, 5)), (4, 6), "zero")
    image = random((4, 6)).abs()
    data = H.data(image, 2.0)
    assert data.shape == H.out_shape == (6, 10)
    np.testing.assert_allclose(data[1:5, 2:8], image)
    assert float(data.sum()) == pytest.approx(float(image.sum()) + 2.0 * (60 - 24))
    weights = H.weights(torch.zeros(4, 6, dtype=torch.float64))
    assert float(weights.sum()) == 60 - 24
    assert float(weights[1:5, 2:8].abs().max()) == 0
    here = blur(skewed_psf((3, 5)), (4, 6), "open")
    assert here.data(image, 2.0) is image
    assert here.weights(image) is image


def test_zero_takes_a_background_map_of_the_datas_shape() -> None:
    H = blur(skewed_psf((3, 5)), (4, 6), "zero")
    image, background = random((4, 6)).abs(), random((6, 10), 3).abs()
    data = H.data(image, background)
    np.testing.assert_allclose(H.measured.forward(data), image, atol=1e-14)
    around = torch.ones(6, 10, dtype=torch.bool)
    around[1:5, 2:8] = False
    np.testing.assert_array_equal(data[around], background[around])
    with pytest.raises(ValueError, match=r"number or of the data's shape \(6, 10\), not \(4, 6\): it is needed"):
        H.data(image, background[:4, :6])


def test_with_psf_keeps_the_geometry() -> None:
    H = blur(skewed_psf((3, 3)), (6, 6), "reflect")
    other = H.with_psf(skewed_psf((3, 3), 5))
    assert isinstance(other, Blur)
    x = random((6, 6))
    np.testing.assert_allclose(other.forward(x), blur(skewed_psf((3, 3), 5), (6, 6), "reflect").forward(x), atol=1e-14)
    with pytest.raises(ValueError, match=r"shape \(5, 5\) differs from \(3, 3\).*blur\(\)"):
        H.with_psf(skewed_psf((5, 5)))


def test_differences_by_hand() -> None:
    x = torch.tensor([1.0, 4.0, 9.0, 16.0], dtype=torch.float64)
    assert Gradient((4,)).forward(x).tolist() == [[3.0, 5.0, 7.0, -15.0]]
    assert Laplacian((4,)).forward(x).tolist() == [18.0, 2.0, 2.0, -22.0]
    coarse = random((4, 5))
    gradient = Gradient((4, 5), (0.4, 0.1)).forward(coarse)
    np.testing.assert_allclose(gradient[0], 0.25 * (coarse.roll(-1, 0) - coarse))
    np.testing.assert_allclose(gradient[1], coarse.roll(-1, 1) - coarse)
    laplacian = Laplacian((4, 5), (0.4, 0.1)).forward(coarse)
    second = [coarse.roll(1, a) + coarse.roll(-1, a) - 2 * coarse for a in (0, 1)]
    np.testing.assert_allclose(laplacian, second[0] / 16 + second[1], atol=1e-14)


def test_the_laplacian_is_minus_the_gradients_normal() -> None:
    shape = (4, 5, 3)
    x = random(shape)
    np.testing.assert_allclose(Laplacian(shape).forward(x), -Gradient(shape).normal(x), atol=1e-13)


def test_reflect_is_numpys_symmetric_padding() -> None:
    x = random((3, 4))
    H = Reflect((3, 4), (14, 9), (5, 2))
    np.testing.assert_array_equal(H.forward(x), np.pad(x.numpy(), ((5, 6), (2, 3)), mode="symmetric"))


def test_extend_joins_both_ends_smoothly() -> None:
    """Within the field nothing changes; beyond, no step is larger than those of the data's own mirrored ends and fade."""
    seen = Crop((20,), (12,), (3,))
    y = torch.linspace(0, 11, 12, dtype=torch.float64)
    whole = seen.extend(y)
    np.testing.assert_array_equal(seen.forward(whole), y)
    steps = (whole.roll(-1) - whole).abs()
    assert float(steps.max()) < 11 / 3, "a periodic jump of 11 must be spread over the gap of 8"
    assert float(whole.min()) >= 0
    assert float(whole.max()) <= 11
    constant = seen.extend(torch.full((12,), 5.0))
    np.testing.assert_array_equal(constant, np.full(20, 5.0))


def test_extend_fills_a_gap_wider_than_the_field() -> None:
    seen = Crop((20, 9), (3, 4), (5, 0))
    y = random((3, 4))
    whole = seen.extend(y)
    assert whole.shape == (20, 9)
    np.testing.assert_array_equal(seen.forward(whole), y)
    assert float(whole.max()) <= float(y.max()) + 1e-12


def test_composition_is_the_matrix_product() -> None:
    left, right = Gradient((4, 3)), Convolution(skewed_psf((3, 2)), (4, 3))
    product = left @ right
    assert isinstance(product, Composition)
    np.testing.assert_allclose(dense(product), dense(left) @ dense(right), atol=1e-13)
    np.testing.assert_allclose(dense(product.T), dense(product).T, atol=1e-13)
    assert product.T.T is product
    with pytest.raises(ValueError, match=r"Cannot compose an operator on \(4, 3\) with one that gives \(2, 4, 3\)"):
        right @ left


def test_the_pointwise_map_is_cut_with_its_arrays() -> None:
    def combine(u: torch.Tensor, a: torch.Tensor, b: None, c: float, d: torch.Tensor) -> torch.Tensor:
        assert b is None
        return u * a + c + d

    u, a, d = random((4, 3)), random((4, 3), 2), torch.tensor(2.0, dtype=torch.float64)
    whole = Pointwise(combine, a, None, 3.0, d)
    np.testing.assert_array_equal(whole.cut(slice(1, 3))(u[1:3]), whole(u)[1:3])


def test_large_sums_are_kept_in_double_precision() -> None:
    """A million times 0.1 in float32 would be off in the fourth digit if summed one by one; the loss must not be."""
    x = torch.full((1000, 1000), 0.1)
    _, total = Identity((1000, 1000)).sandwich(x, Pointwise(torch.neg), loss=Pointwise(torch.abs))
    assert total is not None
    assert total.dtype == torch.float64
    assert float(total) == pytest.approx(1e6 * float(torch.tensor(0.1).double()), rel=1e-12)


def test_an_operator_lives_where_its_tensors_live() -> None:
    H = blur(skewed_psf((3, 3)).to("meta"), (6, 5))
    assert H.forward(torch.empty(H.in_shape, device="meta", dtype=torch.float64)).device.type == "meta"
    assert H.adjoint(torch.empty(H.out_shape, device="meta", dtype=torch.float64)).device.type == "meta"


def test_bad_input_is_named() -> None:
    psf = skewed_psf((3, 3))
    with pytest.raises(ValueError, match="Unknown boundary 'mirror'; there are open, periodic, reflect, zero"):
        blur(psf, (5, 5), "mirror")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"PSF has 2 dimensions \(3, 3\), the image 3 \(4, 5, 5\)"):
        blur(psf, (4, 5, 5))
    with pytest.raises(ValueError, match=r"PSF has 2 dimensions \(3, 3\) but the grid has 1 \(5,\)"):
        Convolution(psf, (5,))
    with pytest.raises(TypeError, match=r"floating-point dtype, not torch.int64"):
        Convolution(torch.ones(3, dtype=torch.int64), (5,))
    for extension, boundary in (((1,), "open"), ((-1, 2), "open"), ((1, 1), "periodic")):
        with pytest.raises(ValueError, match=r"extension_px=.*2 numbers >= 0, and only an open boundary"):
            blur(psf, (5, 5), boundary, extension_px=extension)
    for offset in ((-1, 0), (2, 0)):
        with pytest.raises(ValueError, match=r"A box of \(4, 4\) at .* does not lie within \(5, 5\)"):
            Crop((5, 5), (4, 4), offset)
    for spacing in ((1.0,), (1.0, 0.0), (1.0, float("nan")), (1.0, float("inf"))):
        with pytest.raises(ValueError, match=r"spacing must be 2 positive numbers, one for each axis of \(5, 5\)"):
            Gradient((5, 5), spacing)
        with pytest.raises(ValueError, match="spacing must be 2 positive numbers"):
            Laplacian((5, 5), spacing)
