"""File <-> Image, one module for each format."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {
        ".tif": "tiff",
        ".tiff": "tiff",
        ".fits": "fits",
        ".fit": "fits",
        ".fts": "fits",
        ".fits.gz": "fits",
        ".npy": "numpy",
        ".npz": "numpy",
        ".png": "png",
        ".jpg": "png",
        ".jpeg": "png",
    }
)
"""Which module of this folder reads and writes which suffix."""


class Format(Protocol):
    """What a module of this folder does for its format."""

    def read(self, path: Path, *, axes: str | None = None, series: int = 0) -> Image:
        """See :func:`deconlab.io.read`."""

    def check(self, name: str, dtype: str, image: Image | None = None) -> None:
        """Raise ValueError if a file called ``name`` cannot hold ``dtype``, or the axes of ``image`` if that is known.

        Raises ImportError, with the line to install it, where a package is missing.
        """

    def write(self, path: Path, image: Image, name: str) -> None:
        """Write to ``path``, which later takes the ``name`` that may say which kind of file is wanted."""


if TYPE_CHECKING:
    from deconlab.io import fits, numpy, png, tiff

    _FORMATS: tuple[Format, ...] = (fits, numpy, png, tiff)

COARSEST = 0.1
"""The largest error of rounding that an integer dtype may add, as a fraction of the image's standard deviation (20 dB)."""


def read(path: Path | str, *, axes: str | None = None, series: int = 0) -> Image:
    """The image in a file. ``axes`` names its dimensions where the file does not; ``series`` picks one of several images.

    Raises FileNotFoundError, and ValueError for a file that cannot be read or has dimensions without a meaning.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it.")
    return _format(path).read(path, axes=axes, series=series)


def write(path: Path | str, image: Image, *, dtype: str = "float32", overwrite: bool = False) -> None:
    """Write an image; whole or not at all: it appears under its name in one go.

    ``dtype``: what the numbers are written as. Nothing is clipped in silence: a dtype that cannot hold the values' range
    is a ValueError that names it. Raises FileExistsError unless ``overwrite``, and what :func:`check_writable` raises.
    """
    path = Path(path)
    check_writable(path, image, dtype=dtype, overwrite=overwrite)
    converted = image.replace_data(cast(image.data, dtype))
    with replacing(path) as partial:
        _format(path).write(partial, converted, path.name)


def check_writable(
    path: Path | str, image: Image | None = None, *, dtype: str = "float32", overwrite: bool = False
) -> None:
    """Raise now for what would fail at the end: an unknown format or dtype, a folder missing or closed, a file lost.

    ``image``: one of the axes and sizes that will be written, if they are known yet; a PNG holds a single plane.
    """
    path = Path(path)
    chosen = _format(path)
    _dtype(dtype)
    chosen.check(path.name, dtype, image)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the file to write.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Say --overwrite to replace it, or name another output.")
    if not path.parent.exists():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    if not path.parent.is_dir():
        raise NotADirectoryError(f"{path.parent} is not a folder; name another output.")
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"The folder {path.parent} is not writable; name another output.")


def cast(data: NDArray[Any], dtype: str) -> NDArray[Any]:
    """``data`` as ``dtype``: rounded to nearest, never clipped, never made infinite and never rounded away.

    Raises ValueError where a value does not fit, and where whole numbers are too coarse for the image: their error would be
    more than a tenth of its standard deviation. Each says the range and what to do.
    """
    target = _dtype(dtype)
    if target == data.dtype:
        return data
    if target.kind in "iu":
        _check_finite(data, dtype)
        rounded: NDArray[Any] = np.rint(data) if data.dtype.kind == "f" else data
        low, high, limits = rounded.min(), rounded.max(), np.iinfo(target)
        # Python's integers compare exactly; as floats, the largest int64 and the first number beyond it are one
        if not limits.min <= int(low) <= int(high) <= limits.max:
            raise ValueError(
                f"The values range from {data.min():g} to {data.max():g}; {dtype} holds {limits.min} to {limits.max}. "
                f"Nothing is clipped in silence: write --dtype float32, or scale the image yourself."
            )
        _check_coarseness(data, rounded, dtype)
        return rounded.astype(target)
    with np.errstate(over="ignore"):
        converted: NDArray[Any] = data.astype(target)
    if data.dtype.itemsize > target.itemsize and bool((np.isinf(converted) & np.isfinite(data)).any()):
        finite = data[np.isfinite(data)]
        raise ValueError(
            f"The values range from {finite.min():g} to {finite.max():g}; {dtype} holds ±{np.finfo(target).max:g}. Nothing "
            f"is clipped in silence: write a wider --dtype, or scale the image yourself."
        )
    return converted


def _check_finite(data: NDArray[Any], dtype: str) -> None:
    bad = ~np.isfinite(data)
    if bad.any():
        first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), data.shape))
        raise ValueError(
            f"{int(bad.sum())} of the values are NaN or infinite, the first at {first}; {dtype} cannot hold them. Write "
            f"--dtype float32."
        )


def _check_coarseness(data: NDArray[Any], rounded: NDArray[Any], dtype: str) -> None:
    if rounded is data:
        return
    error = math.sqrt(np.mean(np.square(rounded - data), dtype=np.float64))
    spread = float(np.std(data, dtype=np.float64))
    if error > COARSEST * spread:
        raise ValueError(
            f"The values range from {data.min():g} to {data.max():g}; as {dtype} they would be rounded by {error:.2g} (rms), "
            f"where they vary by {spread:.2g}. Nothing is rounded away in silence: write --dtype float32, or scale "
            f"the image yourself."
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its name when the block ends well, and goes when it does not.

    A link is followed: the file it points to is replaced, not the link.
    """
    final = Path(os.path.realpath(path))
    partial = final.with_name(f".{final.name[:100]}.{secrets.token_hex(6)}.partial")
    try:
        partial.touch(exist_ok=False)  # with the permissions of an ordinary new file
        yield partial
        os.replace(partial, final)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _dtype(dtype: str) -> np.dtype[Any]:
    try:
        target = np.dtype(dtype)
    except TypeError:
        target = np.dtype(object)
    if target.kind not in "iuf":
        raise ValueError(
            f"dtype {dtype!r}: an image is written as an integer or a floating-point type, such as float32."
        )
    return target


def _format(path: Path) -> Format:
    suffix = "".join(path.suffixes[-2:]).lower()
    module = SUFFIXES.get(suffix, SUFFIXES.get(path.suffix.lower()))
    if module is None:
        raise ValueError(
            f"{path.name}: no format is known for {path.suffix or 'files without a suffix'}; there are "
            f"{', '.join(SUFFIXES)}."
        )
    found: Any = import_module(f"deconlab.io.{module}")
    chosen: Format = found
    return chosen
