"""Rules that say when a run ends, and why. A rule has no memory of its own: the past is in ``iteration.records``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated

from deconlab import schema
from deconlab.operators.linear_operator import total_of
from deconlab.solve import Iteration
from deconlab.units import Doc, Ge, Gt, Seconds


class StopRule(ABC):
    """(Iteration) -> the reason to stop, or None. ``a | b`` stops when either does, ``a & b`` when both do at once."""

    @abstractmethod
    def __call__(self, iteration: Iteration) -> str | None:
        """The reason to stop here, or None."""

    def __or__(self, other: StopRule) -> StopRule:
        return Either(self, other)

    def __and__(self, other: StopRule) -> StopRule:
        return Both(self, other)


@dataclass(frozen=True)
class Either(StopRule):
    """Stops when one of two rules does."""

    first: StopRule
    second: StopRule

    def __call__(self, iteration: Iteration) -> str | None:
        return self.first(iteration) or self.second(iteration)


@dataclass(frozen=True)
class Both(StopRule):
    """Stops when two rules do at the same iteration."""

    first: StopRule
    second: StopRule

    def __call__(self, iteration: Iteration) -> str | None:
        first, second = self.first(iteration), self.second(iteration)
        return f"{first} and {second}" if first and second else None


@dataclass(frozen=True)
class DeclaredRule(StopRule):
    """A rule whose parameters are declared, hence checked and offered on the command line."""

    def __post_init__(self) -> None:
        schema.check(self)


@dataclass(frozen=True)
class MaxIterations(DeclaredRule):
    """Stops after a number of iterations."""

    iterations: Annotated[int, Ge(1), Doc("number of iterations at most")] = 30

    def __call__(self, iteration: Iteration) -> str | None:
        return f"reached {self.iterations} iterations" if iteration.index >= self.iterations else None


@dataclass(frozen=True)
class MaxSeconds(DeclaredRule):
    """Stops when time is up, after the present iteration."""

    max_seconds: Annotated[Seconds, Gt(0), Doc("seconds of computing at most")]

    def __call__(self, iteration: Iteration) -> str | None:
        return f"reached {self.max_seconds:g} s" if iteration.seconds >= self.max_seconds else None


@dataclass(frozen=True)
class RelativeChange(DeclaredRule):
    """Stops when an iteration changes the estimate by less than a fraction of it, ‖x − x₋‖ < ε‖x‖."""

    relative_change: Annotated[
        float, Gt(0), Doc("stop when an iteration changes the estimate by less than this fraction")
    ]

    def __call__(self, iteration: Iteration) -> str | None:
        if iteration.change < self.relative_change:
            return f"relative change {iteration.change:.2g} below {self.relative_change:g}"
        return None


@dataclass(frozen=True)
class Discrepancy(DeclaredRule):
    """Stops when the residual is as small as the noise explains: Σ loss(Hx) <= τ Σ E[loss] (Morozov 1966).

    For photon noise the expectation is that of the exact Poisson deviance, which below about ten photons is far from the
    usual ½ per voxel (Bertero et al. 2010, doi:10.1088/0266-5611/26/10/105004); for least squares it is half the noise
    variance of the data term. Scored at iterations that grow by a tenth, since each score costs a forward application.
    """

    discrepancy: Annotated[float, Gt(0), Doc("stop when the residual is this many times what the noise explains")] = 1.0

    def __call__(self, iteration: Iteration) -> str | None:
        if not scheduled(iteration.index):
            return None
        fidelity = iteration.problem.fidelity
        prediction = fidelity.H.forward(iteration.x)
        ratio = float(total_of(fidelity.loss(prediction)) / total_of(fidelity.expected_loss(prediction)))
        return (
            f"residual {ratio:.3f} × the noise's, at most {self.discrepancy:g}" if ratio <= self.discrepancy else None
        )


def scheduled(index: int) -> bool:
    """Whether a costly rule scores here: every iteration at first, then about every tenth of those done."""
    return index < 10 or math.floor(math.log(index, 1.1)) != math.floor(math.log(index - 1, 1.1))
