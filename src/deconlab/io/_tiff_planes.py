"""The numbers of a TIFF's series, whole or plane by plane when they are asked for."""

from __future__ import annotations

import math
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.stored import Stored, raw


def stored(path: Path, file: Any, series: Any) -> Stored:
    """The series as an array that stays in its file: contiguous numbers are read as such, others page by page.

    ``file`` is closed by and by: with the array.
    """
    shape, kind = tuple(series.shape), np.dtype(series.dtype).newbyteorder(file.byteorder)
    if series.dataoffset is not None:
        if path.stat().st_size < int(series.dataoffset) + math.prod(shape) * kind.itemsize:
            raise ValueError(f"it ends within the data of shape {shape}")
        file.close()
        return raw(path, shape, kind, offset=int(series.dataoffset))
    count = len(series.pages)
    leading = next(n for n in range(len(shape) + 1) if math.prod(shape[:n]) == count)
    native = kind.newbyteorder("=")

    def read(place: tuple[int, ...]) -> NDArray[Any]:
        number = int(np.ravel_multi_index(place, shape[:leading])) if place else 0
        try:
            page = series.pages[number]
            if page is None:
                return np.zeros(shape[leading:], native)
            found: NDArray[Any] = page.asarray()
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read as a TIFF (plane {number}: {error}). Is it truncated? Open it in Fiji to see."
            ) from error
        return found.astype(native, copy=False).reshape(shape[leading:])

    array = Stored(shape, native, leading, read)
    weakref.finalize(read, file.close)
    return array
