"""Smooth random fields in physical coordinates, the same on every grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deconlab.formation.canvas import Floats


@dataclass(frozen=True, eq=False)
class Waves:
    """g(x) = √(2/K) Σₖ cos(kₖ·x + φₖ): for many waves a Gaussian field of variance 1 (Rahimi & Recht 2007).

    Args:
        vectors: wave vectors in rad/µm, shape (K, d).
        phases: shape (K,).
    """

    vectors: Floats
    phases: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, count: int, ndim: int, length_um: float) -> Waves:
        """Waves of the covariance exp(−r²/2ℓ²) with ℓ = ``length_um``."""
        return cls(rng.standard_normal((count, ndim)) / length_um, rng.random(count) * 2 * np.pi)

    def on_grid(self, coordinates: Sequence[Floats], derivative: int | None = None) -> Floats:
        """The field on an open mesh (one array per axis), or its ``derivative`` along an axis, by matrix products."""
        factors = [np.exp(1j * np.outer(k, x)) for k, x in zip(self.vectors.T, coordinates, strict=True)]
        factors[0] *= np.exp(1j * self.phases)[:, None] * np.sqrt(2 / len(self.phases))
        if derivative is not None:
            factors[0] *= 1j * self.vectors[:, derivative, None]
        if len(factors) == 1:
            return np.asarray(factors[0].sum(axis=0).real, np.float64)
        last = factors[-1]
        if len(factors) == 2:
            return np.asarray((factors[0].T @ last).real, np.float64)
        planes = [((factors[0][:, i, None] * factors[1]).T @ last).real for i in range(factors[0].shape[1])]
        return np.stack(planes)
