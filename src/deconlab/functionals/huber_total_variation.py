"""Total variation with a parabola at the bottom of the modulus."""

from __future__ import annotations

from dataclasses import dataclass

from deconlab.functionals._smooth_variation import SmoothVariation
from deconlab.lazytorch import Tensor, torch


@dataclass(frozen=True, eq=False)
class HuberTotalVariation(SmoothVariation):
    """λ Σ h(|(Dx)ᵢ|), h(s) = s²/2ε where s <= ε and s − ε/2 above (Huber 1964): slopes below ε are smoothed evenly.

    Exactly total variation less a constant for slopes above ε. DOI 10.1214/aoms/1177703732.
    """

    def rounded(self, squared: Tensor) -> Tensor:
        epsilon = self.threshold
        size = torch.sqrt(squared.clamp(min=epsilon**2))
        return torch.where(squared <= epsilon**2, squared / (2 * epsilon), size - 0.5 * epsilon)

    def pull(self, squared: Tensor) -> Tensor:
        return torch.rsqrt(squared.clamp(min=self.threshold**2))
