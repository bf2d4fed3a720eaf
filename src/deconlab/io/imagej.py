"""What an ImageJ hyperstack says of itself <-> an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Channel, Image, believed_voxel
from deconlab.io import record

DTYPES = ("uint8", "uint16", "float32")
ORDER = "tzcyx"
CARRIED = ("Info", "mode", "finterval", "fps", "tunit", "LUTs")
"""What else ImageJ says that stays true of a restored image: its notes, its times, the colours of its channels."""
RECORD_LINE = f"{record.KEY} = "


def holds(image: Image) -> bool:
    """Whether a hyperstack can hold the image: its dtype, its axes, and its voxel size.

    The axes may be in any order: the record brings it back. ImageJ has one calibration for x and y; where only one of them
    is known, the other would read as 1 µm. Images one voxel wide are written by tifffile as other shapes.
    """
    known = set(image.voxel_um) & set("xyz")
    calibrated = not known or {"x", "y"} <= known
    wide = {"x", "y"} <= set(image.axes) and image.data.shape[image.axes.index("x")] > 1
    return image.data.dtype.name in DTYPES and wide and calibrated


def image(
    data: NDArray[Any],
    axes: str,
    said: Mapping[str, Any],
    resolution: tuple[float, float] | None,
    *,
    arrange: bool = True,
) -> Image:
    """The image in a hyperstack: ``said`` is its metadata, ``resolution`` the voxels per unit along x and y."""
    unit = str(said.get("unit", ""))
    sizes: dict[str, float] = {}
    if resolution is not None and (unit or resolution != (1.0, 1.0)):
        sizes = {"x": 1 / resolution[0], "y": 1 / resolution[1]}
    if "spacing" in said and (unit or abs(float(said["spacing"])) != 1):
        sizes["z"] = abs(float(said["spacing"]))
    voxel_um, refused = believed_voxel(sizes, {axis: str(said.get(f"{axis}unit", unit)) for axis in "xyz"})
    names = _names(said.get("Labels"), axes, data.shape)
    notes = tuple(f"not used: {reason}" for reason in refused)
    info, kept = _parted(said.get("Info"))
    carried = {key: said[key] for key in CARRIED[1:] if key in said} | ({"Info": info} if info else {})
    if "LUTs" in carried:
        carried["LUTs"] = [np.asarray(table).tolist() for table in carried["LUTs"]]
    channels = tuple(Channel(name) for name in names)
    read = Image(data, axes, voxel_um, channels, notes=notes, source_imagej=carried)
    return record.restored(read, kept, arrange=arrange)


def compose(image: Image) -> tuple[NDArray[Any], dict[str, Any], tuple[float, float] | None]:
    """The data in ImageJ's order of axes, and the metadata and the resolution with which tifffile writes them."""
    carried = _carried(image)
    info = f"{image.source_imagej.get('Info', '')}\n{RECORD_LINE}{json.dumps(record.of(image, carried_imagej=True))}\n".lstrip(
        "\n"
    )
    order = "".join(axis for axis in ORDER if axis in image.axes)
    image = replace(image, data=image.data.transpose([image.axes.index(axis) for axis in order]), axes=order)
    metadata: dict[str, Any] = {**carried, "axes": order.upper(), "Info": info}
    x, y, z = (image.voxel_um.get(axis) for axis in "xyz")
    if x and y:
        metadata["unit"] = "um"
        if z:
            metadata["spacing"] = z
    if any(channel.name for channel in image.channels):
        metadata["Labels"] = _labels(image)
    return image.data, metadata, (1 / x, 1 / y) if x and y else None


def _carried(image: Image) -> dict[str, Any]:
    """What the source's hyperstack said, as far as tifffile writes it: ASCII, and a table of colours for each channel."""
    said = image.source_imagej
    kept = {
        key: said[key] for key in CARRIED if key in said and key not in ("Info", "LUTs") and str(said[key]).isascii()
    }
    tables = [np.asarray(table, np.uint8) for table in said.get("LUTs", ())]
    return {**kept, "LUTs": tables} if tables and len(tables) == len(image.channels) else kept


def _parted(info: Any) -> tuple[str, dict[str, Any]]:
    """The notes in a hyperstack, and our record, which is a line among them as ``name = value`` is ImageJ's custom."""
    theirs, kept = [], {}
    for line in str(info or "").split("\n"):
        try:
            found = json.loads(line.removeprefix(RECORD_LINE)) if line.startswith(RECORD_LINE) else None
        except ValueError:
            found = None  # a line of that name by someone else
        if isinstance(found, dict):
            kept = found
        else:
            theirs.append(line)
    return "\n".join(theirs).rstrip("\n"), kept


def _labels(image: Image) -> list[str]:
    """ImageJ labels every plane; the channel's name stands on each of its own."""
    planes = image.axes[:-2]
    return [
        image.channels[place[planes.index("c")] if "c" in planes else 0].name
        for place in np.ndindex(*image.data.shape[:-2])
    ]


def _names(labels: Any, axes: str, shape: tuple[int, ...]) -> list[str]:
    """The channels' names: labels that all planes of a channel share. Others are names of slices or files."""
    planes = axes.removesuffix("yx")
    sizes = shape[: len(planes)]
    if not isinstance(labels, list) or not axes.endswith("yx") or len(labels) != int(np.prod(sizes, dtype=int)):
        return []
    grid = np.array([str(label).split("\n")[0] for label in labels], dtype=object).reshape(sizes)
    rows = (
        np.moveaxis(grid, planes.index("c"), 0).reshape(shape[planes.index("c")], -1)
        if "c" in planes
        else [grid.ravel()]
    )
    return [str(row[0]) if len(set(row)) == 1 else "" for row in rows]
