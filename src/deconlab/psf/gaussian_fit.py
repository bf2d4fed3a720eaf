"""The Gaussian that is nearest to the PSF of given optics.

    paraxial:      σ = √2 / (k NA),      σz = 2√6 n / (k NA²)
    non-paraxial:  σ = (1/nk) [(4 - 7c^1.5 + 3c^3.5) / (7 (1 - c^1.5))]^(-1/2)
                   σz = 5√7 (1 - c^1.5) / (√6 nk √(4c⁵ - 25c^3.5 + 42c^2.5 - 25c^1.5 + 4)),      c = cos α = √(1 - NA²/n²)
    confocal:      both foci multiply: 1/σ² = 1/σ_ex² + 1/σ_em² (a pinhole of 0 AU)

k = 2π/λ. Within some percent of the main lobe; there is no cone out of focus, so it is wrong for widefield stacks.
B. Zhang, J. Zerubia and J.-C. Olivo-Marin, Appl. Opt. 46, 1819 (2007), doi:10.1364/AO.46.001819, table 1 and eqs. for 3-D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.psf import _optics
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.psf.gaussian import Gaussian
from deconlab.units import Doc, Gt, Nm

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GaussianFit(PSFModel):
    """Gaussian PSF with the widths that optics give.

    >>> round(GaussianFit(na=1.4, emission_nm=610, immersion_index=1.515).gaussian().fwhm_um, 3)
    0.223
    """

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]
    approximation: Annotated[
        Literal["non-paraxial", "paraxial"], Doc("non-paraxial for any aperture, or the simpler one for NA < 0.7")
    ] = field(default="non-paraxial", kw_only=True)
    excitation_nm: Annotated[
        Nm | None, Gt(0), Doc("wavelength of a confocal microscope's exciting light; default: widefield")
    ] = field(default=None, kw_only=True)
    pixel_integration: Annotated[bool, Doc("integrate over each voxel instead of sampling its centre")] = field(
        default=True, kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = ("10.1364/AO.46.001819",)

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture("GaussianFit", self.na, immersion_index=self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        _optics.refuse_wavelengths(self)

    def gaussian(self) -> Gaussian:
        """The Gaussian itself."""
        inverse = [0.0, 0.0]
        for wavelength in (self.emission_nm, self.excitation_nm):
            if wavelength is not None:
                for axis, sigma in enumerate(self._sigmas(2000 * math.pi / wavelength)):
                    inverse[axis] += 1 / sigma**2
        lateral, axial = (1 / math.sqrt(value) for value in inverse)
        return Gaussian.from_sigma(lateral, axial, pixel_integration=self.pixel_integration)

    def _sigmas(self, k: float) -> tuple[float, float]:
        n = self.immersion_index
        if self.approximation == "paraxial":
            return math.sqrt(2) / (k * self.na), 2 * math.sqrt(6) * n / (k * self.na**2)
        c = math.sqrt(1 - (self.na / n) ** 2)
        lateral = ((4 - 7 * c**1.5 + 3 * c**3.5) / (7 * (1 - c**1.5))) ** -0.5 / (n * k)
        bottom = 4 * c**5 - 25 * c**3.5 + 42 * c**2.5 - 25 * c**1.5 + 4
        return lateral, 5 * math.sqrt(7) * (1 - c**1.5) / (math.sqrt(6) * n * k * math.sqrt(bottom))

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm at which nothing of the optics' image is lost."""
        waves = 1 / self.emission_nm + (1 / self.excitation_nm if self.excitation_nm else 0.0)
        return _optics.nyquist_um(self.na, self.immersion_index, 1 / waves)

    def when_none(self, name: str) -> str:  # noqa: ARG002  (only excitation_nm may be missing)
        return "widefield"

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        return self.gaussian()._intensity(grid, dtype, device)

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        return self.gaussian()._half_widths_um(grid, limit_um)
