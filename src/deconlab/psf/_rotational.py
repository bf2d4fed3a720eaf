"""Models of optics with rotational symmetry: they give a pupil, the radial engine does the rest."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import POINT, Lateral, area
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.units import Doc, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 0.95  # part of every plane's light that the default extent holds
_PLANES = 33  # enough of them to find the widest


@dataclass(frozen=True)
class RotationalModel(PSFModel):
    """An objective and its light. Subclasses give :meth:`_pupil`."""

    modality: ClassVar[str | None] = "widefield"

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]
    pixel_integration: Annotated[
        bool, Doc("integrate over the area of each pixel, as a camera does, instead of sampling its centre")
    ] = field(default=True, kw_only=True)

    @abstractmethod
    def _pupil(self) -> _radial.Pupil:
        """The pupil; z = 0 is the middle plane of the grid."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture(type(self).__name__, self.na, immersion_index=self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        if isinstance(self.emission_nm, int | float):
            _optics.refuse_wavelength(type(self).__name__, "emission_nm", self.emission_nm)

    @property
    def wavenumber(self) -> float:
        """2π/λ in vacuum, rad/µm."""
        return 2000 * math.pi / self.emission_nm

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm at which nothing of the image is lost."""
        return _optics.nyquist_um(self.na, self.immersion_index, self.emission_nm)

    def best_focus_um(self) -> float:
        """Where the point looks sharpest, in µm from the nominal focus: not 0 where layers aberrate."""
        return _radial.best_focus_um(self._pupil())

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm: optics have a scale.")
        pupil = self._pupil()
        notes: tuple[str, ...] = ()
        if grid.ndim == 3:
            z = grid.offsets(0)
        else:
            z = torch.tensor([self.best_focus_um()], dtype=torch.float64)
            notes = (
                f"Two dimensions: the slice in best focus ({float(z):+.3g} µm from the nominal focus) stands for the "
                "whole; light from out of focus is not modelled",
            )
        cutoff = 2 * pupil.stop * pupil.wavenumber / (2 * math.pi)
        pixel = grid.voxel_um[-2], grid.voxel_um[-1]
        cell = area(max(pixel), cutoff) if self.pixel_integration else POINT
        lateral = Lateral((grid.shape[-2], grid.shape[-1]), pixel, cutoff, cell)
        data = lateral.pixels(_radial.intensity(pupil, z, lateral.r_um), dtype, device)
        sums = (_radial.plane_energy(pupil, z) / (pixel[0] * pixel[1])).expand(len(z))
        return Intensity(data if grid.ndim == 3 else data[0], sums, notes=notes)

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm: optics have a scale.")
        z = self._some_planes(grid)
        half = _radial.half_window_um(self._pupil(), z, _HELD, limit_um)
        deep = (grid.shape[0] * grid.voxel_um[0] / 2,) if grid.ndim == 3 else ()
        return (*deep, half, half)

    def _some_planes(self, grid: Grid) -> Tensor:
        if grid.ndim == 2:
            return torch.tensor([self.best_focus_um()], dtype=torch.float64)
        z = grid.offsets(0)
        return z[torch.linspace(0, len(z) - 1, min(_PLANES, len(z))).round().long()]
