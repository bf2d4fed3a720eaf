"""An objective with aberrations given by Zernike polynomials.

    P(q) = exp(i Σ_j c_j Z_j(q / NA)),      c_j in radians r.m.s.

OSA/ANSI (from 0) or Noll (from 1) indices, r.m.s. 1 over the pupil. OSA 3 and 5 are astigmatism, 7 and 8 coma, 12 spherical
aberration; 4 is defocus. With no coefficients it is TorokVarga (or GibsonLanni, if scalar), to 1e-6 of the peak.
Coefficients may be a tensor, one for each index from 0 (OSA) or 1 (Noll), and then have gradients.
Cost: two matrix products per plane and field; 65 × 65 × 33 voxels take about a second.
L. N. Thibos et al., J. Refract. Surg. 18, S652 (2002), doi:10.3928/1081-597X-20020901-30; R. J. Noll, J. Opt. Soc. Am.
66, 207 (1976), doi:10.1364/JOSA.66.000207; B. M. Hanser et al., J. Microsc. 216, 32 (2004),
doi:10.1111/j.0022-2720.2004.01393.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf import _zernike
from deconlab.psf._propagation import Plane
from deconlab.psf._pupil import PupilModel
from deconlab.psf._shape import pairs
from deconlab.units import Doc

if TYPE_CHECKING:
    from torch import Tensor

_RULE = "index:radians, such as 5:0.3 (a whole number, and a number)"


@dataclass(frozen=True)
class Zernike(PupilModel):
    """Widefield PSF of an aberrated objective.

    >>> Zernike(na=1.2, emission_nm=520, immersion_index=1.333, coefficients="5:0.5 7:0.3").orders()
    ((2, 2), (3, -1))
    """

    coefficients: Annotated[str, Doc("index and radians r.m.s. of each aberration, such as '5:0.5 7:0.3'")] = field(
        default="", kw_only=True
    )
    ordering: Annotated[Literal["osa", "noll"], Doc("how the polynomials are counted")] = field(
        default="osa", kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = (
        "10.3928/1081-597X-20020901-30",
        "10.1364/JOSA.66.000207",
        "10.1111/j.0022-2720.2004.01393.x",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.orders()

    @staticmethod
    def text(coefficients: Mapping[int, float]) -> str:
        """The text of coefficients that are given as numbers: ``{5: 0.5}`` is ``"5:0.5"``."""
        return " ".join(f"{index}:{value!r}" for index, value in coefficients.items())

    def orders(self) -> tuple[tuple[int, int], ...]:
        """(n, l) of every polynomial that takes part."""
        return tuple(_zernike.orders(index, self.ordering) for index, _ in self._terms())

    def _terms(self) -> list[tuple[int, Any]]:
        given: Any = self.coefficients
        if hasattr(given, "requires_grad"):
            return [(index + (self.ordering == "noll"), value) for index, value in enumerate(given)]
        if not given:
            return []
        found = pairs(given, "Zernike", "coefficients", _RULE)
        for index, value in found:
            if index != int(index):
                raise ValueError(f"Zernike: coefficients {given!r} has {index:g}:{value:g}, which is no {_RULE}.")
        return [(int(index), value) for index, value in found]

    def _swing(self) -> float:
        total = 0.0
        for (n, _), (_, value) in zip(self.orders(), self._terms(), strict=True):
            size = abs(float(value.detach() if hasattr(value, "requires_grad") else value))
            total += size * 2.5 * (n + 1) ** 1.5
        return total

    def _mask(self, at: Plane, stop: float) -> Tensor:
        rho, phi = at.radius / stop, torch.atan2(at.qy, at.qx)
        phase = torch.zeros_like(rho)
        for (n, azimuthal), (_, value) in zip(self.orders(), self._terms(), strict=True):
            phase = phase + value * _zernike.polynomial(n, azimuthal, rho, phi)
        return torch.exp(1j * phase)
