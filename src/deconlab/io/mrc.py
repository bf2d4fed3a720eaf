"""MRC2014, the format of electron microscopy, with the extra ``mrc``: one volume or plane, its voxel size in Å."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image, believed_voxel
from deconlab.io import record

DTYPES = ("int8", "int16", "uint16", "float16", "float32")
EXTENSION = b"DCLB"
"""What our extended header is called, in which the record lies as JSON."""
_LETTERS = {1: "x", 2: "y", 3: "z"}
_DELTAVISION = (b"\xa0\xc0", b"\xc0\xa0")  # at byte 96: a file of another kind under the same ending


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`. A DeltaVision file that is called .mrc is read as one."""
    with path.open("rb") as file:
        if file.read(98)[96:] in _DELTAVISION:
            from deconlab.io import dv

            return dv.read(path, axes=axes, series=series, lazy=lazy)
    mrcfile = _mrcfile()
    if series != 0:
        raise ValueError(f"{path} has no series {series}; an MRC file holds one image, number 0.")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with mrcfile.open(path) as file:
                data: NDArray[Any] = np.array(file.data)
                header = file.header.copy()
                sizes = {axis: float(file.voxel_size[axis]) for axis in "xyz"}
                kept = _record(header, file.extended_header)
        except (MemoryError, PermissionError):
            raise
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read as MRC ({error}). Is it truncated, or not an MRC file at all?"
            ) from error
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    found, notes = (axes.lower(), ()) if axes else _axes(header, data.shape)
    sizes = {axis: size for axis, size in sizes.items() if axis in found and size != 0}  # 0 is how MRC says nothing
    voxel_um, refused = believed_voxel(sizes, dict.fromkeys(sizes, "Å"))
    said = dict.fromkeys(str(warning.message).strip() for warning in heard)
    notes = (*notes, *(f"not used: {reason}" for reason in refused), *said)
    image = Image(data, found, voxel_um, notes=notes)
    return record.restored(image, kept, arrange=axes is None, says_voxel=bool(voxel_um))


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Raise for what cannot be written: see :class:`deconlab.io.Format`."""
    _mrcfile()
    if np.dtype(dtype).name not in DTYPES:
        raise ValueError(f"{name}: MRC holds no {dtype}; choose one of {', '.join(DTYPES)}.")
    if image is None:
        return
    extended = {axis for axis, n in zip(image.axes, image.data.shape, strict=True) if n > 1}
    if not {"y", "x"} <= set(image.axes) or extended - {"z", "y", "x"}:
        raise ValueError(
            f"{name}: an MRC file holds one volume of z, y and x, and this image has the axes {image.axes} of sizes "
            f"{image.data.shape}. Write .ome.tif."
        )


def write(path: Path, image: Image, name: str) -> None:
    """Write one volume or plane; what is known of it lies in the extended header."""
    del name
    spatial = image.volume(dict.fromkeys((axis for axis in image.axes if axis in "tc"), 0))
    text = json.dumps(record.of(image)).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that float16 cannot hold, which the cast has looked for
        with _mrcfile().new(path, overwrite=True) as file:
            file.set_data(np.ascontiguousarray(spatial.data))
            if spatial.data.ndim == 3:
                file.set_volume()
            file.set_extended_header(np.frombuffer(text, "S1"))
            file.header.exttyp = EXTENSION
            file.voxel_size = tuple(1e4 * spatial.voxel_um.get(axis, 0.0) for axis in "xyz")
            file.update_header_stats()


def _mrcfile() -> Any:
    try:
        import mrcfile
    except ImportError as error:
        raise ImportError('MRC files need the package mrcfile: pip install "deconlab[mrc]"') from error
    return mrcfile


def _axes(header: Any, shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """The header's order of axes; a stack of planes, as tomograms are often marked, is taken for a volume, and said."""
    if len(shape) > 3:
        raise ValueError(
            f"The file has {len(shape)} dimensions {shape} without names for all of them. Name them, for example "
            f"--file-axes {'tczyx'[-len(shape) :]}."
        )
    order = [int(header[name]) for name in ("maps", "mapr", "mapc")]
    named = "".join(_LETTERS[place] for place in order) if sorted(order) == [1, 2, 3] else "zyx"
    if len(shape) == 3 and int(header["ispg"]) == 0:
        return named, ("the file says that it is a stack of planes; they were taken for z",)
    return named[-len(shape) :], ()


def _record(header: Any, extended: Any) -> dict[str, Any]:
    if bytes(header["exttyp"]) != EXTENSION:
        return {}
    try:
        found = json.loads(bytes(extended))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
