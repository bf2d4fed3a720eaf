"""STED: a confocal microscope whose excited spot is trimmed by a second, depleting beam.

    pulsed:  h = h_ex · exp(-ς I_d / max I_d) · (h_em ⊛ D_R)
    cw:      h = h_ex / (1 + ς I_d / max I_d) · (h_em ⊛ D_R)

The depletion I_d is vectorial: circularly polarised light through a vortex phase plate (its field has Bessel orders 1, 2
and 3 in place of 0, 1 and 2: a ring, dark in the middle), or through a top-hat plate that delays the middle of the pupil,
half of its area, by half a wave (dark in the middle along z too). ς is the saturation factor, 5 to 50 in practice; the spot
shrinks to about λ / (2 NA √(1 + ς)).
Cost: about three times Confocal's. S. W. Hell and J. Wichmann, Opt. Lett. 19, 780 (1994), doi:10.1364/OL.19.000780;
cw: K. I. Willig et al., Nat. Methods 4, 915 (2007), doi:10.1038/nmeth1108; B. Harke et al., Opt. Express 16, 4154 (2008),
doi:10.1364/OE.16.004154.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._radial import Component, Pupil
from deconlab.psf._scanning import PinholeModel
from deconlab.units import Doc, Ge, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class STED(PinholeModel):
    """PSF of a STED microscope with a pinhole.

    >>> wide, narrow = (
    ...     STED(na=1.4, excitation_nm=640, emission_nm=670, depletion_nm=775, immersion_index=1.515, saturation=s)
    ...     for s in (1, 20)
    ... )
    >>> bool(narrow.nyquist_um()[1] < wide.nyquist_um()[1])
    True
    """

    depletion_nm: Annotated[Nm, Gt(0), Doc("wavelength of the depleting light, in vacuum")]
    saturation: Annotated[
        float, Ge(0), Doc("saturation factor ς: peak depletion over what halves, e-folds the signal")
    ] = 20.0
    regime: Annotated[Literal["pulsed", "cw"], Doc("pulsed depletion (exponential), or continuous (Lorentzian)")] = (
        "pulsed"
    )
    plate: Annotated[Literal["vortex", "tophat"], Doc("phase plate: vortex (lateral), or top-hat (mostly axial)")] = (
        "vortex"
    )

    together: ClassVar[bool] = False
    modality: ClassVar[str | None] = "STED"
    references: ClassVar[tuple[str, ...]] = ("10.1364/OL.19.000780", "10.1038/nmeth1108", "10.1364/OE.16.004154")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.optics == "scalar":
            raise ValueError(
                "STED: optics must be 'vectorial', not 'scalar': polarisation fills or clears the dark middle."
            )
        if self.depletion_nm < self.excitation_nm:
            raise ValueError(
                f"STED: depletion_nm {self.depletion_nm:g} must not be below excitation_nm {self.excitation_nm:g}: "
                f"depleting light is red-shifted. Are the two exchanged?"
            )

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: a confocal's, narrowed by √(1 + ς) where the plate acts."""
        axial, lateral = super().nyquist_um()
        gain = math.sqrt(1 + self.saturation)
        return (axial, lateral / gain) if self.plate == "vortex" else (axial / gain, lateral / gain)

    def otf_border(self) -> None:
        """Depletion does not follow the dose in proportion, so that no frequency is the last."""

    def depletion(self) -> Pupil:
        """The pupil of the depleting beam."""
        plain = self._at(self.depletion_nm)
        if self.plate == "vortex":
            turned = tuple(replace(component, order=component.order + 1) for component in plain.components)
            return replace(plain, components=turned)
        edge = plain.stop / math.sqrt(2)
        delayed = tuple(replace(c, amplitude=_delayed(c, edge)) for c in plain.components)
        return replace(plain, components=delayed, steps=(edge,))

    def _cutoff(self) -> float:
        return super()._cutoff() * (1 + math.sqrt(self.saturation))  # not band-limited: enough for the trimmed spot

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        lit = _radial.intensity(self._at(self.excitation_nm), z_um, r_um)
        dose = self.saturation * _radial.intensity(self.depletion(), z_um, r_um) / self._brightest()
        left = torch.exp(-dose) if self.regime == "pulsed" else 1 / (1 + dose)
        return lit * left * self._detection(z_um, r_um)

    def _brightest(self) -> Tensor:
        """The maximum of the depleting beam, in any place; differentiable, its place held, which is exact at a maximum."""
        pupil = self.depletion()
        focus = _radial.best_focus_um(self._at(self.depletion_nm))
        axial, _ = _optics.nyquist_um(self.na, self.immersion_index, self.depletion_nm)
        z = focus + axial * torch.linspace(-4, 4, 129, dtype=torch.float64)
        r = torch.arange(257, dtype=torch.float64) * (self.depletion_nm / 1000 / self.na / 128)
        coarse = _radial.intensity(pupil, z, r)
        place = int(coarse.argmax())
        near_z = z[place // len(r)] + (z[1] - z[0]) * torch.linspace(-1, 1, 33, dtype=torch.float64)
        near_r = (r[place % len(r)] + r[1] * torch.linspace(-1, 1, 33, dtype=torch.float64)).abs()
        return _radial.intensity(pupil, near_z, near_r).max()


def _delayed(component: Component, edge: float) -> Callable[[Tensor], Tensor]:
    return lambda q: component.amplitude(q) * torch.where(q < edge, -1.0, 1.0)
