"""A raised cosine, whose width grows out of focus: finite, smooth, without tails.

    h(r, z) = (1 + cos(π r / s)) / 2 for r < s, else 0,      s = f(z) FWHM

One of the lateral families of the PSF Generator.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deconlab.lazytorch import torch
from deconlab.psf._shape import GrowingShape

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cosine(GrowingShape):
    """PSF of the shape of a raised cosine.

    >>> round(Cosine(fwhm_um=0.25).render((1, 9, 9), (0.2, 0.1, 0.1)).captured, 4)
    1.0
    """

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        u = torch.hypot(y, x) / self._width(z)
        return (1 + torch.cos(math.pi * u.clamp(max=1.0))) / 2

    def _light(self, z: Tensor) -> Tensor:
        return math.pi * self._width(z) ** 2 * (0.5 - 2 / math.pi**2)
