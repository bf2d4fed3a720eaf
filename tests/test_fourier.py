"""The transforms against NumPy's, and the sizes against brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deconlab import fourier

SHAPES = [(8,), (9,), (1,), (6, 7), (5, 4), (3, 4, 5), (2, 1, 6)]


def random(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def smooth(n: int) -> bool:
    for prime in (2, 3, 5, 7):
        while n % prime == 0:
            n //= prime
    return n == 1


def test_good_sizes_by_brute_force() -> None:
    for n in range(1, 700):
        assert fourier.good_size(n) == next(m for m in range(n, 2 * n + 1) if smooth(m))
        assert fourier.good_size(n, even=True) == next(m for m in range(n, 2 * n + 2) if smooth(m) and m % 2 == 0)
    assert fourier.good_shape((1, 11, 13)) == (1, 12, 14)
    assert fourier.good_shape((17, 15)) == (18, 16)
    assert fourier.good_shape((9, 1)) == (9, 1), "an axis of one voxel is no axis"
    for n in (0, -3):
        with pytest.raises(ValueError, match=f"A transform needs at least one sample, not {n}"):
            fourier.good_size(n)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("differentiated", [False, True])
def test_transforms_are_numpys(
    shape: tuple[int, ...], lead: tuple[int, ...], dtype: torch.dtype, differentiated: bool
) -> None:
    x = random((*lead, *shape)).to(dtype).requires_grad_(differentiated)
    axes = tuple(range(-len(shape), 0))
    spectrum = fourier.rfftn(x, len(shape))
    assert spectrum.dtype == (torch.complex64 if dtype == torch.float32 else torch.complex128)
    expected = np.fft.rfftn(x.detach().double().numpy(), axes=axes)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(spectrum.detach(), expected, atol=tolerance * 10)
    assert tuple(spectrum.shape[-len(shape) :]) == fourier.half_shape(shape)
    kept = spectrum.detach().clone()
    back = fourier.irfftn(spectrum, shape)
    assert back.dtype == dtype
    np.testing.assert_allclose(back.detach(), x.detach(), atol=tolerance)
    np.testing.assert_array_equal(spectrum.detach(), kept, "the spectrum is not touched unless it may be")
    np.testing.assert_allclose(fourier.irfftn(spectrum, shape, overwrite=True).detach(), x.detach(), atol=tolerance)


def test_both_engines_agree_with_views_and_conjugates() -> None:
    x = random((6, 8, 10)).transpose(0, 2)[::2]
    np.testing.assert_allclose(fourier.rfftn(x, 3), torch.fft.rfftn(x), atol=1e-12)
    conjugate = torch.fft.rfftn(x).conj()
    np.testing.assert_allclose(fourier.irfftn(conjugate, x.shape), torch.fft.irfftn(conjugate, x.shape), atol=1e-12)


@pytest.mark.parametrize("shape", [(8,), (6, 7), (3, 4, 5)])
def test_filter_is_a_circular_convolution(shape: tuple[int, ...]) -> None:
    x, kernel = random((2, *shape)), random(shape, 1)
    symbol = torch.fft.rfftn(kernel)
    axes = tuple(range(-len(shape), 0))
    expected = np.fft.ifftn(np.fft.fftn(kernel.numpy()) * np.fft.fftn(x.numpy(), axes=axes), axes=axes).real
    before, kept = x.clone(), symbol.clone()
    np.testing.assert_allclose(fourier.filter(x, symbol, shape), expected, atol=1e-12)
    adjoint = np.fft.ifftn(np.fft.fftn(kernel.numpy()).conj() * np.fft.fftn(x.numpy(), axes=axes), axes=axes).real
    np.testing.assert_allclose(fourier.filter(x, symbol, shape, conjugate=True), adjoint, atol=1e-12)
    assert torch.equal(x, before)
    assert torch.equal(symbol, kept)
    real = symbol.abs()
    np.testing.assert_allclose(
        fourier.filter(x, real, shape),
        torch.fft.irfftn(real * torch.fft.rfftn(x, dim=axes), s=shape, dim=axes),
        atol=1e-12,
    )


def test_filter_keeps_single_precision_unless_the_symbol_is_double() -> None:
    x = random((6, 7)).float()
    assert fourier.filter(x, torch.ones(6, 4), (6, 7)).dtype == torch.float32
    assert fourier.filter(x, torch.ones(6, 4, dtype=torch.float64), (6, 7)).dtype == torch.float64


def test_autograd_passes_through_data_and_symbol() -> None:
    x, kernel = random((4, 5)).requires_grad_(), random((4, 5), 1).requires_grad_()

    def filtered(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        return fourier.filter(x, fourier.rfftn(kernel, 2), (4, 5), conjugate=True)

    assert torch.autograd.gradcheck(filtered, (x, kernel))


def test_solve_divides_where_it_can() -> None:
    shape = (6, 8)
    symbol = torch.fft.rfftn(random(shape, 2)).abs()
    symbol[0, 0] = symbol[2, 2] = 0
    rhs = random(shape)
    x = fourier.solve(symbol, rhs, shape)
    assert bool(torch.isfinite(x).all())
    spectrum = torch.fft.rfftn(x)
    np.testing.assert_allclose(spectrum[0, 0], 0, atol=1e-12)
    np.testing.assert_allclose(spectrum[2, 2], 0, atol=1e-12)
    passed = fourier.filter(x, symbol, shape)
    expected = fourier.filter(rhs, (symbol > 0).to(symbol), shape)
    np.testing.assert_allclose(passed, expected, atol=1e-12)
    assert fourier.reciprocal(torch.tensor([0.0, 2.0, -4.0])).tolist() == [0.0, 0.5, -0.25]
    assert fourier.reciprocal(torch.tensor([0j, 2j])).tolist() == [0j, -0.5j]
    zero = torch.zeros(3, requires_grad=True)
    fourier.reciprocal(zero).sum().backward()
    assert zero.grad is not None
    assert bool(torch.isfinite(zero.grad).all()), "0 is safe for autograd"


@pytest.mark.parametrize(("length", "size"), [(3, 7), (4, 7), (7, 7), (8, 8), (9, 4), (11, 3), (1, 1)])
def test_a_kernel_is_brought_to_the_origin_whole(length: int, size: int) -> None:
    kernel = torch.arange(1.0, length + 1)
    placed = fourier.to_origin(kernel, (size,))
    expected = np.zeros(size)
    for i in range(length):
        expected[(i - length // 2) % size] += i + 1
    np.testing.assert_array_equal(placed, expected)
    if length == size:
        np.testing.assert_array_equal(placed, np.fft.ifftshift(kernel.numpy()))


def test_a_stack_of_kernels_is_brought_to_the_origin_one_by_one() -> None:
    kernels = random((2, 3, 4))
    together = fourier.to_origin(kernels, (5, 6))
    for one, kernel in zip(together, kernels, strict=True):
        np.testing.assert_array_equal(one, fourier.to_origin(kernel, (5, 6)))


def test_frequencies_are_numpys() -> None:
    fz, fy, fx = fourier.frequencies((4, 5, 6), torch.zeros(1, dtype=torch.float64))
    assert (fz.shape, fy.shape, fx.shape) == ((4, 1, 1), (1, 5, 1), (1, 1, 4))
    np.testing.assert_allclose(fz.flatten(), 2 * np.pi * np.fft.fftfreq(4))
    np.testing.assert_allclose(fy.flatten(), 2 * np.pi * np.fft.fftfreq(5))
    np.testing.assert_allclose(fx.flatten(), 2 * np.pi * np.fft.rfftfreq(6))
    (single,) = fourier.frequencies((4,), torch.zeros(1, dtype=torch.complex64))
    assert single.dtype == torch.float32
