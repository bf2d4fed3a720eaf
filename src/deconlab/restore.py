"""``restore``: an Image of any number of channels and times in, the restored Image with its history out.

The PSF comes from a file, from the caller, or from the optics that the image knows about itself, overridden by the caller.
"""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconlab import api, provenance
from deconlab.channel_psf import ChannelPSF
from deconlab.image import SPATIAL, Image
from deconlab.optics import extended_axes

if TYPE_CHECKING:
    from deconlab.optics import Fact
    from deconlab.solve import Checkpoint, Observer


@dataclass(frozen=True, eq=False)
class Volume:
    """One volume of an image, about to be restored: ``number`` (from 1) of ``of``.

    ``where`` is its place on the axes that are not spatial. ``label`` is for people ("channel 1 (GFP), time 3"), ``suffix``
    for names of files that belong to it ("_c1_t3"; empty where there is one volume only).
    """

    where: Mapping[str, int]
    label: str
    suffix: str
    channel: int
    number: int
    of: int


@dataclass(frozen=True, eq=False)
class Watch:
    """What watches the restoration of one volume, and where it goes on from. Context managers among it are entered."""

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
    prior: str = ""
    device: str = ""
    dtype: str = ""


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
    preset: str | None = None,
    modality: str | None = None,
    voxel_um: Sequence[float] | None = None,
    method: Any = "richardson-lucy",
    weights: Any = None,
    watch: Callable[[Volume, api.Prepared], Watch] | None = None,
    iterations: int | Callable[[Volume], int | None] | None = None,
    force: bool = False,
    **settings: Any,
) -> Restored:
    """Restore every channel and time of ``image``, one volume after another.

    psf: an array, a :class:`~deconlab.psf.PSF`, a PSF model, a path to a file, or an Image (with as many channels as
        ``image``, or one for all). Computed from the optics if not given.
    psf_voxel_um: the voxel size of a PSF given as an array, or where its file is silent or wrong.
    preset: a named starting point (:data:`deconlab.psf.PRESETS`), whose numbers stand where caller and image are silent.
    psf_model: a registry name ("torok-varga"); its parameters (``na``, ``emission_nm``, ``immersion_index``,
        ``sample_index``, …) are taken from ``settings``, else from the image. ``emission_nm`` may be a tuple, one for each
        channel.
    modality: how the image was acquired, where its file is wrong about it.
    voxel_um: along z, y, x; the image's unless given.
    weights: of the image's shape, or of one volume's, or a path to a file of them. ``start`` may be a Path as well.
    watch: asked before each volume for its observers and for a checkpoint to go on from.
    iterations: as in :func:`deconlab.api.deconvolve`, or a function that tells them for each volume; with None it ends the
        series there.
    force: restore an image that deconlab has restored before, which is refused otherwise.
    settings: those of :func:`deconlab.api.prepare`, and parameters by name.

    The record of all this is in the history of the image, see :class:`deconlab.recipe.Recipe`.

    A volume without signal (constant) is copied with a warning if it is one of several, an error if it is alone.
    Ctrl-C ends the series after the present iteration; volumes that were not reached are 0, with a warning.

    Raises ValueError or TypeError as :func:`deconlab.api.deconvolve`, and ValueError naming everything that is missing
    to compute a PSF, or for an image that was restored before.
    """
    said = {
        "psf": psf, "psf_voxel_um": psf_voxel_um, "psf_model": psf_model, "modality": modality, "voxel_um": voxel_um,
        "method": method, "weights": weights, "iterations": iterations, **settings,
    }  # fmt: skip
    if not force:
        provenance.refuse_restored(image)
    if voxel_um is not None:
        image = with_voxel_um(image, voxel_um)
    if isinstance(settings.get("start"), Path):
        settings["start"] = from_file(settings["start"]).squeeze()
    if isinstance(weights, str | Path):
        weights = from_file(weights)
    volumes = list(split(image))
    masks = weights_by_volume(image, weights)
    look_through(image, volumes, masks)
    source = ChannelPSF.of(image, psf, psf_voxel_um, psf_model, modality, settings, preset)
    settings = {name: value for name, value in settings.items() if name not in source.parameters}
    double = "float64" in str(settings.get("dtype") or image.data.dtype)
    result = source.image.replace_data(np.zeros(image.data.shape, np.float64 if double else np.float32))
    outcomes: list[Outcome] = []
    for volume in volumes:
        count = iterations(volume) if callable(iterations) else iterations
        if count is None and callable(iterations):
            break
        part = image.volume(volume.where).data
        if len(volumes) > 1 and is_constant(part, masks(volume)):
            warnings.warn(f"{volume.label} is constant ({part.flat[0]:g} everywhere): copied as it is.", stacklevel=2)
            result.put(volume.where, part)
            outcomes.append(Outcome(volume, "", 0, "constant: copied", 0.0, 0.0))
            continue
        wanted = {**settings, "iterations": count}
        outcome, restored = _restore_one(part, volume, source, method, masks(volume), watch, wanted)
        result.put(volume.where, restored)
        outcomes.append(outcome)
        if outcome.reason == "interrupted":
            break
    if len(outcomes) < len(volumes):
        warnings.warn(
            f"Interrupted: {len(volumes) - len(outcomes)} of {len(volumes)} volumes were not restored; they are 0 in the "
            f"result.",
            stacklevel=2,
        )
    if callable(iterations):
        said["iterations"] = max((outcome.iterations for outcome in outcomes), default=0) or None
    history = {**image.history, provenance.KEY: provenance.record(image, said, source, outcomes, len(volumes))}
    return Restored(replace(result, history=history), tuple(outcomes), source.facts)


def _restore_one(
    part: NDArray[Any],
    volume: Volume,
    source: ChannelPSF,
    method: Any,
    mask: NDArray[Any] | None,
    watch: Callable[[Volume, api.Prepared], Watch] | None,
    settings: Mapping[str, Any],
) -> tuple[Outcome, NDArray[Any]]:
    """One volume: made ready, watched, solved. Axes of one voxel are left out, and put back."""
    squeezed = part.squeeze() if part.size > 1 else part.reshape(1)
    mask = None if mask is None else mask.reshape(squeezed.shape)
    begin = time.perf_counter()
    psf = source.psf(volume.channel, squeezed.shape, double="float64" in str(settings.get("dtype") or part.dtype))
    ready = api.prepare(squeezed, psf, method, weights=mask, voxel_um=source.voxel_um, **settings)
    watched = Watch() if watch is None else watch(volume, ready)
    with ExitStack() as stack:
        for observer in watched.observers:
            if isinstance(observer, AbstractContextManager):
                stack.enter_context(observer)
        done = api.run(ready, squeezed, watched.observers, watched.resume)
    outcome = Outcome(
        volume,
        repr(done.method),
        done.iterations,
        done.reason,
        time.perf_counter() - begin,
        ready.counts.gain * float(ready.problem.fidelity.background),
        ready.notes,
        repr(ready.problem.prior),
        str(ready.problem.fidelity.y.device),
        str(ready.problem.fidelity.y.dtype).removeprefix("torch."),
    )
    return outcome, done.x.reshape(part.shape)


def split(image: Image) -> Iterator[Volume]:
    """The volumes of an image: channel by channel, so that one PSF is held at a time, then the other axes in their order."""
    others = sorted((axis for axis in image.axes if axis not in SPATIAL), key=lambda axis: axis != "c")
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


def weights_by_volume(image: Image, weights: Any) -> Callable[[Volume], NDArray[Any] | None]:
    """The weights of each volume, from an array of the image's shape or one for all of them."""
    if weights is None:
        return lambda _: None
    array = np.asarray(weights)
    if array.shape == image.data.shape:
        whole = image.replace_data(array)
        return lambda volume: whole.volume(volume.where).data
    one = image.volume(dict.fromkeys((axis for axis in image.axes if axis not in SPATIAL), 0)).data
    if array.squeeze().shape != one.squeeze().shape:
        raise ValueError(
            f"The weights have shape {array.shape}; they must be of the image's {image.data.shape}, or of one volume's "
            f"{one.shape}."
        )
    return lambda _: array.reshape(one.shape)


def look_through(image: Image, volumes: Sequence[Volume], masks: Callable[[Volume], NDArray[Any] | None]) -> None:
    """Raise before anything is computed if a volume holds what cannot be restored; name volume and place."""
    if image.data.dtype.kind != "f":
        return
    for volume in volumes:
        part, mask = image.volume(volume.where).data, masks(volume)
        bad = ~np.isfinite(part) if mask is None else ~np.isfinite(part) & (mask > 0)
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            where = "The image" if volume.of == 1 else f"{volume.label[:1].upper()}{volume.label[1:]} of the image"
            raise ValueError(
                f"{where} holds {int(bad.sum())} NaN or infinite values, the first at {first}. Mask them with weights of 0, "
                f"or mend the file."
            )


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
