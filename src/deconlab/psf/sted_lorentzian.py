"""STED by its looks: a Lorentzian spot of given width, with a Gaussian along z.

    h(r, z) = γ / (2π (r² + γ²)^(3/2)) · exp(-z² / 2σ²),      γ = FWHM / (2 √(2^(2/3) - 1)),      σ = FWHM_z / (2 √(2 ln 2))

For data of which only the resolution is known. Its tails are long: a grid of 20 widths holds 95 %.
Cost: negligible. The profile is the two-dimensional Lorentzian that line-outs of STED images follow:
B. Harke et al., Opt. Express 16, 4154 (2008), doi:10.1364/OE.16.004154.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.units import Doc, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 0.95  # part of the light that the default extent holds


@dataclass(frozen=True)
class STEDLorentzian(PSFModel):
    """PSF of a STED microscope by its widths.

    >>> STEDLorentzian(fwhm_um=0.05, fwhm_axial_um=0.5).render((5, 9, 9), (0.1, 0.02, 0.02)).data.shape
    torch.Size([5, 9, 9])
    """

    fwhm_um: Annotated[Um, Gt(0), Doc("full width at half maximum, laterally")]
    fwhm_axial_um: Annotated[Um, Gt(0), Doc("full width at half maximum along z")] = field(default=0.5, kw_only=True)

    modality: ClassVar[str | None] = "STED"
    references: ClassVar[tuple[str, ...]] = ("10.1364/OE.16.004154",)

    def _look_for_swapped_units(self) -> None:
        for name in ("fwhm_um", "fwhm_axial_um"):
            value = getattr(self, name)
            if isinstance(value, int | float):
                _optics.refuse_length("STEDLorentzian", name, value, 20)

    @property
    def gamma_um(self) -> float:
        """γ of the Lorentzian."""
        return self.fwhm_um / (2 * math.sqrt(2 ** (2 / 3) - 1))

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        if grid.voxel_um is None:
            raise ValueError("STEDLorentzian needs voxel_um, the voxel size in µm.")
        y, x = _edges(grid, -2), _edges(grid, -1)
        corner = self._below(y[:, None], x[None, :])  # the integral over a quadrant: differences of it are exact
        plane = corner.diff(dim=0).diff(dim=1)
        if grid.ndim == 2:
            return Intensity(plane.to(dtype=dtype, device=device), torch.ones(1, dtype=torch.float64))
        sigma = self.fwhm_axial_um / (2 * math.sqrt(2 * math.log(2)))
        column = torch.special.erf(_edges(grid, 0) / (sigma * math.sqrt(2))).diff() / 2
        data = (column[:, None, None] * plane).to(dtype=dtype, device=device)
        return Intensity(data, column, total=1.0)

    def _below(self, y: Tensor, x: Tensor) -> Tensor:
        """∫∫ of the lateral profile from 0 to (y, x): atan(x y / (γ √(x² + y² + γ²))) / 2π."""
        g = self.gamma_um
        return torch.atan(x * y / (g * torch.sqrt(x**2 + y**2 + g**2))) / (2 * math.pi)

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        half = self.gamma_um / 2
        held = 0.0
        while held < _HELD and half < limit_um:
            half = min(limit_um, half * 1.05)
            side = torch.tensor(half, dtype=torch.float64)
            held = 4 * float(self._below(side, side))
        return (1.5 * self.fwhm_axial_um, half, half)[3 - grid.ndim :]


def _edges(grid: Grid, axis: int) -> Tensor:
    """Where the voxels of an axis begin and end, in µm."""
    assert grid.voxel_um is not None  # checked by the caller
    size, count = grid.voxel_um[axis], grid.shape[axis]
    return (torch.arange(count + 1, dtype=torch.float64) - count // 2 - 0.5) * size
