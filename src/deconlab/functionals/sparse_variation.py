"""The prior that objects are dark and even at once, but in few places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from deconlab.functionals._functional import Proximable
from deconlab.functionals._groups import GroupNorm
from deconlab.functionals._iterated import NormOfMap
from deconlab.operators import Circulant, Hessian
from deconlab.units import Doc, Gt, Lt


@dataclass(frozen=True, eq=False)
class SparseVariation(NormOfMap):
    """λ Σ ‖(ρ (Hess x)ᵢ, (1 − ρ) xᵢ)‖₂: curvature and intensity are sparse together (Prigent et al. 2023).

    For fluorescence on a dark ground, where most voxels hold nothing and bend nowhere. DOI 10.1109/TIP.2022.3233229.
    ``spacing`` is the voxel size.
    """

    sparsity_balance: Annotated[float, Gt(0), Lt(1), Doc("ρ: near 1 curvature is penalised, near 0 intensity")] = 0.9
    spacing: tuple[float, ...] | None = None

    def pair(self, shape: tuple[int, ...]) -> tuple[Proximable, Circulant]:
        rho = self.sparsity_balance
        return GroupNorm(self.weight), Hessian(shape, self.spacing, slope=rho, value=1 - rho)
