"""Richardson-Lucy with vector extrapolation (Biggs & Andrews 1997).

    p ← max(x + a(x − x₋), 0),   x ← p · Hᵀ(w·y/(Hp + b)) / Hᵀw,   g = x − p
    a = ⟨g, g₋⟩/⟨g₋, g₋⟩, held between 0 and 0.999

Guarantee: x >= 0, and no more. Far fewer steps than Richardson-Lucy needs for the same likelihood, about a seventh of 200;
run to the end, it settles up to a percent above the least objective, since a voxel that is extrapolated to 0 stays there.
The cheapest acceleration in seconds and the gentlest under a wrong PSF. Cost per step: four transforms; x, p and g are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import PoissonLikelihood, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._multiplicative import ahead, corrected
from deconlab.operators import Pointwise
from deconlab.operators.linear_operator import inner_product
from deconlab.problem import NonNegative, Problem


@dataclass(frozen=True, eq=False)
class ExtrapolatedState(State):
    """The estimate, the point at which the next step begins, and the last correction g (None at the start)."""

    point: Tensor | None = None
    correction: Tensor | None = None


@dataclass(frozen=True)
class BiggsAndrews(IterativeMethod[ExtrapolatedState, PoissonLikelihood, Zero]):
    """Biggs-Andrews accelerated Richardson-Lucy."""

    constraint: ClassVar[type] = NonNegative
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 9
    references: ClassVar[tuple[str, ...]] = ("10.1364/AO.36.001766",)

    def init(self, problem: Problem[PoissonLikelihood, Zero], x0: Tensor | None = None) -> ExtrapolatedState:
        x = problem.start(x0)
        return ExtrapolatedState(x, point=x)

    def step(self, problem: Problem[PoissonLikelihood, Zero], state: ExtrapolatedState) -> ExtrapolatedState:
        assert state.point is not None
        fidelity = problem.fidelity
        update = Pointwise(corrected_and_gain, state.point, fidelity.sensitivity)
        (x, correction), value = problem.H.sandwich(state.point, fidelity.ratio, update, fidelity.loss)
        if state.correction is None:
            return ExtrapolatedState(x, value, x, correction)
        ratio = inner_product(correction, state.correction) / inner_product(state.correction, state.correction)
        momentum = torch.nan_to_num(ratio, nan=0.0).clamp(0.0, 0.999).to(x.dtype)
        return ExtrapolatedState(x, value, ahead(x, state.x, momentum), correction)


def corrected_and_gain(correction: Tensor, point: Tensor, sensitivity: Tensor) -> tuple[Tensor, Tensor]:
    """(the next estimate, what it gained over the point)."""
    estimate = corrected(correction, point, sensitivity)
    return estimate, estimate - point
