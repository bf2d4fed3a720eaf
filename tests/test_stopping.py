"""Rules that end a run, and the reasons they give."""

from __future__ import annotations

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from deconlab import schema
from deconlab.functionals import LeastSquares, PoissonLikelihood
from deconlab.methods import registry
from deconlab.operators import blur
from deconlab.problem import NonNegative, Problem
from deconlab.solve import Iteration, iterate, solve
from deconlab.stopping import Discrepancy, MaxIterations, MaxSeconds, RelativeChange, StopRule, scheduled


def at(index: int = 1, seconds: float = 0.0, change: float = 1.0) -> Any:
    return SimpleNamespace(index=index, seconds=seconds, change=change)


class Says(StopRule):
    """Stops from an iteration on."""

    def __init__(self, word: str, since: int) -> None:
        self.word, self.since, self.asked = word, since, 0

    def __call__(self, iteration: Iteration) -> str | None:
        self.asked += 1
        return self.word if iteration.index >= self.since else None


def test_each_rule_says_why() -> None:
    assert MaxIterations(5)(at(4)) is None
    assert MaxIterations(5)(at(5)) == "reached 5 iterations"
    assert MaxIterations(5)(at(6)) == "reached 5 iterations"
    assert MaxSeconds(2.5)(at(seconds=2.4)) is None
    assert MaxSeconds(2.5)(at(seconds=2.5)) == "reached 2.5 s"
    assert RelativeChange(1e-3)(at(change=1e-3)) is None
    assert RelativeChange(1e-3)(at(change=9.3e-4)) == "relative change 0.00093 below 0.001"


def test_rules_combine() -> None:
    early, late = Says("early", 2), Says("late", 4)
    assert [(early | late)(at(i)) for i in (1, 2, 4)] == [None, "early", "early"]
    assert [(early & late)(at(i)) for i in (1, 3, 4)] == [None, None, "early and late"]
    assert ((early & late) | MaxIterations(3))(at(3)) == "reached 3 iterations"
    assert (MaxIterations(3) | MaxSeconds(1.0)) == (MaxIterations(3) | MaxSeconds(1.0))
    assert (MaxIterations(3) & MaxSeconds(1.0)) != (MaxIterations(3) | MaxSeconds(1.0))


def test_both_rules_are_asked_so_that_both_have_their_record() -> None:
    one, two = Says("one", 9), Says("two", 9)
    (one & two)(at(1))
    assert (one.asked, two.asked) == (1, 1)


def test_rules_are_values_that_print_as_what_makes_them() -> None:
    for rule in (MaxIterations(5), MaxSeconds(2.0), RelativeChange(1e-3), Discrepancy(1.1)):
        assert eval(repr(rule)) == rule
        assert schema.parameters(type(rule))
    combined = MaxIterations(5) | (RelativeChange(0.1) & MaxSeconds(1.0))
    from deconlab.stopping import Both, Either  # noqa: F401  (for eval)

    assert eval(repr(combined)) == combined


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxIterations(0), "MaxIterations: iterations must be >= 1, not 0"),
        (lambda: MaxSeconds(0.0), "MaxSeconds: max_seconds must be > 0 s, not 0.0"),
        (lambda: RelativeChange(-1.0), "RelativeChange: relative_change must be > 0, not -1.0"),
        (lambda: Discrepancy(0.0), "Discrepancy: discrepancy must be > 0, not 0.0"),
    ],
)
def test_rules_hold_their_parameters_to_bounds(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match=r"MaxIterations: iterations must be a whole number, not 2\.5"):
        MaxIterations(2.5)  # type: ignore[arg-type]


def test_costly_rules_score_ever_more_rarely() -> None:
    scored = [index for index in range(1, 2001) if scheduled(index)]
    assert scored[:10] == list(range(1, 11))
    assert len(scored) < 75
    for before, after in pairwise(scored):
        assert after - before <= math.ceil(0.1 * before) + 1


def faint(
    mean: float, shape: tuple[int, int] = (48, 48), read_noise: float = 0.0
) -> tuple[Problem[Any, Any], torch.Tensor]:
    """(problem, truth): blobs blurred by a Gaussian, with ``mean`` photons to the voxel on average."""
    line = np.exp(-0.5 * ((np.arange(9) - 4) / 1.5) ** 2)
    psf = torch.as_tensor(np.outer(line, line) / line.sum() ** 2)
    H = blur(psf, shape, "periodic")
    generator = np.random.default_rng(1)
    blobs = np.where(generator.random(shape) > 0.97, 1.0, 0.02)
    truth = blur(psf, shape, "periodic").forward(torch.as_tensor(blobs))
    truth = truth * (mean / truth.mean())
    clean = H.forward(truth).numpy()
    y = generator.poisson(clean) + read_noise * generator.standard_normal(shape)
    fidelity = PoissonLikelihood(H, torch.as_tensor(y), read_variance=read_noise**2)
    return Problem(fidelity, constraint=NonNegative()), truth


@pytest.mark.parametrize(("mean", "read_noise"), [(0.05, 0.0), (0.5, 0.0), (5.0, 0.0), (200.0, 0.0), (5.0, 2.0)])
def test_the_truth_has_just_the_loss_that_is_expected(mean: float, read_noise: float) -> None:
    """At any photon count, where half a unit per voxel would be wrong by a factor of three."""
    problem, truth = faint(mean, read_noise=read_noise)
    fidelity, prediction = problem.fidelity, problem.H.forward(truth)
    ratio = float(fidelity.loss(prediction).sum() / fidelity.expected_loss(prediction).sum())
    # The shifted model is an approximation: it has the right mean and variance, not the right deviance.
    assert ratio == pytest.approx(1, abs=0.08 if read_noise == 0 else 0.12)
    if mean <= 0.05:
        assert float(fidelity.loss(prediction).mean()) < 0.25


@pytest.mark.parametrize("mean", [0.5, 5.0, 200.0])
def test_discrepancy_stops_where_the_residual_is_the_noise(mean: float) -> None:
    """Just as the ratio passes 1, and at an error near the least that any stop would have had."""
    problem, truth = faint(mean)
    method = registry.get("richardson-lucy")()
    solution = solve(method, problem, stop=Discrepancy() | MaxIterations(300))
    assert solution.iterations < 300
    ratio = float(solution.reason.split()[1])
    assert 0.9 < ratio <= 1
    assert solution.reason.endswith("× the noise's, at most 1")
    errors = []
    for iteration in iterate(method, problem):  # type: ignore[arg-type]
        errors.append(float((iteration.x - truth).norm()))
        if iteration.index == 100:
            break
    assert errors[solution.iterations - 1] < 1.5 * min(errors)
    earlier = solve(method, problem, stop=Discrepancy(1.2) | MaxIterations(300))
    assert earlier.iterations <= solution.iterations


def test_discrepancy_of_least_squares_needs_the_noises_variance() -> None:
    problem, truth = faint(50.0)
    H, sigma = problem.H, 3.0
    clean = H.forward(truth)
    noise = sigma * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    method = registry.get("landweber")()
    known = Problem(LeastSquares(H, clean + noise, noise_variance=sigma**2))
    solution = solve(method, known, stop=Discrepancy() | MaxIterations(500))
    assert solution.iterations < 500
    residual = float((H.forward(solution.x) - clean - noise).square().mean())
    assert residual == pytest.approx(sigma**2, rel=0.1)
    weighted = Problem(LeastSquares(H, clean + noise, weights=torch.full(clean.shape, sigma**-2, dtype=torch.float64)))
    same = solve(method, weighted, stop=Discrepancy() | MaxIterations(500))
    assert same.iterations == solution.iterations


def test_discrepancy_scores_on_its_schedule_only() -> None:
    problem, _ = faint(5.0)
    method = registry.get("richardson-lucy")()
    scores = 0
    forward = problem.H.forward

    def counted(x: torch.Tensor) -> torch.Tensor:
        nonlocal scores
        scores += 1
        return forward(x)

    rule = Discrepancy(1e-9)
    for iteration in iterate(method, problem):  # type: ignore[arg-type]
        problem.H.forward = counted  # type: ignore[method-assign]
        rule(iteration)
        problem.H.forward = forward  # type: ignore[method-assign]
        if iteration.index == 100:
            break
    assert scores == sum(scheduled(index) for index in range(1, 101)) < 40
