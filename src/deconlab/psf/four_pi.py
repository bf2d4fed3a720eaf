"""4Pi: two opposed objectives, whose fields interfere in the sample.

    E(z) = E₁(z) + e^{iφ} E₁'(z),      E₁' being E₁ mirrored in the focal plane (its axial part changes sign)
    type A: h = |E_ex|² · (h_em ⊛ D_R)         both objectives light, one sees
    type C: h = |E_ex|² · (|E_em|² ⊛ D_R)      both light and both see, coherently

Both are vectorial, for circular polarisation and isotropic dipoles, of perfect objectives. The main peak along z is about
λ / 4n wide, with side lobes λ / 2n away.
Cost: Confocal's, times two. S. Hell and E. H. K. Stelzer, J. Opt. Soc. Am. A 9, 2159 (1992), doi:10.1364/JOSAA.9.002159.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import at_points, averaging, disc, radii, step_um
from deconlab.psf._layers import vectorial
from deconlab.psf._radial import Pupil
from deconlab.psf._scanning import ProductModel, cutoff_of, pinhole_radius_um
from deconlab.units import Doc, Ge, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class FourPi(ProductModel):
    """PSF of a 4Pi microscope.

    >>> FourPi(na=1.46, excitation_nm=490, emission_nm=525, immersion_index=1.518).best_focus_um()
    0.0
    """

    excitation_nm: Annotated[Nm, Gt(0), Doc("wavelength of the exciting light, in vacuum")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    kind: Annotated[Literal["A", "C"], Doc("interference of the illumination (A), or of detection too (C)")] = "A"
    phase_rad: Annotated[float, Doc("phase between the objectives; 0 is constructive in the focus")] = 0.0
    pinhole_au: Annotated[float, Ge(0), Doc("diameter of the pinhole, in Airy units 1.22 λ / NA")] = 1.0

    modality: ClassVar[str | None] = "4Pi"
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSAA.9.002159",)

    def best_focus_um(self) -> float:
        """0: the plane about which both objectives are mirror images."""
        return 0.0

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: along z the interference reaches 2n / λ of each wave."""
        waves = 1000 / self.excitation_nm, 1000 / self.emission_nm
        lateral = 1 / (4 * self.na * sum(waves))
        alone = self.immersion_index - math.sqrt(self.immersion_index**2 - self.na**2)
        axial = (
            2 * self.immersion_index * waves[0] + (2 * self.immersion_index if self.kind == "C" else alone) * waves[1]
        )
        return 1 / (2 * axial), lateral

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: where two objectives interfere, up to 2n / λ along z."""
        seen = _optics.opposed_border if self.kind == "C" else _optics.widefield_border
        lit = _optics.opposed_border(self.na, self.immersion_index, self.excitation_nm)
        return _optics.added(lit, seen(self.na, self.immersion_index, self.emission_nm))

    def _at(self, wavelength_nm: float) -> Pupil:
        n = self.immersion_index
        return Pupil(
            stop=self.na,
            wavenumber=2000 * math.pi / wavelength_nm,
            path=lambda q: torch.zeros_like(q, dtype=torch.complex128),
            defocus=lambda q: torch.sqrt(n**2 - q**2),
            components=vectorial(n, n, n, "aplanatic"),
            branches=(n,),
        )

    def _pupils(self) -> tuple[Pupil, ...]:
        return self._at(self.excitation_nm), self._at(self.emission_nm)

    def _cutoff(self) -> float:
        return sum(map(cutoff_of, self._pupils()))

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        emission = self._at(self.emission_nm)
        cutoff = cutoff_of(emission)
        step = step_um(cutoff)
        radius = pinhole_radius_um(self.na, self.emission_nm, self.pinhole_au, None)
        inner, matrix = averaging(len(radii(float(r_um.max()), step)), step, disc(radius, cutoff), cutoff)
        seen = (
            self._interfering(emission, z_um, inner) if self.kind == "C" else _radial.intensity(emission, z_um, inner)
        )
        through = at_points(seen @ matrix, step, r_um.numpy() * 0, r_um.numpy())
        return self._interfering(self._at(self.excitation_nm), z_um, r_um) * through

    def _interfering(self, pupil: Pupil, z_um: Tensor, r_um: Tensor) -> Tensor:
        """|E₁ + e^{iφ} E₁'|²: without aberrations E₁'(z) is the conjugate of E₁(z), its axial part minus that."""
        half = torch.tensor(self.phase_rad / 2, dtype=torch.float64)
        cos, sin = torch.cos(half), torch.sin(half)
        parts = []
        for part in _radial.fields(pupil, z_um, r_um):
            total = torch.zeros_like(part[0][0])
            for component, (real, imaginary) in zip(pupil.components, part, strict=True):
                turned = real * cos + imaginary * sin if component.order != 1 else imaginary * cos - real * sin
                total = total + component.weight * (2 * turned) ** 2
            parts.append(total)
        return torch.cat(parts, -1)
