"""Steepest descent with a line search.

    d = P[x − τ ∇F(x)] − x,   x ← x + α d,   0 < α <= 1 by the objective's values,   τ ← 2ατ

F is the data term, photon noise included, plus any differentiable prior; P the projection on the constraint.

Guarantee: no step raises the objective; converges to the minimum for convex F with the gap of O(1/k). No step size to choose,
whatever the unit of intensity. Quasi-Newton steps cost the same and need far fewer. Cost per step: four transforms, the prior's
gradient and three of its values; Hx is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import Fidelity, HasGradient
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod
from deconlab.methods._segment import SearchState, first_length, gradient, search
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Constraint, Problem


@dataclass(frozen=True)
class GradientDescent(IterativeMethod[SearchState, Fidelity, HasGradient]):
    """Projected gradient descent with line search (steepest descent)."""

    constraint: ClassVar[type] = Constraint
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 9
    references: ClassVar[tuple[str, ...]] = ("10.1109/TAC.1976.1101194",)

    def init(self, problem: Problem[Fidelity, HasGradient], x0: Tensor | None = None) -> SearchState:
        x = problem.start(x0)
        prediction = problem.H.forward(x)
        objective = total_of(problem.fidelity.loss(prediction)) + problem.prior.value(x)
        return SearchState(x, objective, prediction, first_length(x, gradient(problem, x, prediction)))

    def step(self, problem: Problem[Fidelity, HasGradient], state: SearchState) -> SearchState:
        assert state.objective is not None
        assert state.prediction is not None
        slope = gradient(problem, state.x, state.prediction)
        length = torch.as_tensor(state.length)
        direction = problem.admissible(state.x - length.to(slope.dtype) * slope) - state.x
        found = search(problem, state.x, state.prediction, state.objective, direction, total_of(slope * direction))
        longer = torch.where(found.fraction > 0, 2 * found.fraction, 0.05) * length
        return SearchState(found.x, found.objective, found.prediction, longer)
