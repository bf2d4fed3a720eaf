"""Total variation with a hyperbola in place of the modulus."""

from __future__ import annotations

from dataclasses import dataclass

from deconlab.functionals._smooth_variation import SmoothVariation
from deconlab.lazytorch import Tensor, torch


@dataclass(frozen=True, eq=False)
class HyperbolicTotalVariation(SmoothVariation):
    """λ Σ (√(|(Dx)ᵢ|² + ε²) − ε): smooth everywhere, total variation for slopes far above ε (Charbonnier et al. 1997).

    For quasi-Newton and gradient methods, which need a gradient. DOI 10.1109/83.551699.
    """

    def rounded(self, squared: Tensor) -> Tensor:
        return squared / (torch.sqrt(squared + self.threshold**2) + self.threshold)

    def pull(self, squared: Tensor) -> Tensor:
        return torch.rsqrt(squared + self.threshold**2)
