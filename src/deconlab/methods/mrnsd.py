"""Steepest descent for x >= 0 in a metric that vanishes at 0.

    g = Hᵀw(Hx + b − y),  d = −x·g,  α = min(⟨g, x·g⟩/‖Hd‖²_w, min over d < 0 of −x/d),  x ← x + αd

Guarantee: x >= 0 and every step lowers ‖Hx + b − y‖²_w, by the exact minimum along d or up to the first voxel that reaches 0,
which stays there. The non-negative answer to CGLS where noise is additive. Cost per step: four transforms; Hx is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.operators.linear_operator import total_of
from deconlab.problem import NonNegative, Problem


@dataclass(frozen=True, eq=False)
class PredictedState(State):
    """The estimate and its prediction Hx."""

    prediction: Tensor | None = None


@dataclass(frozen=True)
class MRNSD(IterativeMethod[PredictedState, LeastSquares, Zero]):
    """Modified residual norm steepest descent (MRNSD, Nagy & Strakoš 2000)."""

    constraint: ClassVar[type] = NonNegative
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 9
    references: ClassVar[tuple[str, ...]] = ("10.1117/12.402439",)

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> PredictedState:
        x = problem.start(x0)
        return PredictedState(x, None, problem.H.forward(x))

    def step(self, problem: Problem[LeastSquares, Zero], state: PredictedState) -> PredictedState:
        fidelity, x = problem.fidelity, state.x
        assert state.prediction is not None
        slope = problem.H.adjoint(fidelity.slope(state.prediction))
        direction = -x * slope
        image = problem.H.forward(direction)
        curvature = total_of(image.square() if fidelity.weights is None else fidelity.weights * image.square())
        descent = -total_of(slope * direction)
        furthest = torch.where(direction < 0, 1 / slope, torch.inf).min()  # −x/d = 1/g
        step = torch.where(curvature > 0, torch.minimum(descent / curvature, furthest), 0.0).to(x.dtype)
        moved = (x + step * direction).clamp(min=0)
        return PredictedState(moved, total_of(fidelity.loss(state.prediction)), state.prediction + step * image)
