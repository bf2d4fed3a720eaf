"""Richardson-Lucy that leaves alone what already agrees with the data to within their noise.

    x ← x · Hᵀw[1 + Uᴺ⁻¹(N − (N − 1)U)(y − p)/p] / Hᵀw,   p = Hx + b,   U = min(2 (p − y + y log(y/p)) / T², 1),  N = 10

2(p − y + y log(y/p)) is a voxel's squared deviation in units of its noise, so corrections fade below T standard deviations.

Guarantee: x >= 0; no objective is known that it minimises. Keeps dark grounds and bright extended regions free of noise while
point sources go on being sharpened, as in astronomy; counts must be photons, since T means their noise. T → 0 is plain
Richardson-Lucy. Cost per step: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import PoissonLikelihood, Zero
from deconlab.functionals.poisson import half_deviance
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._multiplicative import corrected
from deconlab.operators import Pointwise
from deconlab.problem import NonNegative, Problem
from deconlab.units import Doc, Gt

STEEPNESS = 10


@dataclass(frozen=True)
class DampedRichardsonLucy(IterativeMethod[State, PoissonLikelihood, Zero]):
    """Damped Richardson-Lucy deconvolution (White 1994)."""

    threshold: Annotated[
        float, Gt(0), Doc("deviations below this many standard deviations of the noise are left alone")
    ] = 1.0

    constraint: ClassVar[type] = NonNegative
    dial: ClassVar[str] = "threshold"
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 7
    references: ClassVar[tuple[str, ...]] = ("10.1117/12.176819",)

    def init(self, problem: Problem[PoissonLikelihood, Zero], x0: Tensor | None = None) -> State:
        return State(problem.start(x0))

    def step(self, problem: Problem[PoissonLikelihood, Zero], state: State) -> State:
        fidelity = problem.fidelity
        inner = Pointwise(damped_ratio, *fidelity.ratio.arrays, self.threshold)
        update = Pointwise(corrected, state.x, fidelity.sensitivity)
        x, value = problem.H.sandwich(state.x, inner, update, fidelity.loss)
        return State(x, value)


def damped_ratio(
    u: Tensor, y: Tensor, level: Tensor | float, weights: Tensor | None, floor: Tensor, threshold: float | Tensor
) -> Tensor:
    p = torch.maximum(u + level, floor)
    deviation = (2 * half_deviance(u, y, level, None, floor) / threshold**2).clamp(0, 1)
    damping = deviation ** (STEEPNESS - 1) * (STEEPNESS - (STEEPNESS - 1) * deviation)
    ratio = 1 + damping * (y - p) / p
    return ratio if weights is None else weights * ratio
