"""The data term for additive noise of equal or known variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals._functional import Fidelity
from deconlab.lazytorch import Tensor
from deconlab.operators import Pointwise


@dataclass(frozen=True, eq=False)
class LeastSquares(Fidelity):
    """½ Σ w (Hx + b − y)²: the negative log-likelihood of Gaussian noise of variance 1/w, up to a factor.

    Its gradient is Hᵀw(Hx + b − y), Lipschitz with max(w)·‖H‖². The noise has the variance ``noise_variance``/w, where the
    weight is not 0; it is needed only to say what the loss should come down to, and 1 suits weights that are inverse
    variances.
    """

    noise_variance: Tensor | float = 1.0

    degree: ClassVar[int] = 2
    maps: ClassVar[tuple[str, ...]] = ("background", "noise_variance")

    @property
    def loss(self) -> Pointwise:
        return Pointwise(half_squared_error, self.y, self.background, self.weights)

    @property
    def slope(self) -> Pointwise:
        return Pointwise(weighted_error, self.y, self.background, self.weights)

    @property
    def lipschitz(self) -> float:
        scale = 1.0 if self.weights is None else float(self.weights.detach().max())
        return scale * self.H.norm_squared

    def prox_prediction(self, v: Tensor, t: float | Tensor) -> Tensor:
        """(v + t w (y − b)) / (1 + t w)."""
        strength = t if self.weights is None else t * self.weights
        return (v + strength * (self.y - self.background)) / (1 + strength)

    def expected_loss(self, prediction: Tensor) -> Tensor:
        """½ ``noise_variance`` where the weight is not 0, whatever the prediction."""
        expected = prediction.new_ones(prediction.shape) * (0.5 * self.noise_variance)
        return expected if self.weights is None else expected * (self.weights > 0)


def half_squared_error(u: Tensor, y: Tensor, background: Tensor | float, weights: Tensor | None) -> Tensor:
    error = u + background - y
    squared = 0.5 * error.square()
    return squared if weights is None else weights * squared


def weighted_error(u: Tensor, y: Tensor, background: Tensor | float, weights: Tensor | None) -> Tensor:
    error = u + background - y
    return error if weights is None else weights * error
