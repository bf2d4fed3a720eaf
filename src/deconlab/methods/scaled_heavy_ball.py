"""Richardson-Lucy with momentum (Wang & Miller 2014).

    p ← max(x + α(x − x₋), 0),   x ← p · Hᵀ(w·y/(Hp + b)) / Hᵀw,   α = min((k − 1)/(k + 2), 1 − 2/√(k + 3))

k counts the steps since the last restart; when the likelihood at p is lower than at the p before, k returns to 1.

Guarantee: x >= 0 and the same maximum as Richardson-Lucy's, without monotony on the way. About a quarter of its steps.
Cost per step: four transforms, the estimate and the next point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import PoissonLikelihood, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._multiplicative import ahead, corrected
from deconlab.operators import Pointwise
from deconlab.operators.linear_operator import either
from deconlab.problem import NonNegative, Problem


@dataclass(frozen=True, eq=False)
class HeavyBallState(State):
    """The estimate, the point at which the next step begins, and k, a 0-dimensional tensor."""

    point: Tensor | None = None
    k: Tensor | None = None


@dataclass(frozen=True)
class ScaledHeavyBall(IterativeMethod[HeavyBallState, PoissonLikelihood, Zero]):
    """Scaled heavy-ball Richardson-Lucy (SHB)."""

    constraint: ClassVar[type] = NonNegative
    local: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 5
    references: ClassVar[tuple[str, ...]] = ("10.1109/TIP.2013.2291324",)

    def init(self, problem: Problem[PoissonLikelihood, Zero], x0: Tensor | None = None) -> HeavyBallState:
        x = problem.start(x0)
        return HeavyBallState(x, point=x, k=x.new_ones(()))

    def step(self, problem: Problem[PoissonLikelihood, Zero], state: HeavyBallState) -> HeavyBallState:
        fidelity = problem.fidelity
        assert state.point is not None
        assert state.k is not None
        k = state.k + 1
        momentum = torch.minimum((k - 1) / (k + 2), 1 - 2 / torch.sqrt(k + 3))
        update = Pointwise(corrected_and_ahead, state.point, fidelity.sensitivity, state.x, momentum)
        (point, x), value = problem.H.sandwich(state.point, fidelity.ratio, update, fidelity.loss)
        if value is not None and state.objective is not None:
            fell = value > state.objective
            k = torch.where(fell, 1.0, k)
            point = either(fell, x, point)
        return HeavyBallState(x, value, point, k)


def corrected_and_ahead(
    correction: Tensor, point: Tensor, sensitivity: Tensor, x: Tensor, momentum: Tensor
) -> tuple[Tensor, Tensor]:
    """(the next point, the next estimate)."""
    estimate = corrected(correction, point, sensitivity)
    return ahead(estimate, x, momentum), estimate
