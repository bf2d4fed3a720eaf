"""Widefield light of many wavelengths: the sum of their PSFs, each with its share of the light.

    h = Σ_b w_b h_w(λ_b) / Σ_b w_b

A Gaussian band of emission_nm ± (taken at five wavelengths, by Gauss and Hermite), or any spectrum: emission × filter ×
the detector's efficiency. Indices of refraction are taken as those of the middle.
Cost: one TorokVarga for each wavelength.
B. Richards and E. Wolf, Proc. R. Soc. A 253, 358 (1959), doi:10.1098/rspa.1959.0200; that incoherent light adds by
intensity: M. Born and E. Wolf, Principles of Optics, 7th ed. (1999), §10, doi:10.1017/CBO9781139644181.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from deconlab.psf import _optics, _radial
from deconlab.psf._layers import Field
from deconlab.psf._rotational import LayeredModel
from deconlab.psf._shape import pairs
from deconlab.units import Doc, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor

_RULE = "wavelength:share, such as 520:1 (nm, and a share > 0)"
_COLOURS = 5


@dataclass(frozen=True)
class Polychromatic(LayeredModel):
    """Widefield PSF of light that is not of one wavelength.

    >>> model = Polychromatic(na=1.2, emission_nm=520, immersion_index=1.333, spectrum="500:1 520:3 550:1")
    >>> [round(share, 2) for _, share in model.colours()]
    [0.2, 0.6, 0.2]
    """

    band_nm: Annotated[Nm, Gt(0), Doc("full width at half maximum of a Gaussian band about emission_nm")] = field(
        default=30.0, kw_only=True
    )
    spectrum: Annotated[
        str | None, Doc("wavelengths in nm and their shares, such as '500:1 520:3 550:1', instead of a band")
    ] = field(default=None, kw_only=True)
    optics: Annotated[Field, Doc("vectorial (Török-Varga, isotropic dipoles) or scalar (Gibson-Lanni)")] = field(
        default="vectorial", kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = ("10.1098/rspa.1959.0200", "10.1017/CBO9781139644181")

    def __post_init__(self) -> None:
        super().__post_init__()
        for wavelength, share in self._given():
            _optics.refuse_wavelength("Polychromatic", "spectrum", wavelength)
            if not (wavelength >= 100 and share > 0):
                raise ValueError(f"Polychromatic: spectrum has {wavelength:g}:{share:g}, which is no {_RULE}.")

    def _given(self) -> list[tuple[float, float]]:
        return [] if self.spectrum is None else pairs(self.spectrum, "Polychromatic", "spectrum", _RULE)

    def colours(self) -> list[tuple[float, float]]:
        """Wavelengths in nm and their shares, of sum 1."""
        if self.spectrum is None:
            nodes, weights = np.polynomial.hermite_e.hermegauss(_COLOURS)
            sigma = self.band_nm / (2 * math.sqrt(2 * math.log(2)))
            found = [(self.emission_nm + sigma * float(x), float(w)) for x, w in zip(nodes, weights, strict=True)]
        else:
            found = self._given()
        total = sum(share for _, share in found)
        return [(wavelength, share / total) for wavelength, share in found]

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm for the shortest wavelength."""
        return _optics.nyquist_um(self.na, self.immersion_index, min(wavelength for wavelength, _ in self.colours()))

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: that of the shortest wavelength."""
        shortest = min(wavelength for wavelength, _ in self.colours())
        return _optics.widefield_border(self.na, self.immersion_index, shortest)

    def when_none(self, name: str) -> str:
        return "" if name == "spectrum" else super().when_none(name)

    def _pupil(self) -> _radial.Pupil:
        return self._of(self.emission_nm)

    def _of(self, wavelength_nm: float) -> _radial.Pupil:
        ni = self.immersion_index
        components = self.components(ni, self.optics, "aplanatic" if self.optics == "vectorial" else "uniform")
        return self.pupil(self.na, ni, wavelength_nm, components)

    def _cutoff(self) -> float:
        return 2000 * self._pupil().stop / min(wavelength for wavelength, _ in self.colours())

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        total: Tensor | None = None
        for wavelength, share in self.colours():
            pupil = self._of(wavelength)
            weight = share / _radial.plane_energy(pupil, z_um)[..., None, None]
            part = weight * _radial.intensity(pupil, z_um, r_um)
            total = part if total is None else total + part
        assert total is not None  # a spectrum is never empty
        return total

    def _profiles(self, z_um: Tensor, r_um: Tensor) -> tuple[Tensor, Tensor | None]:
        return self._profile(z_um, r_um), None

    def _plane_light(self, z_um: Tensor) -> Tensor:
        return z_um * 0 + 1
