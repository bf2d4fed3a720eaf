"""Richardson-Lucy with any differentiable prior, whose gradient is taken where the step begins.

    x ← x · (Hᵀ(w·y/(Hx + b)) + [−∇R(x)]₊) / (Hᵀw + [∇R(x)]₊)

Green's one-step-late form with the gradient split by its sign, which keeps x >= 0 without a floor. With Tikhonov's prior this
is regularised Richardson-Lucy (Conchello & McNally 1996), with Good's roughness the maximum likelihood of Verveer & Jovin 1998,
with rounded total variation the positive form of RL-TV.

Guarantee: a fixed point is a minimum of Poisson likelihood + R; convergence is not proven, and holds in practice where the
prior is convex and λ moderate. Cost per step: four transforms and the prior's gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import HasGradient, PoissonLikelihood
from deconlab.lazytorch import Tensor
from deconlab.methods._method import IterativeMethod, State
from deconlab.operators import Pointwise
from deconlab.problem import NonNegative, Problem


@dataclass(frozen=True)
class OneStepLate(IterativeMethod[State, PoissonLikelihood, HasGradient]):
    """One-step-late Richardson-Lucy (OSL) with a differentiable prior; λ is the prior's weight."""

    constraint: ClassVar[type] = NonNegative
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "goods-roughness"
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 13
    references: ClassVar[tuple[str, ...]] = ("10.1109/42.52985", "10.1364/JOSAA.15.001077")

    def init(self, problem: Problem[PoissonLikelihood, HasGradient], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[PoissonLikelihood, HasGradient], state: State) -> State:
        fidelity, prior = problem.fidelity, problem.prior
        update = Pointwise(late, state.x, fidelity.sensitivity, prior.grad(state.x))
        x, value = problem.H.sandwich(state.x, fidelity.ratio, update, fidelity.loss)
        assert value is not None
        return State(x, value + prior.value(state.x))


def late(correction: Tensor, point: Tensor, sensitivity: Tensor, slope: Tensor) -> Tensor:
    """Rounding below 0 in the back projection counts as 0."""
    return point * (correction.clamp(min=0) + (-slope).clamp(min=0)) / (sensitivity + slope.clamp(min=0))
