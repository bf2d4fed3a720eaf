"""File <-> Image, one module for each format."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from deconlab.image import Image
from deconlab.io._casting import cast, image_dtype

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
        ".mrc": "mrc",
        ".map": "mrc",
        ".rec": "mrc",
        ".dv": "dv",
        ".r3d": "dv",
    }
)
"""Which module of this folder reads and writes which suffix."""


class Format(Protocol):
    """What a module of this folder does for its format."""

    def read(self, path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
        """See :func:`deconlab.io.read`."""

    def check(self, name: str, dtype: str, image: Image | None = None) -> None:
        """Raise ValueError if a file called ``name`` cannot hold ``dtype``, or the axes of ``image`` if that is known.

        Raises ImportError, with the line to install it, where a package is missing.
        """

    def write(self, path: Path, image: Image, name: str) -> None:
        """Write to ``path``, which later takes the ``name`` that may say which kind of file is wanted."""


if TYPE_CHECKING:
    from deconlab.io import dv, fits, mrc, numpy, png, tiff

    _FORMATS: tuple[Format, ...] = (dv, fits, mrc, numpy, png, tiff)


def read(path: Path | str, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """The image in a file. ``axes`` names its dimensions where the file does not; ``series`` picks one of several images.

    ``lazy``: leave the numbers of a TIFF or .npy in the file; ``image.volume(where)`` reads a volume of them.

    Raises FileNotFoundError, and ValueError for a file that cannot be read or has dimensions without a meaning.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no file {path}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it.")
    return _format(path).read(path, axes=axes, series=series, lazy=lazy)


def write(
    path: Path | str, image: Image, *, dtype: str = "float32", overwrite: bool = False, partial: Path | None = None
) -> None:
    """Write an image; whole or not at all: it appears under its name in one go. Stored data are written plane by plane.

    ``partial``: where it is written to until it is whole, on the same disk; beside the file unless given.

    ``dtype``: what the numbers are written as. Nothing is clipped in silence: a dtype that cannot hold the values' range
    is a ValueError that names it. Raises FileExistsError unless ``overwrite``, and what :func:`check_writable` raises.
    """
    path = Path(path)
    check_writable(path, image, dtype=dtype, overwrite=overwrite)
    converted = image.replace_data(cast(image.data, dtype))
    with replacing(path, partial) as written:
        _format(path).write(written, converted, path.name)


def check_writable(
    path: Path | str, image: Image | None = None, *, dtype: str = "float32", overwrite: bool = False
) -> None:
    """Raise now for what would fail at the end: an unknown format or dtype, a folder missing or closed, a file lost.

    ``image``: one of the axes and sizes that will be written, if they are known yet; a PNG holds a single plane.
    """
    path = Path(path)
    chosen = _format(path)
    image_dtype(dtype)
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


@contextmanager
def replacing(path: Path, partial: Path | None = None) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its name when the block ends well, and goes when it does not.

    A link is followed: the file it points to is replaced, not the link. What was written is on the disk before it takes
    the name, so that a power cut leaves no empty file under it either.
    """
    final = Path(os.path.realpath(path))
    beside = final.with_name(f".{final.name[:100]}.{secrets.token_hex(6)}.partial") if partial is None else partial
    try:
        beside.touch()  # with the permissions of an ordinary new file
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, final)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


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
