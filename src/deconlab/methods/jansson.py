"""Van Cittert's iteration with a relaxation that fades towards the bounds.

    x ← P[x + r(x) Sᵀ(y − b − Hx)],   r(x) = γ (1 − 2|x − B/2|/B),  0 <= x <= B

B is ``ceiling`` times the brightest datum above the background.

Guarantee: 0 <= x <= B, since a voxel at a bound is not moved any more; no proof of convergence. Voxels that should be dark
come to 0 only as 1/k. From spectroscopy, where it made Van Cittert's iteration usable; use projected Landweber today.
What lies beyond the field of view stays as it began. Cost per step: two transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._without_adjoint import misfit
from deconlab.operators import Circulant
from deconlab.problem import NonNegative, Problem
from deconlab.units import Doc, Gt, Le


@dataclass(frozen=True)
class Jansson(IterativeMethod[State, LeastSquares, Zero]):
    """Jansson's relaxed iteration, also called Jansson-Van Cittert."""

    relaxation: Annotated[float, Gt(0), Le(2), Doc("largest part γ of the residual that is added in each step")] = 1.0
    ceiling: Annotated[float, Gt(1), Doc("upper bound of the object, as a multiple of the brightest datum")] = 3.0

    blur: ClassVar[type] = Circulant
    constraint: ClassVar[type] = NonNegative
    transforms: ClassVar[int] = 2
    buffers: ClassVar[int] = 5
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSA.60.000184",)

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[LeastSquares, Zero], state: State) -> State:
        fidelity = problem.fidelity
        ceiling = self.ceiling * (fidelity.y - fidelity.background).max()
        relaxation = self.relaxation * (1 - 2 * (state.x - 0.5 * ceiling).abs() / ceiling).clamp(min=0)
        moved = problem.admissible(state.x + relaxation * misfit(problem, state.x))
        return State(torch.minimum(moved, ceiling))
