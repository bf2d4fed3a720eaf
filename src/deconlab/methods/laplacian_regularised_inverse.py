"""The smooth least-squares object, in closed form.

    x̂ = ĥ* ŷ / (|ĥ|² + λ|l̂|²),  the minimum of ½‖Hx − y‖² + ½λ‖Lx‖², L the Laplacian

Guarantee: the exact minimum for periodic data, and with ``edges="exact"`` for any; the mean level is kept, since l̂(0) = 0.
Smoother than the Tikhonov inverse at equal noise. Cost: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import LaplacianPrior, LeastSquares
from deconlab.lazytorch import Tensor
from deconlab.methods._inverse_filter import QuadraticFilter
from deconlab.methods._method import State
from deconlab.problem import Problem


@dataclass(frozen=True)
class LaplacianRegularisedInverse(QuadraticFilter[State, LaplacianPrior]):
    """Laplacian-regularised inverse filter (RIF); λ is the prior's weight."""

    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "laplacian"
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.1016/j.ymeth.2016.12.015", "10.1109/TASSP.1977.1162914")

    def penalty(self, problem: Problem[LeastSquares, LaplacianPrior], power: Tensor) -> Tensor:
        return problem.prior.symbol(problem.H.in_shape, power)

    def apply(self, problem: Problem[LeastSquares, LaplacianPrior]) -> State:
        return State(self.filtered(problem))
