"""The prior that objects have little energy."""

from __future__ import annotations

from dataclasses import dataclass

from deconlab.functionals._quadratic import QuadraticPrior
from deconlab.lazytorch import Tensor
from deconlab.operators import Identity


@dataclass(frozen=True, eq=False)
class Tikhonov(QuadraticPrior):
    """½ λ ‖x‖² (Tikhonov 1963): damps every frequency alike, hence also the faint structure that the blur passes well."""

    def operator(self, shape: tuple[int, ...]) -> Identity:
        return Identity(shape)

    @property
    def lipschitz(self) -> float:
        return self.weight

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v / (1 + t * self.weight)
