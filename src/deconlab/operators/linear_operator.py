"""What a linear map is: forward, adjoint, and the shapes between which it maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from deconlab.fourier import differentiated
from deconlab.lazytorch import Tensor, torch


class Pointwise:
    """A voxel-by-voxel map f(u, \\*arrays), as data: what the compiled loop needs to run it slab by slab.

    ``function`` is a module-level function, so that a compiled twin can be recognised; everything it needs reaches it as an
    argument, never by closure. Arrays of u's shape are cut along with u; None, numbers and 0-dimensional tensors are
    passed as they are.
    """

    __slots__ = ("arrays", "function")

    def __init__(self, function: Callable[..., Any], *arrays: Any) -> None:
        self.function = function
        self.arrays = arrays

    def __call__(self, u: Tensor) -> Any:
        return self.function(u, *self.arrays)

    def cut(self, index: Any) -> Pointwise:
        """The same map for ``u[index]``."""
        return Pointwise(self.function, *(a[index] if getattr(a, "ndim", 0) else a for a in self.arrays))


class LinearOperator(ABC):
    """A linear map H between tensors of ``in_shape`` and ``out_shape``.

    ``forward(x)`` is Hx and ``adjoint(y)`` is Hᵀy, with ⟨Hx, y⟩ = ⟨x, Hᵀy⟩. Leading dimensions broadcast. An operator
    has no device and no dtype of its own: it lives where its tensors live.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Hx."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """Hᵀy."""

    @property
    @abstractmethod
    def norm_squared(self) -> float:
        """An upper bound on ‖H‖², the largest eigenvalue of HᵀH; equal to it where the class says so."""

    def normal(self, x: Tensor) -> Tensor:
        """HᵀHx."""
        return self.adjoint(self.forward(x))

    @property
    def T(self) -> LinearOperator:
        """The adjoint as an operator."""
        return Transposed(self)

    def __matmul__(self, other: LinearOperator) -> LinearOperator:
        return Composition(self, other)

    def split(self) -> tuple[Selection, LinearOperator]:
        """(S, A) with H = S A and S Sᵀ = 1: what is measured of a simpler operator's output."""
        return Identity(self.out_shape), self

    def sandwich(
        self,
        x: Tensor,
        inner: Pointwise,
        outer: Pointwise | None = None,
        loss: Pointwise | None = None,
        back: LinearOperator | None = None,
    ) -> tuple[Any, Tensor | None]:
        """(outer(Hᵀ inner(Hx)), Σ loss(Hx)): how a method says "H, point-wise, Hᵀ, point-wise".

        ``inner`` returns a tensor of its own making; the one that ``outer`` is given is ``outer``'s to overwrite. ``outer`` may
        return a tuple, whose first item is where the method evaluates next; without it Hᵀ inner(Hx) itself is returned.
        ``back`` is an unmatched back projector, applied instead of Hᵀ. The sum is accumulated in float64.
        Costs one forward and one adjoint application.
        """
        prediction = self.forward(x)
        total = None if loss is None else total_of(loss(prediction))
        weighted = inner(prediction)
        del prediction  # a domain-sized buffer less while the transforms run
        projected = self.adjoint(weighted) if back is None else back.forward(weighted)
        del weighted
        return (projected if outer is None else outer(projected)), total


def total_of(values: Tensor) -> Tensor:
    """The sum of a tensor, accumulated in float64 where the device has it: objectives differ in their last digits."""
    if values.device.type == "cpu" and not differentiated(values):
        # NumPy converts as it adds; torch would first make a float64 copy, twice the volume's memory and six times its time.
        return torch.tensor(float(values.detach().numpy().sum(dtype="float64")), dtype=torch.float64)
    return values.sum() if values.device.type == "mps" else values.sum(dtype=torch.float64)


def inner_product(a: Tensor, b: Tensor) -> Tensor:
    """⟨a, b⟩, accumulated as :func:`total_of` does it and without a volume for the products."""
    if a.device.type == "cpu" and not differentiated(a, b):
        p, q = a.detach().flatten(), b.detach().flatten()
        part = max(256, min(1 << 16, p.numel() >> 6))
        parts = (float(p[i : i + part].double() @ q[i : i + part].double()) for i in range(0, p.numel(), part))
        return torch.tensor(sum(parts), dtype=torch.float64)
    return total_of(a * b)


def either(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """a or b, by a 0-dimensional condition: itself where reading the condition costs no wait for a device, else a copy."""
    if condition.device.type == "cpu" and not differentiated(condition, a, b):
        return a if bool(condition) else b
    return torch.where(condition, a, b)


class Transposed(LinearOperator):
    """Hᵀ as an operator; its own adjoint is H again."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.in_shape, self.out_shape = operator.out_shape, operator.in_shape

    def forward(self, x: Tensor) -> Tensor:
        return self.operator.adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.operator.forward(y)

    @property
    def norm_squared(self) -> float:
        return self.operator.norm_squared

    @property
    def T(self) -> LinearOperator:
        return self.operator


class Composition(LinearOperator):
    """A B: first B, then A. Its ``norm_squared`` is the product of the two bounds."""

    def __init__(self, first_applied_last: LinearOperator, applied_first: LinearOperator) -> None:
        if first_applied_last.in_shape != applied_first.out_shape:
            raise ValueError(
                f"Cannot compose an operator on {first_applied_last.in_shape} with one that gives "
                f"{applied_first.out_shape}: the inner shapes must be equal."
            )
        self.left, self.right = first_applied_last, applied_first
        self.in_shape, self.out_shape = applied_first.in_shape, first_applied_last.out_shape

    def forward(self, x: Tensor) -> Tensor:
        return self.left.forward(self.right.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.right.adjoint(self.left.adjoint(y))

    @property
    def norm_squared(self) -> float:
        return self.left.norm_squared * self.right.norm_squared

    def split(self) -> tuple[Selection, LinearOperator]:
        return (self.left, self.right) if isinstance(self.left, Selection) else super().split()


class Circulant(LinearOperator):
    """An operator whose HᵀH is diagonal in the Fourier basis, so that (HᵀH + …)x = r is one :func:`deconlab.fourier.solve`."""

    @abstractmethod
    def normal_symbol(self, like: Tensor) -> Tensor:
        """The diagonal of HᵀH, real and >= 0, on the half grid of ``in_shape``, in ``like``'s dtype and device."""


class Selection(LinearOperator):
    """An operator S that picks some of its input's values: S Sᵀ = 1, ‖S‖ = 1."""

    @property
    def norm_squared(self) -> float:
        return 1.0

    @abstractmethod
    def extend(self, y: Tensor) -> Tensor:
        """An x with Sx = y that continues y smoothly and periodically beyond the field of view: for inverse filters."""


class Identity(Selection, Circulant):
    """x itself."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.in_shape = self.out_shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y

    def extend(self, y: Tensor) -> Tensor:
        return y

    def normal_symbol(self, like: Tensor) -> Tensor:
        from deconlab.fourier import half_shape

        return torch.ones(half_shape(self.in_shape), dtype=like.dtype, device=like.device)
