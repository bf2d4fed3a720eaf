"""An objective or telescope whose aperture is a ring, crossed by the vanes that hold its second mirror.

    P = 1 for obscuration < ρ < 1 outside the vanes, else 0

Edges are integrated exactly, so that vanes thinner than the pupil's sampling count as what they are.
Cost as Zernike. M. Born and E. Wolf, Principles of Optics, 7th ed. (1999), §8.6.2, doi:10.1017/CBO9781139644181.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._propagation import Box, Plane
from deconlab.psf._pupil import PupilModel
from deconlab.units import Doc, Ge, Lt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Annular(PupilModel):
    """PSF of an aperture with a central shadow and a cross of vanes.

    >>> psf = Annular(na=0.5, emission_nm=520, immersion_index=1.0, obscuration=0.5).render((17, 17), (0.2, 0.2))
    >>> psf.data.shape
    torch.Size([17, 17])
    """

    obscuration: Annotated[float, Ge(0), Lt(1), Doc("diameter of the central shadow over that of the aperture")] = (
        field(default=0.3, kw_only=True)
    )
    vane_width: Annotated[
        float, Ge(0), Lt(1), Doc("width of the four vanes over the diameter of the aperture; 0: none")
    ] = field(default=0.0, kw_only=True)

    references: ClassVar[tuple[str, ...]] = ("10.1017/CBO9781139644181",)

    def _boxes(self, stop: float) -> list[tuple[complex, float, Box]]:
        hole, half = self.obscuration * stop, self.vane_width * stop
        every, vane = (-math.inf, math.inf), (-half, half)
        whole = [(1.0 + 0j, 1.0, Box(stop, hole))]
        if self.vane_width == 0:
            return whole
        crossing = (1.0 + 0j, 1.0, Box(stop, hole, vane, vane))  # taken away twice
        return [
            *whole,
            (-1.0, -1.0, Box(stop, hole, every, vane)),
            (-1.0, -1.0, Box(stop, hole, vane, every)),
            crossing,
        ]

    def _mask(self, at: Plane, stop: float) -> Tensor:  # noqa: ARG002
        return torch.ones_like(at.radius)
