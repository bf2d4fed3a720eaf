"""Conjugate gradients on the normal equations.

    q = Hd,  α = ‖s‖²/‖q‖²_w,  x ← x + αd,  r ← r − αq,  s₊ = Hᵀw r,  d ← s₊ + (‖s₊‖²/‖s‖²) d

from r = y − b − Hx and d = s = Hᵀw r.

Guarantee: after k steps the least residual ‖Hx + b − y‖_w within the k-th Krylov space: no gradient method on least squares
needs fewer steps, and noise comes in as fast, so that the number of steps is the dial. Negative values are allowed.
Cost per step: four transforms; x, r and d are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Problem


@dataclass(frozen=True, eq=False)
class KrylovState(State):
    """The estimate, the data's residual r, the direction d and ‖s‖²."""

    residual: Tensor | None = None
    direction: Tensor | None = None
    power: Tensor | None = None


@dataclass(frozen=True)
class CGLS(IterativeMethod[KrylovState, LeastSquares, Zero]):
    """Conjugate gradients for least squares (CGLS)."""

    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 9
    references: ClassVar[tuple[str, ...]] = ("10.6028/jres.049.044", "10.1137/1.9781611971484")

    def init(self, problem: Problem[LeastSquares, Zero], x0: Tensor | None = None) -> KrylovState:
        fidelity, x = problem.fidelity, problem.start(x0)
        residual = fidelity.y - fidelity.background - problem.H.forward(x)
        direction = _back(problem, residual)
        return KrylovState(x, None, residual, direction, total_of(direction.square()))

    def step(self, problem: Problem[LeastSquares, Zero], state: KrylovState) -> KrylovState:
        assert state.residual is not None
        assert state.direction is not None
        assert state.power is not None
        fidelity = problem.fidelity
        image = problem.H.forward(state.direction)
        curvature = total_of(_weighted(problem, image) * image)
        left = total_of(_weighted(problem, state.residual) * state.residual)
        # A residual of rounding errors has no direction: the estimate stays.
        rounding = torch.finfo(image.dtype).eps ** 2 * total_of(_weighted(problem, fidelity.y) * fidelity.y)
        going = (curvature > 0) & (left > rounding)
        step = torch.where(going, state.power / curvature, 0.0).to(image.dtype)
        residual = state.residual - step * image
        slope = _back(problem, residual)
        power = total_of(slope.square())
        keep = torch.where(state.power > 0, power / state.power, 0.0).to(image.dtype)
        return KrylovState(
            state.x + step * state.direction, 0.5 * left, residual, slope + keep * state.direction, power
        )


def _weighted(problem: Problem[LeastSquares, Zero], values: Tensor) -> Tensor:
    return values if problem.fidelity.weights is None else problem.fidelity.weights * values


def _back(problem: Problem[LeastSquares, Zero], residual: Tensor) -> Tensor:
    return problem.admissible(problem.H.adjoint(_weighted(problem, residual)))
