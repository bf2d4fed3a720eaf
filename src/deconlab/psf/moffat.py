"""Moffat: the image of a star through the atmosphere.

    h(r) = (β - 1) / (π α²) · (1 + r² / α²)^(-β),      FWHM = 2 α √(2^(1/β) - 1)

β = 4.765 is Kolmogorov's turbulence, 2.5 to 4 usual at telescopes; β → ∞ is a Gaussian.
A. F. J. Moffat, Astron. Astrophys. 3, 455 (1969); I. Trujillo et al., Mon. Not. R. Astron. Soc. 328, 977 (2001),
doi:10.1046/j.1365-8711.2001.04937.x.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.psf._shape import FlatShape
from deconlab.units import Doc, Gt, Px

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Moffat(FlatShape):
    """PSF of seeing, in pixels.

    >>> round(Moffat(fwhm_px=3, beta=4.765).render((33, 33)).captured, 3)
    1.0
    """

    fwhm_px: Annotated[Px, Gt(0), Doc("full width at half maximum")]
    beta: Annotated[float, Gt(1), Doc("exponent: how fast the wings fall")] = 4.765

    references: ClassVar[tuple[str, ...]] = ("10.1046/j.1365-8711.2001.04937.x",)

    @property
    def alpha_px(self) -> float:
        """α of the formula."""
        return self.fwhm_px / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        return (1 + (y**2 + x**2) / self.alpha_px**2) ** (-self.beta) + 0 * z

    def _light(self, z: Tensor) -> Tensor:
        return 0 * z + math.pi * self.alpha_px**2 / (self.beta - 1)

    def _width(self, z: Tensor) -> Tensor:
        return 0 * z + self.fwhm_px
