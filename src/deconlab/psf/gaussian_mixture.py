"""A sum of Gaussians about one centre, as surveys describe the image of a star.

    h(r) = Σ w_k exp(-r² / 2σ_k²) / (2π σ_k²) / Σ w_k,      σ_k = FWHM_k / 2.3548

A narrow core and a wide halo are two of them. Widths are in pixels.
J. Bovy, D. W. Hogg and S. T. Roweis, Ann. Appl. Stat. 5, 1657 (2011), doi:10.1214/10-AOAS439.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._shape import FlatShape, pairs
from deconlab.units import Doc

if TYPE_CHECKING:
    from torch import Tensor

_RULE = "share:width, such as 0.8:2.5 (a share of the light > 0, a FWHM in pixels > 0)"


@dataclass(frozen=True)
class GaussianMixture(FlatShape):
    """PSF of several Gaussians, in pixels.

    >>> GaussianMixture("0.8:2.5 0.2:8").render((33, 33)).data.shape
    torch.Size([33, 33])
    """

    gaussians: Annotated[str, Doc("share of the light and FWHM in pixels of each, such as '0.8:2.5 0.2:8'")]

    references: ClassVar[tuple[str, ...]] = ("10.1214/10-AOAS439",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for share, width in self._pairs():
            if share <= 0 or width <= 0:
                raise ValueError(
                    f"GaussianMixture: gaussians {self.gaussians!r} has {share:g}:{width:g}, which is no {_RULE}."
                )

    def _pairs(self) -> list[tuple[float, float]]:
        return pairs(self.gaussians, "GaussianMixture", "gaussians", _RULE)

    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        total = 0 * z + torch.zeros_like(y * x)
        for share, width in self._pairs():
            sigma = width / (2 * math.sqrt(2 * math.log(2)))
            total = total + share / (2 * math.pi * sigma**2) * torch.exp(-(y**2 + x**2) / (2 * sigma**2))
        return total

    def _light(self, z: Tensor) -> Tensor:
        return 0 * z + sum(share for share, _ in self._pairs())

    def _width(self, z: Tensor) -> Tensor:
        return 0 * z + min(width for _, width in self._pairs())
