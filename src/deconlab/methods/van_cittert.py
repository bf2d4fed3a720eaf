"""The residual, added to the object.

    x ← P[x + γ Sᵀ(y − b − Hx)],  S the field of view

Guarantee: converges only where the transfer function has a positive real part, |1 − γĥ| < 1, and then to the inverse filter;
elsewhere noise grows without bound, which a few steps hardly show. The oldest iteration (1931), here for comparison; Landweber
has the adjoint that it lacks. What lies beyond the field of view stays as it began. Cost per step: two transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._without_adjoint import misfit
from deconlab.operators import Circulant
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Gt, Le


@dataclass(frozen=True)
class VanCittert(IterativeMethod[State, LeastSquares, Zero]):
    """Van Cittert's iteration."""

    relaxation: Annotated[float, Gt(0), Le(2), Doc("part γ of the residual that is added in each step")] = 1.0

    blur: ClassVar[type] = Circulant
    constraint: ClassVar[type] = Constraint
    transforms: ClassVar[int] = 2
    buffers: ClassVar[int] = 4
    references: ClassVar[tuple[str, ...]] = ("10.1007/BF01391351",)

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[LeastSquares, Zero], state: State) -> State:
        return State(problem.admissible(state.x + self.relaxation * misfit(problem, state.x)))
