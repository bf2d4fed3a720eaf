"""Light sheet: a widefield detection, lit from the side by a sheet of finite thickness.

    h(r, z) = h_em(r, z) · S(z)
    gaussian:  S(z) = exp(-2 z² / w²),      w = λ_ex / (π NA_i) unless the thickness is given
    scanned:   S(z) = ∫ h_ex(√(y² + z²)) dy, a focused beam of NA_i swept along y

The sheet is taken at its waist; towards the sides of the field it is thicker than that. Its thickness is in the sample, so
of a stack taken by moving the sheet and the objective together.
Cost: TorokVarga's. J. Huisken et al., Science 305, 1007 (2004), doi:10.1126/science.1100035; P. J. Keller et al.,
Science 322, 1065 (2008), doi:10.1126/science.1162493.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._layers import Field
from deconlab.psf._model import Grid
from deconlab.psf._rotational import LayeredModel
from deconlab.units import Doc, Gt, Lt, Nm, Um

if TYPE_CHECKING:
    from torch import Tensor

_PER_FWHM = 1 / math.sqrt(2 * math.log(2))  # the 1/e² radius w of a Gaussian of FWHM 1


@dataclass(frozen=True, kw_only=True)
class LightSheet(LayeredModel):
    """PSF of a light-sheet microscope, where the sheet is thinnest.

    >>> model = LightSheet(na=1.0, emission_nm=525, immersion_index=1.333, excitation_nm=488, illumination_na=0.1)
    >>> round(model.waist_um, 3)
    1.553
    """

    excitation_nm: Annotated[Nm, Gt(0), Doc("wavelength of the exciting light, in vacuum")]
    sheet: Annotated[Literal["gaussian", "scanned"], Doc("a Gaussian sheet, or a focused beam swept sideways")] = (
        "gaussian"
    )
    illumination_na: Annotated[float, Gt(0), Lt(1.3), Doc("numerical aperture of the illumination")] = 0.1
    sheet_fwhm_um: Annotated[
        Um | None, Gt(0), Doc("thickness of a Gaussian sheet at half maximum; default: from illumination_na")
    ] = None
    optics: Annotated[Field, Doc("vectorial (Török-Varga, isotropic dipoles) or scalar (Gibson-Lanni)")] = "vectorial"

    modality: ClassVar[str | None] = "light sheet"
    references: ClassVar[tuple[str, ...]] = ("10.1126/science.1100035", "10.1126/science.1162493")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sheet == "scanned" and self.sheet_fwhm_um is not None:
            raise ValueError(
                f"LightSheet: the thickness of a scanned beam follows from illumination_na {self.illumination_na:g}; "
                f"leave out sheet_fwhm_um {self.sheet_fwhm_um:g}, or take sheet='gaussian'."
            )

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        if isinstance(self.sheet_fwhm_um, int | float):
            _optics.refuse_length("LightSheet", "sheet_fwhm_um", self.sheet_fwhm_um, 200)

    def when_none(self, name: str) -> str:
        if name == "sheet_fwhm_um":
            return "" if self.sheet == "scanned" else f"sheet_fwhm_um {self.waist_um / _PER_FWHM:.4g} µm"
        return super().when_none(name)

    @property
    def waist_um(self) -> float:
        """w of a Gaussian sheet: from the axis to where its intensity is 1/e²."""
        if self.sheet_fwhm_um is not None:
            return self.sheet_fwhm_um * _PER_FWHM
        return self.excitation_nm / 1000 / (math.pi * self.illumination_na)

    def sheet_at(self, z_um: Tensor) -> Tensor:
        """S(z), 1 at its centre."""
        if self.sheet == "gaussian":
            return torch.exp(-2 * (z_um / self.waist_um) ** 2)
        cutoff = 2000 * self.illumination_na / self.excitation_nm
        count = math.ceil(cutoff * float(z_um.abs().max()) * math.pi) + 24
        nodes, weights = np.polynomial.legendre.leggauss(count)
        v = torch.from_numpy(np.sin((nodes + 1) * math.pi / 4))  # smooth at v = 1, where the OTF ends as (1 - v)^3/2
        w = torch.from_numpy(weights * np.cos((nodes + 1) * math.pi / 4))
        otf = torch.acos(v) - v * torch.sqrt(1 - v**2)  # of a circular pupil: the beam swept along y is its slice
        wave = torch.cos(2 * math.pi * cutoff * z_um[:, None] * v)
        return (wave * (otf * w)).sum(1) / (otf * w).sum()

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: along z the bandwidths of detection and sheet add."""
        axial, lateral = super().nyquist_um()
        return 1 / (1 / axial + 2 * self._bandwidth()), lateral

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: the detection's, and beyond it the sheet's bandwidth along z."""
        kr, kz = _optics.widefield_border(self.na, self.immersion_index, self.emission_nm)
        return kr, kz + self._bandwidth()

    def _bandwidth(self) -> float:
        """Highest frequency of S(z), per µm; of a Gaussian, where 3e-4 is left."""
        if self.sheet == "gaussian":
            return 4 / (math.pi * self.waist_um)
        return 2000 * self.illumination_na / self.excitation_nm

    def _pupil(self) -> _radial.Pupil:
        ni = self.immersion_index
        components = self.components(ni, self.optics, "aplanatic" if self.optics == "vectorial" else "uniform")
        return self.pupil(self.na, ni, self.emission_nm, components)

    def _profiles(self, z_um: Tensor, r_um: Tensor) -> tuple[Tensor, Tensor | None]:
        mean, _ = super()._profiles(z_um, r_um)
        return mean * self.sheet_at(z_um)[:, None], None

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        return self._profiles(z_um, r_um)[0]

    def _plane_light(self, z_um: Tensor) -> Tensor:
        return super()._plane_light(z_um) * self.sheet_at(z_um)

    def best_focus_um(self) -> float:
        """Where the point looks sharpest, in µm from the middle of the sheet."""
        still = torch.zeros(1, dtype=torch.float64)
        low, high, depth = _radial.focal_range(self._pupil())
        return _radial.sharpest(lambda z: self._profile(z, still)[:, 0], min(low, -depth), max(high, depth), depth)

    def _all_light(self, grid: Grid) -> float | None:
        if grid.voxel_um is None:
            return None
        reach = (
            4 * self.waist_um if self.sheet == "gaussian" else 200 / (2000 * self.illumination_na / self.excitation_nm)
        )
        count = math.ceil(reach / grid.voxel_um[0])
        z = torch.arange(-count, count + 1, dtype=torch.float64) * grid.voxel_um[0]
        energy = super()._plane_light(torch.zeros(1, dtype=torch.float64))
        return float(energy[0] * self.sheet_at(z).sum())

    def _notes(self) -> tuple[str, ...]:
        return ("The sheet is taken at its waist, and centred on the middle plane",)
