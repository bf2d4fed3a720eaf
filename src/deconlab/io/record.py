"""What a file format has no place for, kept beside the image: axes as they were, facts with their sources, the history.

Others may edit a file that we wrote. So each fact is kept with what the format itself said when it was written; where that
has changed since, the file is right and the record is not used.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import AXES, OPTICS_UNITS, Channel, Image, Known, believed

KEY = "deconlab"


def of(
    image: Image,
    said: Sequence[Channel] = (),
    *,
    carried_xml: bool = False,
    carried_header: bool = False,
    carried_imagej: bool = False,
) -> dict[str, Any]:
    """The record of an image, as JSON can hold it. ``said`` is what the format itself says of the channels.

    ``carried_…``: the format carries that part of the source's own metadata already, so that the record need not.
    """
    silent = (Channel(),) * len(image.channels)
    record: dict[str, Any] = {
        "axes": image.axes,
        "voxel_um": {axis: [size, image.voxel_sources.get(axis, "file")] for axis, size in image.voxel_um.items()},
        "channels": [
            {
                "name": channel.name,
                "optics": {
                    name: [channel.optics.get(name), _source(channel, name), format_says.optics.get(name)]
                    for name in {**channel.optics.facts, **format_says.optics.facts}
                },
            }
            for channel, format_says in zip(image.channels, said or silent, strict=True)
        ],
        "history": _plain(image.history),
    }
    if image.source_xml and not carried_xml:
        record["source_xml"] = image.source_xml
    if image.source_header and not carried_header:
        record["source_header"] = image.source_header
    if image.source_imagej and not carried_imagej:
        record["source_imagej"] = dict(image.source_imagej)
    return record


def _plain(history: Mapping[str, Any]) -> dict[str, Any]:
    """The history as JSON has it: a number of NumPy must not fail a run at its very end."""

    def known(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)

    found = json.loads(json.dumps(dict(history), default=known))
    return dict(found)


def restored(image: Image, record: Mapping[str, Any], *, arrange: bool = True, says_voxel: bool = True) -> Image:
    """``image``, as its format describes it, with all that the record adds; ``arrange`` the axes as they were, too.

    ``says_voxel``: the format has a place for the voxel size, so that a record which differs is out of date.
    """
    try:
        return _restored(image, record, arrange, says_voxel)
    except (AttributeError, KeyError, TypeError, ValueError):  # edited by hand, or bits that fell over
        return replace(image, notes=(*image.notes, "deconlab's own record in the file is damaged and was not used"))


def _restored(image: Image, record: Mapping[str, Any], arrange: bool, says_voxel: bool) -> Image:
    data, axes = _arranged(image.data, image.axes, record.get("axes")) if arrange else (image.data, image.axes)
    history = record.get("history")
    voxel_um, sources = _voxel(image.voxel_um, record.get("voxel_um"), says_voxel)
    return Image(
        data,
        axes,
        {axis: size for axis, size in voxel_um.items() if axis in axes},
        _channels(image.channels, record.get("channels")),
        str(record.get("source_xml", image.source_xml)),
        history if isinstance(history, dict) else {},
        image.notes,
        sources,
        str(record.get("source_header", image.source_header)),
        image.source_imagej or (kept if isinstance(kept := record.get("source_imagej"), dict) else {}),
    )


def _source(channel: Channel, name: str) -> str:
    return channel.optics.facts[name].source if name in channel.optics.facts else ""


def axes(record: Mapping[str, Any], ndim: int) -> str | None:
    """The recorded axes, for a format that stores the array as it is but does not name its dimensions."""
    found = record.get("axes")
    return found if isinstance(found, str) and len(found) == ndim > 0 else None


def _arranged(data: NDArray[Any], now: str, then: Any) -> tuple[NDArray[Any], str]:
    """The data with the order and the single voxels of their axes as they were; as they are, if those were edited away."""
    if not isinstance(then, str) or not then or len(set(then)) != len(then) or set(then) - set(AXES):
        return data, now
    if any(n > 1 for axis, n in zip(now, data.shape, strict=True) if axis not in then):
        return data, now
    data = data[tuple(slice(None) if axis in then else 0 for axis in now)]  # which a stored array can do, too
    now = "".join(axis for axis in now if axis in then)
    missing = "".join(axis for axis in then if axis not in now)
    data, now = data[(np.newaxis,) * len(missing)], missing + now
    return data.transpose([now.index(axis) for axis in then]), then


def _voxel(said: Mapping[str, float], kept: Any, says: bool) -> tuple[dict[str, float], dict[str, str]]:
    """The voxel size to the last digit, where the format rounds it, and who said it."""
    sizes, sources = dict(said), {}
    for axis, (size, source) in (kept if isinstance(kept, dict) else {}).items():
        if not says or (axis in said and abs(size - said[axis]) <= 1e-6 * size):
            sizes[axis] = size
            if source != "file":
                sources[axis] = source
    return sizes, sources


def _channels(said: tuple[Channel, ...], kept: Any) -> tuple[Channel, ...]:
    if not isinstance(kept, list) or len(kept) != len(said):
        return said
    channels = []
    for channel, entry in zip(said, kept, strict=True):
        facts = dict(channel.optics.facts)
        for name, (value, source, format_said) in entry["optics"].items():
            if name in OPTICS_UNITS and channel.optics.get(name) == format_said:
                facts.pop(name, None)  # OME has one objective: it says of a channel what was known of another
                if value is not None:
                    facts[name] = Known(value, source)
        channels.append(Channel(channel.name or entry["name"], believed(facts, channel.optics.rejected)))
    return tuple(channels)
