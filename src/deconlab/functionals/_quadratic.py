"""Quadratic priors of a circulant operator: what Wiener-type filters and Tikhonov-Miller methods can use."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab import fourier, schema
from deconlab.functionals._functional import Proximable, Smooth
from deconlab.lazytorch import Tensor
from deconlab.operators import Circulant
from deconlab.operators.linear_operator import total_of
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class QuadraticPrior(Smooth, Proximable):
    """½ λ ‖Lx‖² for a circulant L on the object's grid: gradient λLᵀLx, prox (1 + tλLᵀL)⁻¹v by one filter.

    Two transforms per prox; the gradient costs what L costs.
    """

    weight: Annotated[
        float, Ge(0), Doc("regularisation weight λ: more is smoother; the default is for a mean signal of 1")
    ] = 0.01

    degree: ClassVar[int] = 2

    def __post_init__(self) -> None:
        schema.check(self)

    @abstractmethod
    def operator(self, shape: tuple[int, ...]) -> Circulant:
        """L for an object of ``shape``."""

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * self.weight * total_of(self._at(x).forward(x).square())

    def grad(self, x: Tensor) -> Tensor:
        return self.weight * self._at(x).normal(x)

    @property
    @abstractmethod
    def lipschitz(self) -> float:
        """λ‖L‖²."""

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        shape = tuple(v.shape)
        return fourier.solve(1 + t * self.symbol(shape, v), v, shape)

    def symbol(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """λ|l̂|², the diagonal of λLᵀL on the half grid."""
        return self.weight * self.operator(shape).normal_symbol(like)

    def _at(self, x: Tensor) -> Circulant:
        return self.operator(tuple(x.shape))
