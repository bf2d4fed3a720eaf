"""A Gaussian that widens evenly out of focus, after the transfer function of Köhler illumination.

    H(ω, z) = exp(-ω² σ(z)² / 2),      so h = exp(-r² / 2σ²) / (2π σ²),      σ(z) = σ₀ (1 + |z| / doubling)

A crude stand-in for widefield data whose optics are unknown: it has a cone of light, as those do, but no rings.
One of the models of the PSF Generator. H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x.
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
class Koehler(GrowingShape):
    """Gaussian PSF that widens out of focus.

    >>> psf = Koehler(fwhm_um=0.25, doubling_um=0.5).render((3, 33, 33), (0.5, 0.1, 0.1))
    >>> bool(psf.data[0, 16, 16] < psf.data[1, 16, 16] / 3)
    True
    """

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        return torch.exp(-(y**2 + x**2) / (2 * self._sigma(z) ** 2))

    def _light(self, z: Tensor) -> Tensor:
        return 2 * math.pi * self._sigma(z) ** 2
