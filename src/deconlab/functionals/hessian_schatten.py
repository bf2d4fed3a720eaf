"""The prior that objects bend in few places, and there in few directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from deconlab.functionals._functional import Proximable
from deconlab.functionals._groups import GroupNorm, NuclearNorm
from deconlab.functionals._iterated import NormOfMap
from deconlab.operators import Circulant, Hessian
from deconlab.units import Doc, Ge, Le


@dataclass(frozen=True, eq=False)
class HessianSchatten(NormOfMap):
    """λ Σ ‖(Hess x)ᵢ‖_Sₚ: the Schatten norm of each voxel's matrix of second derivatives (Lefkimmiatis et al. 2013).

    p = 1 sums the moduli of its eigenvalues, which favours ridges and filaments; p = 2 is the Frobenius norm, which costs
    a third and gives nearly the same. Slopes are free: no staircase, unlike total variation; the usual choice in microscopy.
    DOI 10.1109/TIP.2013.2237919. ``spacing`` is the voxel size.
    """

    p: Annotated[int, Ge(1), Le(2), Doc("which Schatten norm: 1 (eigenvalues' moduli) or 2 (Frobenius)")] = 2
    spacing: tuple[float, ...] | None = None

    def pair(self, shape: tuple[int, ...]) -> tuple[Proximable, Circulant]:
        norm = NuclearNorm(self.weight) if self.p == 1 else GroupNorm(self.weight)
        return norm, Hessian(shape, self.spacing)
