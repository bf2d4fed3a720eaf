"""Least squares between a lower and an upper bound, by conjugate gradients on the voxels that no bound holds.

    d ← −g + βd on free voxels,   d′ = P[x − (⟨g, d⟩/‖Hd‖²_w) d] − x,   x ← x + min(1, −⟨g, d′⟩/‖Hd′‖²_w) d′

g is the gradient; β (Polak-Ribière, >= 0) is 0 after a step that a bound has bent. If d′ is no descent, the projected gradient
is taken. Of the type of Stark and Parker's BVLS (an active set, within which the problem is unconstrained), made for volumes:
many voxels may reach or leave a bound in one step.

Guarantee: every step lowers ‖Hx + b − y‖²_w, and the limit is its minimum within the bounds. With x >= 0 the fast form of
projected Landweber. Cost per step: six transforms; Hx, d and g are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods.conjugate_tikhonov_miller import free_part
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Constraint, Problem


@dataclass(frozen=True, eq=False)
class ActiveSetState(State):
    """The estimate, Hx, 1/L, and the last direction and gradient (None at the start)."""

    prediction: Tensor | None = None
    length: float | Tensor = 1.0
    direction: Tensor | None = None
    gradient: Tensor | None = None


@dataclass(frozen=True)
class BoundedVariables(IterativeMethod[ActiveSetState, LeastSquares, Zero]):
    """Bounded-variable least squares (BVLS type)."""

    constraint: ClassVar[type] = Constraint
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 6
    buffers: ClassVar[int] = 15
    references: ClassVar[tuple[str, ...]] = ("10.1137/0801008",)

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> ActiveSetState:
        x = problem.start(x0)
        return ActiveSetState(x, None, problem.H.forward(x), 1 / problem.fidelity.lipschitz)

    def step(self, problem: Problem[LeastSquares, Zero], state: ActiveSetState) -> ActiveSetState:
        fidelity, x = problem.fidelity, state.x
        assert state.prediction is not None
        slope = problem.H.adjoint(fidelity.slope(state.prediction))
        gradient = free_part(slope, x, fidelity.support, *problem.constraint.bounds)
        direction = -gradient
        if state.direction is not None and state.gradient is not None:
            change = total_of(gradient * (gradient - state.gradient)) / total_of(state.gradient.square())
            keep = torch.where(torch.isfinite(change), change.clamp(min=0), 0.0).to(x.dtype)
            direction = direction + keep * torch.where(gradient == 0, 0.0, state.direction)
        curvature = self._curvature(problem, problem.H.forward(direction))
        step = torch.where(curvature > 0, -total_of(gradient * direction) / curvature, 0.0).to(x.dtype)
        straight = step * direction
        move = problem.admissible(x + straight) - x
        bent = (move - straight).abs().max() > 8 * torch.finfo(x.dtype).eps * x.abs().max()
        plain = problem.admissible(x - state.length * gradient) - x
        move = torch.where(total_of(slope * move) < 0, move, plain)
        image = problem.H.forward(move)
        curvature, descent = self._curvature(problem, image), -total_of(slope * move)
        taken = torch.where((curvature > 0) & (descent > 0), (descent / curvature).clamp(max=1), 0.0).to(x.dtype)
        moved = problem.admissible(x + taken * move)
        value = total_of(fidelity.loss(state.prediction))
        direction = torch.where(bent, 0.0, direction)
        return ActiveSetState(moved, value, state.prediction + taken * image, state.length, direction, gradient)

    def _curvature(self, problem: Problem[LeastSquares, Zero], image: Tensor) -> Tensor:
        weights = problem.fidelity.weights
        return total_of(image.square() if weights is None else weights * image.square())
