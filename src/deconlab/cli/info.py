"""``deconlab info``: what a file says about itself, who says it, and what is missing to restore it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import GroupedOption, reading

if TYPE_CHECKING:
    from deconlab.image import Image


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

    found = told(io.read(image, axes=file_axes, series=series or 0))
    if json:
        import json as encoder

        click.echo(encoder.dumps(found, indent=2))
        return
    click.echo("\n".join([str(image), *lines(found)]))


def told(image: Image) -> dict[str, Any]:
    """Everything an image says, as plain data."""
    from deconlab import psf, schema
    from deconlab.image import OPTICS_UNITS
    from deconlab.optics import extended_axes, model_for

    needed = {p.name for p in schema.parameters(psf.registry.get(model_for(image))) if p.required}
    channels = []
    for channel in image.channels:
        facts = channel.optics.facts
        channels.append(
            {
                "name": channel.name,
                "optics": {
                    name: {"value": facts[name].value, "unit": unit, "source": facts[name].source}
                    for name, unit in OPTICS_UNITS.items()
                    if name in facts
                },
                "missing": [name for name in OPTICS_UNITS if name in needed and name not in facts],
            }
        )
    return {
        "axes": image.axes,
        "shape": list(image.data.shape),
        "dtype": str(image.data.dtype),
        "range": [float(image.data.min()), float(image.data.max())],
        "voxel_um": dict(image.voxel_um),
        "voxel_missing": [axis for axis in extended_axes(image) if axis not in image.voxel_um],
        "channels": channels,
        "notes": list(image.notes),
        "history": dict(image.history),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    sizes = " × ".join(f"{axis} {size}" for axis, size in zip(found["axes"], found["shape"], strict=True))
    low, high = found["range"]
    text = [f"  {sizes}, {found['dtype']}, values {low:g} to {high:g}"]
    text += [f"  voxel {axis}: {size:.6g} µm (file)" for axis, size in found["voxel_um"].items()]
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
