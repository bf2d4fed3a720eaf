"""The prior that few voxels are bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import schema
from deconlab.functionals._functional import Proximable
from deconlab.functionals._groups import soft_threshold
from deconlab.lazytorch import Tensor
from deconlab.operators.linear_operator import total_of
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class L1(Proximable):
    """λ Σ |xᵢ|: for beads, stars and other point sources on a dark ground. Its prox is the soft threshold tλ, exact.

    The prox of its sum with a bound on each voxel is the threshold followed by the projection, also exact. Brightness is
    lost: every bright voxel by about λ.
    """

    weight: Annotated[
        float,
        Ge(0),
        Doc("regularisation weight λ: more leaves fewer bright voxels; the default is for a mean signal of 1"),
    ] = 0.01

    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        schema.check(self)

    def value(self, x: Tensor) -> Tensor:
        return self.weight * total_of(x.abs())

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return soft_threshold(v, t * self.weight)
