"""The prior that objects are even within and change at their edges."""

from __future__ import annotations

from dataclasses import dataclass

from deconlab.functionals._functional import Proximable
from deconlab.functionals._groups import GroupNorm
from deconlab.functionals._iterated import NormOfMap
from deconlab.operators import Circulant, Gradient


@dataclass(frozen=True, eq=False)
class TotalVariation(NormOfMap):
    """λ Σ |(Dx)ᵢ|₂, isotropic total variation (Rudin, Osher & Fatemi 1992, doi:10.1016/0167-2789(92)90242-F).

    Keeps edges and turns slopes into steps: for cells, bars and vesicles rather than for smooth stainings. ``spacing`` is
    the voxel size; differences along a coarser axis count less.
    """

    spacing: tuple[float, ...] | None = None

    def pair(self, shape: tuple[int, ...]) -> tuple[Proximable, Circulant]:
        return GroupNorm(self.weight), Gradient(shape, self.spacing)
