"""Image scanning (ISM, Airyscan): a confocal microscope whose pinhole is an array of small detectors.

    h_k(r, z) = h_ex(r, z) · (h_em(·, z) ⊛ D_R)(r - d_k)            what the detector at d_k sees
    h(r, z)   = Σ_k h_k(r + d_k / 2, z)                             after pixel reassignment by half the offset

The detectors lie on a hexagonal lattice of 1 + 6 + 12 … elements, round, touching. Give ``element`` for the image of one of
them, or none for the reassigned sum.
Cost: Confocal's once, and a window of the profile per voxel and element. C. J. R. Sheppard, Optik 80, 53 (1988);
C. B. Müller and J. Enderlein, Phys. Rev. Lett. 104, 198101 (2010), doi:10.1103/PhysRevLett.104.198101.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import POINT, area, at_points, averaging, disc, radii, step_um
from deconlab.psf._model import Grid, Intensity
from deconlab.psf._scanning import ScanningModel, cutoff_of, sum_of_borders
from deconlab.units import Doc, Ge, Gt, Le, Nm

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ISM(ScanningModel):
    """PSF of an image-scanning microscope.

    >>> model = ISM(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515, detector_rings=2)
    >>> len(model.offsets_um())
    19
    """

    excitation_nm: Annotated[Nm, Gt(0), Doc("wavelength of the exciting light, in vacuum")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    detector_rings: Annotated[int, Ge(0), Le(8), Doc("rings of detectors about the middle one: 3 make 37")] = 3
    detector_au: Annotated[float, Gt(0), Doc("diameter of one detector, and their distance, in Airy units")] = 0.2
    element: Annotated[
        int | None, Ge(0), Doc("the detector whose own image it is, 0 being the middle; default: all, reassigned")
    ] = None

    together: ClassVar[bool] = False
    modality: ClassVar[str | None] = "ISM"
    references: ClassVar[tuple[str, ...]] = ("10.1103/PhysRevLett.104.198101",)

    def __post_init__(self) -> None:
        super().__post_init__()
        count = 1 + 3 * self.detector_rings * (self.detector_rings + 1)
        if self.element is not None and self.element >= count:
            raise ValueError(
                f"ISM: there is no element {self.element}: {self.detector_rings} rings have {count}, from 0."
            )

    @property
    def rotational(self) -> bool:
        """A hexagon does not look the same from all sides; one element in the middle does."""
        return self.element == 0 or self.detector_rings == 0

    @property
    def pitch_um(self) -> float:
        """Distance between detectors, projected back into the sample."""
        return self.detector_au * 1.22 * self.emission_nm / 1000 / self.na

    def offsets_um(self) -> list[tuple[float, float]]:
        """Where each detector lies (y, x), projected back into the sample; from the middle outwards."""
        rings = self.detector_rings
        found = [
            (b * math.sqrt(3) / 2 * self.pitch_um, (a + b / 2) * self.pitch_um)
            for a in range(-rings, rings + 1)
            for b in range(-rings, rings + 1)
            if abs(a + b) <= rings
        ]
        return sorted(found, key=lambda place: (round(math.hypot(*place), 9), round(math.atan2(*place), 9)))

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: the bandwidths of excitation and emission add."""
        together = 1 / (1 / self.excitation_nm + 1 / self.emission_nm)
        return _optics.nyquist_um(self.na, self.immersion_index, together)

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: the supports of excitation and emission, added."""
        return sum_of_borders(self.na, self.immersion_index, self.excitation_nm, self.emission_nm)

    def _pupils(self) -> tuple[_radial.Pupil, ...]:
        return self._at(self.excitation_nm), self._at(self.emission_nm)

    def _cutoff(self) -> float:
        return sum(map(cutoff_of, self._pupils()))

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        """Of the sum without reassignment: as of a pinhole of all detectors together. It tells the extent."""
        radius = (self.detector_rings + 0.5) * self.pitch_um if self.element is None else self.pitch_um / 2
        excitation, emission = self._pupils()
        return _radial.intensity(excitation, z_um, r_um) * self._seen(
            emission, z_um, r_um, disc(radius, cutoff_of(emission))
        )

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        pixel = self._pixel(grid)
        z, notes = self._planes(grid)
        cell = area(max(pixel), self._cutoff()) if self.pixel_integration else POINT
        places = self.offsets_um()
        chosen = places if self.element is None else [places[self.element]]
        shift = 0.5 if self.element is None else 0.0
        y, x = (grid.offsets(axis).numpy() for axis in (-2, -1))
        reach = (
            math.hypot(float(abs(y).max()) + pixel[0], float(abs(x).max()) + pixel[1])
            + self.detector_rings * self.pitch_um
        )
        lit, step_lit, seen, step_seen = self._both(z, reach)
        data = torch.zeros(len(z), len(y) * len(x), dtype=torch.float64)
        light = torch.zeros(len(z), dtype=torch.float64)
        lights: dict[float, Tensor] = {}
        for dy, dx in chosen:
            for i, wy in zip(cell.points, cell.weights, strict=True):
                for j, wx in zip(cell.points, cell.weights, strict=True):
                    down, right = np.meshgrid(
                        y + i * pixel[0] + shift * dy, x + j * pixel[1] + shift * dx, indexing="ij"
                    )
                    here = at_points(lit, step_lit, down, right) * at_points(seen, step_seen, down - dy, right - dx)
                    data = data + here * (wy * wx)
            away = round(math.hypot(dy, dx), 9)  # many detectors are as far from the middle
            if away not in lights:
                lights[away] = self._light_of(lit, step_lit, seen, step_seen, away)
            light = light + lights[away]
        shaped = data.view(len(z), len(y), len(x)).to(dtype=dtype, device=device)
        return Intensity(shaped if grid.ndim == 3 else shaped[0], light / (pixel[0] * pixel[1]), notes=notes)

    def _both(self, z: Tensor, reach_um: float) -> tuple[Tensor, float, Tensor, float]:
        """Profiles of illumination and detection, each on its own grid, wide enough for the light of every plane too."""
        excitation, emission = self._pupils()
        tangent = self.na / math.sqrt(self.immersion_index**2 - self.na**2)
        reach_um = max(reach_um, 1.5 * tangent * float(z.abs().max()) + 8 * self.emission_nm / 1000 / self.na)
        lit_step, seen_step = step_um(cutoff_of(excitation)), step_um(cutoff_of(emission))
        cutoff = cutoff_of(emission)
        outer = radii(reach_um + self.detector_rings * self.pitch_um, seen_step)
        inner, matrix = averaging(len(outer), seen_step, disc(self.pitch_um / 2, cutoff), cutoff)
        lit = _radial.intensity(excitation, z, radii(reach_um, lit_step))
        return lit, lit_step, _radial.intensity(emission, z, inner) @ matrix, seen_step

    def _light_of(self, lit: Tensor, step_lit: float, seen: Tensor, step_seen: float, offset_um: float) -> Tensor:
        """∫ h_ex(r) g(r - d): over angles by the trapezoidal rule, over radii likewise with its end correction."""
        step = 2 * step_lit
        count = math.ceil(4 * math.pi * self._cutoff() * offset_um) + 12 if offset_um else 1
        angle = (np.arange(count) + 0.5) * math.pi / count
        r = np.arange((lit.shape[1] - 12) // 2) * step
        y, x = r[:, None] * np.sin(angle), r[:, None] * np.cos(angle) - offset_um
        around = at_points(seen, step_seen, y, x).view(len(lit), len(r), count).mean(2)
        profile = lit[:, : 2 * len(r) : 2] * around
        total = (profile * torch.from_numpy(r)).sum(1) + step / 12 * profile[:, 0]
        return 2 * math.pi * step * total
