"""Gradient steps on the data, proximal steps on the prior (iterative shrinkage-thresholding).

    x ← prox_{γR}(x − γ Hᵀw(Hx + b − y)),  0 < γ < 2/‖H‖²_w

Guarantee: converges to the minimum of ½‖Hx + b − y‖²_w + R(x) with an objective gap of O(1/k), and no step raises the
objective, where the prior's prox is exact. So it is for λ‖x‖₁, with bounds or without, and for an orthonormal basis without;
total variation and second-order priors, and wavelets with bounds or on sizes that 2^levels does not divide, take a fixed
number of inner steps. FISTA costs the same and is faster; a reference. Cost per step: four transforms and the prox.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import HasProx, LeastSquares
from deconlab.lazytorch import Tensor
from deconlab.methods._gradient import GradientState
from deconlab.methods._method import IterativeMethod
from deconlab.methods._proximal import chosen_step, forward_backward
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Gt


@dataclass(frozen=True)
class ISTA(IterativeMethod[GradientState, LeastSquares, HasProx]):
    """Iterative shrinkage-thresholding (ISTA), the proximal gradient method."""

    step_size: Annotated[
        float | None, Gt(0), Doc("step γ, below 2/L with L the largest curvature; 1/L if not given")
    ] = None

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "wavelet-sparsity"
    monotone: ClassVar[bool] = True
    order: ClassVar[int] = 1
    buffers: ClassVar[int] = 12
    references: ClassVar[tuple[str, ...]] = ("10.1002/cpa.20042", "10.1137/080716542")

    def init(self, problem: Problem[LeastSquares, HasProx], x0: Tensor | None = None) -> GradientState:
        step_size = chosen_step("ISTA", self.step_size, problem.fidelity.lipschitz, 2)
        return GradientState(problem.start(x0), step_size=step_size)

    def step(self, problem: Problem[LeastSquares, HasProx], state: GradientState) -> GradientState:
        x, _ = forward_backward(problem, state.x, state.step_size)
        return GradientState(x, None, state.step_size)

    def chosen(self, state: GradientState) -> dict[str, float]:
        return {"step_size": float(state.step_size)}
