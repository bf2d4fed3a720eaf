"""Multi-photon excitation: the illumination's PSF to the power of the number of photons.

    h(r, z) = h_ex(r, z)ⁿ,      or h_exⁿ · (h_em ⊛ D_R) where the light is descanned and passes a pinhole

Cost: TorokVarga's. W. Denk, J. H. Strickler and W. W. Webb, Science 248, 73 (1990), doi:10.1126/science.2321027;
W. R. Zipfel, R. M. Williams and W. W. Webb, Nat. Biotechnol. 21, 1369 (2003), doi:10.1038/nbt899.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import disc
from deconlab.psf._scanning import (
    ScanningModel,
    cutoff_of,
    pinhole_radius_um,
    refuse_both_pinholes,
    sum_of_borders,
)
from deconlab.units import Doc, Ge, Gt, Le, Nm, Um

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Multiphoton(ScanningModel):
    """PSF of a microscope with two- or more-photon excitation.

    >>> Multiphoton(na=1.0, excitation_nm=900, immersion_index=1.333).nyquist_um()[1]
    0.1125
    """

    excitation_nm: Annotated[Nm, Gt(0), Doc("wavelength of the exciting light, in vacuum")]
    photon_order: Annotated[int, Ge(1), Le(6), Doc("photons that excite together")] = 2
    emission_nm: Annotated[Nm | None, Gt(0), Doc("wavelength of the detected light; needed only with a pinhole")] = None
    pinhole_au: Annotated[
        float | None, Ge(0), Doc("diameter of the pinhole of a descanned detector, in Airy units; default: no pinhole")
    ] = None
    backprojected_pinhole_um: Annotated[
        Um | None, Gt(0), Doc("diameter of the pinhole, projected back into the sample; instead of pinhole_au")
    ] = None

    modality: ClassVar[str | None] = "multi-photon"
    references: ClassVar[tuple[str, ...]] = ("10.1126/science.2321027", "10.1038/nbt899")

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_both_pinholes(self, self.pinhole_au, self.backprojected_pinhole_um)
        if self._has_pinhole and self.emission_nm is None:
            raise ValueError("Multiphoton: a pinhole sees emitted light: give emission_nm as well, or no pinhole.")

    @property
    def _has_pinhole(self) -> bool:
        return self.pinhole_au is not None or self.backprojected_pinhole_um is not None

    def when_none(self, name: str) -> str:
        return "no pinhole" if name == "pinhole_au" and not self._has_pinhole else super().when_none(name)

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: n photons have n times the bandwidth of one."""
        together = self.photon_order / self.excitation_nm
        if self._has_pinhole and self.emission_nm is not None:
            together += 1 / self.emission_nm
        return _optics.nyquist_um(self.na, self.immersion_index, 1 / together)

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: that of the excitation, added once for each photon, and the pinhole's."""
        waves = [self.excitation_nm] * self.photon_order
        if self._has_pinhole and self.emission_nm is not None:
            waves.append(self.emission_nm)
        return sum_of_borders(self.na, self.immersion_index, *waves)

    def _pupils(self) -> tuple[_radial.Pupil, ...]:
        return (self._at(self.excitation_nm),)

    def _cutoff(self) -> float:
        cutoff = self.photon_order * cutoff_of(self._at(self.excitation_nm))
        if self._has_pinhole and self.emission_nm is not None:
            cutoff += cutoff_of(self._at(self.emission_nm))
        return cutoff

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        lit = _radial.intensity(self._at(self.excitation_nm), z_um, r_um) ** self.photon_order
        if not self._has_pinhole or self.emission_nm is None:
            return lit
        radius = pinhole_radius_um(self.na, self.emission_nm, self.pinhole_au, self.backprojected_pinhole_um)
        pupil = self._at(self.emission_nm)
        return lit * self._seen(pupil, z_um, r_um, disc(radius, cutoff_of(pupil)))
