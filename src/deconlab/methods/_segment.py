"""Line search along a feasible segment, on which the prediction is linear: trials cost no transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import State
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Problem

TRIALS = 3


@dataclass(frozen=True, eq=False)
class SearchState(State):
    """The estimate, its objective and prediction Hx, and the length τ by which the negative gradient is multiplied."""

    prediction: Tensor | None = None
    length: Tensor | float = 1.0


class Found(NamedTuple):
    """Where a search ended; ``fraction`` of the direction was taken, 0 if nothing on it was lower."""

    x: Tensor
    objective: Tensor
    prediction: Tensor
    fraction: Tensor


def gradient(problem: Problem[Any, Any], x: Tensor, prediction: Tensor) -> Tensor:
    """The objective's gradient at x, from the prediction Hx: one adjoint application."""
    gradient: Tensor = problem.H.adjoint(problem.fidelity.slope(prediction)) + problem.prior.grad(x)
    return gradient


def search(
    problem: Problem[Any, Any], x: Tensor, prediction: Tensor, objective: Tensor, direction: Tensor, slope: Tensor
) -> Found:
    """The lowest of x and three points of the segment x + α·direction, 0 < α <= 1; ``slope`` = ⟨gradient, direction⟩ < 0.

    Each trial after the first is the minimum of the parabola through what is known, at least a tenth of the trial before.
    As x and x + direction are admissible, so is all between. One forward application.
    """
    image = problem.H.forward(direction)
    alpha = torch.ones_like(objective)
    best, fraction = objective, torch.zeros_like(objective)
    for _ in range(TRIALS):
        a = alpha.to(x.dtype)
        value = total_of(problem.fidelity.loss(prediction + a * image)) + problem.prior.value(x + a * direction)
        lower = value < best
        best, fraction = torch.where(lower, value, best), torch.where(lower, alpha, fraction)
        bend = 2 * (value - objective - slope * alpha)
        minimum = torch.where(bend > 0, -slope * alpha.square() / bend, 1.0)
        alpha = torch.clamp(torch.maximum(minimum, 0.1 * alpha), max=1.0)
    a = fraction.to(x.dtype)
    return Found(x + a * direction, best, prediction + a * image, fraction)


def first_length(x: Tensor, gradient: Tensor) -> Tensor:
    """The multiple of the gradient that would change x by its own size: a start in the right units."""
    size = total_of(gradient.abs())
    return torch.where(size > 0, total_of(x.abs()) / size, 0.0)
