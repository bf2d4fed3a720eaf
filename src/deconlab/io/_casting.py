"""The numbers of an image as another type: rounded to nearest, never clipped, never rounded away in silence."""

from __future__ import annotations

import math
from typing import Any
from typing import cast as cast_type

import numpy as np
from numpy.typing import NDArray

from deconlab.stored import Stored, parts

COARSEST = 0.1
"""The largest error of rounding that an integer dtype may add, as a fraction of the image's standard deviation (20 dB)."""


def cast(data: NDArray[Any], dtype: str) -> NDArray[Any]:
    """``data`` as ``dtype``: rounded to nearest, never clipped, never made infinite and never rounded away.

    A stored array is gone through once, piece by piece, and converted when it is read. Raises ValueError where a value does
    not fit, and where whole numbers are too coarse for the image: their error would be more than a tenth of its standard
    deviation. Each says the range and what to do.
    """
    target = image_dtype(dtype)
    if target == data.dtype:
        return data
    if target.kind in "iu":
        _check_finite(data, dtype)
        low, high = _range(data)
        rounds, limits = data.dtype.kind == "f", np.iinfo(target)
        # Python's integers compare exactly; as floats, the largest int64 and the first number beyond it are one
        if (
            not limits.min
            <= int(np.rint(low) if rounds else low)
            <= int(np.rint(high) if rounds else high)
            <= limits.max
        ):
            raise ValueError(
                f"The values range from {low:g} to {high:g}; {dtype} holds {limits.min} to {limits.max}. "
                f"Nothing is clipped in silence: write --dtype float32, or scale the image yourself."
            )
        if rounds:
            _check_coarseness(data, dtype, low, high)
        return _mapped(data, lambda part: (np.rint(part) if rounds else part).astype(target), target)
    if data.dtype.itemsize > target.itemsize:
        for part in parts(data):
            with np.errstate(over="ignore"):
                lost = bool((np.isinf(part.astype(target)) & np.isfinite(part)).any())
            if lost:
                low, high = _range(data)
                raise ValueError(
                    f"The values range from {low:g} to {high:g}; {dtype} holds ±{np.finfo(target).max:g}. Nothing "
                    f"is clipped in silence: write a wider --dtype, or scale the image yourself."
                )
    return _mapped(data, lambda part: part.astype(target), target)


def image_dtype(dtype: str) -> np.dtype[Any]:
    """The dtype of that name, if an image can be written in it."""
    try:
        target = np.dtype(dtype)
    except TypeError:
        target = np.dtype(object)
    if target.kind not in "iuf":
        raise ValueError(
            f"dtype {dtype!r}: an image is written as an integer or a floating-point type, such as float32."
        )
    return target


def _mapped(data: Any, function: Any, target: np.dtype[Any]) -> NDArray[Any]:
    mapped: Any = data.mapped(function, target) if isinstance(data, Stored) else function(data)
    return cast_type("NDArray[Any]", mapped)


def _range(data: Any) -> tuple[Any, Any]:
    """The least and the greatest finite value."""
    found = [part if part.dtype.kind != "f" else part[np.isfinite(part)] for part in parts(data)]
    return min(part.min() for part in found if part.size), max(part.max() for part in found if part.size)


def _check_finite(data: Any, dtype: str) -> None:
    if data.dtype.kind != "f":
        return
    count, first, seen = 0, 0, 0
    for part in parts(data):
        bad = ~np.isfinite(part)
        if not count and bad.any():
            first = seen + int(bad.argmax())
        count += int(bad.sum())
        seen += part.size
    if count:
        place = tuple(int(i) for i in np.unravel_index(first, data.shape))
        raise ValueError(
            f"{count} of the values are NaN or infinite, the first at {place}; {dtype} cannot hold them. Write "
            f"--dtype float32."
        )


def _check_coarseness(data: Any, dtype: str, low: Any, high: Any) -> None:
    size, total, squares, errors = 0, 0.0, 0.0, 0.0
    middle = (float(low) + float(high)) / 2  # sums of squares around it lose no digits
    for part in parts(data):
        exact = part.astype(np.float64) - middle
        size += part.size
        total += float(exact.sum())
        squares += float(np.square(exact).sum())
        errors += float(np.square(np.rint(part) - part, dtype=np.float64).sum())
    error = math.sqrt(errors / size)
    spread = math.sqrt(max(squares / size - (total / size) ** 2, 0.0))
    if error > COARSEST * spread:
        raise ValueError(
            f"The values range from {low:g} to {high:g}; as {dtype} they would be rounded by {error:.2g} (rms), "
            f"where they vary by {spread:.2g}. Nothing is rounded away in silence: write --dtype float32, or scale "
            f"the image yourself."
        )
