"""One projected gradient step of data term + smooth prior: what Landweber, Tikhonov-Miller and their kin share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from deconlab.functionals import LeastSquares, Smooth, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, P, State
from deconlab.operators import Pointwise
from deconlab.problem import Problem, project
from deconlab.units import Doc, Gt


@dataclass(frozen=True, eq=False)
class GradientState(State):
    """The estimate and the step size γ in use."""

    step_size: float | Tensor = 1.0


@dataclass(frozen=True)
class GradientMethod(IterativeMethod[GradientState, LeastSquares, P]):
    """x ← P[x − γ(Hᵀw(Hx + b − y) + ∇R(x))] with 0 < γ < 2/L, L the gradient's Lipschitz constant; γ = 1/L by default."""

    step_size: Annotated[
        float | None, Gt(0), Doc("step γ, below 2/L with L the largest curvature; 1/L if not given")
    ] = None

    def init(self, problem: Problem[LeastSquares, P], x0: Tensor | None = None) -> GradientState:
        curvature = problem.fidelity.lipschitz
        if isinstance(problem.prior, Smooth):
            curvature += problem.prior.lipschitz
        step_size = 1 / curvature if self.step_size is None else self.step_size
        if isinstance(step_size, int | float) and not step_size < 2 / curvature:
            raise ValueError(
                f"{type(self).__name__}: step_size={step_size:g} may diverge; it must be below 2/L = {2 / curvature:g}, "
                f"where L bounds the curvature of this problem from above."
            )
        return GradientState(problem.start(x0), step_size=step_size)

    def step(self, problem: Problem[LeastSquares, P], state: GradientState) -> GradientState:
        x, value = descend(problem, state.x, state.step_size)
        return GradientState(x, value, state.step_size)

    def chosen(self, state: GradientState) -> dict[str, float]:
        value = state.step_size
        return {"step_size": float(value.detach() if isinstance(value, torch.Tensor) else value)}


def descend(problem: Problem[LeastSquares, Any], x: Tensor, step_size: float | Tensor) -> tuple[Tensor, Tensor | None]:
    """The projected gradient step from x, and the objective at x."""
    fidelity, prior = problem.fidelity, problem.prior
    pull = None if isinstance(prior, Zero) else prior.grad(x)
    update = Pointwise(descended, x, pull, step_size, fidelity.support, *problem.constraint.bounds)
    lower, value = problem.H.sandwich(x, fidelity.slope, update, fidelity.loss)
    assert isinstance(lower, torch.Tensor)
    return lower, value if pull is None or value is None else value + prior.value(x)


def descended(
    gradient: Tensor,
    x: Tensor,
    pull: Tensor | None,
    step_size: float | Tensor,
    support: Tensor | None,
    lower: float | None,
    upper: float | None,
) -> Tensor:
    total = gradient if pull is None else gradient + pull
    return project(x - step_size * total, support, lower, upper)
