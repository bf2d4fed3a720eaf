"""Confocal: a point lit through the objective and seen through a pinhole.

    h(r, z) = h_ex(r, z) · (h_em(·, z) ⊛ D_R)(r)

with widefield PSFs h at both wavelengths (vectorial unless asked otherwise) and a disc D_R, the pinhole projected back
into the sample; 1 Airy unit is a diameter of 1.22 λ_em / NA. The convolution with the disc is an integral, not a sum over
pixels. A pinhole of 0 AU gives the product of both PSFs, an open one h_ex alone.
Cost: about twice TorokVarga's. T. Wilson, Confocal Microscopy (1990), ISBN 0-12-757270-8; T. Wilson and A. R. Carlini,
Opt. Lett. 12, 227 (1987), doi:10.1364/OL.12.000227, on the size of the pinhole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from deconlab.psf import _radial
from deconlab.psf._scanning import PinholeModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Confocal(PinholeModel):
    """PSF of a confocal laser-scanning microscope.

    >>> model = Confocal(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515, pinhole_au=1)
    >>> round(model.pinhole_radius_um, 5)
    0.22875
    """

    modality: ClassVar[str | None] = "confocal"
    references: ClassVar[tuple[str, ...]] = ("10.1364/OL.12.000227",)

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        return _radial.intensity(self._at(self.excitation_nm), z_um, r_um) * self._detection(z_um, r_um)
