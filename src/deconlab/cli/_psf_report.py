"""What ``deconlab psf`` says: of a PSF and where its numbers are from, of two beside each other, of presets and models."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from deconlab.image import Image
    from deconlab.optics import Fact
    from deconlab.psf import PSF, Facts, PSFModel

_WIDTH = 110


def presets() -> list[str]:
    """Every starting point with every number it has."""
    from deconlab.psf import PRESETS

    rows = []
    for name, preset in PRESETS.items():
        numbers = ", ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in preset.values.items()
        )
        rows += [f"{name}: {preset.doc}", f"    {preset.model}: {numbers}"]
    return [*rows, "Each number is a starting point: what the file says, and flags such as --na 1.3, take its place."]


def models() -> list[str]:
    """Every model, with the kind of microscope it is of and what it computes."""
    import inspect

    from deconlab.psf import registry
    from deconlab.psf._modality import DEFAULT

    rows = []
    for name, cls in registry.all().items():
        first = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        rows.append(f"{name} ({cls.modality or 'any microscope'}{', the default' if name == DEFAULT else ''}): {first}")
    return rows


def optics(model: PSFModel, facts: Sequence[Fact], numbers: Facts) -> list[str]:
    """The parameters with their sources, and the numbers that follow from them."""
    from deconlab import psf

    said = []
    for fact in sorted(facts, key=lambda fact: fact.source == "default"):
        value = model.when_none(fact.name).removeprefix(f"{fact.name} ") if fact.value is None else _plain(fact.value)
        if value:
            unit = "" if fact.value is None or not fact.unit else f" {fact.unit}"
            said.append((fact.name, f"{value}{unit}", fact.source))
    widths = [max((len(row[column]) for row in said), default=0) for column in (0, 1)]
    rows = [f"  {name:{widths[0]}}  {value:{widths[1]}}  ({source})" for name, value, source in said]
    return [f"PSF by {psf.registry.name_of(type(model))}", *rows, *(f"  {line}" for line in numbers.lines()[1:])]


def extent(rendered: PSF, image: Image | None) -> list[str]:
    """What of the light the grid loses, plane by plane, and what memory it and the domain of a restoration take."""
    shape = tuple(rendered.data.shape)
    rows = [
        f"  extent {_times(shape)} voxels, {_mib(shape)} MiB; loses {1 - rendered.captured:.2%} of the light"
        + ("" if len(shape) < 3 else " of its planes, of each (first to last):")
    ]
    if len(shape) == 3:
        lost = " ".join(f"{100 * (1 - held):.1f}" for held in rendered.captured_per_plane)
        rows += [f"    {line}" for line in textwrap.wrap(f"{lost} %", _WIDTH)]
    if image is not None:
        from deconlab.optics import extended_axes

        sizes = [image.data.shape[image.axes.index(axis)] for axis in extended_axes(image)]
        domain = [one + other - 1 for one, other in zip(sizes, shape, strict=True)]
        rows.append(
            f"  `deconlab run` estimates the object on {_times(domain)} voxels, as far as this PSF reaches beyond the image: "
            f"{_mib(domain)} MiB for each array of them; --limit-extension bounds it"
        )
    return rows


def record(name: str, preset: str | None, facts: Sequence[Fact], numbers: Facts, rendered: PSF) -> dict[str, Any]:
    """All of it as plain data, for the file's history."""
    import dataclasses

    from deconlab import __version__

    shape = tuple(rendered.data.shape)
    return {
        "deconlab": __version__,
        "model": name,
        **({"preset": preset} if preset else {}),
        "parameters": {fact.name: [fact.value, fact.unit, fact.source] for fact in facts},
        "numbers": {key: value for key, value in dataclasses.asdict(numbers).items() if key != "parameters"},
        "shape": list(shape),
        "voxel_um": None if rendered.voxel_um is None else list(rendered.voxel_um),
        "mebibytes": math.prod(shape) * 4 / 2**20,
        "captured": rendered.captured,
        "captured_per_plane": list(rendered.captured_per_plane),
        "notes": list(rendered.notes),
    }


def comparison(first: Path, second: Path) -> list[str]:
    """How far the PSFs of two files are from each other, channel by channel."""
    from deconlab import io
    from deconlab.assess.psf_comparison import compare_psfs

    a, b = (_psfs(path, io.read(path)) for path in (first, second))
    if len(a) != len(b):
        raise ValueError(f"{first} holds {len(a)} PSFs and {second} {len(b)}: compare as many.")
    rows = [f"a = {first}, b = {second}, each of sum 1 and with voxel n // 2 on voxel n // 2:"]
    for number, (one, other) in enumerate(zip(a, b, strict=True)):
        rows += [f"  channel {number}"] if len(a) > 1 else []
        rows += [f"  {line}" for line in compare_psfs(one, other).lines()]
    return rows


def _psfs(path: Path, image: Image) -> list[PSF]:
    import numpy as np

    from deconlab.lazytorch import torch
    from deconlab.optics import extended_axes
    from deconlab.psf import PSF

    if "t" in image.axes and image.data.shape[image.axes.index("t")] > 1:
        raise ValueError(f"{path} has axes {image.axes} of shape {image.data.shape}: a PSF has no times.")
    sizes = [image.voxel_um.get(axis) for axis in extended_axes(image)]
    voxel = None if None in sizes else tuple(float(size) for size in sizes if size is not None)
    found = []
    for _, volume in image.volumes():
        values = volume.data.squeeze().astype(np.float64)
        if not (np.isfinite(values).all() and values.sum() > 0):
            raise ValueError(f"{path} is no PSF: its sum is {values.sum():g}, and it must be finite and above 0.")
        found.append(PSF(torch.from_numpy(values), voxel))
    return found


def _plain(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else ("yes" if value else "no")
        if isinstance(value, bool)
        else str(value)
    )


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _mib(shape: Sequence[int]) -> str:
    return f"{math.prod(shape) * 4 / 2**20:.3g}"
