"""The prior that the logarithm of the object changes slowly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import schema
from deconlab.functionals._functional import HasGradient
from deconlab.lazytorch import Tensor
from deconlab.operators.differences import relative_scale
from deconlab.operators.linear_operator import total_of
from deconlab.units import Doc, Ge, Gt


@dataclass(frozen=True, eq=False)
class GoodsRoughness(HasGradient):
    """λ Σ |∇x|²/x, Good's roughness, a Fisher information (Good & Gaskins 1971): bright voxels may change more than dim ones.

    Written with differences: Σ sₐ² (xᵢ − xⱼ)² / ((|xᵢ| + |xⱼ|)/2 + ε) over neighbours i, j along each axis a, which is convex
    for x >= 0; ε = ``floor`` × ``level`` keeps the quotient where both are dark. ``level`` is the object's typical intensity
    (code fills in the data's mean signal) and ``spacing`` the voxel size. Smooth for x >= 0, with a kink in xᵢ = 0.
    The roughness penalty of maximum likelihood programs in microscopy (Verveer & Jovin 1998, doi:10.1364/JOSAA.15.001077).
    DOI 10.1093/biomet/58.2.255.
    """

    weight: Annotated[
        float, Ge(0), Doc("regularisation weight λ: more is smoother; the default is for a mean signal of 1")
    ] = 0.01
    floor: Annotated[float, Gt(0), Doc("intensities below this fraction of the mean signal count alike")] = 0.01
    spacing: tuple[float, ...] | None = None
    level: float = 1.0

    degree: ClassVar[int] = 1
    intensities: ClassVar[tuple[str, ...]] = ("level",)

    def __post_init__(self) -> None:
        schema.check(self)
        if not self.level > 0:
            raise ValueError(f"{type(self).__name__}: level must be > 0, a typical intensity, not {self.level!r}.")

    def value(self, x: Tensor) -> Tensor:
        total = x.new_zeros(x.shape)
        for axis, s in enumerate(relative_scale(tuple(x.shape), self.spacing)):
            difference, mean = self._neighbours(x, axis)
            total = total + s * s * difference.square() / mean
        return self.weight * total_of(total)

    def grad(self, x: Tensor) -> Tensor:
        total = x.new_zeros(x.shape)
        sign = x.sign()
        for axis, s in enumerate(relative_scale(tuple(x.shape), self.spacing)):
            difference, mean = self._neighbours(x, axis)
            ratio = difference / mean
            slope = 2 * s * s * ratio
            bend = 0.5 * s * s * ratio.square()
            total = total + (slope.roll(1, axis) - slope) - sign * (bend + bend.roll(1, axis))
        return self.weight * total

    def _neighbours(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        following = x.roll(-1, axis)
        return following - x, 0.5 * (following.abs() + x.abs()) + self.floor * self.level
