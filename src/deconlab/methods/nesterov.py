"""Projected gradient descent with Nesterov's momentum.

    x ← P[p − γ (Hᵀw(Hp + b − y) + ∇R(p))],  t⁺ = (1 + √(1 + 4t²))/2,  p ← x + (t − 1)/t⁺ · (x − x₋),  0 < γ <= 1/L

with L the Lipschitz constant of the whole gradient, and the momentum begun anew when it points uphill.

Guarantee: an objective gap of O(1/k²) for least squares with any smooth prior (proven without the restart). Takes the square
root of Landweber's and Tikhonov-Miller's numbers of steps. Cost per step: four transforms and the prior's gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Smooth
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._gradient import descend
from deconlab.methods._method import IterativeMethod
from deconlab.methods._proximal import AcceleratedState, chosen_step
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Gt


@dataclass(frozen=True)
class Nesterov(IterativeMethod[AcceleratedState, LeastSquares, Smooth]):
    """Nesterov's accelerated gradient descent."""

    step_size: Annotated[
        float | None, Gt(0), Doc("step γ, at most 1/L with L the largest curvature; 1/L if not given")
    ] = None

    constraint: ClassVar[type] = Constraint
    order: ClassVar[int] = 2
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1007/s10107-004-0552-5", "10.1007/s10208-013-9150-3")

    def init(self, problem: Problem[LeastSquares, Smooth], x0: Tensor | None = None) -> AcceleratedState:
        curvature = problem.fidelity.lipschitz + problem.prior.lipschitz
        x = problem.start(x0)
        return AcceleratedState(x, None, x, x.new_ones(()), chosen_step("Nesterov", self.step_size, curvature, 1))

    def step(self, problem: Problem[LeastSquares, Smooth], state: AcceleratedState) -> AcceleratedState:
        assert state.point is not None
        x, value = descend(problem, state.point, state.step_size)
        change, momentum = x - state.x, torch.as_tensor(state.momentum)
        uphill = total_of((state.point - x) * change) > 0
        momentum = torch.where(uphill, torch.ones_like(momentum), momentum)
        following = 0.5 * (1 + torch.sqrt(1 + 4 * momentum.square()))
        return AcceleratedState(x, value, x + (momentum - 1) / following * change, following, state.step_size)

    def chosen(self, state: AcceleratedState) -> dict[str, float]:
        return {"step_size": float(state.step_size)}
