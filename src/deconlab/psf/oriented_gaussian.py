"""A Gaussian longer one way than the other, and turned.

    h = exp(-u² / 2σ² - v² / 2(eσ)²),      u = x cos α + y sin α, v = y cos α - x sin α, σ = f(z) FWHM / 2.3548

One of the lateral families of the PSF Generator; also of motion and of a comatic or astigmatic telescope.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from deconlab.lazytorch import torch
from deconlab.psf._shape import GrowingShape
from deconlab.units import Doc, Gt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class OrientedGaussian(GrowingShape):
    """Gaussian PSF with two widths and a direction.

    >>> data = OrientedGaussian(fwhm_um=0.2, elongation=2, angle_deg=90).render((17, 17), (0.1, 0.1)).data
    >>> bool(data[8, 10] > data[10, 8])
    True
    """

    elongation: Annotated[float, Gt(0), Doc("width across over width along the direction")] = field(
        default=2.0, kw_only=True
    )
    angle_deg: Annotated[float, Doc("direction of fwhm_um, from the x axis towards y")] = field(
        default=0.0, kw_only=True
    )

    @property
    def rotational(self) -> bool:
        """Only where both widths are equal."""
        return self.elongation == 1

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        sigma, angle = self._sigma(z), math.radians(self.angle_deg)
        u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
        return torch.exp(-((u / sigma) ** 2 + (v / (self.elongation * sigma)) ** 2) / 2)

    def _light(self, z: Tensor) -> Tensor:
        return 2 * math.pi * self.elongation * self._sigma(z) ** 2

    def _width(self, z: Tensor) -> Tensor:
        return super()._width(z) * max(1.0, self.elongation)

    def _sigma(self, z: Tensor) -> Tensor:
        return self.fwhm_um * self._factor(z) / (2 * math.sqrt(2 * math.log(2)))
