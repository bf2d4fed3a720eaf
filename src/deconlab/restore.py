"""``restore``: an Image of any number of channels and times in, the restored Image with its history out.

The PSF comes from a file, from the caller, or from the optics that the image knows about itself, overridden by the caller.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconlab import api, provenance
from deconlab.channel_psf import ChannelPSF
from deconlab.image import Image
from deconlab.positions import along, one_position, own_axes, restore_positions
from deconlab.volumes import (
    Destination,
    InMemory,
    Outcome,
    Volume,
    from_file,
    is_constant,
    look_through,
    split,
    weights_by_volume,
    with_voxel_um,
)

if TYPE_CHECKING:
    from deconlab.optics import Fact
    from deconlab.solve import Checkpoint, Observer


__all__ = [
    "Destination", "Outcome", "Restored", "Volume", "Watch", "is_constant", "restore", "restore_volumes", "split",
    "with_voxel_um",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Watch:
    """What watches the restoration of one volume, and where it goes on from. Context managers among it are entered."""

    observers: Sequence[Observer] = ()
    resume: Checkpoint | None = None


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
    iterations: int | Callable[[Volume], int | None] | None = None,
    force: bool = False,
    out: Destination | None = None,
    axes: str | None = None,
    psf_origin: Sequence[int] | str | None = None,
    **settings: Any,
) -> Restored:
    """Restore every channel and time of ``image``, one volume after another.

    psf: an array, a :class:`~deconlab.psf.PSF`, a PSF model, a path to a file, or an Image (with as many channels as
        ``image``, or one for all). Computed from the optics if not given.
    psf_voxel_um: the voxel size of a PSF given as an array, or where its file is silent or wrong.
    psf_model: a registry name ("torok-varga"); its parameters (``na``, ``emission_nm``, ``immersion_index``,
        ``sample_index``, …) are taken from ``settings``, else from the image, else from ``preset``, a starting point
        (:data:`deconlab.psf.PRESETS`). ``emission_nm`` may be a tuple, one for each channel.
    modality: how the image was acquired, where its file is wrong about it.
    voxel_um: along z, y, x; the image's unless given.
    weights: of the image's shape, or of one volume's, or a path to a file of them. ``start`` may be a Path as well.
    watch: asked before each volume for its observers and for a checkpoint to go on from.
    iterations: as in :func:`deconlab.api.deconvolve`, or a function that tells them for each volume; with None it ends the
        series there.
    force: restore an image that deconlab has restored before, which is refused otherwise.
    axes: along which is restored, "zyx" as far as the image has them unless given. At every position on other axes the
        restoration is one by itself: with "t", every voxel's trace.
    psf_origin: "first" or a voxel of the PSF, which is then taken as it is, see :func:`deconlab.psf.as_given`; or "centre",
        which it is without. Must be said where ``axes`` has t.
    out: where the restored volumes go, and which are there already; memory unless given.
    settings: those of :func:`deconlab.api.prepare`, and parameters by name.

    An image whose data are left in a file (``io.read(path, lazy=True)``) is read volume by volume. The record of all this
    is in the history of the image, see :class:`deconlab.recipe.Recipe`.

    A volume without signal (constant) is copied with a warning if it is one of several, an error if it is alone.
    Ctrl-C ends the series after the present iteration; volumes that were not reached are 0, with a warning.

    Raises ValueError or TypeError as :func:`deconlab.api.deconvolve`, and ValueError naming everything that is missing
    to compute a PSF, or for an image that was restored before.
    """
    said = {
        "psf": psf, "psf_voxel_um": psf_voxel_um, "psf_model": psf_model, "modality": modality, "voxel_um": voxel_um,
        "method": method, "weights": weights, "iterations": iterations, "axes": axes, "psf_origin": psf_origin, **settings,
    }  # fmt: skip
    if not force:
        provenance.refuse_restored(image)
    if voxel_um is not None:
        image = with_voxel_um(image, voxel_um)
    if isinstance(settings.get("start"), Path):
        settings["start"] = from_file(settings["start"]).squeeze()
    if weights is not None:
        refuse_weights(method)
    if isinstance(weights, str | Path):
        weights = from_file(weights)
    axes = along(image, axes)
    volumes = list(split(image, axes))
    masks = weights_by_volume(image, weights, axes)
    double = "float64" in str(settings.get("dtype") or image.data.dtype)
    out = InMemory(image, np.float64 if double else np.float32) if out is None else out
    look_through(image, [volume for volume in volumes if out.finished(volume) is None], masks)
    seen = image if axes == image.spatial_axes else one_position(image, axes)
    source = ChannelPSF.of(seen, psf, psf_voxel_um, psf_model, modality, settings, psf_origin, axes)
    settings = {name: value for name, value in settings.items() if name not in source.parameters}
    outcomes: list[Outcome] = []
    for volume in volumes:
        count = iterations(volume) if callable(iterations) else iterations
        if count is None and callable(iterations):
            break
        done = out.finished(volume)
        if done is None:
            wanted = {**settings, "iterations": count}
            outcomes.append(_into(out, image, volume, source, method, masks(volume), watch, wanted))
        else:
            outcome, steps, captured = done
            outcomes.append(outcome)
            source.notes.setdefault(volume.channel, steps)
            source.captured.setdefault(volume.channel, captured)
        if outcomes[-1].reason == "interrupted":
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
    channels = source.image.channels if len(source.image.channels) == len(image.channels) else image.channels
    return Restored(replace(image, data=out.data, channels=channels, history=history), tuple(outcomes), source.facts)


def refuse_weights(method: Any) -> None:
    """Raise before anything is read or computed if ``method``, by name or as an object, takes no weights."""
    from deconlab import methods

    cls = methods.registry.get(method) if isinstance(method, str) else type(method)
    for reason in methods.weight_refusals(cls):
        raise ValueError(reason)


def _into(
    out: Destination,
    image: Image,
    volume: Volume,
    source: ChannelPSF,
    method: Any,
    mask: NDArray[Any] | None,
    watch: Callable[[Volume, api.Prepared], Watch] | None,
    settings: Mapping[str, Any],
) -> Outcome:
    """One volume read, restored and put where it belongs. Nothing of it is held when the next one is begun."""
    part, own = image.volume(volume.where).data, own_axes(image, source.axes)
    if volume.of > 1 and is_constant(part, mask):
        warnings.warn(f"{volume.label} is constant ({part.flat[0]:g} everywhere): copied as it is.", stacklevel=3)
        outcome, restored = Outcome(volume, "", 0, "constant: copied", 0.0, 0.0), part
    else:
        at_places = [n > 1 and axis not in source.axes for axis, n in zip(own, part.shape, strict=True)]
        if any(at_places):
            outcome, restored = _restore_each(part, own, volume, source, method, mask, settings)
        else:
            outcome, restored = _restore_one(part, volume, source, method, mask, watch, settings)
    out.put(volume, restored)
    if outcome.reason != "interrupted":
        out.finish(outcome, source.notes.get(volume.channel, ()), source.captured.get(volume.channel, ()))
    return outcome


def _restore_each(
    part: NDArray[Any],
    own: str,
    volume: Volume,
    source: ChannelPSF,
    method: Any,
    mask: NDArray[Any] | None,
    settings: Mapping[str, Any],
) -> tuple[Outcome, NDArray[Any]]:
    """A volume of positions that are restored one by one; nobody watches their iterations."""
    begin = time.perf_counter()
    shape = [n for axis, n in zip(own, part.shape, strict=True) if axis in source.axes]
    psf = source.psf(volume.channel, shape, double="float64" in str(settings.get("dtype") or part.dtype))
    label = "" if volume.of == 1 else f"{volume.label}: "
    own_settings = {**settings, "voxel_um": source.voxel_um}
    restored, done = restore_positions(part, own, source.axes, psf, method, mask, own_settings, label)
    seconds = time.perf_counter() - begin
    return Outcome(volume, **{**vars(done), "seconds": seconds}), restored


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
