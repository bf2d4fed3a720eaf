"""A Lorentzian whose width grows out of focus.

    h(r, z) = 1 / (1 + (r / g)²),      g = f(z) FWHM / 2

One of the lateral families of the PSF Generator. Its light is infinite, so parts of it are told of what lies within 1000
widths.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from deconlab.psf._shape import ENDLESS, GrowingShape

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Lorentz(GrowingShape):
    """Lorentzian PSF.

    >>> Lorentz(fwhm_um=0.25).render((3, 9, 9), (0.2, 0.1, 0.1)).data.shape
    torch.Size([3, 9, 9])
    """

    endless: ClassVar[bool] = True

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        return 1 / (1 + (y**2 + x**2) / (self._width(z) / 2) ** 2)

    def _light(self, z: Tensor) -> Tensor:
        g = self._width(z) / 2
        return math.pi * g**2 * math.log1p((2 * ENDLESS) ** 2)
