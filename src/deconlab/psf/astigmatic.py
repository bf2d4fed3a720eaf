"""A Gaussian with astigmatism: its widths along x and y are least in different planes.

    h = exp(-x² / 2σx² - y² / 2σy²),      σx = σ f(z - a), σy = σ f(z + a)

A stand-in for a cylindrical lens, as in single-molecule localisation; Zernike with j = 5 is the optics of it.
H. Kirshner et al., J. Microsc. 249, 13 (2013), doi:10.1111/j.1365-2818.2012.03675.x;
B. Huang et al., Science 319, 810 (2008), doi:10.1126/science.1153529.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._shape import GrowingShape
from deconlab.units import Doc, Ge, Um

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Astigmatic(GrowingShape):
    """Gaussian PSF with foci for x and y at ±split_um.

    >>> data = Astigmatic(fwhm_um=0.3, split_um=0.4).render((5, 17, 17), (0.2, 0.1, 0.1)).data
    >>> bool(data[4, 8, 10] < data[4, 10, 8]), bool(data[0, 8, 10] > data[0, 10, 8])
    (True, True)
    """

    split_um: Annotated[Um, Ge(0), Doc("distance of the foci of x (above) and y (below) from the middle")] = field(
        default=0.3, kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = ("10.1111/j.1365-2818.2012.03675.x", "10.1126/science.1153529")

    @property
    def rotational(self) -> bool:
        """Not where x and y have different foci."""
        return self.split_um == 0

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        sx, sy = self._sigma(z - self.split_um), self._sigma(z + self.split_um)
        return torch.exp(-((x / sx) ** 2 + (y / sy) ** 2) / 2)

    def _light(self, z: Tensor) -> Tensor:
        return 2 * math.pi * self._sigma(z - self.split_um) * self._sigma(z + self.split_um)
