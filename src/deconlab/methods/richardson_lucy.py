"""Maximum likelihood for photon noise, by expectation maximisation.

    x ← x · Hᵀ(w·y/(Hx + b)) / Hᵀw

Guarantee: every step raises the Poisson likelihood and keeps x >= 0; without a background Σw·Hx = Σw·y from the first step
on. Slow: confocal data need 20 to 100 steps, widefield 1000 and more; its accelerations come to the same end sooner. Noise is
amplified as steps go on, so that the number of steps is the dial. Cost per step: four transforms, the estimate once more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import PoissonLikelihood, Zero
from deconlab.lazytorch import Tensor
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._multiplicative import correct
from deconlab.problem import NonNegative, Problem


@dataclass(frozen=True)
class RichardsonLucy(IterativeMethod[State, PoissonLikelihood, Zero]):
    """Richardson-Lucy deconvolution (RL)."""

    constraint: ClassVar[type] = NonNegative
    local: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 4
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSA.62.000055", "10.1086/111605", "10.1109/TMI.1982.4307558")

    def init(self, problem: Problem[PoissonLikelihood, Zero], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[PoissonLikelihood, Zero], state: State) -> State:
        return State(*correct(problem, state.x))
