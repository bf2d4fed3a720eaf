"""Sparsity and variation priors: closed forms, NumPy's eigenvalues, and that the proximal maps are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deconlab.functionals import (
    L1,
    GoodsRoughness,
    HessianSchatten,
    HuberTotalVariation,
    HyperbolicTotalVariation,
    NormOfMap,
    SmoothVariation,
    SparseVariation,
    TotalVariation,
    WaveletSparsity,
)
from deconlab.functionals._groups import GroupNorm, NuclearNorm, eigenvalues


def random(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def matrices(stack: torch.Tensor) -> np.ndarray:
    """The symmetric matrices that a Hessian's components stand for."""
    d = {1: 1, 3: 2, 6: 3}[stack.shape[0]]
    result = np.zeros((stack.shape[1], d, d))
    pairs = [(a, b) for a in range(d) for b in range(a + 1, d)]
    for a in range(d):
        result[:, a, a] = stack[a]
    for component, (a, b) in zip(stack[d:], pairs, strict=True):
        result[:, a, b] = result[:, b, a] = component / np.sqrt(2)
    return result


@pytest.mark.parametrize("components", [1, 3, 6])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-7), (torch.float32, 1e-3)])
def test_nuclear_norm_against_numpys_eigenvectors(components: int, dtype: torch.dtype, tolerance: float) -> None:
    """Random matrices, 0, a multiple of the identity, a double eigenvalue and one of rank 1."""
    v = random((components, 400))
    v[:, 0] = 0
    v[:, 1:4] = 0
    v[: {1: 1, 3: 2, 6: 3}[components], 1] = 2.0
    v[0, 2] = 3.0
    v[:1, 3], v[1:2, 3] = 1.0, 1.0
    e, vectors = np.linalg.eigh(matrices(v))
    found = np.sort(torch.stack(eigenvalues(v.to(dtype))).T.numpy(), 1)
    np.testing.assert_allclose(found, e, atol=tolerance)
    shrunk = np.sign(e) * np.maximum(np.abs(e) - 0.7, 0)
    expected = np.einsum("nij,nj,nkj->nik", vectors, shrunk, vectors)
    result = matrices(NuclearNorm(1.4).prox(v.to(dtype), 0.5).double())
    np.testing.assert_allclose(result, expected, atol=tolerance)
    assert float(NuclearNorm(2.0).value(v)) == pytest.approx(2 * np.abs(e).sum())


def test_values_by_hand() -> None:
    x = torch.zeros(6, 6, dtype=torch.float64)
    x[2:4, 2:4] = 5.0
    # Four voxels per side: 3 sides of height 5 with one direction, and corners: one of two directions (√2), see below.
    assert float(TotalVariation(2.0).value(x)) == pytest.approx(2 * 5 * (1 + 1 + 1 + 1 + 1 + 1 + np.sqrt(2)))
    assert float(TotalVariation(1.0, spacing=(2.0, 1.0)).value(x)) == pytest.approx(
        5 * (4 * 0.5 - 0.5 + 4 - 1 + np.sqrt(1.25))
    )
    assert float(L1(0.5).value(-x)) == 10
    assert L1(0.5).prox(torch.tensor([-3.0, 0.4, 2.0]), 2.0).tolist() == [-2.0, 0.0, 1.0]
    peak = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    for p in (1, 2):
        assert float(HessianSchatten(1.0, p=p).value(peak)) == pytest.approx(4)
    expected = np.hypot(0.75 * np.array([0, 1, 2, 1, 0]), 0.25 * np.array([0, 0, 1, 0, 0])).sum()
    assert float(SparseVariation(1.0, sparsity_balance=0.75).value(peak)) == pytest.approx(expected)


def test_rounded_variations_near_and_far() -> None:
    """s²/2ε for small slopes, s − ε/2 and s − ε for large ones."""
    ramp = torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64)
    for scale, huber, hyperbolic in ((1e-6, 0.5e-12 / 0.2, 0.5e-12 / 0.2), (1e6, 1e6 - 0.1, 1e6 - 0.2)):
        for prior, one in ((HuberTotalVariation(1.0, 0.1, level=2.0), huber),
                           (HyperbolicTotalVariation(1.0, 0.1, level=2.0), hyperbolic)):  # fmt: skip
            assert float(prior.value(scale * ramp)) == pytest.approx(2 * one, rel=1e-6)


def test_goods_roughness_tends_to_four_times_the_amplitudes_gradient() -> None:
    """Σ |∇x|²/x = 4 Σ |∇√x|² for a finely sampled positive object."""
    t = torch.linspace(0, 2 * np.pi, 2001, dtype=torch.float64)[:-1]
    x = 3 + 2 * torch.cos(t)
    amplitude = 4 * float((x.sqrt().roll(-1) - x.sqrt()).square().sum())
    assert float(GoodsRoughness(1.0, 1e-9).value(x)) == pytest.approx(amplitude, rel=1e-5)
    assert float(GoodsRoughness(1.0).value(torch.zeros(5))) == 0


def test_the_approximation_band_is_not_thresholded() -> None:
    flat = torch.full((8, 8), 7.0, dtype=torch.float64)
    for undecimated in (False, True):
        prior = WaveletSparsity(1e6, levels=2, undecimated=undecimated)
        assert float(prior.value(flat)) == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(prior.prox(flat, 1.0), flat, atol=1e-6)
    x = random((8, 8))
    blocks = x.reshape(2, 4, 2, 4).mean((1, 3)).repeat_interleave(4, 0).repeat_interleave(4, 1)
    np.testing.assert_allclose(WaveletSparsity(1e6, levels=2).prox(x, 1.0), blocks, atol=1e-12)


def test_coarse_axes_get_fewer_levels() -> None:
    prior = WaveletSparsity(1.0, levels=3, spacing=(0.4, 0.1, 0.1))
    assert prior.pair((64, 64, 64))[1].levels == (1, 3, 3)  # type: ignore[attr-defined]
    assert prior.pair((64, 4, 64))[1].levels == (1, 1, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("prior", [TotalVariation(0.4, 800), WaveletSparsity(0.4, 800), HessianSchatten(0.2, 1500)])
def test_prox_with_a_constraint_is_optimal(prior: NormOfMap) -> None:
    """No admissible neighbour is better, and projecting the free prox is worse."""
    v = random((5, 4)) - 0.2

    def cost(x: torch.Tensor) -> float:
        return float(0.5 * (x - v).square().sum() + 0.5 * prior.value(x))

    x = prior.prox_onto(v, 0.5, lambda u: u.clamp(min=0))
    assert float(x.min()) >= 0
    best = cost(x)
    generator = torch.Generator().manual_seed(1)
    for i in range(300):
        other = (x + 10.0 ** -(i % 5) * torch.randn(v.shape, generator=generator, dtype=v.dtype)).clamp(min=0)
        assert cost(other) >= best - 1e-7
    assert best < cost(prior.prox(v, 0.5).clamp(min=0)) - 1e-6


def test_a_few_inner_steps_are_a_good_prox() -> None:
    """The default 20 steps are within 0.5 % of the optimal decrease (for total variation on noise)."""
    v = random((24, 24))

    def decrease(steps: int) -> float:
        prior = TotalVariation(0.5, steps)
        x = prior.prox(v, 1.0)
        return float(prior.value(v) - prior.value(x) - 0.5 * (x - v).square().sum())

    assert decrease(20) == pytest.approx(decrease(1000), rel=5e-3)


def test_group_norm_by_hand() -> None:
    v = torch.tensor([[3.0, 0.3], [4.0, 0.4]])
    np.testing.assert_allclose(GroupNorm(2.0).prox(v, 1.0), [[1.8, 0], [2.4, 0]], rtol=1e-6)


@pytest.mark.parametrize("cls", [HuberTotalVariation, HyperbolicTotalVariation, GoodsRoughness])
def test_a_level_must_be_positive(cls: type[SmoothVariation]) -> None:
    with pytest.raises(ValueError, match=r"level must be > 0, a typical intensity, not 0.0"):
        cls(level=0.0)
