"""Two Gaussians that turn about each other along z: a double helix by its looks.

    h = exp(-|r - p|² / 2σ²) + exp(-|r + p|² / 2σ²),      p = s/2 (cos α, sin α), α = π/2 · z / turn

One of the lateral families of the PSF Generator; DoubleHelix is the optics of it.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x; S. R. P. Pavani et al., Proc. Natl.
Acad. Sci. 106, 2995 (2009), doi:10.1073/pnas.0900245106.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._shape import GrowingShape
from deconlab.units import Doc, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class DoubleHelixGaussian(GrowingShape):
    """PSF of two Gaussian lobes whose direction tells z.

    >>> data = DoubleHelixGaussian(fwhm_um=0.3, quarter_turn_um=0.8).render((9, 25, 25), (0.2, 0.1, 0.1)).data
    >>> bool(data[4, 12, 17] > data[4, 17, 12]), bool(data[8, 12, 17] < data[8, 17, 12])
    (True, True)
    """

    separation_um: Annotated[Um, Gt(0), Doc("distance between the two lobes")] = field(default=1.0, kw_only=True)
    quarter_turn_um: Annotated[Um, Gt(0), Doc("distance along z in which the lobes turn by 90°")] = field(
        default=1.0, kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = ("10.1111/j.1365-2818.2012.03675.x", "10.1073/pnas.0900245106")

    @property
    def rotational(self) -> bool:
        """Never."""
        return False

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        sigma, angle = self._sigma(z), math.pi / 2 * z / self.quarter_turn_um
        py, px = self.separation_um / 2 * torch.sin(angle), self.separation_um / 2 * torch.cos(angle)
        lobes = [torch.exp(-((y - s * py) ** 2 + (x - s * px) ** 2) / (2 * sigma**2)) for s in (1, -1)]
        return lobes[0] + lobes[1]

    def _light(self, z: Tensor) -> Tensor:
        return 4 * math.pi * self._sigma(z) ** 2

    def _width(self, z: Tensor) -> Tensor:
        return self.separation_um + super()._width(z)

    def _sigma(self, z: Tensor) -> Tensor:
        return self.fwhm_um * self._factor(z) / (2 * math.sqrt(2 * math.log(2)))
