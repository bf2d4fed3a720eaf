"""Sums of priors, as their types allow."""

from __future__ import annotations

from collections.abc import Sequence

from deconlab.functionals._functional import HasProx, Prior, Smooth, Splittable
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import LinearOperator


class SmoothSum(Smooth):
    """The sum of smooth priors; smooth itself. Its Lipschitz constant is bounded by the sum of theirs."""

    def __init__(self, *parts: Smooth) -> None:
        self.parts = parts

    @property
    def degree(self) -> int:  # type: ignore[override]
        """That of the parts. Raises ValueError if theirs differ."""
        return common_degree(self.parts)

    def value(self, x: Tensor) -> Tensor:
        return torch.stack([part.value(x) for part in self.parts]).sum()

    def grad(self, x: Tensor) -> Tensor:
        return torch.stack([part.grad(x) for part in self.parts]).sum(0)

    @property
    def lipschitz(self) -> float:
        return sum(part.lipschitz for part in self.parts)


class Sum(Splittable):
    """The sum of priors that can be split or have a proximal map: all their terms together."""

    def __init__(self, *parts: Splittable) -> None:
        self.parts = parts

    @property
    def degree(self) -> int:  # type: ignore[override]
        """That of the parts. Raises ValueError if theirs differ."""
        return common_degree(self.parts)

    def terms(self, shape: tuple[int, ...]) -> tuple[tuple[HasProx, LinearOperator], ...]:
        found: list[tuple[HasProx, LinearOperator]] = []
        for part in self.parts:
            found.extend(part.terms(shape))
        return tuple(found)


def common_degree(parts: Sequence[Prior]) -> int:
    """The degree of homogeneity that all parts share; without one, no single factor on λ follows the intensities."""
    degrees = {part.degree for part in parts}
    if len(degrees) != 1:
        listed = ", ".join(f"{type(part).__name__} ({part.degree})" for part in parts)
        raise ValueError(f"The degrees of {listed} differ, so that their sum has none: scale each weight by its own.")
    return degrees.pop()


def add(a: Prior, b: Prior) -> Prior:
    """a + b: smooth if both are, else split; a TypeError that names the prior which can do neither."""
    parts = [part for prior in (a, b) for part in (prior.parts if isinstance(prior, SmoothSum | Sum) else (prior,))]
    smooth = [part for part in parts if isinstance(part, Smooth)]
    if len(smooth) == len(parts):
        return SmoothSum(*smooth)
    split = [part for part in parts if isinstance(part, Splittable)]
    if len(split) == len(parts):
        return Sum(*split)
    alone = next(part for part in parts if not isinstance(part, Splittable))
    raise TypeError(
        f"{type(a).__name__} + {type(b).__name__} has no common form: {type(alone).__name__} can neither be split nor has a "
        f"proximal map, and not every part is smooth."
    )
