"""A recipe's run again: on which image, with which settings, and what is not as it was then."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab import __version__, engine, optics, provenance, psf, schema
from deconlab.image import OPTICS_UNITS, SPATIAL, Image
from deconlab.lazytorch import torch
from deconlab.recipe_schema import section
from deconlab.volume import choose_device

if TYPE_CHECKING:
    from deconlab.restore import Volume

log = logging.getLogger("deconlab")


@dataclass(frozen=True, eq=False)
class Repetition:
    """The image with the optics that it lacked, the settings for it, and sentences on what is not as it was then."""

    image: Image
    settings: dict[str, Any]
    notes: tuple[str, ...]


def repeated(
    data: Mapping[str, Any],
    image: Image,
    settings: Mapping[str, Any],
    said: Collection[str],
    source: Path | None = None,
) -> Repetition:
    """What :func:`~deconlab.restore.restore_volumes` is to be given to repeat a recipe on ``image``.

    data: the recipe's.
    settings: all that hold, those ``said`` now included.
    source: the image's file, where it comes from one.

    The number of iterations, the device and the precision are those of then, unless they are among ``said``.
    """
    found = dict(settings)
    same, notes = _input(data, source)
    if found.get("psf") is None:
        image = _with_optics(image, section(data, "psf").get("channels") or [])
        _keep_model(data, image, found)
    image = _with_voxel_um(image, section(data, "voxel_um"))
    done = data.get("volumes") or []
    if isinstance(found.get("iterations"), RecordedIterations) and len(done) < section(data, "input").get("volumes", 0):
        found["iterations"] = RecordedIterations(done, ends=same)
    computing = section(data, "computing")
    if "device" not in said and "device" in computing:
        found["device"] = _device(computing["device"])
    if found.get("dtype") is None and "dtype" in computing:
        found["dtype"] = getattr(torch, computing["dtype"])
    notes += _said_otherwise(data, found, said)
    notes += _changed_files(data, found)
    notes += _computed_otherwise(data, found)
    return Repetition(image, found, tuple(notes))


def _device(then: str) -> str:
    """The device of then, if it is here; else the one that is."""
    try:
        return choose_device(then)
    except ValueError:
        return choose_device("auto")


class RecordedIterations:
    """How many iterations each volume was given. One that is not recorded gets the largest number, which is said once.

    ``ends``: the run was ended before its last volume, and is to end there again.
    """

    def __init__(self, volumes: Collection[Mapping[str, Any]], *, ends: bool = False) -> None:
        self.by_place = {_place(volume.get("where", {})): int(volume["iterations"]) for volume in volumes}
        self.largest, self.ends, self._spoken = max(self.by_place.values()), ends, False

    def __call__(self, volume: Volume) -> int | None:
        recorded = self.by_place.get(_place(volume.where))
        if recorded:
            return recorded
        if recorded is None and self.ends:
            return None
        if recorded is None and not self._spoken:
            self._spoken = True
            log.info(
                "the recipe tells nothing of %s; it gets %d iterations, the largest number in the recipe",
                volume.label, self.largest,
            )  # fmt: skip
        return self.largest


def _place(where: Mapping[str, int]) -> frozenset[tuple[str, int]]:
    """A place on the axes that are not spatial; the first one is that of an image without such an axis."""
    return frozenset((axis, at) for axis, at in where.items() if at != 0)


def _keep_model(data: Mapping[str, Any], image: Image, found: dict[str, Any]) -> None:
    """Where parameters are given that only the PSF model of then has, it is that model, whatever the image suggests."""
    origin = section(data, "psf").get("from")
    if found.get("psf_model") is not None or origin not in psf.registry.names():
        return
    names, suggested = (
        {parameter.name for parameter in schema.parameters(psf.registry.get(name))}
        for name in (origin, optics.model_for(image, found.get("modality")))
    )
    if names & set(found) - suggested:
        found["psf_model"] = origin


def _with_optics(image: Image, channels: list[Mapping[str, Any]]) -> Image:
    """The image with what the recipe knows of its optics and the image does not.

    If the numbers of channels differ, what is the same for all channels of the recipe.
    """
    told = [
        {
            name: fact["value"]
            for name, fact in section(channel, "optics").items()
            if name in OPTICS_UNITS and fact["value"] is not None and fact["source"] != "default"
        }
        for channel in channels
    ]
    if told and len(told) != len(image.channels):
        first, *others = told
        common = {name: value for name, value in first.items() if all(o.get(name) == value for o in others)}
        told = [common] * len(image.channels)
    known = []
    for channel, facts in zip(image.channels, told or [{}] * len(image.channels), strict=True):
        new = {name: value for name, value in facts.items() if name not in channel.optics.facts}
        known.append(replace(channel, optics=channel.optics.known("recipe", **new)))
    return replace(image, channels=tuple(known))


def _with_voxel_um(image: Image, told: Mapping[str, Any]) -> Image:
    new = {
        axis: float(fact["value"])
        for axis, fact in told.items()
        if axis in SPATIAL and axis in image.axes and axis not in image.voxel_um
    }
    sources = {**image.voxel_sources, **dict.fromkeys(new, "recipe")}
    return replace(image, voxel_um={**image.voxel_um, **new}, voxel_sources=sources)


def _input(data: Mapping[str, Any], source: Path | None) -> tuple[bool, list[str]]:
    """Whether the image is the one of then, and what to say of it."""
    then = section(data, "input")
    if source is None or "sha256" not in then or not source.is_file():
        return False, []
    if provenance.digest(source) == then["sha256"]:
        return True, []
    name = str(then.get("file", ""))
    if str(source.resolve()) == name:
        return False, [f"{source} has changed since"]
    return False, [f"another image, {source} in place of {name}"]


def _said_otherwise(data: Mapping[str, Any], found: Mapping[str, Any], said: Collection[str]) -> list[str]:
    given = section(data, "settings")
    then = {**section(data, "defaults"), **given}
    done = sorted({volume["iterations"] for volume in data.get("volumes") or []} - {0})
    if done:
        then["iterations"] = done[0] if len(done) == 1 else done
    now = provenance.settings({name: found[name] for name in said if name in found})
    told = [
        f"{name} {_text(then[name]) if name in then else 'not given'} → {_text(value)}"
        for name, value in now.items()
        if then.get(name) != value
    ]
    stops = {"stop", "max_seconds", "relative_change", "discrepancy", "iterations"}
    gone = sorted(name for name in set(given) - set(found) - stops)
    return told + [f"{name} {_text(given[name])} has no place in it and is left out" for name in gone]


def _changed_files(data: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    told = []
    for name, then in section(data, "files").items():
        path = found.get(name)
        if isinstance(path, Path) and path.is_file() and provenance.digest(path) != then.get("sha256"):
            told.append(f"the file of {name}, {path}, is not the one of then")
    return told


def _computed_otherwise(data: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """What changes the last bits. Each line says so."""
    computing, software = section(data, "computing"), section(data, "software")
    device = choose_device(str(found.get("device") or "auto"))
    dtype = str(found.get("dtype")).removeprefix("torch.")
    kernel = engine.status().kernel if device == "cpu" and dtype == "float32" else None
    threads = torch.get_num_threads()
    now: dict[str, Any] = {"device": device, "threads": threads, "engine": kernel or "plain", "dtype": dtype}
    versions = {"deconlab": __version__, "torch": str(torch.__version__), "numpy": np.__version__}
    told = [
        f"{name} {then[name]} → {value}: the last digits may differ"
        for then, those in ((computing, now), (software, versions))
        for name, value in those.items()
        if name in then and then[name] != value
    ]
    processors = os.cpu_count() or 1
    if now["threads"] > processors and now["threads"] == computing.get("threads"):
        told.append(
            f"{now['threads']} threads, as then, on {processors} processor{'s' if processors > 1 else ''}: slow; --threads "
            f"{processors} is faster"
        )
    return told


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
