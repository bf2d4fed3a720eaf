"""The square of a cardinal sine, whose width grows out of focus.

    h(r, z) = (sin u / u)²,      u = 2.78311 r / (f(z) FWHM)

One of the lateral families of the PSF Generator, squared here since an intensity is not negative. Its light is infinite,
so parts of it are told of what lies within 1000 widths.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._shape import ENDLESS, GrowingShape

if TYPE_CHECKING:
    from torch import Tensor

_HALF = 1.3915573782515103  # (sin u / u)² = 1/2


@dataclass(frozen=True)
class CardinalSine(GrowingShape):
    """PSF of the shape (sin u / u)².

    >>> CardinalSine(fwhm_um=0.25).render((3, 9, 9), (0.2, 0.1, 0.1)).data.shape
    torch.Size([3, 9, 9])
    """

    endless: ClassVar[bool] = True

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        return torch.sinc(2 * _HALF / math.pi * torch.hypot(y, x) / self._width(z)) ** 2

    def _light(self, z: Tensor) -> Tensor:
        s = self._width(z) / (2 * _HALF)
        return math.pi * s**2 * (math.log(4 * _HALF * ENDLESS) + 0.5772156649015329)  # ∫ sin² u / u du for large u
