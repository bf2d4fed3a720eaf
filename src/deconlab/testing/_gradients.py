"""What checks of data terms and of priors share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deconlab.functionals import Fidelity, Functional, HasGradient
from deconlab.lazytorch import Tensor, torch
from deconlab.testing._numbers import noise, require_close

STRENGTHS = (0.1, 1.0, 7.0)


def check_gradient(functional: Any, x: Tensor, tolerance: float = 1e-8) -> None:
    """``grad`` is autograd's gradient of ``value``, in x's shape and dtype, and ``value`` is 0-dimensional."""
    point = x.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = functional.value(point)
        if value.ndim:
            raise AssertionError(
                f"{name_of(functional)}: value has shape {tuple(value.shape)}; it must be 0-dimensional."
            )
        expected = torch.autograd.grad(value, point, allow_unused=True)[0] if value.requires_grad else None
        value = value.detach()
    with torch.no_grad():
        quiet, gradient = functional.value(x), functional.grad(x)
    if not abs(float(quiet) - float(value)) <= tolerance * (1 + abs(float(value))):
        raise AssertionError(
            f"{name_of(functional)}: value is {float(quiet)!r} without autograd, {float(value)!r} with it."
        )
    require_like(functional, "grad", gradient, x)
    expected = torch.zeros_like(x) if expected is None else expected
    require_close(
        gradient, expected, tolerance, f"{name_of(functional)}: grad differs from autograd's gradient of value"
    )
    single = x.float()
    if isinstance(functional, HasGradient):
        require_like(functional, "grad", functional.grad(single), single)


def check_lipschitz(functional: Any, a: Tensor, b: Tensor, lipschitz: float) -> None:
    """‖∇f(a) − ∇f(b)‖ <= L‖a − b‖, for the given points and for steps in the direction that is steepest."""
    if not lipschitz >= 0:
        raise AssertionError(f"{name_of(functional)}: lipschitz = {lipschitz!r}; it must be a number >= 0.")
    gap = b - a
    for _ in range(30):  # power iteration on the gradient's differences finds the direction of the largest curvature
        change = functional.grad(a + gap) - functional.grad(a)
        found = float(change.norm() / gap.norm())
        if not found <= lipschitz * (1 + 1e-9) + 1e-12:
            raise AssertionError(
                f"{name_of(functional)}: lipschitz = {lipschitz:.9g}, yet the gradient changes {found:.9g} times as much as x."
            )
        if found == 0:
            return
        gap = (
            change.abs() * float(gap.norm() / change.norm())
            if isinstance(functional, Fidelity)
            else change / change.norm()
        )


def require_degree(functional: Functional, scaled: float, value: float, s: float, tolerance: float) -> None:
    expected = s**functional.degree * value
    if not abs(scaled - expected) <= tolerance * (abs(expected) + 1e-300):
        raise AssertionError(
            f"{name_of(functional)}: F({s:g}·x) = {scaled:.12g}; the declared degree "
            f"{functional.degree} makes it {expected:.12g}."
        )


def require_like(functional: Any, name: str, result: Tensor, x: Tensor) -> None:
    if result.shape != x.shape or result.dtype != x.dtype or result.device != x.device:
        raise AssertionError(
            f"{name_of(functional)}: {name} gives {result.dtype} {tuple(result.shape)} for {x.dtype} {tuple(x.shape)}."
        )


def random_like(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    return noise(tuple(shape), like.dtype, like.device, generator)


def name_of(functional: Any) -> str:
    return type(functional).__name__
