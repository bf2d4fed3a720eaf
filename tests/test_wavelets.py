"""Wavelets and second derivatives: the contract on every size, and what the families are known for."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from deconlab.operators import Hessian, Laplacian, UndecimatedWavelet, Wavelet
from deconlab.testing import check_operator

FAMILIES = ("haar", "spline1", "spline3", "spline5")
SHAPES = ((7,), (12,), (5, 6), (8, 12), (4, 3, 5), (2, 1, 4))


def random(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_contract(shape: tuple[int, ...], family: str) -> None:
    check_operator(Wavelet(shape, family, 2))
    check_operator(UndecimatedWavelet(shape, family, 2))
    check_operator(Wavelet(shape, family, tuple(range(len(shape)))))


@pytest.mark.parametrize("shape", SHAPES)
def test_contract_of_the_hessian(shape: tuple[int, ...]) -> None:
    for spacing in (None, [0.3, 0.1, 0.2][: len(shape)]):
        check_operator(Hessian(shape, spacing))
        check_operator(Hessian(shape, spacing, slope=0.9, value=0.1))
    check_operator(Hessian((4, 6)), tightness=1 + 1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_perfect_reconstruction_and_parseval(family: str, dtype: torch.dtype, tolerance: float) -> None:
    """WᵀW = 1 on every size and WWᵀ = 1 where 2^levels divides it, relative to the largest value."""
    for shape, levels in (((64,), 4), ((24, 40), 3), ((8, 16, 24), (1, 2, 3)), ((13, 9), 2), ((5, 6, 7), 2)):
        x = random(shape, dtype)
        for W in (Wavelet(shape, family, levels), UndecimatedWavelet(shape, family, levels)):
            coefficients = W.forward(x)
            limit = tolerance * 10 * float(x.abs().max())
            assert float((W.adjoint(coefficients) - x).abs().max()) <= limit
            assert float(coefficients.square().sum()) == pytest.approx(float(x.square().sum()), rel=10 * tolerance)
        W = Wavelet(shape, family, levels)
        if W.in_shape == W.out_shape:
            assert float((W.forward(W.adjoint(x)) - x).abs().max()) <= limit


def test_haar_is_the_haar_matrix() -> None:
    """SciPy's Haar matrix by the recursion H₂ₙ = [Hₙ ⊗ (1, 1); 1 ⊗ (1, −1)]/√2, ordered coarse to fine."""
    haar = np.ones((1, 1))
    while len(haar) < 16:
        haar = np.vstack([np.kron(haar, [1, 1]), np.kron(np.eye(len(haar)), [1, -1])]) / np.sqrt(2)
    W = Wavelet((16,), "haar", 4)
    np.testing.assert_allclose(W.forward(torch.eye(16, dtype=torch.float64)).T.numpy(), haar, atol=1e-14)
    assert scipy.linalg.norm(haar @ haar.T - np.eye(16)) < 1e-13


@pytest.mark.parametrize(
    ("family", "taps"),
    [
        ("spline1", [0.817645956, 0.397296430, -0.069101020, -0.051945337, 0.016974805, 0.009990599, -0.003883261]),
        ("spline3", [0.766130398, 0.433923147, -0.050201753, -0.110036987, 0.032080869, 0.042068328, -0.017176331]),
    ],
)
def test_filters_are_the_published_ones(family: str, taps: list[float]) -> None:
    """Mallat, A Wavelet Tour of Signal Processing, table 7.1 (h[0], h[1], …; symmetric), right to about 4e-6."""
    coefficient = torch.zeros(128, dtype=torch.float64)
    coefficient[16] = 1  # an approximation coefficient; its filter is centred on 32
    response = Wavelet((128,), family, 1).adjoint(coefficient)
    np.testing.assert_allclose(response[32 : 32 + len(taps)], taps, atol=5e-6)
    np.testing.assert_allclose(response[32 - len(taps) + 1 : 33].flip(0), taps, atol=5e-6)


@pytest.mark.parametrize(("family", "moments"), [("haar", 1), ("spline1", 2), ("spline3", 4), ("spline5", 6)])
def test_vanishing_moments(family: str, moments: int) -> None:
    """Details of a polynomial of degree < moments vanish away from where the circle closes; the next degree's do not."""
    n, middle = 512, slice(96, 160)  # of 256 details, far from the ends
    position = torch.linspace(-1, 1, n, dtype=torch.float64)
    for degree in range(moments + 1):
        detail = Wavelet((n,), family, 1).forward(position**degree)[n // 2 :][middle].abs().max()
        size = float(detail) * (n / 2) ** degree  # in units of one step of the grid
        if degree < moments:
            assert float(detail) < 1e-13 if family == "haar" else float(detail) < 1e-11, (family, degree, detail)
        else:
            assert size > 1e-3, (family, degree, size)


def test_undecimated_holds_every_shift_of_the_decimated() -> None:
    """At one level, the decimated coefficients are every second of the undecimated ones times √2 (in 1-D)."""
    x = random((16,))
    for family in FAMILIES:
        decimated = Wavelet((16,), family, 1).forward(x)
        every = UndecimatedWavelet((16,), family, 1)
        bands = every.forward(x)
        np.testing.assert_allclose(bands[0][::2] * 2**0.5, decimated[:8], atol=1e-13)
        np.testing.assert_allclose(bands[1][::2] * 2**0.5, decimated[8:], atol=1e-13)


def test_bad_levels_and_families_are_named() -> None:
    with pytest.raises(ValueError, match="Unknown wavelet family 'db4'; there are haar, spline1, spline3, spline5"):
        Wavelet((8,), "db4")  # type: ignore[arg-type]
    for levels in (-1, (1, 2)):
        with pytest.raises(ValueError, match=r"levels must be one number >= 0, or 1 of them for the axes of \(8,\)"):
            UndecimatedWavelet((8,), "haar", levels)


def test_the_hessian_of_a_parabola() -> None:
    """x = z² + 3 z y: ∂zz = 2, ∂zy = 3 in voxel units, with the coarse axis z counted (1/3)² and 1/3 away from the seam."""
    z, y = np.meshgrid(np.arange(10.0), np.arange(9.0), indexing="ij")
    x = torch.from_numpy(z**2 + 3 * z * y)
    second = Hessian((10, 9), (0.3, 0.1)).forward(x)[:, 2:7, 2:6]
    np.testing.assert_allclose(second[0], 2 / 9, atol=1e-12)
    np.testing.assert_allclose(second[1], 0, atol=1e-12)
    np.testing.assert_allclose(second[2], 3 / 3 * np.sqrt(2), atol=1e-12)
    v = random((4, 6, 5))
    total = Hessian((4, 6, 5), (0.3, 0.1, 0.2)).forward(v).square().sum()
    assert float(total) == pytest.approx(float(Laplacian((4, 6, 5), (0.3, 0.1, 0.2)).forward(v).square().sum()))
