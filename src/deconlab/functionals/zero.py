"""No prior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals._functional import Proximable, Smooth, zero_of
from deconlab.lazytorch import Tensor


@dataclass(frozen=True, eq=False)
class Zero(Smooth, Proximable):
    """0: nothing is known beforehand. Its gradient is 0 and its proximal map the identity."""

    degree: ClassVar[int] = 0

    def value(self, x: Tensor) -> Tensor:
        return zero_of(x)

    def grad(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape)

    @property
    def lipschitz(self) -> float:
        return 0.0

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:  # noqa: ARG002
        return v
