"""FISTA that never raises the objective.

    z ← prox_{γR}(p − γ Hᵀw(Hp + b − y)),   x ← z if F(z) <= F(x) else x
    p ← x + t/t⁺ · (z − x) + (t − 1)/t⁺ · (x − x₋),   t⁺ = (1 + √(1 + 4t²))/2,   0 < γ <= 1/‖H‖²_w

Guarantee: monotone, with the gap of O(1/k²) that FISTA has (Beck & Teboulle 2009), also where the prox is only approximate:
an inexact step is then simply not taken. Cost per step: six transforms, the prox and the prior's value; x and p are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Proximable
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod
from deconlab.methods._proximal import AcceleratedState, chosen_step, forward_backward
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Gt


@dataclass(frozen=True)
class MonotoneFISTA(IterativeMethod[AcceleratedState, LeastSquares, Proximable]):
    """Monotone fast iterative shrinkage-thresholding (MFISTA)."""

    step_size: Annotated[
        float | None, Gt(0), Doc("step γ, at most 1/L with L the largest curvature; 1/L if not given")
    ] = None

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "total-variation"
    monotone: ClassVar[bool] = True
    order: ClassVar[int] = 2
    buffers: ClassVar[int] = 26
    references: ClassVar[tuple[str, ...]] = ("10.1109/TIP.2009.2028250",)

    def init(self, problem: Problem[LeastSquares, Proximable], x0: Tensor | None = None) -> AcceleratedState:
        step_size = chosen_step("MonotoneFISTA", self.step_size, problem.fidelity.lipschitz, 1)
        x = problem.start(x0)
        return AcceleratedState(x, problem.objective(x), x, x.new_ones(()), step_size)

    def step(self, problem: Problem[LeastSquares, Proximable], state: AcceleratedState) -> AcceleratedState:
        assert state.point is not None
        assert state.objective is not None
        z, _ = forward_backward(problem, state.point, state.step_size)
        objective = problem.objective(z)
        better = objective <= state.objective
        x = torch.where(better, z, state.x)
        t = torch.as_tensor(state.momentum)
        following = 0.5 * (1 + torch.sqrt(1 + 4 * t.square()))
        point = x + t / following * (z - x) + (t - 1) / following * (x - state.x)
        kept = torch.where(better, objective, state.objective)
        return AcceleratedState(x, kept, point, following, state.step_size)

    def chosen(self, state: AcceleratedState) -> dict[str, float]:
        return {"step_size": float(state.step_size)}
