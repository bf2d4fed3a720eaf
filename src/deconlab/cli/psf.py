"""``deconlab psf``: what a PSF is like, rendered to a file or a picture, and two PSFs compared."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._generated import GeneratedCommand, psf_flags
from deconlab.cli.flags import GroupedOption, Numbers, whole

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.optics import Fact
    from deconlab.psf import PSF, PSFModel

log = logging.getLogger("deconlab")
FILE = click.Path(dir_okay=False, path_type=Path)
LIMIT_MIB = 256


@click.command(
    cls=GeneratedCommand,
    name="psf",
    generate=psf_flags,
    params=[
        GroupedOption(
            ["--voxel-um"], group="PSF", type=Numbers(float, "Z Y X"), fact="µm; from IMAGE, else required",
            help="Voxel size; two numbers (Y X) for a plane.",
        ),
        GroupedOption(
            ["--shape"], group="PSF", type=Numbers(int, "Z Y X"), fact="px; default: all that IMAGE can see, else required",
            help="Number of voxels. All that an image can see: 2 nz - 1 planes, and laterally until every plane holds 95 % of "
            "its light.",
        ),
        GroupedOption(
            ["--limit-mib"], group="PSF", type=whole("limit_mib"), metavar="N", fact=f"MiB; >= 1; default: {LIMIT_MIB}",
            help="Where no shape is given: memory that the PSF of a channel may take.",
        ),
        GroupedOption(["-o", "--output"], group="Output", type=FILE, fact="optional", help="TIFF to write."),
        GroupedOption(
            ["--plot"], group="Output", type=FILE, fact="optional",
            help="PNG to write: xy and xz, also over five decades, and the OTF with its theoretical border.",
        ),
        GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace files that exist."),
        GroupedOption(
            ["--compare"], group="Other", type=FILE, nargs=2, metavar="A B", fact="optional",
            help="Compare the PSFs of two files instead: Σ|a - b|, ‖a - b‖, peak and FWHM.",
        ),
        GroupedOption(["--list-presets"], group="Other", is_flag=True, help="List the starting points, with every number."),
        GroupedOption(["--list-models"], group="Other", is_flag=True, help="List the PSF models."),
    ],
)  # fmt: skip
@click.argument("image", type=FILE, required=False)
def command(image: Path | None, **given: Any) -> None:
    """Tell what the PSF of an objective is like, for the optics given or for those of IMAGE, and render it.

    Printed are every parameter with its source (user, file, preset, default), widths, the largest voxels by Nyquist,
    resolution and focal shift; with -o or --plot also the extent, the light lost in each plane, and memory. The file is
    centred on voxel n // 2 and has sum 1. An image of several channels gives a file with a PSF for each, which
    `deconlab run --psf` takes as such.
    """
    from deconlab.cli import _psf_report as report

    given = {name: value for name, value in given.items() if value is not None and value is not False}
    if "list_presets" in given or "list_models" in given:
        click.echo("\n".join(report.presets() if "list_presets" in given else report.models()))
    elif "compare" in given:
        others = sorted(f"--{name.replace('_', '-')}" for name in given if name != "compare")
        if image is not None or others:
            raise click.UsageError(
                f"--compare takes two files and nothing else, not {', '.join([*others, *map(str, [image] if image else [])])}."
            )
        click.echo("\n".join(report.comparison(*given["compare"])))
    else:
        _render(image, given)


def _render(path: Path | None, given: dict[str, Any]) -> None:
    from deconlab import io
    from deconlab.cli import _psf_report as report
    from deconlab.cli._files import check_beside
    from deconlab.optics import model_for, models
    from deconlab.restore import with_voxel_um

    output, plot, overwrite = given.pop("output", None), given.pop("plot", None), given.pop("overwrite", False)
    shape, voxel_um, limit = given.pop("shape", None), given.pop("voxel_um", None), given.pop("limit_mib", LIMIT_MIB)
    preset = given.pop("preset", None)
    if output is not None:
        io.check_writable(output, overwrite=overwrite)
    if plot is not None:
        if plot.suffix.lower() != ".png":
            raise click.UsageError(f"--plot writes a PNG: name it so, {plot.with_suffix('.png')}, not {plot}.")
        check_beside(plot, f"{plot.stem}_c[0-9]*{plot.suffix}", replace=overwrite)
    wanted = output is not None or plot is not None
    told = io.read(path) if path is not None else _blank(shape, voxel_um, needed=wanted)
    if voxel_um is not None:
        told = with_voxel_um(told, voxel_um)
    name = model_for(told, None, given.pop("psf_model", None), preset)
    made = models(told, name, given, preset=preset) if wanted else models(_sized(told), name, given, preset=preset)
    numbers = [model.facts() for model, _ in made]
    say = log.info if wanted else _echo
    rendered = _rendered(told, [model for model, _ in made], shape, limit * 2**18) if wanted else []
    for channel, ((model, facts), found) in enumerate(zip(made, numbers, strict=True)):
        if len(made) > 1:
            say(f"channel {channel} {told.channels[channel].name}".rstrip())
        for line in report.optics(model, facts, found):
            say(line)
        if wanted:
            for line in report.extent(rendered[channel], None if path is None else told):
                say(line)
            for note in rendered[channel].notes[1:-1]:  # the first and the last have just been said at length
                say(f"  {note}" if not note.startswith("Sampled") else note)  # which was warned of
    if output is not None:
        records = [
            report.record(name, preset, facts, found, psf)
            for (_, facts), found, psf in zip(made, numbers, rendered, strict=True)
        ]
        io.write(output, _as_image(told, made, rendered, {"psf": records}), overwrite=overwrite)
        click.echo(str(output))
    if plot is not None:
        _plot(plot, made, rendered)


def _echo(line: str) -> None:
    click.echo(line)


def _rendered(told: Image, models: list[PSFModel], shape: tuple[int, ...] | None, max_voxels: int) -> list[PSF]:
    """The PSF of every channel, on one grid."""
    from deconlab.optics import extended_axes
    from deconlab.psf import said_of_limit

    axes = extended_axes(told) if shape is None else "zyx"[-len(shape) :]
    voxel = tuple(told.voxel_um[axis] for axis in axes)
    if shape is not None:
        return [model.render(shape, voxel) for model in models]
    planes = told.data.shape[told.axes.index("z")] if "z" in axes else 1
    sizes = [model.extent(planes, voxel, max_voxels, ndim=len(axes)) for model in models]
    shape = tuple(max(along) for along in zip(*sizes, strict=True))
    return [said_of_limit(model, model.render(shape, voxel), planes, max_voxels) for model in models]


def _as_image(
    told: Image, made: list[tuple[PSFModel, tuple[Fact, ...]]], rendered: list[PSF], history: dict[str, Any]
) -> Image:
    """The PSFs with voxel size and optics, a channel for each."""
    from dataclasses import replace

    import numpy as np

    from deconlab.image import OPTICS_UNITS, Channel, Image

    channels = []
    for index, (model, facts) in enumerate(made):
        optics = told.channels[index].optics
        for fact in facts:
            if fact.source in ("user", "preset") and fact.name in OPTICS_UNITS:
                optics = optics.known(fact.source, **{fact.name: fact.value})
        optics = optics.known("user", modality=model.modality) if optics.get("modality") is None else optics
        channels.append(replace(told.channels[index], optics=optics) if told.channels else Channel("", optics))
    data = np.stack([psf.data.numpy() for psf in rendered])
    several = len(rendered) > 1
    axes = "zyx"[-rendered[0].data.ndim :]
    voxel = dict(zip(axes, rendered[0].voxel_um or (), strict=True))
    return Image(data if several else data[0], "c" * several + axes, voxel, tuple(channels), history=history)


def _plot(path: Path, made: list[tuple[PSFModel, tuple[Fact, ...]]], rendered: list[PSF]) -> None:
    """A picture for each channel."""
    from deconlab import io
    from deconlab.assess.psf_picture import psf_picture

    for channel, ((model, _), found) in enumerate(zip(made, rendered, strict=True)):
        name = path if len(made) == 1 else path.with_name(f"{path.stem}_c{channel}{path.suffix}")
        with io.replacing(name) as partial:
            psf_picture(found, partial, border=model.otf_border())
        click.echo(str(name))


def _sized(told: Image) -> Image:
    """With a size for every voxel: numbers of optics do not depend on it."""
    from dataclasses import replace

    return replace(told, voxel_um={**dict.fromkeys(told.spatial_axes, 1.0), **told.voxel_um})


def _blank(shape: tuple[int, ...] | None, voxel_um: tuple[float, ...] | None, *, needed: bool) -> Image:
    """What stands for an image where there is none."""
    import numpy as np

    from deconlab.image import Image

    if not needed:
        shape = shape or (1,) * len(voxel_um or (1, 1, 1))
        voxel_um = voxel_um or (1.0,) * len(shape)
    lacking = [flag for flag, value in (("--shape", shape), ("--voxel-um", voxel_um)) if value is None]
    if shape is None or voxel_um is None:
        raise click.UsageError(f"Without an image, {' and '.join(lacking)} must be given.")
    if len(shape) != len(voxel_um):
        raise click.UsageError(f"--shape has {len(shape)} numbers and --voxel-um {len(voxel_um)}: give as many.")
    return Image(np.broadcast_to(np.float32(0), shape), "zyx"[-len(shape) :])
