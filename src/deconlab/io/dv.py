"""DeltaVision's .dv and .r3d, for reading, with the extra ``mrc``: voxel size, wavelengths, and the lens by its number."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Channel, Image, Known, Optics, believed, believed_voxel
from deconlab.io.ome import IMMERSION

_TITLES = slice(224, 1024)  # bytes of the header in which programs say what they did


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`. Axes of one element, of which a DeltaVision file always has some, are left out."""
    del lazy
    mrc = _mrc()
    if series != 0:
        raise ValueError(f"{path} has no series {series}; a DeltaVision file holds one image, number 0.")
    try:
        with mrc.DVFile(path) as file:
            header, sizes = file.hdr, file.sizes
            data: NDArray[Any] = np.array(file.data)
            frames = _frames(file, sizes)
        with path.open("rb") as raw:
            titles = raw.read(_TITLES.stop)[_TITLES]
    except (MemoryError, PermissionError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as DeltaVision ({error}). Is it truncated, or not such a file at all?"
        ) from error
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    extended = [axis for axis, n in sizes.items() if n > 1 or axis in "YX"]
    data = data.reshape([sizes[axis] for axis in extended])
    found = axes.lower() if axes else "".join(extended).lower()
    lengths = {axis: float(getattr(header, f"d{axis}")) for axis in "xyz" if axis in found}
    voxel_um, refused = believed_voxel(lengths, dict.fromkeys(lengths, "µm"))
    notes = [f"not used: {reason}" for reason in refused]
    channels, said = _channels(header, frames, sizes["C"], mrc)
    if b"DECON" in titles:
        notes.append(
            "the file's titles say that it was deconvolved already: to restore it again amplifies noise and artefacts"
        )
    fits = len(channels) == (data.shape[found.index("c")] if "c" in found else 1)
    return Image(data, found, voxel_um, channels if fits else (), notes=(*notes, *said))


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Nothing can be written: see :class:`deconlab.io.Format`."""
    del dtype, image
    raise ValueError(f"{name}: DeltaVision files are read and not written. Write .ome.tif.")


def write(path: Path, image: Image, name: str) -> None:
    """See :func:`check`, which refuses it first."""
    del path
    check(name, image.data.dtype.name)


def _mrc() -> Any:
    try:
        import mrc
        import mrc.lenses
    except ImportError as error:
        raise ImportError('DeltaVision files need the package mrc: pip install "deconlab[mrc]"') from error
    return mrc


def _frames(file: Any, sizes: dict[str, int]) -> list[Any]:
    """The extended header of the first plane of each channel; none where it is missing or too short.

    The package reads it in the byte order of this machine alone.
    """
    if file.ext_hdr is None or file.hdr.n_floats < 14 or not file.dtype.isnative:
        return []
    order = [axis for axis in sizes if axis not in "YX"]
    step = math.prod(sizes[axis] for axis in order[order.index("C") + 1 :])
    return [file.ext_hdr.frame(channel * step) for channel in range(sizes["C"])]


def _channels(header: Any, frames: list[Any], count: int, mrc: Any) -> tuple[tuple[Channel, ...], list[str]]:
    lens = mrc.lenses.D.get(header.lens_num, {})
    source = f"file: lens {header.lens_num}, {lens.get('name', '')}"
    shared: dict[str, Known] = {}
    if "lensNA" in lens:
        shared["na"] = Known(float(lens["lensNA"]), source)
    if str(lens.get("immersion", "")).lower() in IMMERSION:
        shared["immersion_index"] = Known(IMMERSION[lens["immersion"].lower()], f"{source}, {lens['immersion']}")
    notes = [] if lens else [f"the file names its lens by the number {header.lens_num}, which is not known"]
    channels = []
    for number in range(count):
        facts = dict(shared)
        emission = float(getattr(header, f"wave{number + 1}", 0) if number < 5 else 0)
        if emission:
            facts["emission_nm"] = Known(emission, "file")
        if frames and frames[number].exWavelen > 0:
            facts["excitation_nm"] = Known(float(frames[number].exWavelen), "file")
        optics: Optics = believed(facts)
        notes += [f"not used: {reason}" for reason in optics.rejected]
        channels.append(Channel("", optics))
    return tuple(channels), list(dict.fromkeys(notes))
