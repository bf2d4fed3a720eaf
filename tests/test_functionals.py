"""Data terms and priors: the contract on each, and values against closed forms, SciPy and direct sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import xlogy

from deconlab.functionals import (
    L1,
    Fidelity,
    GoodsRoughness,
    HessianSchatten,
    HuberTotalVariation,
    HyperbolicTotalVariation,
    LaplacianPrior,
    LeastSquares,
    NormOfMap,
    PoissonLikelihood,
    Prior,
    QuadraticPrior,
    Smooth,
    SmoothSum,
    SparseVariation,
    Splittable,
    Sum,
    Tikhonov,
    TotalVariation,
    WaveletSparsity,
    Zero,
    registry,
)
from deconlab.functionals.poisson import expected_half_deviance
from deconlab.lazytorch import Tensor
from deconlab.operators import Convolution, Gradient, Identity, LinearOperator, blur
from deconlab.problem import Box, Free, NonNegative, Problem
from deconlab.testing import check_functional

SHAPE = (5, 6)


def random(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def operator(boundary: str = "open") -> LinearOperator:
    psf = random((3, 4), 1).abs() + 0.1
    return blur(psf / psf.sum(), SHAPE, boundary)


def counts(H: LinearOperator, seed: int = 2) -> torch.Tensor:
    y = (10 * random(H.out_shape, seed)).abs().round()
    y[0, 0] = 0  # the value at which y log y needs care
    return y


class Variation(Splittable):
    """λ‖Dx‖₁: anisotropic total variation, for sums."""

    degree = 1

    def value(self, x: Tensor) -> Tensor:
        return L1(0.3).value(Gradient(tuple(x.shape)).forward(x))

    def terms(self, shape: tuple[int, ...]) -> Any:
        return ((L1(0.3), Gradient(shape)),)


DATA_TERMS = {
    "least squares": lambda H, y: (LeastSquares(H, y, 0.7), None),
    "least squares of a map": lambda H, y: (LeastSquares(H, y, random(H.out_shape, 4), noise_variance=y + 1), None),
    "poisson": lambda H, y: (PoissonLikelihood(H, y, 0.7), -0.7),
    "poisson of a map": lambda H, y: (PoissonLikelihood(H, y, y / 5 + 0.1), -(y / 5 + 0.1)),
    "poisson without background": lambda H, y: (PoissonLikelihood(H, y), 0.0),
    "shifted poisson": lambda H, y: (PoissonLikelihood(H, y - 2, 0.5, read_variance=1.5), -2.0),
    "shifted poisson of a map": lambda H, y: (PoissonLikelihood(H, y, 0.5, read_variance=y + 1), -0.5 - (y + 1)),
}


@pytest.mark.parametrize("name", DATA_TERMS)
@pytest.mark.parametrize("boundary", ["open", "periodic", "zero"])
def test_contract_of_data_terms(name: str, boundary: str) -> None:
    H = operator(boundary)
    fidelity, least = DATA_TERMS[name](H, counts(H))
    scaled = ("y", "background", "read_variance") if isinstance(fidelity, PoissonLikelihood) else ("y", "background")
    check_functional(fidelity, scaled=scaled, least_prediction=least)


def test_contract_of_a_weighted_data_term() -> None:
    H = operator()
    y, weights = counts(H), random(H.out_shape, 3).abs()
    weights[2, :] = 0
    check_functional(LeastSquares(H, y, 0.5, weights))
    check_functional(PoissonLikelihood(H, y, 0.5, weights), least_prediction=-0.5)


PRIORS: dict[str, Prior] = {
    "zero": Zero(),
    "tikhonov": Tikhonov(0.3),
    "laplacian": LaplacianPrior(0.2),
    "anisotropic laplacian": LaplacianPrior(0.2, spacing=(0.3, 0.1)),
    "without weight": LaplacianPrior(0.0),
    "sum": Tikhonov(0.3) + LaplacianPrior(0.2),
    "l1": L1(0.3),
    "variation": Variation(),
    "total variation": TotalVariation(0.3, 600, spacing=(0.3, 0.1)),
    "haar": WaveletSparsity(0.3, 200, levels=1),
    "orthonormal haar": WaveletSparsity(0.3, 1, levels=2),
    "spline": WaveletSparsity(0.3, 150, family="spline1", levels=1, undecimated=True),
    "hessian of eigenvalues": HessianSchatten(0.3, 1000, p=1, spacing=(0.3, 0.1)),
    "hessian": HessianSchatten(0.3, 300),
    "sparse variation": SparseVariation(0.3, 300),
    "huber": HuberTotalVariation(0.3, 0.1),
    "hyperbolic": HyperbolicTotalVariation(0.3, 0.1, level=2.0),
    "roughness": GoodsRoughness(0.3),
}


@pytest.mark.parametrize("name", PRIORS)
def test_contract_of_priors(name: str) -> None:
    prior = PRIORS[name]
    if isinstance(
        prior, NormOfMap
    ):  # whose prox is iterated: one tiny object, 4 divides it where W must be orthonormal
        check_functional(prior, (4,) if name == "orthonormal haar" else (3, 2))
        return
    check_functional(prior)
    if name != "anisotropic laplacian":
        check_functional(prior, (7,))
        check_functional(prior, (2, 3, 2))


def test_every_registered_prior_has_passed() -> None:
    tried = {type(prior) for prior in PRIORS.values()}
    assert {cls for cls in registry.all().values() if issubclass(cls, Prior)} <= tried


def test_every_registered_data_term_has_passed() -> None:
    H = operator()
    tried = {type(make(H, counts(H))[0]) for make in DATA_TERMS.values()}
    assert {cls for cls in registry.all().values() if issubclass(cls, Fidelity)} <= tried


def test_least_squares_by_hand() -> None:
    y, w = torch.tensor([1.0, 4.0]), torch.tensor([2.0, 0.5])
    term = LeastSquares(Identity((2,)), y, 1.0, w, noise_variance=3.0)
    x = torch.tensor([2.0, 1.0])
    assert float(term.value(x)) == 0.5 * (2 * 2**2 + 0.5 * 2**2)
    assert term.grad(x).tolist() == [4.0, -1.0]
    assert term.lipschitz == 2.0
    assert term.expected_loss(x).tolist() == [1.5, 1.5]
    masked = LeastSquares(Identity((2,)), y, 1.0, torch.tensor([2.0, 0.0]), noise_variance=3.0)
    assert masked.expected_loss(x).tolist() == [1.5, 0.0]


def test_poisson_is_half_of_scipys_deviance() -> None:
    """Σ p − y + y log(y/p), with SciPy's xlogy for y = 0; differences of it are those of SciPy's log-pmf."""
    y = torch.tensor([0.0, 1.0, 3.0, 50.0], dtype=torch.float64)
    x = torch.tensor([0.4, 1.0, 7.0, 45.0], dtype=torch.float64)
    term = PoissonLikelihood(Identity((4,)), y, 0.5)
    p = (x + 0.5).numpy()
    expected = (p - y.numpy() + xlogy(y.numpy(), y.numpy() / p)).sum()
    assert float(term.value(x)) == pytest.approx(expected, rel=1e-14)
    with torch.no_grad():
        assert float(term.value(x)) == pytest.approx(expected, rel=1e-14)
    likelihood = [-scipy.stats.poisson.logpmf(y, q).sum() for q in (p, p + 1)]
    assert float(term.value(x + 1) - term.value(x)) == pytest.approx(likelihood[1] - likelihood[0], rel=1e-12)
    for quiet in (False, True):
        with torch.set_grad_enabled(not quiet):
            assert float(PoissonLikelihood(Identity((3,)), y[1:]).value(y[1:])) == 0


def test_single_precision_keeps_small_deviances() -> None:
    """At 1e4 photons the loss of a 1 % misfit is ½; its sum in float32 must agree with float64's to 1e-5."""
    y = 1e4 * (1 + 0.01 * random((200, 200)))
    p = torch.full_like(y, 1e4)
    exact = float(PoissonLikelihood(Identity((200, 200)), y.float().double()).value(p))
    with torch.no_grad():
        single = float(PoissonLikelihood(Identity((200, 200)), y.float()).value(p.float()))
    assert single == pytest.approx(exact, rel=1e-4)


def test_poisson_reads_negative_counts_as_zero_and_counts_them() -> None:
    y = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    plain = PoissonLikelihood(Identity((4,)), y, 1.0)
    assert plain.counts.tolist() == [0.0, 0.0, 0.0, 2.0]
    assert plain.negative_count == 2
    assert plain.y.tolist() == y.tolist(), "the data themselves are not changed"
    shifted = PoissonLikelihood(Identity((4,)), y, 1.0, read_variance=2.0)
    assert shifted.counts.tolist() == [0.0, 1.0, 2.0, 4.0]
    assert shifted.negative_count == 1
    x = torch.ones(4)
    same = PoissonLikelihood(Identity((4,)), torch.tensor([0.0, 1.0, 2.0, 4.0]), 3.0)
    assert float(shifted.value(x)) == float(same.value(x))
    assert torch.equal(shifted.ratio(x.clone()), same.ratio(x.clone()))
    assert torch.equal(shifted.slope(x.clone()), same.slope(x.clone()))


def test_poisson_ratio_is_kept_above_rounding_noise() -> None:
    y = torch.tensor([100.0, 1.0])
    term = PoissonLikelihood(Identity((2,)), y)
    floor = 100 * torch.finfo(torch.float32).eps
    assert float(term.floor) == pytest.approx(floor)
    assert term.ratio(torch.tensor([-1.0, 0.0])).tolist() == pytest.approx([100 / floor, 1 / floor])
    assert float(PoissonLikelihood(Identity((1,)), torch.zeros(1)).floor) > 0


def test_poisson_prox_stays_exact_where_it_is_tiny() -> None:
    """p² − c p − t y = 0 with c = −1e4: the root t y/1e4 must not drown in cancellation, in float32."""
    term = PoissonLikelihood(Identity((1,)), torch.ones(1))
    root = float(term.prox_prediction(torch.tensor([-1e4]), 1.0))
    exact = np.roots([1.0, 1e4 + 1, -1.0]).max()
    assert root == pytest.approx(exact, rel=1e-6)
    assert float(PoissonLikelihood(Identity((1,)), torch.zeros(1)).prox_prediction(torch.tensor([-5.0]), 1.0)) == 0


@pytest.mark.parametrize("mean", [1e-3, 0.05, 0.3, 1.0, 2.5, 7.0, 20.0, 49.9, 50.1, 80.0, 300.0])
def test_expected_deviance_is_the_sum_over_counts(mean: float) -> None:
    """Σₖ P(k) (μ − k + k log(k/μ)) with SciPy's pmf, and as a Monte-Carlo mean."""
    k = np.arange(0, int(mean + 40 * math.sqrt(mean) + 60))
    half_deviance = mean - k + xlogy(k, k / mean)
    direct = float((scipy.stats.poisson.pmf(k, mean) * half_deviance).sum())
    found = float(expected_half_deviance(torch.tensor(mean, dtype=torch.float64)))
    assert found == pytest.approx(direct, abs=1e-5)
    drawn = np.random.default_rng(0).poisson(mean, 200_000)
    losses = mean - drawn + xlogy(drawn, drawn / mean)
    assert found == pytest.approx(losses.mean(), abs=5 * losses.std() / math.sqrt(len(drawn)) + 1e-5)
    assert float(expected_half_deviance(torch.tensor(mean))) == pytest.approx(direct, abs=3e-5)


def test_expected_deviance_of_next_to_nothing() -> None:
    for mean in (1e-7, 1e-5):  # one photon at most: −μ log μ
        expected = -mean * math.log(mean)
        assert float(expected_half_deviance(torch.tensor(mean, dtype=torch.float64))) == pytest.approx(
            expected, rel=1e-3
        )
    assert 0 <= float(expected_half_deviance(torch.tensor(0.0))) < 1e-6


def test_expected_loss_follows_model_and_weights() -> None:
    w = torch.tensor([1.0, 0.5])
    y = torch.tensor([3.0, 3.0])
    term = PoissonLikelihood(Identity((2,)), y, 1.0, w, read_variance=2.0)
    expected = expected_half_deviance(torch.tensor([5.0, 5.0])) * w
    assert torch.equal(term.expected_loss(torch.tensor([2.0, 2.0])), expected)


def test_quadratic_priors_by_hand() -> None:
    x = torch.tensor([1.0, 4.0, 9.0, 16.0], dtype=torch.float64)
    assert float(Tikhonov(0.5).value(x)) == 0.5 * 0.5 * 354
    assert float(LaplacianPrior(0.5).value(x)) == pytest.approx(0.25 * (18**2 + 2**2 + 2**2 + 22**2))
    assert Tikhonov(0.5).prox(x, 2.0).tolist() == [0.5, 2.0, 4.5, 8.0]
    assert Tikhonov(0.5).lipschitz == 0.5
    assert LaplacianPrior(0.5).lipschitz == 72
    assert LaplacianPrior(0.5, spacing=(0.3, 0.1)).lipschitz == pytest.approx(0.5 * (4 * (1 + 1 / 9)) ** 2)
    flat = torch.full((4, 5), 3.0, dtype=torch.float64)
    np.testing.assert_allclose(LaplacianPrior(7.0).prox(flat, 1.0), flat)
    for prior in (Tikhonov(0.3), LaplacianPrior(0.3)):
        assert isinstance(prior, QuadraticPrior)
        symbol = prior.symbol((4,), x)
        dense = np.stack([prior.grad(row).numpy() for row in torch.eye(4, dtype=torch.float64)])
        np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(dense)), np.sort([*symbol, symbol[1]]), atol=1e-12)


def test_sums_keep_what_their_parts_can_do() -> None:
    smooth = Tikhonov(0.3) + LaplacianPrior(0.2)
    assert isinstance(smooth, SmoothSum)
    x = random((4, 5))
    assert float(smooth.value(x)) == pytest.approx(float(Tikhonov(0.3).value(x) + LaplacianPrior(0.2).value(x)))
    assert smooth.lipschitz == pytest.approx(0.3 + 0.2 * 144)
    three = smooth + Tikhonov(1.0)
    assert isinstance(three, SmoothSum)
    assert len(three.parts) == 3
    split = Variation() + L1(0.3) + Tikhonov(0.1)
    assert isinstance(split, Sum)
    terms = split.terms((4, 5))
    assert [type(g) for g, _ in terms] == [L1, L1, Tikhonov]
    assert [type(K) for _, K in terms] == [Gradient, Identity, Identity]


def test_the_degree_of_a_sum_is_its_parts_if_they_agree() -> None:
    assert (Tikhonov() + LaplacianPrior()).degree == 2
    assert (L1(0.3) + Variation()).degree == 1
    with pytest.raises(ValueError, match=r"degrees of Tikhonov \(2\), L1 \(1\) differ.*scale each"):
        (Tikhonov() + L1(0.3)).degree  # noqa: B018


class Steep(Smooth):
    """x⁴: smooth where it is used, with no prox."""

    degree = 4
    lipschitz = 1.0

    def value(self, x: Tensor) -> Tensor:
        return x.pow(4).sum()

    def grad(self, x: Tensor) -> Tensor:
        return 4 * x.pow(3)


def test_a_sum_without_a_common_form_names_the_culprit() -> None:
    with pytest.raises(TypeError, match=r"L1 \+ Steep has no common form: Steep can neither be split nor has"):
        L1(0.3) + Steep()


def test_sensitivity_and_flat_start_of_an_open_blur() -> None:
    """Hᵀ1 of an open blur is 1 in the middle and falls to 0; the flat start has the data's sum."""
    H = blur(torch.full((11, 11), 1 / 121, dtype=torch.float64), (12, 12), "open")
    y = random((12, 12)).abs() + 1
    term = LeastSquares(H, y, 0.25)
    sensitivity = term.sensitivity
    frame = H.frame.box  # type: ignore[attr-defined]
    assert float(sensitivity[frame][5:7, 5:7].min()) == pytest.approx(1)
    assert not bool(torch.isfinite(sensitivity[0, 0])), "1/121 of a corner's light is not enough at a floor of 1 %"
    start = Problem(term, constraint=NonNegative()).flat()
    assert float((H.forward(start) + 0.25).sum()) == pytest.approx(float(y.sum()))
    assert float(start[~torch.isfinite(sensitivity)].abs().max()) == 0
    assert LeastSquares(Identity((3,)), torch.ones(3)).support is None


def test_small_weights_are_not_little_light() -> None:
    """Inverse variances fall to a thousandth on bright objects, which must not be held at 0 for it."""
    H = blur(torch.full((3, 3), 1 / 9, dtype=torch.float64), (12, 12), "open")
    weights = torch.ones(12, 12, dtype=torch.float64)
    weights[3:9, 3:9] = 1e-3
    weights[0, 0] = 0
    term = LeastSquares(H, torch.ones(12, 12, dtype=torch.float64), weights=weights)
    box = H.frame.box  # type: ignore[attr-defined]
    np.testing.assert_allclose(term.sensitivity[box][5:7, 5:7], 1e-3, rtol=1e-9)
    assert bool(torch.isfinite(term.sensitivity[box][1:, 1:]).all())
    single = blur(torch.full((3, 3), 1 / 9), (12, 12), "open")
    lost = LeastSquares(single, torch.ones(12, 12), weights=torch.where(weights == 1e-3, 1e-9, weights).float())
    assert not bool(torch.isfinite(lost.sensitivity[box][5:7, 5:7]).any()), (
        "below rounding noise it cannot be told from 0"
    )


def test_maps_and_weights_take_the_datas_dtype() -> None:
    """A float64 background or a boolean mask must not turn a float32 restoration into float64."""
    H = operator()
    y = counts(H).float()
    H = blur(torch.full((3, 4), 1 / 12), SHAPE)
    mask = y > 2
    term = PoissonLikelihood(H, y, y.double() + 1, mask, read_variance=y.double())
    for name in ("background", "weights", "read_variance"):
        assert getattr(term, name).dtype == torch.float32
    assert term.grad(torch.ones(H.in_shape)).dtype == torch.float32
    same = PoissonLikelihood(H, y, y + 1, mask.float(), read_variance=y)
    assert torch.equal(term.grad(torch.ones(H.in_shape)), same.grad(torch.ones(H.in_shape)))


def test_a_single_weight_counts_for_every_voxel() -> None:
    y = torch.tensor([1.0, 4.0])
    term = LeastSquares(Identity((2,)), y, weights=torch.tensor(2.0))
    x = torch.tensor([2.0, 1.0])
    assert float(term.value(x)) == 2 * float(LeastSquares(Identity((2,)), y).value(x))
    assert term.sensitivity.tolist() == [2.0, 2.0]


def test_bad_data_are_named() -> None:
    H = Identity((2, 2))
    y = torch.ones(2, 2)
    nan = torch.tensor([[1.0, float("nan")], [1.0, 1.0]])
    with pytest.raises(TypeError, match=r"floating-point dtype, not torch.int32; convert them to float32"):
        LeastSquares(H, torch.ones(2, 2, dtype=torch.int32))
    with pytest.raises(ValueError, match=r"data have shape \(2, 3\), but the operator gives \(2, 2\)"):
        LeastSquares(H, torch.ones(2, 3))
    for name in ("background", "weights"):
        with pytest.raises(ValueError, match=rf"{name} must be of the data's shape \(2, 2\), not \(3,\)"):
            LeastSquares(H, y, **{name: torch.ones(3)})
    with pytest.raises(ValueError, match=r"read_variance must be of the data's shape \(2, 2\), not \(3,\)"):
        PoissonLikelihood(H, y, read_variance=torch.ones(3))
    for weights in (-y, nan):
        with pytest.raises(ValueError, match="weights must be finite and >= 0: 0 masks a voxel"):
            LeastSquares(H, y, weights=weights)
    with pytest.raises(ValueError, match="weights are 0 everywhere: no voxel is left to restore from"):
        LeastSquares(H, y, weights=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="data hold NaN or infinite values; give such voxels the weight 0"):
        LeastSquares(H, nan)
    for background in (float("inf"), nan):
        with pytest.raises(ValueError, match="The background must be finite; it holds NaN"):
            LeastSquares(H, y, background)
    with pytest.raises(ValueError, match="The noise_variance must be finite"):
        LeastSquares(H, y, noise_variance=nan)
    with pytest.raises(ValueError, match=r"background must be >= 0 in a Poisson model, not -1: .*offset from the data"):
        PoissonLikelihood(H, y, -1.0)
    with pytest.raises(ValueError, match=r"read_variance must be >= 0 in a Poisson model, not -2"):
        PoissonLikelihood(H, y, read_variance=torch.tensor([[1.0, -2.0], [0.0, 0.0]]))
    with pytest.raises(ValueError, match=r"Tikhonov: weight must be >= 0, not -0.1"):
        Tikhonov(-0.1)


def test_nothing_measured_under_the_mask_is_an_error_no_more() -> None:
    """NaN in data, background and variance alike is harmless where the weight is 0."""
    nan = float("nan")
    y = torch.tensor([nan, 2.0])
    term = PoissonLikelihood(
        Identity((2,)),
        y,
        torch.tensor([nan, 1.0]),
        torch.tensor([0.0, 1.0]),
        read_variance=torch.tensor([nan, 0.5]),
    )
    assert float(term.value(torch.tensor([5.0, 1.0]))) == 0


def test_constraints_project() -> None:
    x = torch.tensor([-1.0, 0.5, 3.0])
    assert Free().project(x) is x
    assert NonNegative().project(x).tolist() == [0.0, 0.5, 3.0]
    assert Box(0.0, 2.0).project(x).tolist() == [0.0, 0.5, 2.0]
    assert Box(0.0, 2.0) == Box(0.0, 2.0)
    for lower, upper in ((1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)):
        with pytest.raises(ValueError, match=r"Box: lower must be < upper, not lower="):
            Box(lower, upper)


def test_the_problem_says_what_it_is_given() -> None:
    H = operator()
    y = counts(H)
    problem = Problem(LeastSquares(H, y), Tikhonov(0.5), NonNegative())
    x = random(H.in_shape).abs()
    expected = float(LeastSquares(H, y).value(x)) + float(Tikhonov(0.5).value(x))
    assert float(problem.objective(x)) == pytest.approx(expected)
    assert problem.H is H
    other = problem.with_data(y=2 * y, background=1.0)
    assert other.fidelity.background == 1.0
    assert torch.equal(other.fidelity.y, 2 * y)
    assert other.prior is problem.prior
    assert other.constraint is problem.constraint
    start = problem.start(-x)
    assert float(start.abs().max()) == 0
    with pytest.raises(ValueError, match=r"The start has shape \(2, 2\), the object .*; they must be equal"):
        problem.start(torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"mean above the background is -\d.*no signal to restore.*offset"):
        problem.with_data(background=100.0).flat()

    class Denoiser(Prior):
        degree = 0

    with pytest.raises(TypeError, match="Denoiser has no value, so that this problem has no objective"):
        Problem(LeastSquares(H, y), Denoiser()).objective(x)


def test_a_convolution_alone_is_a_blur_too() -> None:
    H = Convolution(torch.full((3,), 1 / 3, dtype=torch.float64), (8,))
    check_functional(LeastSquares(H, random((8,))))
