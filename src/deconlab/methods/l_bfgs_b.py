"""Limited-memory quasi-Newton steps within bounds (VMLM-B type).

    d = P[x − B ∇F(x)] − x on voxels that no bound holds,   x ← x + α d,   0 < α <= 1 by the objective's values

B is the L-BFGS approximation of the inverse Hessian from the last ``memory`` steps, their inner products taken over the voxels
that are free (Thiébaut 2002). F is the data term, photon noise included, plus any differentiable prior.

Guarantee: no step raises the objective; where d is no descent the projected gradient is taken instead, so that convex F come
to their minimum. Fast for smooth priors and well-posed data, slow (hundreds of steps) where the blur passes little; sharp
priors are for ADMM. Cost per step: four transforms, the prior's gradient and three of its values; 2·``memory`` + 4 volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import Fidelity, HasGradient
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod
from deconlab.methods._segment import SearchState, first_length, gradient, search
from deconlab.methods.conjugate_tikhonov_miller import free_part
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class QuasiNewtonState(SearchState):
    """Besides: the gradient before the last step, and the last steps with the changes of gradient that they made."""

    gradient: Tensor | None = None
    steps: tuple[Tensor, ...] = ()
    changes: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class LBFGSB(IterativeMethod[QuasiNewtonState, Fidelity, HasGradient]):
    """Bounded limited-memory BFGS (L-BFGS-B, VMLM-B)."""

    memory: Annotated[int, Ge(1), Doc("number of past steps that the curvature is learned from")] = 5

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "hyperbolic-total-variation"
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 22
    references: ClassVar[tuple[str, ...]] = ("10.1137/0916069", "10.1117/12.461151")

    def init(self, problem: Problem[Fidelity, HasGradient], x0: Tensor | None = None) -> QuasiNewtonState:
        x = problem.start(x0)
        prediction = problem.H.forward(x)
        objective = total_of(problem.fidelity.loss(prediction)) + problem.prior.value(x)
        return QuasiNewtonState(x, objective, prediction, first_length(x, gradient(problem, x, prediction)))

    def step(self, problem: Problem[Fidelity, HasGradient], state: QuasiNewtonState) -> QuasiNewtonState:
        x = state.x
        assert state.objective is not None
        assert state.prediction is not None
        slope = gradient(problem, x, state.prediction)
        changes = state.changes if state.gradient is None else (*state.changes, slope - state.gradient)
        steps, changes = state.steps[-self.memory :], changes[-self.memory :]
        held = free_part(slope, x, problem.fidelity.support, *problem.constraint.bounds)
        free = (held == slope).to(x.dtype)
        length = torch.as_tensor(state.length).to(x.dtype)
        newton = two_loops(held, free, steps, changes, length)
        direction = problem.admissible(x - newton) - x
        plain = problem.admissible(x - length * held) - x
        descent = total_of(slope * direction)
        stalled = total_of(steps[-1].square()) == 0 if steps else descent >= 0
        usable = (descent < 0) & ~stalled
        direction = torch.where(usable, direction, plain)
        found = search(problem, x, state.prediction, state.objective, direction, total_of(slope * direction))
        # The plain length is learned only where it was used.
        longer = torch.where(found.fraction > 0, 2 * found.fraction, 0.05)
        following = torch.where(usable, 1.0, longer) * state.length
        return QuasiNewtonState(
            found.x, found.objective, found.prediction, following, slope, (*steps, found.x - x), changes
        )


def two_loops(
    gradient: Tensor, free: Tensor, steps: tuple[Tensor, ...], changes: tuple[Tensor, ...], length: Tensor
) -> Tensor:
    """B · gradient over the free voxels, by the two-loop recursion of Nocedal; pairs without curvature are left out."""
    known, scale = [], length
    for step, change in zip(steps, changes, strict=True):
        curvature, size = total_of(step * change * free), total_of(change.square() * free)
        sound = curvature > 1e-10 * torch.sqrt(size * total_of(step.square() * free))
        known.append((step, change, torch.where(sound, 1 / curvature, 0.0)))
        scale = torch.where(sound, (curvature / size).to(scale.dtype), scale)
    result, factors = gradient, []
    for step, change, inverse in reversed(known):
        factor = (inverse * total_of(step * free * result)).to(result.dtype)
        factors.append(factor)
        result = result - factor * (free * change)
    result = scale * result
    for (step, change, inverse), factor in zip(known, reversed(factors), strict=True):
        other = (inverse * total_of(change * free * result)).to(result.dtype)
        result = result + (factor - other) * (free * step)
    return result
