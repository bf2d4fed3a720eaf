"""The classical methods against closed forms, dense solutions, other libraries, and each other."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import skimage.restoration
import torch

from deconlab import deconvolve
from deconlab.functionals import (
    L1,
    HyperbolicTotalVariation,
    LeastSquares,
    PoissonLikelihood,
    Prior,
    Tikhonov,
    TotalVariation,
    WaveletSparsity,
    Zero,
)
from deconlab.methods import IterativeMethod, registry
from deconlab.operators import Identity, LinearOperator, blur
from deconlab.problem import Box, Constraint, Free, NonNegative, Problem
from deconlab.testing._examples import advance, example
from deconlab.testing.methods import check_delta


def scene(boundary: str, scale: float, prior: Prior, shape: tuple[int, ...] = (6, 16, 16)) -> Problem[Any, Any]:
    """Boxes and a point of tens of photons on a background of 2, drawn in the object's domain, float64."""
    z, y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (7, 9, 9)], indexing="ij")
    psf = torch.exp(-(((z - 3) / 2).square() + ((y - 4) / 1.5).square() + ((x - 4) / 1.5).square()) / 2)
    H = blur(psf / psf.sum(), shape, boundary)
    truth = torch.zeros(H.in_shape, dtype=torch.float64)
    c = [n // 2 for n in H.in_shape]
    truth[c[0] - 2 : c[0] + 2, c[1] - 6 : c[1] + 1, c[2] - 5 : c[2] + 5] = 50
    truth[c[0] + 1, c[1] + 2, c[2] + 3] = 500
    data = torch.poisson(H.forward(truth) + 2, torch.Generator().manual_seed(0))
    return Problem(PoissonLikelihood(H, data * scale, 2.0 * scale), prior, NonNegative())


def gap(name: str, problem: Problem[Any, Any], steps: int, best: float) -> float:
    """(F − F*)/(F₀ − F*) after ``steps`` steps with automatic settings."""
    x = advance(registry.get(name)(), problem, steps).x
    assert float(x.min()) >= 0
    return (float(problem.objective(x)) - best) / (float(problem.objective(problem.flat())) - best)


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_splitting_methods_agree_on_exact_poisson_and_total_variation(boundary: str, scale: float) -> None:
    """ADMM in 50 and Condat-Vũ in 100 steps reach 1e-3 of the way, whatever the unit of intensity."""
    problem = scene(boundary, scale, TotalVariation(0.02))
    best = float(problem.objective(advance(registry.get("admm")(), problem, 300).x))
    assert abs(gap("admm", problem, 50, best)) <= 1e-3
    assert abs(gap("condat-vu", problem, 100, best)) <= 1e-3


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_quasi_newton_on_smoothed_total_variation(boundary: str, scale: float) -> None:
    problem = scene(boundary, scale, Zero())
    level = float(problem.fidelity.mean_signal)
    problem = replace(problem, prior=HyperbolicTotalVariation(0.02, 0.05, level=level))
    best = float(problem.objective(advance(registry.get("l-bfgs-b")(), problem, 200).x))
    assert 0 <= gap("l-bfgs-b", problem, 50, best) <= 1e-3


def test_rl_tv_is_near_the_minimum_only_where_periodic_and_weak() -> None:
    gaps = {}
    for boundary, weight in (("periodic", 0.02), ("periodic", 0.1), ("open", 0.02)):
        problem = scene(boundary, 1.0, TotalVariation(weight), (8, 16, 16))
        best = float(problem.objective(advance(registry.get("admm")(), problem, 300).x))
        gaps[boundary, weight] = gap("rl-tv", problem, 300, best)
    assert gaps["periodic", 0.02] <= 1e-3
    assert gaps["periodic", 0.1] > 1e-3
    assert gaps["open", 0.02] > 1e-3


def test_condat_vu_keeps_the_contract_on_a_delta() -> None:
    check_delta(registry.get("condat-vu")(), steps=1500)


@pytest.mark.parametrize(("name", "least", "most"), [("ista", 0.8, 1.2), ("fista", 1.8, 9.0), ("nesterov", 1.8, 9.0)])
def test_measured_orders(name: str, least: float, most: float) -> None:
    """Noise-free Gaussian blur, λ = 0, minimum 0, k = 10 … 1000."""
    psf = torch.exp(-0.5 * (torch.arange(-12, 13, dtype=torch.float64) / 2.5).square())
    cls = registry.get(name)
    prior = Zero() if name == "nesterov" else L1(0.0)
    problem = example(
        cls, prior=prior, boundary="periodic", shape=(64,), psf=psf / psf.sum(), background=0.0, noisy=False
    )
    values = {k: float(problem.objective(advance(cls(), problem, k).x)) for k in (10, 1000)}
    assert least <= math.log(values[10] / values[1000]) / math.log(100) <= most


def dense(H: LinearOperator) -> np.ndarray:
    size = int(np.prod(H.in_shape))
    columns = torch.eye(size, dtype=torch.float64).reshape(size, *H.in_shape)
    return H.forward(columns).reshape(size, -1).T.numpy()


def small(constraint: Constraint, prior: Prior | None = None, weights: bool = False) -> Problem[Any, Any]:
    generator = torch.Generator().manual_seed(3)
    psf = torch.rand((3, 3), generator=generator, dtype=torch.float64)
    psf[1, 1] += 3
    H = blur(psf / psf.sum(), (6, 7), "periodic")
    y = 10 * torch.randn((6, 7), generator=generator, dtype=torch.float64) + 8
    w = torch.rand((6, 7), generator=generator, dtype=torch.float64) + 0.5 if weights else None
    return Problem(LeastSquares(H, y, 1.0, w), prior or Zero(), constraint)


@pytest.mark.parametrize("name", ["cgls", "nesterov", "gradient-descent", "l-bfgs-b", "bounded-variables"])
def test_least_squares_against_a_dense_solve(name: str) -> None:
    problem = small(Free(), weights=True)
    A, w = dense(problem.H), problem.fidelity.weights.flatten().numpy()
    expected = np.linalg.lstsq(
        np.sqrt(w)[:, None] * A, np.sqrt(w) * (problem.fidelity.y.flatten().numpy() - 1), rcond=None
    )[0]
    x = advance(registry.get(name)(), problem, 600).x.flatten().numpy()
    np.testing.assert_allclose(x, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "constraint"),
    [
        ("bounded-variables", Box(0.0, 9.0)),
        ("l-bfgs-b", Box(0.0, 9.0)),
        ("gradient-descent", Box(0.0, 9.0)),
        ("nesterov", Box(0.0, 9.0)),
        ("bounded-variables", NonNegative()),
        ("mrnsd", NonNegative()),
        ("admm", Box(0.0, 9.0)),
    ],
)
def test_bounded_least_squares_against_scipys_bvls(name: str, constraint: Constraint) -> None:
    prior = Tikhonov(0.0) if name == "admm" else None
    problem = small(constraint, prior)
    lower, upper = constraint.bounds
    bounds = (lower, np.inf if upper is None else upper)
    expected = scipy.optimize.lsq_linear(
        dense(problem.H), problem.fidelity.y.flatten().numpy() - 1, bounds, method="bvls", tol=1e-14
    ).x
    x = advance(registry.get(name)(), problem, 3000 if name == "mrnsd" else 800).x.flatten().numpy()
    np.testing.assert_allclose(x, expected, atol=2e-2 if name == "mrnsd" else 1e-4)


@pytest.mark.parametrize("name", ["ista", "fista", "monotone-fista", "admm", "condat-vu"])
@pytest.mark.parametrize("prior", [L1(2.0), WaveletSparsity(1.0, 60), TotalVariation(1.0, 60)])
def test_proximal_methods_reach_one_minimum(name: str, prior: Prior) -> None:
    """The lasso's optimality for ‖x‖₁, and the same objective for all methods with the others."""
    problem = small(NonNegative(), prior)
    x = advance(registry.get(name)(), problem, 300).x
    reference = advance(registry.get("admm")(), problem, 1000).x
    assert float(problem.objective(x)) == pytest.approx(float(problem.objective(reference)), rel=1e-6)
    if isinstance(prior, L1):
        slope = problem.fidelity.grad(x) + 2.0
        assert float((slope * x).abs().max()) < 1e-2
        assert float(slope.min()) > -1e-2


def test_one_step_late_is_stationary() -> None:
    """At its limit x·(∇ of the likelihood + λx) = 0 and the gradient is >= 0 where x is 0."""
    problem = scene("periodic", 1.0, Tikhonov(0.01), (4, 8, 8))
    x = advance(registry.get("one-step-late")(), problem, 2000).x
    slope = problem.fidelity.grad(x) + problem.prior.grad(x)
    assert float((slope * x).abs().max()) < 1e-4 * float(x.max())
    assert float(slope.min()) > -1e-3


def test_damping_follows_the_noise() -> None:
    """Data within the threshold are left alone; × 1024 with 32 × the threshold is the same run; T → 0 is plain RL."""
    method = registry.get("damped-richardson-lucy")
    problem = scene("open", 1.0, Zero(), (4, 8, 8))
    one = advance(method(1.5), problem, 10).x  # type: ignore[call-arg]
    large = advance(method(48.0), scene("open", 1024.0, Zero(), (4, 8, 8)), 10).x  # type: ignore[call-arg]
    assert torch.equal(large / 1024, one)
    plain = advance(registry.get("richardson-lucy")(), problem, 10).x
    np.testing.assert_allclose(advance(method(1e-9), problem, 10).x, plain, rtol=1e-9)  # type: ignore[call-arg]
    still = advance(method(1e3), problem, 10).x  # type: ignore[call-arg]
    np.testing.assert_allclose(still, problem.flat(), rtol=1e-6)


@pytest.mark.parametrize(("name", "steps"), [("van-cittert", 300), ("jansson", 3000), ("gold-meinel", 3000)])
def test_methods_without_adjoint_invert_a_well_posed_blur(name: str, steps: int) -> None:
    """A positive object blurred by a PSF whose transfer function is positive comes back."""
    truth = 5 + torch.arange(30, dtype=torch.float64).reshape(5, 6) % 7
    psf = torch.tensor([[0.0, 0.1, 0.0], [0.1, 0.6, 0.1], [0.0, 0.1, 0.0]], dtype=torch.float64)
    H = blur(psf, (5, 6), "periodic")
    x = advance(
        registry.get(name)(), Problem(LeastSquares(H, H.forward(truth) + 2, 2.0), Zero(), NonNegative()), steps
    ).x
    np.testing.assert_allclose(x, truth, rtol=1e-6)


def test_stochastic_steps_solve_consistent_data_and_are_seeded() -> None:
    method = registry.get("stochastic-gradient-descent")
    truth = torch.arange(42, dtype=torch.float64).reshape(6, 7) % 5
    problem = small(Free())
    problem = problem.with_data(y=problem.H.forward(truth) + 1)
    x = advance(method(decay=0.0), problem, 4000).x  # type: ignore[call-arg]
    np.testing.assert_allclose(x, truth, atol=1e-6)
    first, again, other = (advance(method(seed=s), problem, 6).x for s in (0, 0, 1))  # type: ignore[call-arg]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_unsupervised_wiener_against_scikit_image() -> None:
    """The same model and data: noise precision and estimate agree within the sampling's spread."""
    rng = np.random.default_rng(0)
    truth = np.zeros((32, 32))
    truth[8:20, 10:24] = 20
    psf = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    H = blur(torch.from_numpy(psf), (32, 32), "periodic")
    y = H.forward(torch.from_numpy(truth)).numpy() + rng.normal(0, 1.0, (32, 32))
    state: Any = advance(registry.get("unsupervised-wiener")(), Problem(LeastSquares(H, torch.from_numpy(y))), 0)
    expected, _ = skimage.restoration.unsupervised_wiener(y, psf, clip=False, rng=1)
    assert float(state.noise_variance) == pytest.approx(1.0, rel=0.2)
    found = state.x.numpy()
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["ista", "fista", "monotone-fista", "nesterov", "stochastic-gradient-descent"])
def test_a_step_that_diverges_is_named(name: str) -> None:
    problem = Problem(LeastSquares(Identity((4,)), torch.ones(4)))
    with pytest.raises(ValueError, match=r"step_size=3 diverges; it must be (at most 1/L|below 2/L) = [12]"):
        registry.get(name)(step_size=3.0).init(problem)  # type: ignore[call-arg, attr-defined]


def test_every_prior_gets_its_facts_from_the_image() -> None:
    """The voxel size and the signal's level reach the priors that have a field for them."""
    rng = np.random.default_rng(0)
    image = rng.poisson(50, (6, 8, 8)).astype(float)
    psf = np.einsum("i,j,k->ijk", *[[0.25, 0.5, 0.25]] * 3)
    for prior in ("total-variation", "hessian-schatten", "wavelet-sparsity"):
        result = deconvolve(image, psf, "admm", 3, prior=prior, voxel_um=(0.3, 0.1, 0.1))
        assert result.problem.prior.spacing == (0.3, 0.1, 0.1)
        assert isinstance(result.problem.fidelity, PoissonLikelihood)
    result = deconvolve(image, psf, "l-bfgs-b", 3, voxel_um=(0.3, 0.1, 0.1))
    assert result.problem.prior.level == pytest.approx(float(result.problem.fidelity.mean_signal))
    assert issubclass(registry.get("admm"), IterativeMethod)
