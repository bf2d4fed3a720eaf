"""The Airy pattern of a circular pupil, whose width grows out of focus.

    h(r, z) = (2 J₁(v) / v)²,      v = 3.23266 r / (f(z) FWHM)

One of the lateral families of the PSF Generator: right in focus only. GibsonLanni and BornWolf are right out of focus too.
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

_HALF = 1.6163399561827614  # (2 J₁(v) / v)² = 1/2


@dataclass(frozen=True)
class CircularPupil(GrowingShape):
    """Airy pattern that widens out of focus.

    >>> CircularPupil(fwhm_um=0.25).render((3, 9, 9), (0.2, 0.1, 0.1)).data.shape
    torch.Size([3, 9, 9])
    """

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        return jinc(2 * _HALF * torch.hypot(y, x) / self._width(z)) ** 2

    def _light(self, z: Tensor) -> Tensor:
        return 4 * math.pi * (self._width(z) / (2 * _HALF)) ** 2


def jinc(v: Tensor) -> Tensor:
    """2 J₁(v) / v in float64."""
    from scipy import special

    values = torch.from_numpy(special.j1(v.numpy()))  # torch's own is wrong by 4e-7
    return torch.where(v == 0, 1.0, 2 * values / torch.where(v == 0, 1.0, v))
