"""An objective with a phase plate in its pupil: a vortex, half moons, or a top-hat.

    vortex:     P = exp(i l φ)                       a ring, dark in the middle
    half moon:  P = -1 on one half, 1 on the other   two lobes, dark between them
    top-hat:    P = -1 within ρ < edge, else 1       dark in the focus, bright above and below

The plates of STED's depletion, of dark-spot and of localisation microscopy. A vortex of circular light depends on its
handedness: here the light is unpolarised, so both are averaged; STED has the right one.
Cost as Zernike. P. Török and P. R. T. Munro, Opt. Express 12, 3605 (2004), doi:10.1364/OPEX.12.003605; S. W. Hell and
J. Wichmann, Opt. Lett. 19, 780 (1994), doi:10.1364/OL.19.000780; T. A. Klar et al., Proc. Natl. Acad. Sci. 97, 8206 (2000),
doi:10.1073/pnas.97.15.8206.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf._propagation import Box, Plane
from deconlab.psf._pupil import PupilModel
from deconlab.units import Doc, Ge, Gt, Le, Lt

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class PhaseMask(PupilModel):
    """PSF of an objective with a phase plate.

    >>> data = PhaseMask(na=0.1, emission_nm=520, immersion_index=1.0, plate="vortex").render((33, 33), (0.5, 0.5)).data
    >>> bool(data[16, 16] < 0.05 * data.max())
    True
    """

    plate: Annotated[
        Literal["vortex", "half-moon-x", "half-moon-y", "top-hat"],
        Doc("vortex (e^{ilφ}), half moons side by side along x or y, or a top-hat (the middle delayed by half a wave)"),
    ] = field(default="vortex", kw_only=True)
    charge: Annotated[int, Ge(1), Le(10), Doc("turns l of a vortex")] = field(default=1, kw_only=True)
    tophat_radius: Annotated[float, Gt(0), Lt(1), Doc("radius of the top-hat, as a part of the pupil's")] = field(
        default=1 / math.sqrt(2), kw_only=True
    )

    samples: ClassVar[int] = 320  # for the singular middle of a vortex
    references: ClassVar[tuple[str, ...]] = (
        "10.1364/OPEX.12.003605",
        "10.1364/OL.19.000780",
        "10.1073/pnas.97.15.8206",
    )

    def _boxes(self, stop: float) -> list[tuple[complex, float, Box]]:
        half = (0.0, math.inf), (-math.inf, 0.0)
        if self.plate == "top-hat":
            return [(-1.0, 1.0, Box(self.tophat_radius * stop)), (1.0, 1.0, Box(stop, self.tophat_radius * stop))]
        if self.plate == "half-moon-x":
            return [(1.0, 1.0, Box(stop, x=half[0])), (-1.0, 1.0, Box(stop, x=half[1]))]
        if self.plate == "half-moon-y":
            return [(1.0, 1.0, Box(stop, y=half[0])), (-1.0, 1.0, Box(stop, y=half[1]))]
        return super()._boxes(stop)

    def _mask(self, at: Plane, stop: float) -> Tensor:  # noqa: ARG002
        if self.plate != "vortex":
            return torch.ones_like(at.radius)
        return torch.exp(1j * self.charge * torch.atan2(at.qy, at.qx))
