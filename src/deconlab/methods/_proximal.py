"""Forward-backward steps: a gradient step on the data term, a proximal step on the prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deconlab.functionals import LeastSquares, NormOfMap
from deconlab.lazytorch import Tensor
from deconlab.methods._method import State
from deconlab.problem import Free, Problem


@dataclass(frozen=True, eq=False)
class AcceleratedState(State):
    """The estimate, the point at which the next step begins, the momentum t and the step size γ in use."""

    point: Tensor | None = None
    momentum: Tensor | float = 1.0
    step_size: float | Tensor = 1.0


def chosen_step(name: str, given: Any, curvature: float, limit: float) -> Any:
    """``given``, or 1/L. Raises ValueError for a step that is not below ``limit``/L (or at it, where the limit is 1)."""
    if given is None:
        return 1 / curvature
    if isinstance(given, int | float) and (given > limit / curvature or (limit == 2 and given == limit / curvature)):
        rule = "at most 1/L" if limit == 1 else "below 2/L"
        raise ValueError(f"{name}: step_size={given:g} diverges; it must be {rule} = {limit / curvature:g}.")
    return given


def forward_backward(
    problem: Problem[LeastSquares, Any], point: Tensor, step_size: float | Tensor
) -> tuple[Tensor, Tensor | None]:
    """prox_{γR}(point − γ ∇φ(point)) within the constraint, and the data term's value at ``point``.

    Where the prior's prox is iterated, that of its sum with the constraint is too, and no less exact. For other priors the
    constraint is a projection after the prox: exact for separable ones, λ‖x‖₁ and ½λ‖x‖², and an approximation elsewhere.
    """
    fidelity, prior = problem.fidelity, problem.prior
    slope, value = problem.H.sandwich(point, fidelity.slope, loss=fidelity.loss)
    moved = point - step_size * slope
    if not isinstance(prior, NormOfMap):
        return problem.admissible(prior.prox(moved, step_size)), value
    if isinstance(problem.constraint, Free) and fidelity.support is None:
        return prior.prox(moved, step_size), value
    return prior.prox_onto(moved, step_size, problem.admissible), value
