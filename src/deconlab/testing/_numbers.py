"""How contract checks compare tensors and make random ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from deconlab.lazytorch import Tensor, torch


def noise(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str, generator: torch.Generator) -> Tensor:
    """Standard normal values, the same on every device and, but for rounding, in every dtype."""
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).to(device)


def difference(a: Tensor, b: Tensor) -> float:
    """max |a − b| / max |b|; absolute where b is 0."""
    size = float(b.abs().max()) if b.numel() else 0.0
    gap = float((a - b).abs().max()) if b.numel() else 0.0
    return gap / size if size > 0 else gap


def require_close(actual: Tensor, expected: Tensor, tolerance: float, what: str) -> None:
    """Raise AssertionError with ``what`` and the numbers unless ``actual`` is ``expected`` to a relative tolerance."""
    if actual.shape != expected.shape:
        raise AssertionError(f"{what}: shapes {tuple(actual.shape)} and {tuple(expected.shape)}.")
    gap = difference(actual, expected)
    if not gap <= tolerance:  # so that NaN fails
        worst = int((actual - expected).abs().nan_to_num(nan=float("inf")).argmax())
        raise AssertionError(
            f"{what}: apart by {gap:.3g} of the largest value (allowed {tolerance:g}), worst "
            f"{float(actual.flatten()[worst]):.9g} against {float(expected.flatten()[worst]):.9g}."
        )


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """``value``, a tensor, number, tuple, list, dict or dataclass of these, with ``function`` applied to every tensor."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, tuple | list):
        return type(value)(map_tensors(item, function) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(item, function) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: map_tensors(getattr(value, field.name), function) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **changed)
    return value


def tensors_of(value: Any) -> list[Tensor]:
    """Every tensor within ``value``, in order."""
    found: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    map_tensors(value, keep)
    return found


def require_same(actual: Any, expected: Any, what: str) -> None:
    """Raise AssertionError unless two states are equal bit by bit, numbers and tensors alike."""
    for field in dataclasses.fields(expected):
        one, two = getattr(actual, field.name), getattr(expected, field.name)
        pairs = list(zip(tensors_of(one), tensors_of(two), strict=False))
        same = len(tensors_of(one)) == len(tensors_of(two)) and all(torch.equal(a, b) for a, b in pairs)
        if not same or (not pairs and one != two):
            gap = max((difference(a, b) for a, b in pairs if a.shape == b.shape), default=float("nan"))
            raise AssertionError(f"{what}: the state's {field.name!r} differs, by {gap:.3g} of its largest value.")
