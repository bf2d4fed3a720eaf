"""What a file format has no place for, kept beside the image: axes as they were, facts with their sources, the history.

Others may edit a file that we wrote. So each fact is kept with what the format itself said when it was written; where that
has changed since, the file is right and the record is not used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import AXES, OPTICS_UNITS, Channel, Image, Known, believed

KEY = "deconlab"


def of(image: Image, said: Sequence[Channel] = (), *, carried: bool = False) -> dict[str, Any]:
    """The record of an image, as JSON can hold it. ``said`` is what the format itself says of the channels.

    ``carried``: the format carries the source's own metadata already, so that the record need not.
    """
    silent = (Channel(),) * len(image.channels)
    record: dict[str, Any] = {
        "axes": image.axes,
        "voxel_um": dict(image.voxel_um),
        "channels": [
            {
                "name": channel.name,
                "optics": {
                    name: [known.value, known.source, format_says.optics.get(name)]
                    for name, known in channel.optics.facts.items()
                },
            }
            for channel, format_says in zip(image.channels, said or silent, strict=True)
        ],
        "history": dict(image.history),
    }
    if image.source_xml and not carried:
        record["source_xml"] = image.source_xml
    return record


def restored(image: Image, record: Mapping[str, Any], *, arrange: bool = True) -> Image:
    """``image``, as its format describes it, with all that the record adds; ``arrange`` the axes as they were, too."""
    data, axes = _arranged(image.data, image.axes, record.get("axes")) if arrange else (image.data, image.axes)
    history = record.get("history")
    voxel_um = _voxel(image.voxel_um, record.get("voxel_um"))
    return Image(
        data,
        axes,
        {axis: size for axis, size in voxel_um.items() if axis in axes},
        _channels(image.channels, record.get("channels")),
        str(record.get("source_xml", image.source_xml)),
        history if isinstance(history, dict) else {},
        image.notes,
    )


def _arranged(data: NDArray[Any], now: str, then: Any) -> tuple[NDArray[Any], str]:
    """The data with the order and the single voxels of their axes as they were; as they are, if those were edited away."""
    if not isinstance(then, str) or not then or len(set(then)) != len(then) or set(then) - set(AXES):
        return data, now
    if any(n > 1 for axis, n in zip(now, data.shape, strict=True) if axis not in then):
        return data, now
    data = data.reshape([n for axis, n in zip(now, data.shape, strict=True) if axis in then])
    now = "".join(axis for axis in now if axis in then)
    missing = "".join(axis for axis in then if axis not in now)
    data, now = data[(np.newaxis,) * len(missing)], missing + now
    return data.transpose([now.index(axis) for axis in then]), then


def _voxel(said: Mapping[str, float], kept: Any) -> dict[str, float]:
    """The voxel size to the last digit, where the format rounds it."""
    exact = kept if isinstance(kept, dict) else {}
    return {a: exact[a] if abs(exact.get(a, 0.0) - size) <= 1e-6 * size else size for a, size in said.items()}


def _channels(said: tuple[Channel, ...], kept: Any) -> tuple[Channel, ...]:
    if not isinstance(kept, list) or len(kept) != len(said):
        return said
    channels = []
    for channel, entry in zip(said, kept, strict=True):
        facts = dict(channel.optics.facts)
        for name, (value, source, format_said) in entry["optics"].items():
            if name in OPTICS_UNITS and channel.optics.get(name) == format_said:
                facts[name] = Known(value, source)
        channels.append(Channel(channel.name or entry["name"], believed(facts, channel.optics.rejected)))
    return tuple(channels)
