"""Stokseth: defocus by its optical transfer function, in closed form.

    H(s, z) = (1 - 0.69 s + 0.0076 s² + 0.043 s³) · 2 J₁(x) / x,      x = (4π W / λ) s (1 - s/2)
    W(z) = |z| (n - √(n² - NA²)),      s = f λ / NA from 0 to 2;      h(r, z) = 2π ∫ H J₀(2π f r) f df

W is the path difference between a marginal and the axial ray. Within 0.03 of a perfect transfer function in focus; of
moderate defocus the peak is some 20 % too low. The small negative intensities that it has are cut. For comparison with
programs that use it; GibsonLanni costs the same and is exact.
Cost: one Bessel table. P. A. Stokseth, J. Opt. Soc. Am. 59, 1314 (1969), doi:10.1364/JOSA.59.001314, eq. 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._lateral import Lateral
from deconlab.psf._rotational import RadialModel
from deconlab.psf.circular_pupil import jinc
from deconlab.units import Doc, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Stokseth(RadialModel):
    """Widefield PSF by an approximate transfer function of defocus.

    >>> Stokseth(na=0.5, emission_nm=520, immersion_index=1.0).best_focus_um()
    0.0
    """

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]

    modality: ClassVar[str | None] = "widefield"
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSA.59.001314",)

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture("Stokseth", self.na, immersion_index=self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        _optics.refuse_wavelengths(self)

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm at which nothing of the image is lost."""
        return _optics.nyquist_um(self.na, self.immersion_index, self.emission_nm)

    def best_focus_um(self) -> float:
        """0: nothing aberrates."""
        return 0.0

    def _cutoff(self) -> float:
        return 2000 * self.na / self.emission_nm

    def transfer(self, s: Tensor, z_um: Tensor) -> Tensor:
        """H(s, z)."""
        span = self.immersion_index - math.sqrt(self.immersion_index**2 - self.na**2)
        x = 4000 * math.pi / self.emission_nm * span * z_um.abs()[:, None] * s * (1 - s / 2)
        return (1 - 0.69 * s + 0.0076 * s**2 + 0.043 * s**3) * jinc(x)

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        from scipy import special

        cutoff = self._cutoff()
        swing = 2 * math.pi * cutoff * (float(r_um.max()) + float(z_um.abs().max()) * self.na / self.immersion_index)
        nodes, weights = np.polynomial.legendre.leggauss(math.ceil(swing / math.pi) + 32)
        f = (nodes + 1) / 2 * cutoff
        bessel = torch.from_numpy(special.j0(2 * math.pi * f[:, None] * r_um.numpy()))
        share = torch.from_numpy(weights / 2 * cutoff * 2 * math.pi * f)
        return (self.transfer(torch.from_numpy(2 * f / cutoff), z_um) * share) @ bessel

    def _pixels(
        self, lateral: Lateral, mean: Tensor, twofold: Tensor | None, dtype: torch.dtype, device: torch.device | None
    ) -> Tensor:
        return super()._pixels(lateral, mean, twofold, dtype, device).clamp(min=0)

    def _plane_light(self, z_um: Tensor) -> Tensor:
        return torch.ones_like(z_um)

    def _notes(self) -> tuple[str, ...]:
        return ("Where the approximate transfer function gives negative intensities they are cut to 0",)
