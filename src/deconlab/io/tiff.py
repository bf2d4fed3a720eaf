"""Plain TIFF, ImageJ hyperstacks and OME-TIFF."""

from __future__ import annotations

import json
import logging
import math
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image
from deconlab.io import imagej, ome, ome_compose
from deconlab.io._tiff_planes import stored
from deconlab.stored import planes

DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")
"""What OME-TIFF can hold; plain TIFF could hold more, but few programs would read it."""

FINEST_PRINT_UM = 10.0
"""Pixels of prints and screens are larger (2540 per inch); a tag that says less was meant for a microscope."""

BIG_TIFF_BYTES = 2**32 - 2**25


@dataclass(frozen=True, eq=False)
class _Raw:
    """What tifffile finds in a file."""

    data: NDArray[Any]
    axes: str
    planes: int
    absent: int
    xml: str
    imagej: dict[str, Any]
    resolution: tuple[float, float] | None
    tagged_um: float | None
    series: int
    trouble: tuple[str, ...]


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`."""
    raw = _open(path, series, lazy)
    told = _told(raw, series)
    if axes is None:
        _check_whole(path, raw, told)
    found, notes = _axes(raw, axes)
    if told is not None:
        image = ome.image(raw.data, found, told, arrange=axes is None)
    elif raw.imagej:
        image = imagej.image(raw.data, found, raw.imagej, raw.resolution, arrange=axes is None)
    else:
        image = Image(raw.data, found)
        if raw.tagged_um is not None and raw.tagged_um < FINEST_PRINT_UM:
            tagged = (
                f"the file's tag for printing means {raw.tagged_um:.6g} µm per pixel; not used: if it is true, give it"
            )
            notes = (*notes, f"{tagged} as --voxel-um")
    if raw.series > 1:
        notes = (*notes, f"the file holds {raw.series} images (series); this is number {series}, counted from 0")
    if raw.absent:
        absent = f"{raw.absent} of the {raw.planes} planes that the file describes are not in it; they are 0 here"
        notes = (*notes, absent)
    trouble = tuple(f"the file is damaged: {message}" for message in raw.trouble)
    return replace(image, notes=(*notes, *trouble, *image.notes))


def _open(path: Path, series: int, lazy: bool) -> _Raw:
    import tifffile

    with _listening() as trouble:
        try:
            with ExitStack() as stack:
                file = tifffile.TiffFile(path)
                stack.callback(file.close)
                count = len(file.series)
                if 0 <= series < count:
                    chosen = file.series[series]
                    data: Any = None
                    if not lazy:
                        data = np.asarray(chosen.asarray())
                        data = data if data.dtype.isnative else data.astype(data.dtype.newbyteorder("="))
                    found = _Raw(
                        data,
                        chosen.axes.lower(),
                        len(chosen.pages),
                        sum(page is None for page in chosen.pages),
                        file.ome_metadata or "",
                        dict(file.imagej_metadata or {}),
                        _resolution(file),
                        _tagged_um(file),
                        count,
                        tuple(dict.fromkeys(trouble)),
                    )
                    if lazy:
                        found = replace(found, data=cast("NDArray[Any]", stored(path, file, chosen)))
                        stack.pop_all()  # the file is the array's now
                    return found
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read as a TIFF ({error}). Is it truncated, or not a TIFF at all? Open it in Fiji to see."
            ) from error
    if count == 0:
        raise ValueError(f"{path} cannot be read as a TIFF (it holds no image). Is it truncated?")
    raise ValueError(f"{path} has no series {series}; it has {count}, counted from 0.")


def _told(raw: _Raw, series: int) -> ome.Description | None:
    """What the OME-XML says; where that cannot be made out, only a note that says so."""
    if not raw.xml:
        return None
    try:
        return ome.parse(raw.xml, series)
    except ValueError as error:
        return ome.Description(notes=(f"not used: {error}",))


def _check_whole(path: Path, raw: _Raw, told: ome.Description | None) -> None:
    """Raise ValueError where less could be read than the file says it holds: tifffile then gives the first plane alone."""
    use_it = (
        f"an array of shape {raw.data.shape} could be read. Is the file truncated? To use what is there, name its axes, for "
        f"example --file-axes {'tczyx'[-raw.data.ndim :]}."
    )
    broken = [message for message in raw.trouble if not message.startswith("<TiffTag")]
    if broken:
        raise ValueError(f"{path} is damaged ({broken[0]}); {use_it}")
    if told is not None and told.sizes and math.prod(told.sizes.values()) != raw.data.size:
        sizes = ", ".join(f"{name} = {n}" for name, n in told.sizes.items())
        raise ValueError(f"{path} says it holds {sizes}, but only {use_it}")


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Raise for what cannot be written: see :class:`deconlab.io.Format`."""
    del image  # any axes do
    if np.dtype(dtype).name not in DTYPES:
        raise ValueError(
            f"{name}: a TIFF that other programs read holds no {dtype}; choose one of {', '.join(DTYPES)}."
        )


def write(path: Path, image: Image, name: str) -> None:
    """Write an OME-TIFF if ``name`` asks for one, else an ImageJ hyperstack; OME also where ImageJ cannot hold the image."""
    ome_asked = name.lower().endswith((".ome.tif", ".ome.tiff"))
    if ome_asked or not imagej.holds(image) or image.data.nbytes >= BIG_TIFF_BYTES:
        _write_ome(path, image)
    else:
        _write_imagej(path, image)


def _write_ome(path: Path, image: Image) -> None:
    import tifffile

    order = [*(axis for axis in image.axes if axis not in "yx"), "y", "x"]
    missing = [axis for axis in order if axis not in image.axes]
    now = [*missing, *image.axes]
    data = image.data[(np.newaxis,) * len(missing)].transpose([now.index(axis) for axis in order])
    base = tifffile.OmeXml(**_identity(image))
    stored = (math.prod(data.shape[:-2]), 1, 1, *data.shape[-2:], 1)
    base.addimage(dtype=data.dtype, shape=data.shape, storedshape=stored, axes="".join(order).upper())
    tifffile.imwrite(
        path, planes(data), shape=data.shape, dtype=data.dtype, metadata=None, ome=False,
        description=ome_compose.compose(base.tostring(), image).encode(),
        photometric="minisblack", bigtiff=data.nbytes >= BIG_TIFF_BYTES,
    )  # fmt: skip


def _identity(image: Image) -> dict[str, str]:
    """Of what a seed repeats, an identifier that it repeats as well; else tifffile makes one of the time."""
    if "simulation" not in image.history:
        return {}
    return {"UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(image.history, sort_keys=True, default=str)))}


def _write_imagej(path: Path, image: Image) -> None:
    import tifffile

    data, metadata, resolution = imagej.compose(image)
    tifffile.imwrite(
        path, planes(data), shape=data.shape, dtype=data.dtype, imagej=True, metadata=metadata, resolution=resolution
    )


def _axes(raw: _Raw, given: str | None) -> tuple[str, tuple[str, ...]]:
    """The axes by name: those given, else the file's; a single nameless one beside y and x is taken for z, and said."""
    if given is not None:
        return given.lower(), ()
    found, shape = raw.axes, raw.data.shape
    if "s" in found and "c" not in found and raw.imagej.get("channels") and raw.data.dtype != np.uint8:
        found = found.replace("s", "c")  # ImageJ stores deep composites like colour, but they are channels
    if len(set(found)) < len(found) <= 3:  # a single voxel, whose axes tifffile names x, y and x again
        found = "zyx"[-len(found) :]
    nameless = [axis for axis in found if axis not in "tczyxs"]
    if len(nameless) == 1 and "z" not in found:
        return found.replace(nameless[0], "z"), ("the file does not name its axes; its pages were taken for z",)
    if nameless:
        raise ValueError(
            f"The file has {len(shape)} dimensions {shape} without names for all of them (it says {found!r}). Name them, "
            f"for example --file-axes {'tczyx'[-len(shape) :]}."
        )
    return found, ()


def _resolution(file: Any) -> tuple[float, float] | None:
    tags = file.pages[0].tags
    found = []
    for name in ("XResolution", "YResolution"):
        if name not in tags:
            return None
        numerator, denominator = tags[name].value
        if not numerator or not denominator:
            return None
        found.append(numerator / denominator)
    return found[0], found[1]


def _tagged_um(file: Any) -> float | None:
    """The width of a pixel by the tags that say how large to print an image; None if they give no length."""
    tag, found = file.pages[0].tags.get("ResolutionUnit"), _resolution(file)
    unit_um = {2: 25400.0, 3: 10000.0}.get(int(tag.value)) if tag is not None else None
    return None if unit_um is None or found is None else unit_um / found[0]


@contextmanager
def _listening() -> Iterator[list[str]]:
    """The errors that tifffile logs and goes on; its log stays silent meanwhile: one message is enough."""
    heard: list[str] = []

    def hear(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            heard.append(record.getMessage())
        return False

    log = logging.getLogger("tifffile")
    log.addFilter(hear)
    try:
        yield heard
    finally:
        log.removeFilter(hear)
