"""A double helix: a phase plate that makes two lobes, which turn about each other with defocus.

    P = U / |U|,      U = Σ_{p=0}^{4} u_{p, 2p+1},      u_{p, m} = (√2 ρ/w)^m L_p^m(2ρ²/w²) exp(-ρ²/w²) exp(i m φ)

The Gauss-Laguerre modes (n, m) = (1, 1), (5, 3), (9, 5), (13, 7), (17, 9) lie on a line, so that their sum turns as a whole
while it spreads; all have an odd m, so that there are two lobes. The plate has their phase alone, and all of the light.
Cost as Zernike; to 1e-4 of the peak, for the plate's singular points.
S. R. P. Pavani and R. Piestun, Opt. Express 16, 3484 (2008), doi:10.1364/OE.16.003484;
R. Piestun, Y. Y. Schechner and J. Shamir, J. Opt. Soc. Am. A 17, 294 (2000), doi:10.1364/JOSAA.17.000294.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._propagation import Plane
from deconlab.psf._pupil import PupilModel
from deconlab.units import Doc, Gt, Lt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DoubleHelix(PupilModel):
    """PSF of two lobes whose direction tells the depth.

    >>> model = DoubleHelix(na=1.2, emission_nm=600, immersion_index=1.333, optics="scalar")
    >>> data = model.render((1, 33, 33), (0.2, 0.1, 0.1)).data[0]
    >>> bool(abs(data - data.flip(0, 1)).max() < 1e-4 * data.max())  # two lobes: the same after half a turn
    True
    """

    waist: Annotated[float, Gt(0.1), Lt(2), Doc("w of the modes, as a part of the pupil's radius")] = field(
        default=0.4, kw_only=True
    )

    samples: ClassVar[int] = 512  # for the singular points of the plate
    references: ClassVar[tuple[str, ...]] = ("10.1364/OE.16.003484", "10.1364/JOSAA.17.000294")

    def _mask(self, at: Plane, stop: float) -> Tensor:
        rho, phi = at.radius / stop, torch.atan2(at.qy, at.qx)
        u = 2 * (rho / self.waist) ** 2
        total = torch.zeros_like(rho, dtype=torch.complex128)
        for p in range(5):
            m = 2 * p + 1
            scale = math.sqrt(math.factorial(p) / math.factorial(p + m))
            total = total + scale * u ** (m / 2) * _laguerre(p, m, u) * torch.exp(1j * m * phi)
        return total / total.abs().clamp(min=1e-300)


def _laguerre(p: int, m: int, u: Tensor) -> Tensor:
    """The associated Laguerre polynomial L_p^m."""
    before, value = torch.zeros_like(u), torch.ones_like(u)
    for k in range(p):
        before, value = value, ((2 * k + 1 + m - u) * value - (k + m) * before) / (k + 1)
    return value
