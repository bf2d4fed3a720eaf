"""Spinning disk: a confocal microscope with many pinholes, through which neighbours see each other's light.

    h(r, z) = (h_em ⊛ D_R)(r, z) · [h_ex(r, z) + Σ_rings n_m ⟨h_ex(|r - P_m|, z)⟩_φ + haze(z)]

The pinholes lie on a hexagonal lattice of distance P, so that rings of 6, 6, 6, 12, 6 neighbours have radii P, √3 P, 2P,
√7 P, 3P; as the disk turns, each ring is averaged over its angle. All farther pinholes are taken as spread evenly: the
haze. Both lengths are those of the disk divided by the magnification between disk and sample.
Cost: some three times Confocal's. M. Petráň et al., J. Opt. Soc. Am. 58, 661 (1968), doi:10.1364/JOSA.58.000661;
T. Fukano and A. Miyawaki, Appl. Opt. 42, 4119 (2003), doi:10.1364/AO.42.004119.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import Ring, step_um
from deconlab.psf._scanning import PinholeModel, cutoff_of
from deconlab.units import Doc, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor

_NEIGHBOURS = ((1.0, 6), (math.sqrt(3), 6), (2.0, 6), (math.sqrt(7), 12), (3.0, 6))  # distance / P, how many
_DENSITY = 2 / math.sqrt(3)  # pinholes per P²
_NEAR = math.sqrt((1 + sum(count for _, count in _NEIGHBOURS)) / (math.pi * _DENSITY))  # radius / P of their share


@dataclass(frozen=True, kw_only=True)
class SpinningDisk(PinholeModel):
    """PSF of a spinning-disk confocal microscope.

    >>> model = SpinningDisk(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515, spacing_um=2.5)
    >>> Confocal = __import__("deconlab.psf", fromlist=["Confocal"]).Confocal
    >>> bool(model.nyquist_um() > Confocal(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515).nyquist_um())
    True
    """

    spacing_um: Annotated[Um, Gt(0), Doc("distance between pinholes, projected back into the sample")] = 2.5

    modality: ClassVar[str | None] = "spinning disk"
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSA.58.000661", "10.1364/AO.42.004119")

    def __post_init__(self) -> None:
        super().__post_init__()
        if 2 * self.pinhole_radius_um >= self.spacing_um:
            raise ValueError(
                f"SpinningDisk: pinholes {2 * self.pinhole_radius_um:g} µm wide do not fit at distances of spacing_um "
                f"{self.spacing_um:g} µm. Both are sizes on the disk divided by the magnification."
            )

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        if isinstance(self.spacing_um, int | float):
            _optics.refuse_length("SpinningDisk", "spacing_um", self.spacing_um, 100)

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm, as of a widefield image: these pinholes pass little beyond its bandwidth."""
        return _optics.nyquist_um(self.na, self.immersion_index, self.emission_nm)

    def best_focus_um(self) -> float:
        """Where the point looks sharpest through its own pinhole, in µm from the nominal focus."""
        still, excitation = torch.zeros(1, dtype=torch.float64), self._at(self.excitation_nm)
        low, high, depth = zip(*(_radial.focal_range(pupil) for pupil in self._pupils()), strict=True)

        def own(z_um: Tensor) -> Tensor:
            return (_radial.intensity(excitation, z_um, still) * self._detection(z_um, still))[:, 0]

        return _radial.sharpest(own, min(low), max(high), min(depth))

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        excitation = self._at(self.excitation_nm)
        rings = tuple(Ring(distance * self.spacing_um, count) for distance, count in _NEIGHBOURS)
        lit = _radial.intensity(excitation, z_um, r_um) + self._seen(excitation, z_um, r_um, rings)
        return self._detection(z_um, r_um) * (lit + self._haze(excitation, z_um)[..., None])

    def _haze(self, excitation: _radial.Pupil, z_um: Tensor) -> Tensor:
        """Light per area of all farther pinholes: their density times what each sends beyond the near ones."""
        reach = _NEAR * self.spacing_um
        step = step_um(cutoff_of(excitation))
        r = (torch.arange(math.ceil(reach / step), dtype=torch.float64) + 0.5) * (reach / math.ceil(reach / step))
        near = (_radial.intensity(excitation, z_um, r) * r).sum(-1) * 2 * math.pi * float(r[1] - r[0])
        beyond = (_radial.plane_energy(excitation, z_um)[..., None] - near).clamp(min=0)
        return _DENSITY / self.spacing_um**2 * beyond
