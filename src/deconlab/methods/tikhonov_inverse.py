"""The least-squares object of little energy, in closed form.

    x̂ = ĥ* ŷ / (|ĥ|² + λ),  the minimum of ½‖Hx − y‖² + ½λ‖x‖²

Guarantee: the exact minimum for periodic data, and with ``edges="exact"`` for any. One pass, reproducible, the fastest sane
look at what the data hold; negative values and ringing around bright structures are its price. Cost: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LeastSquares, Tikhonov
from deconlab.lazytorch import Tensor
from deconlab.methods._inverse_filter import QuadraticFilter
from deconlab.methods._method import State
from deconlab.problem import Problem


@dataclass(frozen=True)
class TikhonovInverse(QuadraticFilter[State, Tikhonov]):
    """Tikhonov-regularised inverse filter (TRIF); λ is the prior's weight."""

    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "tikhonov"
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1016/j.ymeth.2016.12.015",)

    def penalty(self, problem: Problem[LeastSquares, Tikhonov], power: Tensor) -> Tensor:
        return problem.prior.symbol(problem.H.in_shape, power)

    def apply(self, problem: Problem[LeastSquares, Tikhonov]) -> State:
        return State(self.filtered(problem))
