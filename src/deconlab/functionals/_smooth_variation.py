"""Total variation rounded off near 0, so that it has a gradient everywhere."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import schema
from deconlab.functionals._functional import Smooth
from deconlab.lazytorch import Tensor
from deconlab.operators import Gradient
from deconlab.operators.linear_operator import total_of
from deconlab.units import Doc, Ge, Gt


@dataclass(frozen=True, eq=False)
class SmoothVariation(Smooth):
    """λ Σ h(|(Dx)ᵢ|²) with a rounding h over slopes of ``rounding`` × ``level``.

    ``level`` is the object's typical intensity, which code fills in (the data's mean signal), so that the prior means the
    same whatever the unit of intensity; ``spacing`` is the voxel size. The gradient is Lipschitz with λ‖D‖²/(rounding·level).
    """

    weight: Annotated[
        float, Ge(0), Doc("regularisation weight λ: more is smoother; the default is for a mean signal of 1")
    ] = 0.01
    rounding: Annotated[float, Gt(0), Doc("slopes below this fraction of the mean signal are smoothed, not kept")] = (
        0.02
    )
    spacing: tuple[float, ...] | None = None
    level: float = 1.0

    degree: ClassVar[int] = 1
    intensities: ClassVar[tuple[str, ...]] = ("level",)

    def __post_init__(self) -> None:
        schema.check(self)
        if not self.level > 0:
            raise ValueError(f"{type(self).__name__}: level must be > 0, a typical intensity, not {self.level!r}.")

    @abstractmethod
    def rounded(self, squared: Tensor) -> Tensor:
        """h of the squared slope."""

    @abstractmethod
    def pull(self, squared: Tensor) -> Tensor:
        """2 h′: what the slope is multiplied by in the gradient."""

    def value(self, x: Tensor) -> Tensor:
        slope = self._gradient(x).forward(x)
        return self.weight * total_of(self.rounded(slope.square().sum(0)))

    def grad(self, x: Tensor) -> Tensor:
        D = self._gradient(x)
        slope = D.forward(x)
        return self.weight * D.adjoint(self.pull(slope.square().sum(0)) * slope)

    @property
    def lipschitz(self) -> float:
        # Without a spacing the number of axes is not known before the object is; three is the most there are.
        spacing = self.spacing or (1.0, 1.0, 1.0)
        return self.weight * Gradient((1,) * len(spacing), spacing).norm_squared / self.threshold

    @property
    def threshold(self) -> float:
        """The slope at which rounding ends."""
        return self.rounding * self.level

    def _gradient(self, x: Tensor) -> Gradient:
        return Gradient(tuple(x.shape), self.spacing)
