"""Each method against something that is not this package: another library, a dense solver, published numbers, NumPy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.restoration
import torch
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize, nnls

from deconlab import fourier
from deconlab.functionals import LaplacianPrior, LeastSquares, PoissonLikelihood, Prior, QuadraticPrior, Tikhonov, Zero
from deconlab.methods import IterativeMethod, Method, claims, refusals, registry
from deconlab.methods._gradient import GradientMethod, GradientState
from deconlab.operators import Blur, Identity, LinearOperator, blur
from deconlab.problem import Box, Constraint, Free, NonNegative, Problem
from deconlab.solve import iterate, solve
from deconlab.stopping import MaxIterations
from deconlab.testing._examples import example

Array = NDArray[np.float64]


def method(name: str, **parameters: Any) -> Method:
    return registry.get(name)(**parameters)


def run(
    name: str, problem: Problem[Any, Any], iterations: int = 1, x0: torch.Tensor | None = None, **parameters: Any
) -> Array:
    return solve(method(name, **parameters), problem, stop=MaxIterations(iterations), x0=x0).x.numpy()


def tensor(array: Any) -> torch.Tensor:
    return torch.as_tensor(array, dtype=torch.float64)


def skewed(shape: tuple[int, ...], seed: int = 1) -> Array:
    psf = np.random.default_rng(seed).random(shape)
    return psf / psf.sum()


def gaussian(size: int, sigma: float) -> Array:
    line = np.exp(-0.5 * ((np.arange(size) - size // 2) / sigma) ** 2)
    psf = np.outer(line, line)
    return psf / psf.sum()


def dense(H: LinearOperator) -> Array:
    size = int(np.prod(H.in_shape))
    columns = torch.eye(size, dtype=torch.float64).reshape(size, *H.in_shape)
    return H.forward(columns).reshape(size, -1).T.numpy()


def otf(psf: Array, shape: tuple[int, ...]) -> Array:
    padded = np.zeros(shape)
    padded[tuple(slice(0, n) for n in psf.shape)] = psf
    return np.fft.fftn(np.roll(padded, [-(n // 2) for n in psf.shape], range(psf.ndim)))


def photons(H: Blur, background: float = 2.0, seed: int = 0) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    truth = generator.random(H.in_shape) * 80 * (generator.random(H.in_shape) > 0.6)
    return tensor(generator.poisson(H.forward(tensor(truth)).clamp(min=0) + background))


def poisson(
    H: Blur, y: torch.Tensor, background: float = 0.0, weights: torch.Tensor | None = None
) -> Problem[Any, Any]:
    return Problem(PoissonLikelihood(H, y, background, weights), constraint=NonNegative())


# Other programs


@pytest.mark.parametrize("shape", [(30,), (20, 17), (7, 8, 9)])
@pytest.mark.parametrize("iterations", [1, 10, 50])
def test_richardson_lucy_is_scikit_images(shape: tuple[int, ...], iterations: int) -> None:
    image, psf = 50 * skewed(shape, 3) * np.prod(shape), skewed((5, 7, 3)[: len(shape)])
    H = blur(tensor(psf), shape, "zero")
    problem = poisson(H, H.data(tensor(image)))
    found = run("richardson-lucy", problem, iterations, x0=torch.full(shape, 0.5, dtype=torch.float64))
    expected = skimage.restoration.richardson_lucy(image, psf, iterations, clip=False)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.max())


def test_richardson_lucy_is_imagej_ops(shared: Callable[[str], Path]) -> None:
    """A disc cut at the border, blurred by a Gaussian of σ 4; ten iterations from the blurred image; fifteen voxels."""
    reference = json.loads((shared("data/open-imagej-ops") / "imagej_ops_rl_reference.json").read_text())
    row, column = np.mgrid[:167, :225]
    disc = ((row - 83) ** 2 + (column - 112) ** 2 <= 30**2).astype(float)[83:, 112:]
    H = blur(tensor(gaussian(25, 4.0)), disc.shape, "zero")
    blurred = H.measured.forward(H.forward(tensor(disc)))
    found = run("richardson-lucy", poisson(H, H.data(blurred)), 10, x0=blurred)
    np.testing.assert_allclose(found[0, :15], reference["standard_rl_10"], rtol=1e-5)


@pytest.mark.parametrize("weight", [1e-4, 0.03, 2.0])
@pytest.mark.parametrize(("shape", "size"), [((20, 17), (5, 7)), ((6, 8, 10), (3, 3, 5))])
def test_periodic_filters_are_scikit_images(weight: float, shape: tuple[int, ...], size: tuple[int, ...]) -> None:
    """skimage's ``wiener`` computes the Laplacian-regularised inverse, and with a δ as ``reg`` Tikhonov's and Wiener's."""
    image, psf = 50 * skewed(shape, 3) * np.prod(shape), skewed(size)
    fidelity = LeastSquares(blur(tensor(psf), shape, "periodic"), tensor(image))
    delta = np.zeros((3,) * len(shape))
    delta[(1,) * len(shape)] = 1
    smooth = skimage.restoration.wiener(image, psf, weight, clip=False)
    small = skimage.restoration.wiener(image, psf, weight, reg=delta, clip=False)
    for found, expected in (
        (run("laplacian-regularised-inverse", Problem(fidelity, LaplacianPrior(weight))), smooth),
        (run("tikhonov-inverse", Problem(fidelity, Tikhonov(weight))), small),
        (run("wiener", Problem(fidelity), noise_to_signal=weight), small),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


# Closed forms in NumPy


def test_naive_and_truncated_inverse_are_their_formulas() -> None:
    shape, psf = (12, 15), gaussian(9, 1.5)
    y = 50 * skewed(shape, 3)
    fidelity = LeastSquares(blur(tensor(psf), shape, "periodic"), tensor(y), 0.1)
    h, spectrum = otf(psf, shape), np.fft.fftn(y - 0.1)
    for epsilon in (1e-3, 0.2):
        modulus = np.abs(h)
        naive = np.fft.ifftn(spectrum * h.conj() / (modulus * np.maximum(modulus, epsilon))).real
        found = run("naive-inverse", Problem(fidelity), epsilon=epsilon)
        np.testing.assert_allclose(found, naive, rtol=0, atol=1e-9 * np.abs(naive).max())
        passed = modulus > epsilon * modulus.max()
        truncated = np.fft.ifftn(np.where(passed, spectrum / np.where(passed, h, 1), 0)).real
        found = run("truncated-inverse", Problem(fidelity), epsilon=epsilon)
        np.testing.assert_allclose(found, truncated, rtol=0, atol=1e-9 * np.abs(truncated).max())


def test_wiener_with_spectra_is_its_formula() -> None:
    shape, psf = (12, 15), gaussian(9, 1.5)
    y = 50 * skewed(shape, 3)
    frequency = np.hypot(np.fft.fftfreq(12)[:, None], np.fft.fftfreq(15)[None])
    noise, power = 2 + frequency, 100 / (0.01 + frequency**2)
    h = otf(psf, shape)
    expected = np.fft.ifftn(np.fft.fftn(y) * h.conj() / (np.abs(h) ** 2 + noise / power)).real
    found = run(
        "wiener",
        Problem(LeastSquares(blur(tensor(psf), shape, "periodic"), tensor(y))),
        noise_spectrum=tensor(noise[:, :8]),
        object_spectrum=tensor(power[:, :8]),
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("sigma", [1.0, 10.0])
@pytest.mark.parametrize("boundary", ["periodic", "open"])
def test_wiener_estimates_the_noise_to_signal_ratio(sigma: float, boundary: str) -> None:
    """White noise of known variance on a rough object: the estimate comes within a factor of two of the truth's ratio."""
    generator = np.random.default_rng(5)
    H = blur(tensor(gaussian(17, 2.5)), (64, 64), boundary)
    clean = H.forward(tensor(generator.random(H.in_shape) * 300 * (generator.random(H.in_shape) > 0.8)))
    y = clean + tensor(sigma * generator.standard_normal((64, 64)))
    solution = solve(method("wiener"), Problem(LeastSquares(H, y)), stop=MaxIterations(1))
    ratio = solution.method.noise_to_signal  # type: ignore[attr-defined]
    truth = sigma**2 / float(clean.var())
    assert truth / 2 < ratio < truth * 2
    assert solution.reason == "closed form"
    assert solution.iterations == 0


def test_landweber_and_projected_landweber_are_dense_iterations() -> None:
    H = blur(tensor(skewed((3, 4))), (6, 7), "reflect")
    A, generator = dense(H), np.random.default_rng(0)
    y, w = 20 * generator.random(42), generator.random(42)
    step_size = 1.2 / np.linalg.norm(A, 2) ** 2
    fidelity = LeastSquares(H, tensor(y.reshape(6, 7)), 1.5, tensor(w.reshape(6, 7)))
    start = generator.random((6, 7)) * 30
    for name, bounds, constraint in (
        ("landweber", (-np.inf, np.inf), Free()),
        ("projected-landweber", (0, np.inf), NonNegative()),
        ("projected-landweber", (0.5, 12), Box(0.5, 12)),
    ):
        x = np.clip(start.flatten(), *bounds)
        for _ in range(20):
            x = np.clip(x + step_size * A.T @ (w * (y - 1.5 - A @ x)), *bounds)
        found = run(name, Problem(fidelity, Zero(), constraint), 20, x0=tensor(start), step_size=step_size)
        np.testing.assert_allclose(found.flatten(), x, rtol=1e-12, atol=1e-12)


def heavy_ball(A: Array, y: Array, b: float, x: Array, steps: int) -> Array:
    """Wang & Miller 2014 as in their paper, with the restart where the likelihood at the point falls."""
    point, k, before, seen = x, 1.0, np.inf, A.T @ np.ones(len(y))
    for _ in range(steps):
        prediction = A @ point + b
        value = (prediction - y * np.log(prediction)).sum()
        following = point * (A.T @ (y / prediction)) / seen
        k += 1
        momentum = min((k - 1) / (k + 2), 1 - 2 / np.sqrt(k + 3))
        point = np.maximum(following + momentum * (following - x), 0)
        if value > before:
            point, k = following, 1.0
        x, before = following, value
    return x


def biggs_andrews(A: Array, y: Array, b: float, x: Array, steps: int) -> Array:
    """Biggs & Andrews 1997, equations 6 to 9."""
    previous, g, g_before, seen = x, None, None, A.T @ np.ones(len(y))
    for _ in range(steps):
        momentum = (
            0.0 if g is None or g_before is None else float(np.clip(g @ g_before / (g_before @ g_before), 0, 0.999))
        )
        point = np.maximum(x + momentum * (x - previous), 0)
        following = point * (A.T @ (y / (A @ point + b))) / seen
        previous, x, g_before, g = x, following, g, following - point
    return x


@pytest.mark.parametrize(("name", "reference"), [("scaled-heavy-ball", heavy_ball), ("biggs-andrews", biggs_andrews)])
@pytest.mark.parametrize("steps", [1, 2, 3, 40])
def test_accelerations_are_their_published_formulas(name: str, reference: Callable[..., Array], steps: int) -> None:
    H = blur(tensor(skewed((3, 4))), (6, 7), "periodic")
    y = photons(H)
    start = 5 + 20 * np.random.default_rng(2).random((6, 7))
    expected = reference(dense(H), y.flatten().numpy(), 2.0, start.flatten(), steps)
    found = run(name, poisson(H, y, 2.0), steps, x0=tensor(start))
    np.testing.assert_allclose(found.flatten(), expected, rtol=1e-9, atol=1e-9 * expected.max())


@pytest.mark.parametrize(
    ("name", "parameters", "transforms"),
    [
        ("naive-inverse", {}, 4),
        ("truncated-inverse", {}, 4),
        ("tikhonov-inverse", {}, 4),
        ("laplacian-regularised-inverse", {}, 4),
        ("wiener", {"noise_to_signal": 0.1}, 4),
        ("wiener", {}, 5),
    ],
)
def test_filters_cost_the_transforms_they_state(
    name: str, parameters: dict[str, Any], transforms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    filter_ = method(name, **parameters)
    problem = example(filter_)
    problem.H.convolution.otf.sum()  # computed once, when first asked for
    calls = []
    for call in ("rfftn", "irfftn"):
        plain = getattr(fourier, call)
        monkeypatch.setattr(fourier, call, lambda *a, plain=plain, **k: (calls.append(1), plain(*a, **k))[1])
    solve(filter_, problem, stop=MaxIterations(1))
    assert len(calls) == transforms


# Minima


def least_squares_reference(
    fidelity: LeastSquares, prior: QuadraticPrior, constraint: Constraint
) -> tuple[Array, Array, Array]:
    """(the dense minimum by SciPy's bounded solver, the stacked matrix, its right side) over the measured voxels."""
    H = fidelity.H
    A, L = dense(H), dense(prior.operator(H.in_shape))
    seen = np.ones(A.shape[1], bool) if fidelity.support is None else fidelity.support.flatten().numpy() > 0
    w = np.ones(A.shape[0]) if fidelity.weights is None else np.sqrt(fidelity.weights.flatten().numpy())
    matrix = np.vstack([A * w[:, None], np.sqrt(prior.weight) * L])[:, seen]
    data = (fidelity.y - fidelity.background).flatten().numpy() * w
    side = np.concatenate([data, np.zeros(L.shape[0])])
    lower, upper = constraint.bounds
    bounds = (-np.inf if lower is None else lower, np.inf if upper is None else upper)
    x = np.zeros(A.shape[1])
    if isinstance(constraint, Free):
        x[seen] = np.linalg.lstsq(matrix, side, rcond=None)[0]
    else:
        x[seen] = lsq_linear(matrix, side, bounds, method="bvls", tol=1e-14).x
    return x.reshape(H.in_shape), matrix, side


def mild() -> Array:
    """A skewed PSF whose OTF is nowhere small, so that fixed steps arrive in hundreds."""
    psf = 0.4 * skewed((3, 4))
    psf[1, 2] += 0.6
    return psf


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("prior", [Tikhonov(0.2), LaplacianPrior(0.1), LaplacianPrior(0.1, spacing=(0.3, 0.1))])
def test_every_road_leads_to_the_same_minimum(boundary: str, prior: QuadraticPrior) -> None:
    """Filters in closed form, gradient descent and conjugate gradients, and NumPy's dense least squares."""
    H = blur(tensor(mild()), (6, 7), boundary)
    fidelity = LeastSquares(H, tensor(20 * np.random.default_rng(0).random((6, 7))), 1.5)
    problem = Problem(fidelity, prior)
    expected, _, _ = least_squares_reference(fidelity, prior, Free())
    closed = "tikhonov-inverse" if isinstance(prior, Tikhonov) else "laplacian-regularised-inverse"
    # Beyond an open border, where little is measured, the Laplacian alone pulls, and slowly.
    steps, fixed = (300, 1e-6) if boundary == "periodic" or isinstance(prior, Tikhonov) else (2000, 2e-2)
    roads = [
        ("tikhonov-miller", steps, {}, fixed),
        ("conjugate-tikhonov-miller", 100, {}, 1e-10),
        (closed, 1, {"edges": "exact"}, 1e-9 if boundary == "periodic" else 3e-4),
    ]
    if boundary == "periodic":
        roads += [(closed, 1, {"edges": edges}, 1e-10) for edges in ("continue",)]
    least = float(problem.objective(tensor(expected)))
    for name, iterations, parameters, tolerance in roads:
        found = run(name, problem, iterations, **parameters)  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max(), err_msg=name)
        assert float(problem.objective(tensor(found))) == pytest.approx(least, rel=1e-4), name
    for name in ("tikhonov-miller", "iterative-constrained-tikhonov-miller"):  # slow, but there they stay
        stays = run(name, problem, 5, x0=tensor(expected))
        np.testing.assert_allclose(stays, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("constraint", [NonNegative(), Box(1.0, 15.0)])
@pytest.mark.parametrize("prior", [Tikhonov(0.1), LaplacianPrior(0.05)])
def test_constrained_methods_reach_the_constrained_minimum(
    boundary: str, constraint: Constraint, prior: QuadraticPrior
) -> None:
    H = blur(tensor(mild()), (6, 7), boundary)
    generator = np.random.default_rng(0)
    weights = tensor(0.5 + generator.random((6, 7)))
    fidelity = LeastSquares(H, tensor(20 * generator.random((6, 7))), 8.0, weights)
    problem = Problem(fidelity, prior, constraint)
    assert fidelity.support is None, "the dense reference is over all voxels"
    expected, matrix, side = least_squares_reference(fidelity, prior, constraint)
    if isinstance(constraint, NonNegative):
        np.testing.assert_allclose(expected.flatten(), nnls(matrix, side)[0], atol=1e-10)
    assert (expected <= constraint.bounds[0]).mean() > 0.02, "the constraint must bind for this to prove anything"
    steps, fixed = (300, 1e-6) if boundary == "periodic" or isinstance(prior, Tikhonov) else (2000, 2e-2)
    for name, iterations, tolerance in (
        ("conjugate-tikhonov-miller", 200, 1e-9),
        ("iterative-constrained-tikhonov-miller", steps, fixed),
    ):
        found = run(name, problem, iterations)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * expected.max(), err_msg=name)
        assert float(problem.objective(tensor(found))) == pytest.approx(
            float(problem.objective(tensor(expected))), rel=1e-4
        )
        stays = run(name, problem, 5, x0=tensor(expected))
        np.testing.assert_allclose(stays, expected, rtol=0, atol=1e-12 * expected.max())


def test_conjugate_gradients_need_as_many_steps_as_there_are_eigenvalues() -> None:
    """HᵀH + λ with the identity as H has one eigenvalue; a two-voxel blur on six voxels has three that count."""
    y = tensor(20 * np.random.default_rng(0).random(6))
    one = Problem(LeastSquares(Identity((6,)), y), Tikhonov(0.3))
    np.testing.assert_allclose(run("conjugate-tikhonov-miller", one, 1), y / 1.3, rtol=1e-14)
    H = blur(tensor([0.5, 0.5]), (6,), "periodic")
    three = Problem(LeastSquares(H, y), Tikhonov(0.3))
    expected = np.linalg.solve(dense(H).T @ dense(H) + 0.3 * np.eye(6), dense(H).T @ y.numpy())
    assert np.abs(run("conjugate-tikhonov-miller", three, 2) - expected).max() > 1e-3
    np.testing.assert_allclose(run("conjugate-tikhonov-miller", three, 3), expected, rtol=1e-12)


def likelihood_reference(problem: Problem[Any, Any], background: float) -> float:
    """The least half deviance by SciPy's L-BFGS-B over the measured voxels."""
    fidelity = problem.fidelity
    seen = np.ones(problem.H.in_shape, bool) if fidelity.support is None else fidelity.support.numpy() > 0
    A, y = dense(problem.H)[:, seen.flatten()], fidelity.y.flatten().numpy()

    def value_and_gradient(x: Array) -> tuple[float, Array]:
        prediction = A @ x + background
        quotient = np.where(y > 0, y / prediction, 1.0)
        return float((prediction - y + y * np.log(quotient)).sum()), A.T @ (1 - y / prediction)

    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-9}
    bounds = [(0, None)] * A.shape[1]
    return float(
        minimize(
            value_and_gradient, np.full(A.shape[1], 10.0), jac=True, method="L-BFGS-B", bounds=bounds, options=options
        ).fun
    )


@pytest.fixture(scope="module")
def courses() -> tuple[float, dict[str, Array]]:
    """The least half deviance, and its course over the iterations of Richardson-Lucy and its accelerations."""
    problem = poisson(H := blur(tensor(gaussian(7, 1.3)), (9, 10), "open"), photons(H), 2.0)
    found = {}
    for name in ("richardson-lucy", "scaled-heavy-ball", "biggs-andrews"):
        course = []
        for iteration in iterate(method(name), problem):  # type: ignore[arg-type]
            course.append(iteration.objective)
            if iteration.index == 500:
                break
        found[name] = np.array(course)
    return likelihood_reference(problem, 2.0), found


@pytest.mark.parametrize(("name", "gain"), [("scaled-heavy-ball", 1.8), ("biggs-andrews", 3.0)])
def test_accelerations_come_to_richardson_lucys_likelihood_sooner(
    courses: tuple[float, dict[str, Array]], name: str, gain: float
) -> None:
    _, course = courses
    for iterations in (50, 100, 200, 400):
        target = course["richardson-lucy"][iterations - 1]
        sooner = int(np.argmax(course[name] <= target)) + 1
        assert course[name].min() <= target
        assert sooner * gain <= iterations, f"{sooner} instead of {iterations}"


def test_richardson_lucy_and_its_accelerations_end_at_the_maximum(courses: tuple[float, dict[str, Array]]) -> None:
    """Heavy ball: to 2e-3. Richardson-Lucy is still on its way. Biggs-Andrews has settled a little short of it."""
    least, course = courses
    assert course["richardson-lucy"][-1] == pytest.approx(least, rel=8e-2)
    assert course["scaled-heavy-ball"][-1] == pytest.approx(least, rel=2e-3)
    assert course["biggs-andrews"][-1] == pytest.approx(least, rel=2e-2)
    for values in course.values():
        assert values.min() >= least * (1 - 1e-9)


# What Richardson-Lucy keeps


def float32_problem(background: float, masked: bool) -> Problem[Any, Any]:
    psf = np.zeros((9, 15, 15))
    psf[3:6, 4:11, 4:11] = gaussian(3, 1.0)[:, 1][:, None, None] * gaussian(7, 1.5)
    H = blur(torch.as_tensor(psf / psf.sum(), dtype=torch.float32), (8, 17, 17), "open")
    generator = np.random.default_rng(0)
    truth = generator.random(H.in_shape) * 200 * (generator.random(H.in_shape) > 0.7)
    y = generator.poisson(H.forward(torch.as_tensor(truth, dtype=torch.float32)).clamp(min=0) + background)
    weights = torch.ones(y.shape)
    weights[3:5, 6:10, 8:12] = 0
    fidelity = PoissonLikelihood(H, torch.as_tensor(y, dtype=torch.float32), background, weights if masked else None)
    return Problem(fidelity, constraint=NonNegative())


@pytest.mark.parametrize(("background", "masked"), [(0.0, False), (0.0, True), (3.0, True)])
def test_single_precision_with_dark_borders_stays_sound(background: float, masked: bool) -> None:
    """200 iterations on an open domain many of whose voxels have Hᵀ1 <= 0 by rounding: finite, monotone, and counts kept.

    What a step keeps is Σ w·Hx⁺ = Σ w·y·Hx/(Hx + b): without a background Σ w·Hx = Σ w·y from the first step on. With one,
    Σ w(Hx + b) = Σ w·y holds only as far as y/(Hx + b) averages to 1, hence to a fraction of a percent here.
    """
    problem = float32_problem(background, masked)
    fidelity = problem.fidelity
    assert float((fidelity.back_projected_weights() <= 0).float().mean()) > 0.1
    weights = torch.ones_like(fidelity.y) if fidelity.weights is None else fidelity.weights
    counted = float((weights * fidelity.y).sum(dtype=torch.float64))
    objective = np.inf
    with torch.no_grad():
        for iteration in iterate(method("richardson-lucy"), problem):  # type: ignore[arg-type]
            x = iteration.x
            assert bool(torch.isfinite(x).all()), iteration.index
            assert float(x.min()) >= 0
            image, before = problem.H.forward(x), problem.H.forward(iteration.previous.x)
            kept = float((weights * fidelity.y * before / (before + background)).sum(dtype=torch.float64))
            assert float((weights * image).sum(dtype=torch.float64)) == pytest.approx(kept, rel=1e-5)
            explained = float((weights * (image + background)).sum(dtype=torch.float64))
            assert explained == pytest.approx(counted, rel=1e-5 if background == 0 else 2e-3)
            # The default start already explains the data's sum, with and without a background.
            assert iteration.objective <= objective, iteration.index
            objective = iteration.objective
            if iteration.index == 200:
                break


def test_single_and_double_precision_agree() -> None:
    problem = float32_problem(3.0, masked=False)
    exact = Problem(
        PoissonLikelihood(blur(problem.H.convolution.psf.double(), problem.H.shape), problem.fidelity.y.double(), 3.0),
        constraint=NonNegative(),
    )
    for name in ("richardson-lucy", "scaled-heavy-ball"):
        single, double = run(name, problem, 60), run(name, exact, 60)
        np.testing.assert_allclose(single, double, rtol=0, atol=2e-4 * double.max())


def test_masked_voxels_are_filled_from_their_surroundings() -> None:
    """A dead voxel reading 0 pulls a hole; under weight 0 the object there is what its neighbours' light says."""
    H = blur(tensor(gaussian(7, 1.3)), (16, 16), "open")
    truth = torch.full(H.in_shape, 50.0, dtype=torch.float64)
    y = H.forward(truth)
    y[8, 8] = 0
    weights = torch.ones(16, 16, dtype=torch.float64)
    weights[8, 8] = 0
    hole, filled = (H.frame.forward(tensor(run("richardson-lucy", poisson(H, y, 0.0, w), 30))) for w in (None, weights))
    assert float(hole[8, 8]) < 25
    assert float(filled[8, 8]) == pytest.approx(50, rel=1e-3)


def test_bright_objects_keep_their_intensity_under_inverse_variance_weights() -> None:
    H = blur(tensor(gaussian(9, 1.5)), (24, 24), "open")
    truth = np.ones(H.in_shape)
    truth[11:21, 11:21] = 800
    y = tensor(np.random.default_rng(0).poisson(H.forward(tensor(truth)).clamp(min=0)))
    problem = Problem(LeastSquares(H, y, weights=1 / (y + 1)), Tikhonov(1e-5), NonNegative())
    x = run("conjugate-tikhonov-miller", problem, 200)
    assert x[14:18, 14:18].mean() == pytest.approx(800, rel=0.1)


@pytest.mark.parametrize("edges", ["continue", "taper", "window"])
def test_an_axis_that_is_not_blurred_has_no_edges(edges: str) -> None:
    """One plane as a volume of one plane, and planes that are blurred one by one: as in two dimensions."""
    planes, psf = 100 * skewed((3, 24, 24), 3) * 3 * 24**2, gaussian(9, 1.5)
    flat = [run("wiener", Problem(LeastSquares(blur(tensor(psf), (24, 24)), tensor(y))), edges=edges, noise_to_signal=0.01)
            for y in planes]  # fmt: skip
    for volume, expected in ((planes[:1], np.stack(flat[:1])), (planes, np.stack(flat))):
        if edges == "window" and len(volume) > 1:
            continue  # it fades every axis, blurred or not
        H = blur(tensor(psf[None]), volume.shape)
        found = run("wiener", Problem(LeastSquares(H, tensor(volume))), edges=edges, noise_to_signal=0.01)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * expected.max())


# Errors and refusals


def test_a_step_size_that_diverges_is_refused() -> None:
    problem = Problem(LeastSquares(blur(tensor(skewed((3, 3))), (5, 5), "periodic"), torch.ones(5, 5).double()))
    for name in ("landweber", "projected-landweber"):
        with pytest.raises(
            ValueError, match=r"Landweber: step_size=2 may diverge; it must be below 2/L = 2, where L bounds"
        ):
            run(name, problem, step_size=2.0)
        assert np.isfinite(run(name, problem, 500, step_size=1.99)).all()
    smooth = Problem(problem.fidelity, LaplacianPrior(1.0))
    with pytest.raises(
        ValueError, match=r"TikhonovMiller: step_size=0.02 may diverge; it must be below 2/L = 0.0137931"
    ):
        run("tikhonov-miller", smooth, step_size=0.02)
    with pytest.raises(ValueError, match="Landweber: step_size must be > 0, not -1"):
        method("landweber", step_size=-1.0)


def test_wieners_spectra_come_in_pairs_and_on_the_half_grid() -> None:
    spectrum = torch.ones(5, 3)
    for given in ({"noise_spectrum": spectrum}, {"object_spectrum": spectrum}):
        with pytest.raises(ValueError, match="Wiener: give both noise_spectrum and object_spectrum, or neither"):
            method("wiener", **given)
    problem = Problem(LeastSquares(Identity((5, 6)), torch.ones(5, 6)))
    with pytest.raises(ValueError, match=r"noise_spectrum has shape \(5, 3\), the half grid of the object \(5, 4\)"):
        run("wiener", problem, noise_spectrum=spectrum, object_spectrum=spectrum)
    with pytest.raises(ValueError, match=r"object_spectrum has shape \(5, 3\)"):
        run("wiener", problem, noise_spectrum=torch.ones(5, 4), object_spectrum=spectrum)


def test_parameters_out_of_bounds_are_named() -> None:
    for name, parameters, message in (
        ("truncated-inverse", {"epsilon": 1.0}, "TruncatedInverse: epsilon must be > 0 and < 1, not 1.0"),
        ("naive-inverse", {"epsilon": 0.0}, "NaiveInverse: epsilon must be > 0, not 0.0"),
        ("wiener", {"noise_to_signal": -0.1}, "Wiener: noise_to_signal must be > 0, not -0.1"),
        ("tikhonov-inverse", {"edges": "mirror"}, "edges must be one of continue, taper, window, exact, not 'mirror'"),
        ("naive-inverse", {"edges": "exact"}, "edges must be one of continue, taper, window, not 'exact'"),
    ):
        with pytest.raises(ValueError, match=message):
            method(name, **parameters)


def test_refusals_say_every_reason_in_a_sentence() -> None:
    H, y = blur(tensor(skewed((3, 3))), (5, 5), "reflect"), torch.ones(5, 5, dtype=torch.float64)
    weights = torch.ones(5, 5, dtype=torch.float64)
    squares, counts = LeastSquares(H, y), PoissonLikelihood(H, y)
    richardson_lucy, wiener = registry.get("richardson-lucy"), registry.get("wiener")
    name = "RichardsonLucy cannot solve this problem: its"
    assert refusals(richardson_lucy, Problem(squares, Tikhonov())) == [
        f"{name} data term must be PoissonLikelihood, not LeastSquares.",
        f"{name} prior must be Zero, not Tikhonov.",
        f"{name} constraint must be NonNegative, not Free.",
    ]
    assert refusals(richardson_lucy(), Problem(counts, constraint=NonNegative())) == []
    name = "Wiener cannot solve this problem:"
    assert refusals(wiener(), Problem(LeastSquares(H, y, weights=weights), constraint=NonNegative())) == [
        f"{name} its constraint must be Free, not NonNegative.",
        f'{name} its blur must be Circulant, not a Blur with boundary "reflect".',
        f"{name} it cannot honour weights, so that masked voxels would be read as data.",
    ]
    assert refusals(wiener, Problem(LeastSquares(H @ Identity((5, 5)), y))) == [
        f"{name} its blur must be Circulant, not Composition."
    ]
    for boundary in ("open", "periodic"):
        fine = blur(tensor(skewed((3, 3))), (5, 5), boundary)
        assert refusals(wiener, Problem(LeastSquares(fine, y))) == []
    with pytest.raises(ValueError, match=r"Poisson.*NonNegative, not Free\."):
        run("richardson-lucy", Problem(squares))


class Silent(IterativeMethod):  # type: ignore[type-arg]
    """Does not say what it solves."""

    def init(self, problem: Any, x0: Any = None) -> Any: ...

    def step(self, problem: Any, state: Any) -> Any: ...


class Open(GradientMethod):  # type: ignore[type-arg]
    """Leaves the prior open."""


def test_claims_are_what_the_type_parameters_say() -> None:
    with pytest.raises(TypeError, match=r"Silent does not say what it solves: derive it from IterativeMethod\[State"):
        claims(Silent)
    assert claims(Open) == (GradientState, LeastSquares, Prior)
    problem = Problem(LeastSquares(Identity((3,)), torch.ones(3)), Tikhonov())
    assert refusals(Open, problem) == []
    assert claims(registry.get("wiener")).prior is Zero
    assert claims(registry.get("tikhonov-miller")) == (GradientState, LeastSquares, QuadraticPrior)


def test_a_flat_start_needs_signal() -> None:
    H = blur(tensor(skewed((3, 3))), (5, 5), "open")
    with pytest.raises(ValueError, match=r"The data's mean above the background is 0: there is no signal to restore"):
        run("richardson-lucy", poisson(H, torch.zeros(5, 5, dtype=torch.float64)))
    darker = LeastSquares(H, torch.ones(5, 5, dtype=torch.float64), 3.0)
    with pytest.raises(ValueError, match=r"above the background is -\d"):
        run("projected-landweber", Problem(darker, constraint=NonNegative()))
    assert run("landweber", Problem(darker)).mean() < 0  # an object without a bound may be negative
