"""A part of an image: some channels, some times, a box. What is known of the image goes with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deconlab.image import SPATIAL, Image

KEY = "selection"
"""Where a selection is told of in the history of an image."""
Which = str | int | Sequence[int | str]


def select(
    image: Image,
    channel: Which | None = None,
    time: Which | None = None,
    crop: str | Mapping[str, tuple[int, int]] | None = None,
) -> Image:
    """The part of an image that is asked for, without reading its numbers where they are left in a file.

    channel: indices from 0 and ranges with both ends, "0,2" or "0-3", or names; a list of them; or one.
    time: indices and ranges likewise.
    crop: voxels from the first up to, not including, the last, by axis: "z=0:20,y=100:200" or {"z": (0, 20)}. A number may
        be left out ("z=:20").

    Axes stay, also those of a single index. Channels keep their names and optics; ``image.history["selection"]`` tells
    which part it is, and in µm where its corner lies in the whole.

    >>> import numpy as np
    >>> image = Image(np.zeros((3, 4, 8, 9)), "czyx", {"y": 0.1, "x": 0.1})
    >>> part = select(image, "0,2", crop="y=2:6,x=5:")
    >>> part.data.shape, part.history["selection"]["offset_um"]
    ((2, 4, 4, 4), {'y': 0.2, 'x': 0.5})

    Raises ValueError for what is not there, with what is.
    """
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    told: dict[str, Any] = {}
    data, channels = image.data, image.channels
    for axis, word, wanted in (("c", "channel", channel), ("t", "time", time)):
        if wanted is None:
            continue
        names = [each.name for each in channels] if axis == "c" else []
        chosen = _indices(wanted, word, sizes.get(axis, 1), names)
        told[f"{word}s"] = chosen
        if axis == "c":
            channels = tuple(channels[index] for index in chosen)
        if axis in image.axes:
            data = data[(slice(None),) * image.axes.index(axis) + (chosen,)]
    if crop is not None:
        box = _box(crop, {axis: sizes[axis] for axis in image.spatial_axes})
        told["crop"] = {axis: [low, high] for axis, (low, high) in box.items()}
        told["offset_um"] = {
            axis: round(low * image.voxel_um[axis], 9) for axis, (low, _) in box.items() if axis in image.voxel_um
        }
        data = data[tuple(slice(*box.get(axis, (None, None))) for axis in image.axes)]
    if not told:
        return image
    header = image.source_header
    if header:
        from deconlab.io import fits

        corner = {"c": told.get("channels", [0])[0], "t": told.get("times", [0])[0]}
        corner |= {axis: low for axis, (low, _) in told.get("crop", {}).items()}
        header = fits.cropped(header, image.axes, corner, data.shape)
    history = {**image.history, KEY: _after(image, told)}
    return replace(image, data=data, channels=channels, source_header=header, history=history)


def _after(image: Image, told: dict[str, Any]) -> dict[str, Any]:
    """What is told of a selection, with what was told of the one it was made from."""
    return {**told, "before": image.history[KEY]} if KEY in image.history else told


def _indices(wanted: Which, word: str, count: int, names: Sequence[str]) -> list[int]:
    parts = wanted.split(",") if isinstance(wanted, str) else [wanted] if isinstance(wanted, int) else list(wanted)
    found: list[int] = []
    for part in parts:
        text = str(part).strip()
        ends = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
        if text in names:
            found += [index for index, name in enumerate(names) if name == text]
        elif ends and int(ends[1]) <= int(ends[2] or ends[1]) < count:
            found += range(int(ends[1]), int(ends[2] or ends[1]) + 1)
        else:
            known = ", ".join(f"{index} ({name})" if name else str(index) for index, name in enumerate(names))
            there = known if known else f"0 to {count - 1}" if count > 1 else "0"
            raise ValueError(
                f"There is no {word} {text!r}: the image has {there}. Give indices from 0, ranges such as 0-3"
                + (", or names." if any(names) else ".")
            )
    if len(set(found)) < len(found):
        raise ValueError(f"A {word} is asked for twice: {', '.join(map(str, found))}.")
    return found


def _box(crop: str | Mapping[str, tuple[int, int]], sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    if isinstance(crop, str):
        crop = dict(_side(text.strip(), sizes) for text in crop.split(","))
    for axis, (low, high) in crop.items():
        if axis not in sizes:
            raise ValueError(f"The image has no axis {axis!r} to crop; it has {', '.join(sizes)}.")
        if not 0 <= low < high <= sizes[axis]:
            raise ValueError(
                f"A crop of {axis} from {low} to {high} does not lie within 0 to {sizes[axis]}: give the first voxel, and the "
                f"one after the last."
            )
    return {axis: (int(crop[axis][0]), int(crop[axis][1])) for axis in SPATIAL if axis in crop}


def _side(text: str, sizes: Mapping[str, int]) -> tuple[str, tuple[int, int]]:
    found = re.fullmatch(r"([a-z])=(\d*):(\d*)", text)
    if found is None:
        raise ValueError(f"{text!r} is no crop: write z=0:20,y=100:200, in voxels, the last one not included.")
    return found[1], (int(found[2] or 0), int(found[3] or sizes.get(found[1], 1)))
