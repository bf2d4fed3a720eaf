"""NumPy's .npy, which holds numbers alone, and .npz, in which our record lies beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image
from deconlab.io import record


def read(path: Path, *, axes: str | None = None, series: int = 0) -> Image:
    """See :func:`deconlab.io.read`; ``series`` counts the arrays of an .npz. Up to 3 dimensions are z, y, x unless named."""
    kept: dict[str, Any] = {}
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                names, data = ["the array"], loaded
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
            np.save(file, image.data, allow_pickle=False)
        else:
            np.savez(file, data=image.data, deconlab=np.array(json.dumps(record.of(image))))  # record.KEY


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
