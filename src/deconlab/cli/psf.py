"""``deconlab psf``: render the PSF of an objective to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._generated import GeneratedCommand, psf_flags
from deconlab.cli.flags import GroupedOption, Numbers

if TYPE_CHECKING:
    from deconlab.image import Image

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(
    cls=GeneratedCommand,
    name="psf",
    generate=psf_flags,
    params=[
        GroupedOption(
            ["--voxel-um"],
            group="PSF",
            type=Numbers(float, "Z Y X"),
            fact="µm; from IMAGE, else required",
            help="Voxel size; two numbers (Y X) for a plane.",
        ),
        GroupedOption(
            ["--shape"],
            group="PSF",
            type=Numbers(int, "Z Y X"),
            fact="px; default: all that IMAGE can see, else required",
            help="Number of voxels.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=FILE, fact="required", required=True, help="TIFF to write."
        ),
        GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace the file if it exists."),
    ],
)
@click.argument("image", type=FILE, required=False)
def command(image: Path | None, output: Path, overwrite: bool, **given: Any) -> None:
    """Render a PSF to a file, centred on voxel n // 2 and of sum 1: for the optics given, or for those of IMAGE.

    An image of several channels gives a file with a PSF for each, which `deconlab run --psf` takes as such.
    """
    import numpy as np

    from deconlab import io
    from deconlab.image import Image
    from deconlab.optics import extended_axes, model_for, models
    from deconlab.restore import with_voxel_um

    io.check_writable(output, overwrite=overwrite)
    voxel_um, shape = given.pop("voxel_um", None), given.pop("shape", None)
    told = io.read(image) if image is not None else _blank(shape, voxel_um)
    name = given.pop("psf_model", None) or model_for(told)
    if voxel_um is not None:
        told = with_voxel_um(told, voxel_um)
    made = models(told, name, {key: value for key, value in given.items() if value is not None})
    axes = extended_axes(told) if shape is None else "zyx"[-len(shape) :]
    voxel = tuple(told.voxel_um[axis] for axis in axes)
    if shape is None:
        planes = told.data.shape[told.axes.index("z")] if "z" in axes else 1
        sizes = [model.extent(planes, voxel, ndim=len(axes)) for model, _ in made]
        shape = tuple(max(along) for along in zip(*sizes, strict=True))
    rendered = [model.render(shape, voxel) for model, _ in made]
    for found in rendered:
        for note in found.notes:
            click.echo(note, err=True)
    data = np.stack([found.data.numpy() for found in rendered])
    channels = told.channels if len(rendered) > 1 else ()
    result = Image(
        data if channels else data[0], "c" * bool(channels) + axes, dict(zip(axes, voxel, strict=True)), channels
    )
    io.write(output, result, overwrite=overwrite)
    click.echo(str(output))


def _blank(shape: tuple[int, ...] | None, voxel_um: tuple[float, ...] | None) -> Image:
    """What stands for an image where there is none."""
    import numpy as np

    from deconlab.image import Image

    lacking = [flag for flag, value in (("--shape", shape), ("--voxel-um", voxel_um)) if value is None]
    if shape is None or voxel_um is None:
        raise click.UsageError(f"Without an image, {' and '.join(lacking)} must be given.")
    if len(shape) != len(voxel_um):
        raise click.UsageError(f"--shape has {len(shape)} numbers and --voxel-um {len(voxel_um)}: give as many.")
    return Image(np.broadcast_to(np.float32(0), shape), "zyx"[-len(shape) :])
