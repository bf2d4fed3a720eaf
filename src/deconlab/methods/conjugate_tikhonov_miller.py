"""Conjugate gradients on least squares with a quadratic prior, made admissible at every step.

    d ← −g + (⟨g, g − g₋⟩₊/⟨g₋, g₋⟩) d,   β = −⟨g, d⟩ / (‖Hd‖²_w + λ‖Ld‖²),   x ← P[x + β d]

with g the gradient of ½‖Hx + b − y‖²_w + ½λ‖Lx‖², restricted to voxels that are not held at a bound, and β the exact minimum
along d (van Kempen et al. 1997). When projection changed the voxels that are held, or the objective rose, the next direction
is the gradient again; if the objective rose the step is halved as well.

Guarantee: without a constraint the minimum is reached in as many steps as there are distinct eigenvalues, in practice in
tens; with one it is the fast form of the fixed-step iteration, without its proof. Cost per step: six transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LeastSquares, QuadraticPrior
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Constraint, Problem, project


@dataclass(frozen=True, eq=False)
class ConjugateState(State):
    """The estimate, the last direction and gradient (None at the start), and which fraction of β is taken."""

    direction: Tensor | None = None
    gradient: Tensor | None = None
    fraction: Tensor | float = 1.0


@dataclass(frozen=True)
class ConjugateTikhonovMiller(IterativeMethod[ConjugateState, LeastSquares, QuadraticPrior]):
    """Iterative constrained Tikhonov-Miller restoration (ICTM) in van Kempen's conjugate-gradient form."""

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "laplacian"
    transforms: ClassVar[int] = 6
    buffers: ClassVar[int] = 12
    references: ClassVar[tuple[str, ...]] = ("10.1046/j.1365-2818.1997.d01-629.x",)

    def init(self, problem: Problem[LeastSquares, QuadraticPrior], x0: Tensor | None = None) -> ConjugateState:
        return ConjugateState(problem.start(x0))

    def step(self, problem: Problem[LeastSquares, QuadraticPrior], state: ConjugateState) -> ConjugateState:
        fidelity, prior, x = problem.fidelity, problem.prior, state.x
        slope, value = problem.H.sandwich(x, fidelity.slope, loss=fidelity.loss)
        assert value is not None
        objective = value + prior.value(x)
        gradient = free_part(slope + prior.grad(x), x, fidelity.support, *problem.constraint.bounds)
        direction, fraction = -gradient, torch.ones_like(objective)
        if state.direction is not None and state.gradient is not None and state.objective is not None:
            rose = objective > state.objective
            # Polak-Ribière's factor, held at 0 or above, forgets the past by itself where projection bent the path.
            change = total_of(gradient * (gradient - state.gradient)) / total_of(state.gradient.square())
            keep = torch.where(rose | ~torch.isfinite(change), 0.0, change.clamp(min=0.0)).to(x.dtype)
            direction = direction + keep * torch.where(gradient == 0, 0.0, state.direction)
            fraction = torch.where(rose, 0.5 * state.fraction, torch.clamp(1.5 * fraction * state.fraction, max=1.0))
        image = problem.H.forward(direction)
        weighted = image.square() if fidelity.weights is None else fidelity.weights * image.square()
        curvature = total_of(weighted) + 2 * prior.value(direction)
        descent = -total_of(gradient * direction)
        step = torch.where(curvature > 0, fraction * descent / curvature, 0.0).to(x.dtype)
        moved = project(x + step * direction, fidelity.support, *problem.constraint.bounds)
        return ConjugateState(moved, objective, direction, gradient, fraction)


def free_part(gradient: Tensor, x: Tensor, support: Tensor | None, lower: float | None, upper: float | None) -> Tensor:
    """The gradient where a step against it is admissible, 0 where a bound or the support holds the voxel."""
    if support is not None:
        gradient = gradient * support
    if lower is not None:
        gradient = torch.where((x <= lower) & (gradient > 0), 0.0, gradient)
    if upper is not None:
        gradient = torch.where((x >= upper) & (gradient < 0), 0.0, gradient)
    return gradient
