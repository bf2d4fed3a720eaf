"""What an ImageJ hyperstack says of itself <-> an image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Channel, Image, believed_voxel
from deconlab.io import record

DTYPES = ("uint8", "uint16", "float32")
ORDER = "tzcyx"


def holds(image: Image) -> bool:
    """Whether a hyperstack can hold the image: its dtype, the order of its axes, and its voxel size.

    ImageJ has one calibration for x and y; where only one of them is known, the other would read as 1 µm. Images one
    voxel wide are written by tifffile as other shapes.
    """
    in_order = [axis for axis in ORDER if axis in image.axes] == list(image.axes) and image.axes.endswith("yx")
    known = set(image.voxel_um) & set("xyz")
    calibrated = not known or {"x", "y"} <= known
    return image.data.dtype.name in DTYPES and in_order and calibrated and image.data.shape[-1] > 1


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
    read = Image(data, axes, voxel_um, tuple(Channel(name) for name in names), notes=notes)
    return record.restored(read, _record(said.get("Info")), arrange=arrange)


def compose(image: Image) -> tuple[dict[str, Any], tuple[float, float] | None]:
    """The metadata and the resolution with which tifffile writes the image as a hyperstack."""
    metadata: dict[str, Any] = {"axes": image.axes.upper(), "Info": json.dumps({record.KEY: record.of(image)})}
    x, y, z = (image.voxel_um.get(axis) for axis in "xyz")
    if x and y:
        metadata["unit"] = "um"
        if z:
            metadata["spacing"] = z
    if any(channel.name for channel in image.channels):
        metadata["Labels"] = _labels(image)
    return metadata, (1 / x, 1 / y) if x and y else None


def _record(info: Any) -> dict[str, Any]:
    try:
        found = json.loads(info)
    except (ValueError, TypeError):
        return {}  # other programs write whatever they like there
    kept = found.get(record.KEY) if isinstance(found, dict) else None
    return kept if isinstance(kept, dict) else {}


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
