"""Division by the OTF, its denominator held away from zero.

    x̂ = ŷ · ĥ* / (|ĥ| · max(|ĥ|, ε))

Guarantee: the exact inverse where |ĥ| >= ε, below it a filter of gain 1/ε. It amplifies noise by up to 1/ε: a lesson, and
a check that data and PSF fit together, rather than a restoration. Cost: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import fourier
from deconlab.functionals import Zero
from deconlab.functionals.least_squares import LeastSquares
from deconlab.lazytorch import Tensor
from deconlab.methods._inverse_filter import InverseFilter
from deconlab.methods._method import State
from deconlab.problem import Problem
from deconlab.units import Doc, Gt


@dataclass(frozen=True)
class NaiveInverse(InverseFilter[State, Zero]):
    """Naive inverse filter (NIF): ŷ/ĥ with the denominator's modulus held at ``epsilon``."""

    epsilon: Annotated[
        float, Gt(0), Doc("least modulus of the OTF that is divided by; the OTF is 1 at frequency 0")
    ] = 1e-3

    dial: ClassVar[str] = "epsilon"
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1109/79.489268",)

    def multiplier(self, problem: Problem[LeastSquares, Zero], power: Tensor) -> Tensor:  # noqa: ARG002
        modulus = power.sqrt()
        return fourier.reciprocal(modulus * modulus.clamp(min=self.epsilon))

    def apply(self, problem: Problem[LeastSquares, Zero]) -> State:
        return State(self.filtered(problem))
