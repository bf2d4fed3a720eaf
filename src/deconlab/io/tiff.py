"""Plain TIFF, ImageJ hyperstacks and OME-TIFF."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Channel, Image, believed_voxel, micrometres
from deconlab.io import ome

IMAGEJ_DTYPES = ("uint8", "uint16", "float32")
BIG_TIFF_BYTES = 2**32 - 2**25


def read(path: Path, *, axes: str | None = None, series: int = 0) -> Image:
    """See :func:`deconlab.io.read`."""
    import tifffile

    with _quiet_tifffile():
        try:
            with tifffile.TiffFile(path) as file:
                if not 0 <= series < len(file.series):
                    raise IndexError(f"there is no series {series}; it has {len(file.series)}, counted from 0")
                chosen = file.series[series]
                data: NDArray[Any] = np.asarray(chosen.asarray())
                found, xml = chosen.axes.lower(), file.ome_metadata or ""
                imagej = dict(file.imagej_metadata or {})
                resolution = _resolution(file)
        except (OSError, MemoryError):
            raise
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read as a TIFF ({error}). Is it truncated, or not a TIFF at all? Open it in Fiji to see."
            ) from error
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    if "s" in found and "c" not in found and imagej.get("channels") and data.dtype != np.uint8:
        found = found.replace("s", "c")  # ImageJ stores deep composites like colour, but they are channels
    named, notes = _axes(axes, found, data.shape)
    if xml:
        said = ome.parse(xml, series)
        channels = said.channels if len(said.channels) == _count(named, data.shape) else ()
        image = Image(data, named, said.voxel_um, channels, xml, said.history, (*notes, *said.notes))
    elif imagej:
        image = _from_imagej(data, named, imagej, resolution, notes)
    else:
        image = Image(data, named, notes=notes)
    return _as_written(image)


def write(path: Path, image: Image, *, ome: bool) -> None:
    """Write an OME-TIFF, or an ImageJ hyperstack where ImageJ can hold the numbers and the order of the axes."""
    can = image.data.dtype.name in IMAGEJ_DTYPES and _in_order(image.axes) and image.data.nbytes < BIG_TIFF_BYTES
    if ome or not can:
        _write_ome(path, image)
    else:
        _write_imagej(path, image)


def _write_ome(path: Path, image: Image) -> None:
    import tifffile

    order = "".join(axis for axis in "tczyx" if axis in image.axes)
    order = order if set("yx") <= set(order) else image.axes
    data = np.ascontiguousarray(image.data.transpose([image.axes.index(axis) for axis in order]))
    flat = data if data.ndim > 1 else data[None]
    axes = order.upper() if data.ndim > 1 else "YX"
    metadata: dict[str, Any] = {"axes": axes}
    for axis, size in image.voxel_um.items():
        metadata[f"PhysicalSize{axis.upper()}"] = size
        metadata[f"PhysicalSize{axis.upper()}Unit"] = "µm"
    base = tifffile.OmeXml()
    base.addimage(dtype=flat.dtype, shape=flat.shape, storedshape=_stored(flat.shape), **metadata)
    xml = ome.compose(base.tostring(), image, {**image.history, "axes": image.axes})
    tifffile.imwrite(
        path, flat, description=xml.encode(), metadata=None, photometric="minisblack", ome=False,
        bigtiff=flat.nbytes >= BIG_TIFF_BYTES,
    )  # fmt: skip


def _write_imagej(path: Path, image: Image) -> None:
    import tifffile

    metadata: dict[str, Any] = {"axes": image.axes.upper()}
    if image.voxel_um:
        metadata["unit"] = "um"
    if "z" in image.voxel_um:
        metadata["spacing"] = image.voxel_um["z"]
    if any(channel.name for channel in image.channels) and "c" in image.axes:
        per_plane = [channel.name for channel in image.channels]
        metadata["Labels"] = _labels(per_plane, image)
    metadata["Info"] = json.dumps({ome.HISTORY: {**image.history, "axes": image.axes}, "facts": _facts(image)})
    data = image.data if image.data.ndim > 1 else image.data[None]
    if image.data.ndim == 1:
        metadata["axes"] = "YX"
    x, y = image.voxel_um.get("x"), image.voxel_um.get("y")
    tifffile.imwrite(path, data, imagej=True, metadata=metadata, resolution=(1 / x, 1 / y) if x and y else None)


def _from_imagej(
    data: NDArray[Any],
    axes: str,
    said: Mapping[str, Any],
    resolution: tuple[float, float] | None,
    notes: tuple[str, ...],
) -> Image:
    unit = str(said.get("unit", ""))
    sizes: dict[str, float] = {}
    if resolution is not None and micrometres(unit) is not None:
        sizes = {"x": 1 / resolution[0], "y": 1 / resolution[1]}
    if "spacing" in said and micrometres(unit) is not None:
        sizes["z"] = abs(float(said["spacing"]))
    voxel_um, refused = believed_voxel(sizes, {axis: str(said.get(f"{axis}unit", unit)) for axis in "xyz"})
    try:
        info = json.loads(said.get("Info", "{}"))
    except (ValueError, TypeError):
        info = {}
    info = info if isinstance(info, dict) else {}
    history = info.get(ome.HISTORY, {})
    return Image(
        data,
        axes,
        {axis: size for axis, size in voxel_um.items() if axis in axes},
        _channels(info.get("facts"), said.get("Labels"), _count(axes, data.shape)),
        history=history if isinstance(history, dict) else {},
        notes=(*notes, *(f"not used: {reason}" for reason in refused)),
    )


def _channels(facts: Any, labels: Any, count: int) -> tuple[Channel, ...]:
    from deconlab.image import Known, Optics, believed

    if isinstance(facts, list) and len(facts) == count:
        return tuple(
            Channel(str(f.get("name", "")), believed({k: Known(*v) for k, v in f.get("optics", {}).items()}))
            for f in facts
        )
    if isinstance(labels, list) and len(labels) >= count > 1:
        return tuple(Channel(str(label).split("\n")[0], Optics()) for label in labels[:count])
    return ()


def _facts(image: Image) -> list[dict[str, Any]]:
    return [
        {"name": c.name, "optics": {k: [known.value, known.source] for k, known in c.optics.facts.items()}}
        for c in image.channels
    ]


def _as_written(image: Image) -> Image:
    """Our own file, with the order and the single voxels of its axes as they were before the format changed them."""
    axes = image.history.get("axes")
    history = {key: value for key, value in image.history.items() if key != "axes"}
    if not isinstance(axes, str):
        return image
    data, now = image.data, image.axes
    for axis in [a for a in axes if a not in now]:
        data, now = data[None], axis + now
    if len(axes) < len(now):
        data = data.reshape([n for a, n in zip(now, data.shape, strict=True) if a in axes])
        now = "".join(a for a in now if a in axes)
    data = data.transpose([now.index(axis) for axis in axes])
    return Image(data, axes, image.voxel_um, image.channels, image.source_xml, history, image.notes)


def _axes(given: str | None, found: str, shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """The axes by name: those given, else the file's; a single nameless one beside y and x is taken for z, and said."""
    if given is not None:
        return given.lower(), ()
    nameless = [axis for axis in found if axis not in "tczyxs"]
    if len(nameless) == 1 and "z" not in found:
        return found.replace(nameless[0], "z"), ("the file does not name its axes; its pages were taken for z",)
    if nameless:
        raise ValueError(
            f"The file has {len(shape)} dimensions {shape} without names for all of them (it says {found!r}). Name them, "
            f"for example --axes {'tczyx'[-len(shape) :]}."
        )
    return found, ()


def _count(axes: str, shape: tuple[int, ...]) -> int:
    return shape[axes.index("c")] if "c" in axes and len(axes) == len(shape) else 1


def _in_order(axes: str) -> bool:
    return ([axis for axis in "tzcyx" if axis in axes] == list(axes) and set("yx") <= set(axes)) or axes == "x"


def _stored(shape: tuple[int, ...]) -> tuple[int, int, int, int, int, int]:
    """tifffile's normal form of a page series: pages, separate samples, depth, height, width, contiguous samples."""
    return (int(np.prod(shape[:-2], dtype=int)), 1, 1, shape[-2], shape[-1], 1)


def _labels(names: list[str], image: Image) -> list[str]:
    """ImageJ labels every plane; the channel's name stands on each of its own."""
    planes = [axis for axis in image.axes if axis not in "yx"]
    sizes = [image.data.shape[image.axes.index(axis)] for axis in planes]
    at = planes.index("c")
    return [names[place[at]] for place in np.ndindex(*sizes)]


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


@contextmanager
def _quiet_tifffile() -> Iterator[None]:
    """tifffile logs what it then raises; one message is enough."""
    log = logging.getLogger("tifffile")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
