"""Airy: the image of a star through a telescope in space, with the shadow of its second mirror.

    h(v) = [2 J₁(v) / v - ε² 2 J₁(ε v) / (ε v)]² / (1 - ε²)²,      v = π r / (λ / D)

λ / D in pixels is wavelength / diameter, as an angle, over the angle of a pixel; FWHM = 1.029 λ / D without shadow.
G. B. Airy, Trans. Camb. Philos. Soc. 5, 283 (1835); the annulus: M. Born and E. Wolf, Principles of Optics, 7th ed. (1999),
§8.6.2, doi:10.1017/CBO9781139644181.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._shape import FlatShape
from deconlab.psf.circular_pupil import jinc
from deconlab.units import Doc, Ge, Gt, Lt, Px

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Airy(FlatShape):
    """PSF of a telescope at its diffraction limit, in pixels.

    >>> data = Airy(resolution_px=4, pixel_integration=False).render((33, 33)).data
    >>> bool(data[16, 16 + 5] < 1e-3 * data[16, 16])  # the first dark ring lies at 1.22 λ / D
    True
    """

    resolution_px: Annotated[Px, Gt(0), Doc("λ / D: wavelength over diameter of the telescope, in pixels")]
    obscuration: Annotated[float, Ge(0), Lt(1), Doc("diameter of the central shadow over that of the telescope")] = 0.0

    references: ClassVar[tuple[str, ...]] = ("10.1017/CBO9781139644181",)

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        v = math.pi * torch.hypot(y, x) / self.resolution_px
        e = self.obscuration
        return ((jinc(v) - e**2 * jinc(e * v)) / (1 - e**2)) ** 2 + 0 * z

    def _light(self, z: Tensor) -> Tensor:
        return 0 * z + 4 * self.resolution_px**2 / (math.pi * (1 - self.obscuration**2))

    def _width(self, z: Tensor) -> Tensor:
        return 0 * z + 1.029 * self.resolution_px
