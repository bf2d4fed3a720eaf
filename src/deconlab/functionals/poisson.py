"""The data term for photon noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import ClassVar

from deconlab.fourier import differentiated
from deconlab.functionals._functional import Fidelity
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Pointwise


@dataclass(frozen=True, eq=False)
class PoissonLikelihood(Fidelity):
    """Σ w (p − y + y log(y/p)), p = Hx + b: half the deviance of Poisson data, the negative log-likelihood up to a constant.

    ``y`` is in electrons. With ``read_variance`` σ² (electrons², a number or a map) the shifted Poisson model is used:
    max(y + σ², 0) against Hx + b + σ² (Snyder 1993, doi:10.1364/JOSAA.10.001014). Counts below 0 are set to 0 here and
    nowhere else; ``negative_count`` says how many there were.

    The prediction is kept above rounding noise, machine precision × the largest count, so that no quotient is taken of it.
    The gradient Hᵀw(1 − y/p) is Lipschitz with max(w y/b²)·‖H‖² where b + σ² > 0, and has no bound where it is 0.

    Raises ValueError for a negative background or read variance, besides what every data term raises.
    """

    read_variance: Tensor | float = 0.0

    degree: ClassVar[int] = 1
    maps: ClassVar[tuple[str, ...]] = ("background", "read_variance")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("background", "read_variance"):
            value = torch.as_tensor(getattr(self, name)).detach()
            if value.device.type != "meta" and not float(value.min()) >= 0:
                raise ValueError(
                    f"{name} must be >= 0 in a Poisson model, not {float(value.min()):g}: it counts photons or a variance. "
                    f"Subtract a camera's offset from the data instead."
                )

    @cached_property
    def counts(self) -> Tensor:
        """max(y + σ², 0), the data as the model reads them; y itself where nothing changes."""
        if self.y.device.type != "meta" and self._shift is None and float(self.y.detach().min()) >= 0:
            return self.y
        return (self.y if self._shift is None else self.y + self._shift).clamp(min=0)

    @cached_property
    def negative_count(self) -> int:
        """How many counts were below 0 after the shift."""
        return int(((self.y if self._shift is None else self.y + self._shift) < 0).sum())

    @cached_property
    def floor(self) -> Tensor:
        """The least prediction a quotient is taken of: machine precision × the largest count."""
        information = torch.finfo(self.y.dtype)
        return (self.counts.max() * information.eps).clamp(min=information.tiny)

    @property
    def loss(self) -> Pointwise:
        return Pointwise(half_deviance, self.counts, self._level, self.weights, self.floor)

    @property
    def slope(self) -> Pointwise:
        return Pointwise(weighted_excess, self.counts, self._level, self.weights, self.floor)

    @property
    def ratio(self) -> Pointwise:
        """w·y/(Hx + b), what Richardson-Lucy projects back."""
        return Pointwise(weighted_ratio, self.counts, self._level, self.weights, self.floor)

    @property
    def lipschitz(self) -> float:
        level = torch.as_tensor(self._level, dtype=self.y.dtype).detach()
        if float(level.min()) == 0:
            return math.inf
        curvature = self.counts.detach() / level.square()
        return float((curvature if self.weights is None else curvature * self.weights).max()) * self.H.norm_squared

    def prox_prediction(self, v: Tensor, t: float | Tensor) -> Tensor:
        """The positive root p of p² − (v + b − t w) p − t w y = 0, less b."""
        strength = t if self.weights is None else t * self.weights
        centre = v + self._level - strength
        product = strength * self.counts
        larger = 0.5 * (centre.abs() + torch.sqrt(centre.square() + 4 * product))  # in modulus: no cancellation
        root = torch.where(centre >= 0, larger, product / larger.clamp(min=torch.finfo(v.dtype).tiny))
        return root - self._level

    def expected_loss(self, prediction: Tensor) -> Tensor:
        """½E[deviance] of Poisson counts of mean Hx + b, exact: well below ½ where less than a few photons are expected."""
        expected = expected_half_deviance((prediction + self._level).clamp(min=self.floor))
        return expected if self.weights is None else expected * self.weights

    @property
    def _shift(self) -> Tensor | float | None:
        return None if isinstance(self.read_variance, int | float) and self.read_variance == 0 else self.read_variance

    @property
    def _level(self) -> Tensor | float:
        return self.background if self._shift is None else self.background + self._shift


def half_deviance(u: Tensor, y: Tensor, level: Tensor | float, weights: Tensor | None, floor: Tensor) -> Tensor:
    p = torch.maximum(u + level, floor)
    if differentiated(u, y, level, weights):
        # Written so that y = 0 is safe for autograd, and y = p exact.
        deviance = p - y + y * torch.log(torch.where(y > 0, y / p, 1.0))
        return deviance if weights is None else weights * deviance
    quotient = y / p
    # log of the smallest number instead of log 0: times y = 0 it is 0 all the same.
    # p − y first: it is exact where p is near y, and adding p and y one after the other would leave their rounding.
    quotient.clamp_(min=torch.finfo(y.dtype).tiny).log_().mul_(y).add_(p.sub_(y))
    return quotient if weights is None else quotient.mul_(weights)


def weighted_excess(u: Tensor, y: Tensor, level: Tensor | float, weights: Tensor | None, floor: Tensor) -> Tensor:
    excess = 1 - y / torch.maximum(u + level, floor)
    return excess if weights is None else weights * excess


def weighted_ratio(u: Tensor, y: Tensor, level: Tensor | float, weights: Tensor | None, floor: Tensor) -> Tensor:
    if differentiated(u, y, level, weights):
        ratio = y / torch.maximum(u + level, floor)
        return ratio if weights is None else weights * ratio
    p = u + level
    torch.maximum(p, floor, out=p)
    torch.div(y, p, out=p)
    return p if weights is None else p.mul_(weights)


def expected_half_deviance(mean: Tensor) -> Tensor:
    """½E[deviance] of Poisson counts: Σₖ P(k) k log(k/μ) below μ = 50, and ½ + 1/(12μ) + 1/(12μ²) above.

    The table is interpolated in log μ, to 1e-5; it tends to −μ log μ for small μ.
    """
    grid, values = _deviance_table()
    position = (torch.log(mean.clamp(1e-8, 50.0)) - grid[0]) / (grid[1] - grid[0])
    below = position.floor().clamp(0, len(grid) - 2).long()
    fraction = position - below
    table = torch.as_tensor(values, dtype=mean.dtype, device=mean.device)
    interpolated = table[below] + fraction * (table[below + 1] - table[below])
    return torch.where(mean < 50.0, interpolated, 0.5 + 1 / (12 * mean) + 1 / (12 * mean.square()))


@cache
def _deviance_table() -> tuple[list[float], list[float]]:
    grid = torch.linspace(math.log(1e-8), math.log(50.0), 4001, dtype=torch.float64)
    mean = grid.exp()[:, None]
    k = torch.arange(1, 200, dtype=torch.float64)[None, :]
    probability = torch.exp(k * torch.log(mean) - mean - torch.lgamma(k + 1))
    return grid.tolist(), (probability * k * (torch.log(k) - torch.log(mean))).sum(1).tolist()
