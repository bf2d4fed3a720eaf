"""Sums of priors, as their types allow."""

from __future__ import annotations

from typing import ClassVar

from deconlab.functionals._functional import HasProx, Prior, Smooth, Splittable
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Identity, LinearOperator


class SmoothSum(Smooth):
    """The sum of smooth priors; smooth itself. Its Lipschitz constant is bounded by the sum of theirs."""

    degree: ClassVar[int] = 0

    def __init__(self, *parts: Smooth) -> None:
        self.parts = parts

    def value(self, x: Tensor) -> Tensor:
        return torch.stack([part.value(x) for part in self.parts]).sum()

    def grad(self, x: Tensor) -> Tensor:
        return torch.stack([part.grad(x) for part in self.parts]).sum(0)

    @property
    def lipschitz(self) -> float:
        return sum(part.lipschitz for part in self.parts)


class Sum(Splittable):
    """The sum of priors that can be split or have a proximal map: all their terms together."""

    degree: ClassVar[int] = 0

    def __init__(self, *parts: Splittable | HasProx) -> None:
        self.parts = parts

    def terms(self, shape: tuple[int, ...]) -> tuple[tuple[HasProx, LinearOperator], ...]:
        found: list[tuple[HasProx, LinearOperator]] = []
        for part in self.parts:
            found.extend(part.terms(shape) if isinstance(part, Splittable) else [(part, Identity(shape))])
        return tuple(found)


def add(a: Prior, b: Prior) -> Prior:
    """a + b: smooth if both are, else split; a TypeError that names the prior which can do neither."""
    parts = [part for prior in (a, b) for part in (prior.parts if isinstance(prior, SmoothSum | Sum) else (prior,))]
    smooth = [part for part in parts if isinstance(part, Smooth)]
    if len(smooth) == len(parts):
        return SmoothSum(*smooth)
    split = [part for part in parts if isinstance(part, Splittable | HasProx)]
    if len(split) == len(parts):
        return Sum(*split)
    alone = next(part for part in parts if not isinstance(part, Splittable | HasProx))
    raise TypeError(
        f"{type(a).__name__} + {type(b).__name__} has no common form: {type(alone).__name__} can neither be split nor has a "
        f"proximal map, and not every part is smooth."
    )
