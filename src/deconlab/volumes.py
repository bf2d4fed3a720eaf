"""The volumes of an image: which there are, what is known of each, and what must not be in any of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deconlab.image import AXES, SPATIAL, Image
from deconlab.optics import extended_axes
from deconlab.stored import Stored


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume of an image, about to be restored: ``number`` (from 1) of ``of``.

    ``where`` is its place on the axes that are not its own: all but the spatial ones, unless others were asked for.
    ``label`` is for people ("channel 1 (GFP), time 3"), ``suffix`` for names of files that belong to it ("_c1_t3"; empty
    where there is one volume only).
    """

    where: Mapping[str, int]
    label: str
    suffix: str
    channel: int
    number: int
    of: int


@dataclass(frozen=True, eq=False)
class Outcome:
    """How the restoration of one volume went."""

    volume: Volume
    method: str
    iterations: int
    reason: str
    seconds: float
    background: float
    notes: tuple[str, ...] = ()
    prior: str = ""
    device: str = ""
    dtype: str = ""


Finished = tuple[Outcome, tuple[str, ...], tuple[float, ...]]
"""How a volume went, the steps of its PSF, and what of the light each plane of it holds."""


class Destination(Protocol):
    """Where restored volumes go, one after another. ``data`` is the image made of them: zero where there is none yet."""

    @property
    def data(self) -> NDArray[Any]:
        """An array of the image's shape, or a stored one."""

    def finished(self, volume: Volume) -> Finished | None:
        """How a volume went that is here already; None for one that is to be restored."""

    def put(self, volume: Volume, restored: NDArray[Any]) -> None:
        """Take in a volume, axes as those of ``image.volume(volume.where)``."""

    def finish(self, outcome: Outcome, steps: Sequence[str], captured: Sequence[float]) -> None:
        """Take note that the volume is as it shall be, which one that was interrupted is not."""


class InMemory:
    """A destination in memory."""

    def __init__(self, image: Image, dtype: DTypeLike) -> None:
        self.image = image.replace_data(np.zeros(image.data.shape, dtype))

    @property
    def data(self) -> NDArray[Any]:
        return self.image.data

    def finished(self, volume: Volume) -> None:
        """None is."""

    def put(self, volume: Volume, restored: NDArray[Any]) -> None:
        self.image.put(volume.where, restored)

    def finish(self, outcome: Outcome, steps: Sequence[str], captured: Sequence[float]) -> None:
        """There is nothing to note."""


def leading(image: Image, axes: str | None = None) -> str:
    """The axes on which volumes have their places: channels first, so that one PSF is held at a time.

    ``axes``: those along which is restored, if not the spatial ones. What is spatial and not among them belongs to the
    volume still, of which every position is restored by itself.
    """
    return "".join(sorted((a for a in image.axes if a not in SPATIAL + (axes or "")), key=lambda axis: axis != "c"))


def split(image: Image, axes: str | None = None) -> Iterator[Volume]:
    """The volumes of an image, in the order in which they are restored; see :func:`leading`."""
    others = leading(image, axes)
    sizes = [image.data.shape[image.axes.index(axis)] for axis in others]
    words = {"c": "channel", "t": "time"}
    for number, place in enumerate(itertools.product(*map(range, sizes)), start=1):
        where = dict(zip(others, place, strict=True))
        counted = [(axis, at, size) for (axis, at), size in zip(where.items(), sizes, strict=True) if size > 1]
        named = image.channels[where.get("c", 0)].name
        label = ", ".join(
            f"{words[axis]} {at}" + (f" ({named})" if axis == "c" and named else "") for axis, at, _ in counted
        )
        suffix = "".join(f"_{axis}{at:0{len(str(size - 1))}d}" for axis, at, size in counted)
        yield Volume(where, label or "the image", suffix, where.get("c", 0), number, math.prod(sizes))


def from_file(path: str | Path) -> NDArray[Any]:
    """The numbers in a file."""
    from deconlab import io

    return io.read(path).data


def weights_by_volume(image: Image, weights: Any, axes: str | None = None) -> Callable[[Volume], NDArray[Any] | None]:
    """The weights of each volume, from an array of the image's shape or one for all of them."""
    if weights is None:
        return lambda _: None
    array = np.asarray(weights)
    if array.shape == image.data.shape:
        whole = image.replace_data(array)
        return lambda volume: whole.volume(volume.where).data
    at = leading(image, axes)
    one = tuple(n for axis, n in sorted(zip(image.axes, image.data.shape, strict=True), key=_rank) if axis not in at)
    if array.squeeze().shape != tuple(n for n in one if n > 1):
        parts = "" if one == image.data.shape else f", or of one volume's {one}"
        raise ValueError(
            f"The weights have shape {array.shape}; they must be of the image's {image.data.shape}{parts}."
        )
    return lambda _: array.reshape(one)


def _rank(sized: tuple[str, int]) -> int:
    return AXES.index(sized[0])


def look_through(image: Image, volumes: Sequence[Volume], masks: Callable[[Volume], NDArray[Any] | None]) -> None:
    """Raise before anything is computed if a volume holds what cannot be restored; name volume and place.

    One volume is held at a time. What a file is damaged in shows here, too, and not after hours.
    """
    data: Any = image.data
    if data.dtype.kind != "f" and not isinstance(data, Stored):
        return
    for volume in volumes:
        part, mask = image.volume(volume.where).data, masks(volume)
        if part.dtype.kind != "f":
            continue
        bad = ~np.isfinite(part) if mask is None else ~np.isfinite(part) & (mask > 0)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            where = "The image" if volume.of == 1 else f"{volume.label[:1].upper()}{volume.label[1:]} of the image"
            raise ValueError(
                f"{where} holds {int(bad.sum())} NaN or infinite values, the first at {first}. Mask them with weights of 0, "
                f"or mend the file."
            )
        del part, mask, bad


def is_constant(part: NDArray[Any], mask: NDArray[Any] | None) -> bool:
    """Whether all voxels that count are equal."""
    usable = part if mask is None else part[mask > 0]
    return usable.size == 0 or bool(usable.min() == usable.max())


def with_voxel_um(image: Image, voxel_um: Sequence[float]) -> Image:
    """The image with a user's voxel size along its spatial axes, or along those of more than one voxel."""
    axes = image.spatial_axes
    if len(voxel_um) != len(axes):
        axes = extended_axes(image)
    if len(voxel_um) != len(axes) or not all(math.isfinite(size) and size > 0 for size in voxel_um):
        raise ValueError(
            f"The voxel size must be {len(axes)} numbers > 0 in µm, along {', '.join(axes)}, not "
            f"{' '.join(f'{size:g}' for size in voxel_um)}."
        )
    sizes = {**image.voxel_um, **dict(zip(axes, map(float, voxel_um), strict=True))}
    return replace(image, voxel_um=sizes, voxel_sources={**image.voxel_sources, **dict.fromkeys(axes, "user")})
