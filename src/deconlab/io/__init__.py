"""File <-> Image, one module for each format."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image

SUFFIXES: Mapping[str, str] = {".tif": "tiff", ".tiff": "tiff"}
"""Which module reads and writes which suffix."""


def read(path: Path | str, *, axes: str | None = None, series: int = 0) -> Image:
    """The image in a file. ``axes`` names its dimensions where the file does not; ``series`` picks one of several images.

    Raises FileNotFoundError, and ValueError for a file that cannot be read or has dimensions without a meaning.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it.")
    from deconlab.io import tiff

    _format(path)
    return tiff.read(path, axes=axes, series=series)


def write(path: Path | str, image: Image, *, dtype: str = "float32", overwrite: bool = False) -> None:
    """Write an image; whole or not at all: it appears under its name in one go.

    ``dtype``: what the numbers are written as. Nothing is clipped or rounded in silence: a dtype that cannot hold the
    values' range is a ValueError that names it. Raises FileExistsError unless ``overwrite``, and what
    :func:`check_writable` raises.
    """
    path = Path(path)
    check_writable(path, overwrite=overwrite)
    from deconlab.io import tiff

    converted = image.replace_data(cast(image.data, dtype))
    with replacing(path) as partial:
        tiff.write(partial, converted, ome=path.name.lower().endswith((".ome.tif", ".ome.tiff")))


def check_writable(path: Path | str, *, overwrite: bool = False) -> None:
    """Raise now for what would fail at the end: a format unknown, a folder missing or closed, a file that would be lost."""
    path = Path(path)
    _format(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the file to write.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Say --overwrite to replace it, or name another output.")
    if not path.parent.exists():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder {path.parent} is not writable; name another output.")


def cast(data: NDArray[Any], dtype: str) -> NDArray[Any]:
    """``data`` as ``dtype``: rounded to nearest for integers, never clipped.

    Raises ValueError where a value does not fit, with the range and what to do.
    """
    target = np.dtype(dtype)
    if target == data.dtype:
        return data
    if target.kind in "iu":
        limits = np.iinfo(target)
        low, high = float(data.min()), float(data.max())
        if not (np.isfinite(low) and np.isfinite(high)) or low < limits.min - 0.5 or high > limits.max + 0.5:
            raise ValueError(
                f"The values range from {low:g} to {high:g}; {dtype} holds {limits.min} to {limits.max}. Nothing is clipped "
                f"in silence: write --dtype float32, or scale the image yourself."
            )
        rounded: NDArray[Any] = np.clip(np.rint(data), limits.min, limits.max).astype(target)
        return rounded
    if target.kind != "f":
        raise ValueError(
            f"dtype {dtype!r}: an image is written as an integer or a floating-point type, such as float32."
        )
    converted: NDArray[Any] = data.astype(target)
    return converted


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its name when the block ends well, and goes when it does not."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        mask = os.umask(0)
        os.umask(mask)
        partial.chmod(0o666 & ~mask)  # as an ordinary new file; mkstemp's is private
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{path.name}: no reader for {suffix or 'files without a suffix'}; there are {', '.join(SUFFIXES)}."
        )
    return SUFFIXES[suffix]
