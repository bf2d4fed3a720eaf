"""NumPy's .npy, which holds numbers alone, and .npz, in which our record lies beside them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image
from deconlab.io import record
from deconlab.stored import Stored, planes, raw


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`; ``series`` counts the arrays of an .npz. Up to 3 dimensions are z, y, x unless named."""
    kept: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            left = _stored(path, file) if lazy and path.suffix.lower() == ".npy" else None
            loaded: Any = np.load(file, allow_pickle=False) if left is None else left
            data: Any = loaded
            if isinstance(loaded, np.ndarray | Stored):
                names = ["the array"]
            else:
                names = [name for name in loaded.files if name != record.KEY]
                data = loaded[names[series]] if 0 <= series < len(names) else np.empty(0)
                if record.KEY in loaded.files:
                    kept = json.loads(str(loaded[record.KEY]))
    except (MemoryError, PermissionError):
        raise
    except Exception as error:  # NumPy's own, those of zip and of the tokenizer
        raise ValueError(
            f"{path} cannot be read as a NumPy file ({error}). Is it truncated, or not a file of numbers at all?"
        ) from error
    if not 0 <= series < len(names):
        raise ValueError(f"{path} has no array number {series}; it holds {', '.join(names) or 'none'}, counted from 0.")
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    found, notes = _axes(data, axes, kept)
    return record.restored(Image(data, found, notes=notes), kept, arrange=axes is None, says_voxel=False)


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Every integer and floating-point type can be written: see :class:`deconlab.io.Format`."""
    del name, dtype, image


def write(path: Path, image: Image, name: str) -> None:
    """Write the numbers, and with .npz all that is known of them."""
    with path.open("wb") as file:
        if name.lower().endswith(".npy"):
            header = np.lib.format.header_data_from_array_1_0(np.empty(0, image.data.dtype))
            np.lib.format.write_array_header_1_0(file, {**header, "shape": image.data.shape, "fortran_order": False})
            if image.data.ndim < 2:
                file.write(np.asarray(image.data).tobytes())
            for plane in planes(image.data) if image.data.ndim >= 2 else ():
                file.write(plane.tobytes())
        else:
            np.savez(file, data=np.asarray(image.data), deconlab=np.array(json.dumps(record.of(image))))  # record.KEY


def _stored(path: Path, file: Any) -> Stored | None:
    """The array of an .npy, left in the file; None for what NumPy itself has to read or refuse."""
    try:
        version = np.lib.format.read_magic(file)
        known = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran_order, kind = known[version](file)
    except (KeyError, ValueError):
        shape, fortran_order, kind = (), True, np.dtype(object)
    begin = file.tell()
    file.seek(0)
    size = math.prod(shape) * kind.itemsize
    if fortran_order or kind.hasobject or path.stat().st_size < begin + size:
        return None
    return raw(path, shape, kind, offset=begin)


def _axes(data: NDArray[Any], given: str | None, kept: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    named = given or record.axes(kept, data.ndim)
    if named:
        return named.lower(), ()
    if data.ndim not in (1, 2, 3):
        raise ValueError(
            f"The array has {data.ndim} dimensions {data.shape} without names. Name them, for example --file-axes "
            f"{'tczyx'[-data.ndim :] if data.ndim else 'x'}."
        )
    notes = ("the file does not name its axes; they were taken for z, y, x",) if data.ndim == 3 else ()
    return "zyx"[-data.ndim :], notes
