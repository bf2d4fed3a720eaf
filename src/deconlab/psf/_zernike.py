"""Zernike polynomials by their OSA/ANSI or Noll index, normalised to an r.m.s. of 1 over the unit disc.

    Z_n^l = N R_n^|l|(ρ) cos(lφ) for l >= 0, N R_n^|l|(ρ) sin(|l|φ) for l < 0,      N = √(2(n + 1) / (1 + δ_l0))

φ is measured from x towards y. L. N. Thibos et al., J. Refract. Surg. 18, S652 (2002), doi:10.3928/1081-597X-20020901-30;
R. J. Noll, J. Opt. Soc. Am. 66, 207 (1976), doi:10.1364/JOSA.66.000207.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from torch import Tensor


def orders(index: int, ordering: str) -> tuple[int, int]:
    """(n, l) of an OSA/ANSI index from 0, j = (n (n + 2) + l) / 2, or of a Noll index from 1."""
    if ordering == "osa":
        if index < 0:
            raise ValueError(f"An OSA/ANSI index of a Zernike polynomial is a whole number >= 0, not {index}.")
        n = (math.isqrt(8 * index + 1) - 1) // 2
        return n, 2 * index - n * (n + 2)
    if index < 1:
        raise ValueError(f"A Noll index of a Zernike polynomial is a whole number >= 1, not {index}.")
    n = (math.isqrt(8 * (index - 1) + 1) - 1) // 2
    place = index - n * (n + 1) // 2  # from 1 in row n
    size = place // 2 * 2 if n % 2 == 0 else (place + 1) // 2 * 2 - 1
    return n, size if index % 2 == 0 else -size


def polynomial(n: int, azimuthal: int, rho: Tensor, phi: Tensor) -> Tensor:
    """Z_n^l at ρ, φ; it goes on beyond the unit disc."""
    m = abs(azimuthal)
    radial = torch.zeros_like(rho)
    for k in range((n - m) // 2 + 1):
        top = (-1) ** k * math.factorial(n - k)
        below = math.factorial(k) * math.factorial((n + m) // 2 - k) * math.factorial((n - m) // 2 - k)
        radial = radial + top / below * rho ** (n - 2 * k)
    scale = math.sqrt((n + 1) * (1 if azimuthal == 0 else 2))
    wave = torch.cos(m * phi) if azimuthal >= 0 else torch.sin(m * phi)
    return scale * radial * wave
