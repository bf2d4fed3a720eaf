"""Which point-wise maps have a compiled twin, and how their arguments reach it.

A map is known by its full name, because functionals and methods stand above the engine and are not imported here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deconlab.lazytorch import Tensor, torch

COPY, RATIO, EXCESS, ERROR, CORRECT, CORRECT_AHEAD, CORRECT_GAIN, DESCEND = range(8)
NO_LOSS, HALF_DEVIANCE, HALF_SQUARED_ERROR = range(3)


@dataclass(frozen=True)
class Twin:
    """A compiled map, its arrays (None where absent), its numbers, and how many volumes it gives."""

    code: int
    arrays: tuple[Tensor | None, ...] = ()
    numbers: tuple[float, ...] = ()
    outputs: int = 1


class Unknown(Exception):
    """An argument that the compiled twin cannot take."""


def twin(role: str, pointwise: Any, shape: tuple[int, ...]) -> Twin | None:
    """The compiled twin of a Pointwise whose arrays have ``shape``, as "inner", "outer" or "loss"; None without one."""
    function = pointwise.function
    make = _TWINS[role].get(f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}")
    if make is None:
        return None
    try:
        return make(shape, *pointwise.arrays)
    except (Unknown, TypeError):  # other arguments than the twin was written for
        return None


def plain_volume(value: Any, shape: tuple[int, ...]) -> bool:
    """Whether the compiled loop can read ``value`` as a volume of ``shape``."""
    return (
        isinstance(value, torch.Tensor)
        and tuple(value.shape) == shape
        and value.dtype == torch.float32
        and value.device.type == "cpu"
        and value.layout == torch.strided
        and not value.is_neg()
    )


def _volume(value: Any, shape: tuple[int, ...]) -> Tensor:
    if not plain_volume(value, shape):
        raise Unknown
    assert isinstance(value, torch.Tensor)
    return value.contiguous()


def _optional(value: Any, shape: tuple[int, ...]) -> Tensor | None:
    return None if value is None else _volume(value, shape)


def _number(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, torch.Tensor) and value.ndim == 0 and value.device.type == "cpu":
        return float(value)
    raise Unknown


def _either(value: Any, shape: tuple[int, ...]) -> tuple[Tensor | None, float]:
    if isinstance(value, torch.Tensor) and value.ndim:
        return _volume(value, shape), 0.0
    return None, _number(value)


def _counts(code: int) -> Callable[..., Twin]:
    def make(shape: tuple[int, ...], y: Any, level: Any, weights: Any, floor: Any) -> Twin:
        background, number = _either(level, shape)
        return Twin(code, (_volume(y, shape), background, _optional(weights, shape)), (number, _number(floor)))

    return make


def _errors(code: int) -> Callable[..., Twin]:
    def make(shape: tuple[int, ...], y: Any, background: Any, weights: Any) -> Twin:
        array, number = _either(background, shape)
        return Twin(code, (_volume(y, shape), array, _optional(weights, shape)), (number,))

    return make


def _corrected(shape: tuple[int, ...], point: Any, sensitivity: Any) -> Twin:
    return Twin(CORRECT, (_volume(point, shape), _volume(sensitivity, shape)))


def _corrected_and_gain(shape: tuple[int, ...], point: Any, sensitivity: Any) -> Twin:
    return Twin(CORRECT_GAIN, (_volume(point, shape), _volume(sensitivity, shape)), outputs=2)


def _corrected_and_ahead(shape: tuple[int, ...], point: Any, sensitivity: Any, x: Any, momentum: Any) -> Twin:
    arrays = (_volume(point, shape), _volume(sensitivity, shape), _volume(x, shape))
    return Twin(CORRECT_AHEAD, arrays, (_number(momentum),), outputs=2)


def _descended(shape: tuple[int, ...], x: Any, pull: Any, step: Any, support: Any, lower: Any, upper: Any) -> Twin:
    arrays = (_volume(x, shape), _optional(pull, shape), _optional(support, shape))
    bounds = (float("-inf") if lower is None else _number(lower), float("inf") if upper is None else _number(upper))
    return Twin(DESCEND, arrays, (_number(step), *bounds))


_TWINS: dict[str, dict[str, Callable[..., Twin]]] = {
    "inner": {
        "deconlab.functionals.poisson.weighted_ratio": _counts(RATIO),
        "deconlab.functionals.poisson.weighted_excess": _counts(EXCESS),
        "deconlab.functionals.least_squares.weighted_error": _errors(ERROR),
    },
    "loss": {
        "deconlab.functionals.poisson.half_deviance": _counts(HALF_DEVIANCE),
        "deconlab.functionals.least_squares.half_squared_error": _errors(HALF_SQUARED_ERROR),
    },
    "outer": {
        "deconlab.methods._multiplicative.corrected": _corrected,
        "deconlab.methods.biggs_andrews.corrected_and_gain": _corrected_and_gain,
        "deconlab.methods.scaled_heavy_ball.corrected_and_ahead": _corrected_and_ahead,
        "deconlab.methods._gradient.descended": _descended,
    },
}
