"""Division by the OTF where it is large enough, nothing elsewhere.

    x̂ = ŷ/ĥ where |ĥ| > ε · max |ĥ|, else 0

Guarantee: the exact inverse within the pass band, with noise amplified by at most 1/ε; the hard edge of the band rings.
Cost: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import fourier
from deconlab.functionals import Zero
from deconlab.functionals.least_squares import LeastSquares
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._inverse_filter import InverseFilter
from deconlab.methods._method import State
from deconlab.problem import Problem
from deconlab.units import Doc, Gt, Lt


@dataclass(frozen=True)
class TruncatedInverse(InverseFilter[State, Zero]):
    """Truncated inverse filter: ŷ/ĥ within the band where |ĥ| exceeds ``epsilon`` of its maximum."""

    epsilon: Annotated[float, Gt(0), Lt(1), Doc("band limit: |OTF| relative to its maximum")] = 0.05

    dial: ClassVar[str] = "epsilon"
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1109/79.489268",)

    def multiplier(self, problem: Problem[LeastSquares, Zero], power: Tensor) -> Tensor:  # noqa: ARG002
        modulus = power.sqrt()
        return torch.where(modulus > self.epsilon * modulus.max(), fourier.reciprocal(power), 0.0)

    def apply(self, problem: Problem[LeastSquares, Zero]) -> State:
        return State(self.filtered(problem))
