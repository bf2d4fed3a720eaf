"""What data terms and priors are. A prior shows what it can do by its type."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from deconlab.lazytorch import Tensor, torch
from deconlab.operators import LinearOperator, Pointwise
from deconlab.operators.linear_operator import total_of

SENSITIVITY_FLOOR = 0.01
"""Object voxels of whose light less than this fraction of the most is measured are held at 0."""


class Functional(ABC):
    """A real function of an object x: a data term or a prior.

    ``degree`` is its degree of homogeneity d, F(s·x) = sᵈ F(x) with data and background scaled alike: what λ has to be
    multiplied by when the intensities are, s to the power of the data term's degree less the prior's.
    """

    degree: ClassVar[int]


@dataclass(frozen=True, eq=False)
class Fidelity(Functional):
    """A data term: Σ loss(Hx), voxel by voxel, of data ``y`` with background ``b`` and weights ``w``.

    Subclasses give :attr:`loss`, :attr:`slope` and :meth:`prox_prediction`; value, gradient and sensitivity follow here,
    once. ``y`` has H's ``out_shape``; ``background`` is a number or a tensor of that shape; ``weights`` >= 0 likewise, or
    None for 1. Where the weight is 0, y is replaced by the background when the term is made and is never read again, so
    that a masked voxel may hold anything, NaN included, in the data and in their maps. Maps and weights are converted to
    y's dtype. ``maps`` names the fields that, like the background, are a number or a tensor of y's shape.

    Raises ValueError for shapes that do not match, for negative or non-finite weights, for weights that are 0 everywhere,
    and for data or background that are not finite where they count.
    """

    H: LinearOperator
    y: Tensor
    background: Tensor | float = 0.0
    weights: Tensor | None = None

    maps: ClassVar[tuple[str, ...]] = ("background",)

    def __post_init__(self) -> None:
        if not self.y.is_floating_point():
            raise TypeError(f"The data must be of a floating-point dtype, not {self.y.dtype}; convert them to float32.")
        if tuple(self.y.shape) != self.H.out_shape:
            raise ValueError(
                f"The data have shape {tuple(self.y.shape)}, but the operator gives {self.H.out_shape}; they must be equal."
            )
        for name in (*self.maps, "weights"):
            value = getattr(self, name)
            if isinstance(value, torch.Tensor):
                if value.ndim and value.shape != self.y.shape:
                    raise ValueError(
                        f"{name} must be of the data's shape {tuple(self.y.shape)}, not {tuple(value.shape)}."
                    )
                # In y's precision, or one float64 map would silently make the whole restoration double.
                object.__setattr__(self, name, value.to(self.y))
        if self.weights is not None:
            weights = torch.as_tensor(self.weights).to(self.y)
            object.__setattr__(self, "weights", weights if weights.ndim else weights.expand(self.y.shape).clone())
        if self.y.device.type == "meta":
            return
        if self.weights is not None:
            self._mask(self.weights)
        for name in self.maps:
            value = torch.as_tensor(getattr(self, name))
            if not bool(torch.isfinite(value).all()):
                raise ValueError(f"The {name} must be finite; it holds NaN or infinite values where the data count.")
        if not bool(torch.isfinite(self.y).all()):
            raise ValueError("The data hold NaN or infinite values; give such voxels the weight 0.")

    def _mask(self, weights: Tensor) -> None:
        """Check the weights, and put values that do no harm where they are 0."""
        lowest, highest = float(weights.detach().min()), float(weights.detach().max())
        if not bool(torch.isfinite(weights).all()) or lowest < 0:
            raise ValueError("The weights must be finite and >= 0: 0 masks a voxel, 1 trusts it fully.")
        if highest == 0:
            raise ValueError("The weights are 0 everywhere: no voxel is left to restore from. Check the mask.")
        for name in self.maps:
            value = getattr(self, name)
            if isinstance(value, torch.Tensor) and value.ndim:
                object.__setattr__(self, name, torch.where(weights > 0, value, 0.0))
        background = torch.as_tensor(self.background).to(self.y)
        object.__setattr__(self, "y", torch.where(weights > 0, self.y, background))

    @property
    @abstractmethod
    def loss(self) -> Pointwise:
        """The voxel-wise loss as a function of the prediction Hx."""

    @property
    @abstractmethod
    def slope(self) -> Pointwise:
        """Its derivative with respect to Hx."""

    @property
    @abstractmethod
    def lipschitz(self) -> float:
        """An upper bound on the Lipschitz constant of the gradient; infinite where there is none."""

    @abstractmethod
    def prox_prediction(self, v: Tensor, t: float | Tensor) -> Tensor:
        """argmin over u of ½‖u − v‖² + t Σ loss(u), for a prediction u."""

    @abstractmethod
    def expected_loss(self, prediction: Tensor) -> Tensor:
        """The loss that each voxel is expected to show if ``prediction`` is the truth, its noise included."""

    def value(self, x: Tensor) -> Tensor:
        """Σ loss(Hx), a 0-dimensional tensor."""
        return total_of(self.loss(self.H.forward(x)))

    def grad(self, x: Tensor) -> Tensor:
        """Hᵀ slope(Hx)."""
        gradient, _ = self.H.sandwich(x, self.slope)
        assert isinstance(gradient, torch.Tensor)
        return gradient

    def back_projected_weights(self) -> Tensor:
        """Hᵀw: how much of each object voxel's light is measured."""
        weights = torch.ones_like(self.y) if self.weights is None else self.weights
        return self.H.adjoint(weights)

    @cached_property
    def sensitivity(self) -> Tensor:
        """Hᵀw, and infinite where less than 1 % of the light (relative to its maximum) falls on voxels that count.

        A quotient by it leaves 0 at object voxels whose light is hardly measured. Without the floor, rounding noise is
        divided there, and single-precision Richardson-Lucy is NaN by iteration 20. A voxel counts where its weight is not
        0, whatever it is: a bright object whose noise is large, hence its weights small, is measured all the same; only
        below the rounding noise of the largest weights is it out of reach.
        """
        return self._sensitivity()

    @cached_property
    def support(self) -> Tensor | None:
        """1 where the object is measured, 0 where it is held at 0; None where all of it is measured."""
        seen = torch.isfinite(self._sensitivity_now())
        if seen.device.type != "meta" and bool(seen.all()):
            return None
        return seen.to(self.y.dtype)

    def hold(self, x: Tensor) -> Tensor:
        """x with 0 where the object is hardly measured. Keeps in memory neither sensitivity nor support that is not yet."""
        if "support" in self.__dict__:
            return x if self.support is None else x * self.support
        return torch.where(self._sensitivity_now() < torch.inf, x, 0.0)  # isfinite() takes two volumes to say it

    @cached_property
    def mean_signal(self) -> Tensor:
        """The flat object that explains the data's sum: c with Σ w (H c + b) = Σ w y, a 0-dimensional tensor."""
        signal = self.y - self.background
        if self.weights is not None:
            signal = signal * self.weights
        total = total_of(signal)
        del signal
        sensitivity = self._sensitivity_now()
        return (total / total_of(torch.where(sensitivity < torch.inf, sensitivity, 0.0))).to(self.y.dtype)

    def _sensitivity(self) -> Tensor:
        back = self.back_projected_weights()
        light = back if self.weights is None else self.H.adjoint((self.weights > 0).to(self.y))
        seen = light >= SENSITIVITY_FLOOR * light.max()
        if self.weights is not None:
            seen &= back > 64 * torch.finfo(back.dtype).eps * back.max()
        return torch.where(seen, back, torch.inf)

    def _sensitivity_now(self) -> Tensor:
        """The sensitivity, without keeping it: a method needs it or the support in each step, seldom both."""
        return self.__dict__["sensitivity"] if "sensitivity" in self.__dict__ else self._sensitivity()


class Prior(Functional):
    """What is known of the object before the measurement. Its ``weight`` is λ; it multiplies the prior and nothing else.

    ``a + b`` is a :class:`SmoothSum` if both are smooth, else a :class:`Sum` of what can be split.
    """

    def __add__(self, other: Prior) -> Prior:
        from deconlab.functionals._sums import add

        return add(self, other)


class HasGradient(Prior):
    """A prior that is differentiable."""

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """λ R(x), a 0-dimensional tensor."""

    @abstractmethod
    def grad(self, x: Tensor) -> Tensor:
        """λ ∇R(x)."""


class Smooth(HasGradient):
    """A prior whose gradient is Lipschitz continuous."""

    @property
    @abstractmethod
    def lipschitz(self) -> float:
        """An upper bound on the Lipschitz constant of the gradient."""


class HasProx(Prior):
    """A prior with a proximal map; a denoiser is this and no more."""

    @abstractmethod
    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        """argmin over x of ½‖x − v‖² + t λ R(x); deterministic, without memory."""


class Proximable(HasProx):
    """A prior with a proximal map and a value."""

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """λ R(x), a 0-dimensional tensor."""


class Splittable(Prior):
    """A prior Σ gᵢ(Kᵢx) of simple functions gᵢ after linear maps Kᵢ: total variation, Hessian, …"""

    @abstractmethod
    def terms(self, shape: tuple[int, ...]) -> tuple[tuple[HasProx, LinearOperator], ...]:
        """The pairs (gᵢ, Kᵢ) for an object of ``shape``."""


def zero_of(x: Tensor) -> Tensor:
    """0 in the precision in which objectives are summed."""
    return x.new_zeros((), dtype=x.dtype if x.device.type == "mps" else torch.float64)


def as_tensor_like(value: Any, like: Tensor) -> Tensor:
    """``value`` in ``like``'s dtype and device."""
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)
