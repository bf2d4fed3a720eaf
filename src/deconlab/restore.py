"""``restore``: an Image of any number of channels and times in, the restored Image with its history out.

The PSF comes from a file, from the caller, or from the optics that the image knows about itself, overridden by the caller.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconlab import api, optics, schema
from deconlab import psf as psf_models
from deconlab.solve import Checkpoint, Observer

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.psf import PSF, PSFModel


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume of an image, about to be restored: ``number`` (from 1) of ``of``.

    ``label`` is for people ("channel 1 (GFP), time 3"), ``suffix`` for names of files that belong to it ("_c1_t3"; empty
    where there is one volume only). ``index`` picks it from the image's array.
    """

    label: str
    suffix: str
    index: tuple[int | slice, ...]
    channel: int
    number: int
    of: int


@dataclass(frozen=True, eq=False)
class Watch:
    """What watches the restoration of one volume, and where it goes on from. Observers that are context managers are entered."""

    observers: Sequence[Observer] = ()
    resume: Checkpoint | None = None


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


@dataclass(frozen=True, eq=False)
class Restored:
    """What :func:`restore_volumes` gives: the image, how each volume went, and the optics of each channel."""

    image: Image
    outcomes: tuple[Outcome, ...]
    facts: tuple[tuple[Fact, ...], ...] = ()

    @property
    def interrupted(self) -> bool:
        return any(outcome.reason == "interrupted" for outcome in self.outcomes)


def restore(image: Image, **settings: Any) -> Image:
    """Restore every channel and time of ``image``; ``settings`` are those of :func:`restore_volumes`.

    Axes, voxel size, names and shape are kept; what was done is in the ``history`` of the image that comes back.
    """
    return restore_volumes(image, **settings).image


def restore_volumes(
    image: Image,
    *,
    psf: Any = None,
    psf_voxel_um: Sequence[float] | None = None,
    psf_model: str | None = None,
    modality: str | None = None,
    voxel_um: Sequence[float] | None = None,
    method: Any = "richardson-lucy",
    weights: Any = None,
    watch: Callable[[Volume, api.Prepared], Watch] | None = None,
    **settings: Any,
) -> Restored:
    """Restore every channel and time of ``image``, one volume after another.

    psf: an array, a :class:`~deconlab.psf.PSF`, a PSF model, a path to a file, or an Image (with as many channels as
        ``image``, or one for all). Computed from the optics if not given.
    psf_voxel_um: the voxel size of a PSF given as an array, or where its file is silent or wrong.
    psf_model: a registry name ("gibson-lanni"); its parameters (``na``, ``emission_nm``, ``immersion_index``,
        ``sample_index``, …) are taken from ``settings``, else from the image. ``emission_nm`` may be a tuple, one for each
        channel.
    modality: how the image was acquired, where its file is wrong about it.
    voxel_um: along z, y, x; the image's unless given.
    weights: of the image's shape, or of one volume's.
    watch: asked before each volume for its observers and for a checkpoint to go on from.
    settings: those of :func:`deconlab.api.prepare`, and parameters by name.

    A volume without signal (constant) is copied with a warning if it is one of several, an error if it is alone.
    Ctrl-C ends the series after the present iteration; volumes that were not reached are 0, with a warning.

    Raises ValueError or TypeError as :func:`deconlab.api.deconvolve`, and ValueError naming everything that is missing
    to compute a PSF.
    """
    image = image if voxel_um is None else image.with_voxel_um(voxel_um)
    volumes = list(split(image))
    look_through(image, volumes, weights)
    given = _taken_out(settings, psf_model) if psf is None else {}
    source = _Source(image, psf, psf_voxel_um, psf_model, modality, given)
    data = image.data
    kind = np.float64 if data.dtype == np.float64 and settings.get("dtype") is None else np.float32
    out: NDArray[Any] = np.zeros(data.shape, np.float64 if "float64" in str(settings.get("dtype")) else kind)
    outcomes: list[Outcome] = []
    for volume in volumes:
        part = np.squeeze(data[volume.index])
        mask = _weights_of(weights, volume, data.shape)
        if len(volumes) > 1 and is_constant(part, mask):
            warnings.warn(f"{volume.label} is constant ({part.flat[0]:g} everywhere) and copied as it is.", stacklevel=2)
            out[volume.index] = data[volume.index]
            outcomes.append(Outcome(volume, str(method), 0, "constant: copied", 0.0, 0.0))
            continue
        outcome, restored = _restore_one(image, volume, part, source.of(volume), method, mask, watch, settings)
        out[volume.index] = restored.reshape(out[volume.index].shape)
        outcomes.append(outcome)
        if outcome.reason == "interrupted":
            break
    if len(outcomes) < len(volumes):
        warnings.warn(
            f"Interrupted: {len(volumes) - len(outcomes)} of {len(volumes)} volumes were not restored and are 0 in the "
            f"result.",
            stacklevel=2,
        )
    entry = record(image, source, outcomes)
    return Restored(image.replace_data(out).with_history(entry), tuple(outcomes), source.facts)


def split(image: Image) -> Iterator[Volume]:
    """The volumes of an image: channel by channel, then the other axes that are not spatial, in the image's order."""
    others = [axis for axis in image.axes if axis not in "zyx"]
    others.sort(key=lambda axis: axis != "c")
    sizes = {axis: image.data.shape[image.axes.index(axis)] for axis in others}
    counted = [axis for axis in others if sizes[axis] > 1]
    total = math.prod(sizes.values())
    for number, place in enumerate(itertools.product(*(range(sizes[axis]) for axis in others)), start=1):
        at = dict(zip(others, place, strict=True))
        index = tuple(at.get(axis, slice(None)) for axis in image.axes)
        names = {"c": "channel", "t": "time"}
        label = ", ".join(
            f"{names.get(axis, axis)} {at[axis]}" + (f" ({image.channel_name(at[axis])})" if axis == "c" and image.channel_name(at[axis]) else "")
            for axis in counted
        )
        suffix = "".join(f"_{axis}{at[axis]:0{len(str(sizes[axis] - 1))}d}" for axis in counted)
        yield Volume(label or "the image", suffix, index, at.get("c", 0), number, total)


def look_through(image: Image, volumes: Sequence[Volume], weights: Any) -> None:
    """Raise before anything is computed if some volume cannot be restored; name it."""
    for volume in volumes:
        part = image.data[volume.index]
        mask = _weights_of(weights, volume, image.data.shape)
        ...


def is_constant(part: NDArray[Any], mask: NDArray[Any] | None) -> bool:
    """Whether all voxels that count are equal."""
    usable = part if mask is None else part[mask > 0]
    return usable.size == 0 or bool(usable.min() == usable.max())
