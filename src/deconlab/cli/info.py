"""``deconlab info``: what a file says about itself, who says it, and what is missing to restore it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import GroupedOption, reading

if TYPE_CHECKING:
    from deconlab.image import Image

LARGEST_READ = 8e9
"""Bytes. The range of the values in a larger file is not looked for."""


@click.command(
    cls=DeconlabCommand,
    name="info",
    params=[
        *reading(),
        GroupedOption(["--json"], group="General", is_flag=True, help="Print it as JSON, for programs."),
    ],
)
@click.argument("image", type=click.Path(path_type=Path))
def command(image: Path, json: bool, file_axes: str | None, series: int | None) -> None:
    """Tell what IMAGE says about itself, where each value is from, and what `deconlab run` would still ask for."""
    from deconlab import io

    found = told(io.read(image, axes=file_axes, series=series or 0, lazy=True))
    if json:
        import json as encoder

        click.echo(encoder.dumps(found, indent=2))
        return
    click.echo("\n".join([str(image), *lines(found)]))


def told(image: Image) -> dict[str, Any]:
    """Everything an image says, as plain data."""
    from deconlab import psf, schema
    from deconlab.io.describe import describe
    from deconlab.optics import model_for

    needed = [p.name for p in schema.parameters(psf.registry.get(model_for(image))) if p.required]
    rows = describe(image, needed)
    voxels = {row.name.removeprefix("voxel "): row for row in rows if row.channel is None}
    channels = []
    for number, channel in enumerate(image.channels):
        own = [row for row in rows if row.channel == number and row.name != "name"]
        channels.append(
            {
                "name": channel.name,
                "optics": {
                    row.name: {"value": row.value, "unit": row.unit, "source": row.source}
                    for row in own
                    if row.value is not None
                },
                "missing": [row.name for row in own if row.missing],
            }
        )
    return {
        "axes": image.axes,
        "shape": list(image.data.shape),
        "dtype": str(image.data.dtype),
        "range": extremes(image),
        "voxel_um": {axis: row.value for axis, row in voxels.items() if row.value is not None},
        "voxel_sources": {axis: row.source for axis, row in voxels.items() if row.value is not None},
        "voxel_missing": [axis for axis, row in voxels.items() if row.missing],
        "channels": channels,
        "notes": list(image.notes),
        "history": dict(image.history),
    }


def extremes(image: Image) -> list[float] | None:
    """The least and the largest value, read volume by volume; None where that would take minutes."""
    if image.data.nbytes > LARGEST_READ:
        return None
    ends = [(float(part.data.min()), float(part.data.max())) for _, part in image.volumes()]
    return [min(low for low, _ in ends), max(high for _, high in ends)]


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    sizes = " × ".join(f"{axis} {size}" for axis, size in zip(found["axes"], found["shape"], strict=True))
    values = "values not looked at" if found["range"] is None else "values {:g} to {:g}".format(*found["range"])
    text = [f"  {sizes}, {found['dtype']}, {values}"]
    text += [f"  voxel {axis}: {n:.6g} µm ({found['voxel_sources'][axis]})" for axis, n in found["voxel_um"].items()]
    for number, channel in enumerate(found["channels"]):
        text.append(f"  channel {number}{': ' + channel['name'] if channel['name'] else ''}")
        for name, fact in channel["optics"].items():
            value = f"{fact['value']:g}" if isinstance(fact["value"], float) else fact["value"]
            text.append(f"    {name}: {value}{' ' + fact['unit'] if fact['unit'] else ''} ({fact['source']})")
        text += [f"    {name}: missing, give --{name.replace('_', '-')}" for name in channel["missing"]]
    if found["voxel_missing"]:
        text.append(f"  voxel {' '.join(found['voxel_missing'])}: missing, give --voxel-um")
    text += [f"  {note}" for note in found["notes"]]
    if "deconvolution" in found["history"]:
        text += ["  was restored by deconlab:", *past(found["history"]["deconvolution"])]
    if found["voxel_missing"] or any(channel["missing"] for channel in found["channels"]):
        text.append("  What is missing is needed to compute a PSF; with a PSF from a file (--psf) it is not.")
    return text


def past(record: dict[str, Any]) -> list[str]:
    """What was done to an image, a line for each volume."""
    done = []
    for volume in record["volumes"]:
        where = ", ".join(f"{axis} {index}" for axis, index in volume["where"].items())
        done.append(f"    {where + ': ' if where else ''}{volume['method']}, {volume['reason']}")
    return done
