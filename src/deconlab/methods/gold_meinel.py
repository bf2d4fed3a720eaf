"""The ratio of data to prediction, multiplied onto the object.

    x ← x · ((y − b)₊/Hx)ᵖ  within the field of view

Guarantee: x >= 0; no proof of convergence. Gold's iteration with p = 1, Meinel's with another p; sharpens in few steps and
amplifies noise as fast. Without an adjoint it is no maximum likelihood: Richardson-Lucy is. Weights serve as a mask: where they
are 0, and beyond the field of view, x stays as it began. Cost per step: two transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.operators import Circulant
from deconlab.problem import NonNegative, Problem
from deconlab.units import Doc, Gt, Le


@dataclass(frozen=True)
class GoldMeinel(IterativeMethod[State, LeastSquares, Zero]):
    """The ratio form of Gold (1964) and Meinel (1986)."""

    exponent: Annotated[float, Gt(0), Le(2), Doc("power p of the ratio: more corrects faster")] = 1.0

    blur: ClassVar[type] = Circulant
    constraint: ClassVar[type] = NonNegative
    transforms: ClassVar[int] = 2
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSAA.3.000787", "10.2172/4634295")

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[LeastSquares, Zero], state: State) -> State:
        fidelity = problem.fidelity
        prediction = problem.H.forward(state.x)
        known = prediction > 0
        if fidelity.weights is not None:
            known = known & (fidelity.weights > 0)
        signal = (fidelity.y - fidelity.background).clamp(min=0)
        ratio = torch.where(known, signal / torch.where(known, prediction, 1.0), 1.0)
        seen, _ = problem.H.split()
        return State(problem.admissible(state.x * (1 + seen.adjoint(ratio**self.exponent - 1))))
