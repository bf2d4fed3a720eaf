"""A restoration problem: data term + prior + constraint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from deconlab.functionals import Fidelity, Prior, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import LinearOperator


class Constraint(ABC):
    """A set of admissible objects, lower <= x <= upper voxel by voxel, and the projection onto it."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float | None, float | None]:
        """(lower, upper); None where there is no bound."""

    def project(self, x: Tensor) -> Tensor:
        """The admissible object nearest to x."""
        lower, upper = self.bounds
        return x if lower is None and upper is None else x.clamp(lower, upper)


@dataclass(frozen=True)
class Free(Constraint):
    """Any object."""

    @property
    def bounds(self) -> tuple[None, None]:
        return None, None


@dataclass(frozen=True)
class NonNegative(Constraint):
    """x >= 0: light cannot be negative."""

    @property
    def bounds(self) -> tuple[float, None]:
        return 0.0, None


@dataclass(frozen=True)
class Box(Constraint):
    """lower <= x <= upper. Raises ValueError unless lower < upper."""

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"Box: lower must be < upper, not lower={self.lower!r} and upper={self.upper!r}.")

    @property
    def bounds(self) -> tuple[float, float]:
        return self.lower, self.upper


F = TypeVar("F", bound=Fidelity, covariant=True)
P = TypeVar("P", bound=Prior, covariant=True)


@dataclass(frozen=True, eq=False)
class Problem(Generic[F, P]):
    """Find an x that makes ``fidelity`` + ``prior`` small within ``constraint``.

    One image is one problem: channels, times and positions are separate ones, because a method's scalars (step sizes,
    momentum, reasons to stop) range over all of it.
    """

    fidelity: F
    prior: P = Zero()  # type: ignore[assignment]
    constraint: Constraint = Free()

    @property
    def H(self) -> LinearOperator:
        return self.fidelity.H

    def objective(self, x: Tensor) -> Tensor:
        """fidelity(x) + prior(x), a 0-dimensional tensor; a TypeError if the prior has no value (a denoiser, say)."""
        value = getattr(self.prior, "value", None)
        if value is None:
            raise TypeError(f"{type(self.prior).__name__} has no value, so that this problem has no objective.")
        total = self.fidelity.value(x) + value(x)
        assert isinstance(total, torch.Tensor)
        return total

    def project(self, x: Tensor) -> Tensor:
        """The admissible object nearest to x, with voxels whose light is hardly measured held at 0."""
        return self.constraint.project(self.fidelity.hold(x))

    def flat(self) -> Tensor:
        """The flat object with the data's sum, the start of iterative methods unless another is given."""
        level = self.fidelity.mean_signal
        bounded = self.constraint.bounds[0] is not None  # an unbounded object may well be negative on the whole
        if bounded and level.device.type != "meta" and not float(level.detach()) > 0:
            raise ValueError(
                f"The data's mean above the background is {float(level.detach()):g}: there is no signal to restore. "
                f"Check the background and the camera's offset."
            )
        return self.project(level.expand(self.H.in_shape)).contiguous()

    def start(self, x0: Tensor | None) -> Tensor:
        """``x0`` made admissible, or the flat object. Never the tensor given itself where that would be changed."""
        if x0 is None:
            return self.flat()
        if tuple(x0.shape) != self.H.in_shape:
            raise ValueError(
                f"The start has shape {tuple(x0.shape)}, the object {self.H.in_shape}; they must be equal."
            )
        return self.project(x0.to(self.fidelity.y))

    def with_data(self, **changes: Any) -> Problem[F, P]:
        """The same problem with other facts in its data term: ``y``, ``background``, ``weights`` or ``H``."""
        return replace(self, fidelity=replace(self.fidelity, **changes))


def project(x: Tensor, support: Tensor | None, lower: float | None, upper: float | None) -> Tensor:
    """x with 0 outside ``support``, then within the bounds: a point-wise map."""
    if support is not None:
        x = x * support
    return x if lower is None and upper is None else x.clamp(lower, upper)
