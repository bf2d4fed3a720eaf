"""``deconlab run``: restore a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from deconlab.cli._generated import run_flags
from deconlab.cli._repeat import RunCommand, recorded, under_flags
from deconlab.cli.flags import GroupedOption, Numbers, reading, whole
from deconlab.operators.blur import Boundary

DTYPES = ("float32", "float64", "uint8", "uint16", "int16", "uint32", "int32")
FILE = click.Path(dir_okay=False, path_type=Path)


def fixed_options() -> list[click.Parameter]:
    """The flags that are not declared by a method, prior, camera, stop rule or PSF model."""
    um, px = Numbers(float, "Z Y X"), Numbers(int, "Z Y X")
    return [
        *reading(),
        GroupedOption(
            ["--recipe"], group="Input", type=FILE, fact="optional",
            help="Repeat what this recipe (the .yaml beside an output, or the output itself) says; flags come before it.",
        ),
        GroupedOption(
            ["--force"], group="Input", is_flag=True, help="Restore an image again that deconlab has restored before.",
        ),
        GroupedOption(
            ["--voxel-um"], group="Input", type=um, fact="µm; from the file, else required",
            help="Voxel size; two numbers (Y X) for a plane, one for a line.",
        ),
        GroupedOption(
            ["--weights"], group="Input", type=FILE, fact="optional",
            help="File of the image's shape: how far each voxel is trusted; 0 masks it (saturated, dead, missing).",
        ),
        GroupedOption(
            ["--boundary"], group="Method", type=click.Choice(get_args(Boundary)), fact="default: open",
            help="What lies beyond the border: anything (open), the image again, its mirror image, or darkness.",
        ),
        GroupedOption(
            ["--start"], group="Method", metavar="flat|measured|wiener|FILE", fact="default: flat",
            help="Where iterations begin: the data's sum spread evenly, the image, its Wiener restoration, or a file.",
        ),
        GroupedOption(
            ["--psf"], group="PSF", type=FILE, fact="optional",
            help="Measured or computed PSF in a file; centred, cleared of background, resampled and normalised. "
            "Takes the place of a PSF model.",
        ),
        GroupedOption(
            ["--psf-voxel-um"], group="PSF", type=um, fact="µm; from the PSF's file, else as the image's",
            help="Voxel size of the PSF in --psf.",
        ),
        GroupedOption(
            ["--modality"], group="PSF", metavar="NAME", fact="from the file",
            help="How the image was acquired, where the file is silent or wrong about it: widefield, confocal, spinning disk, "
            "multi-photon, light sheet, STED, ISM, 4Pi.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=FILE, fact="default: <input>_deconvolved.ome.tif beside the input",
            help="Where the restored image goes; the ending says the format.",
        ),
        GroupedOption(
            ["--overwrite"], group="Output", is_flag=True, help="Replace files that exist.",
        ),
        GroupedOption(
            ["--dtype"], group="Output", type=click.Choice(DTYPES), fact="default: float32",
            help="Type of the numbers written. Integers are refused where they would clip; float64 computes in float64.",
        ),
        GroupedOption(
            ["--history"], group="Output", type=FILE, fact="optional",
            help="CSV file: a row for each iteration, with objective, change, seconds and memory.",
        ),
        GroupedOption(
            ["--reference"], group="Output", type=FILE, fact="optional",
            help="The true object, of the image's shape: PSNR and SNR against it are printed and go into the history.",
        ),
        GroupedOption(
            ["--snapshots"], group="Output", type=whole("snapshots"), metavar="K", fact=">= 1; optional",
            help="Write the estimate after every K-th iteration beside the output.",
        ),
        GroupedOption(
            ["--checkpoint"], group="Output", type=FILE, fact="optional",
            help="File from which an interrupted run can go on; saved every 10 iterations and at the end.",
        ),
        GroupedOption(
            ["--resume"], group="Output", is_flag=True,
            help="Go on from the file named by --checkpoint, if it is there.",
        ),
        GroupedOption(
            ["--device"], group="Computing", metavar="NAME", fact="default: auto",
            help="auto, cpu, cuda, cuda:0, cuda:1, … or mps; auto takes a CUDA GPU if there is one.",
        ),
        GroupedOption(
            ["--threads"], group="Computing", type=whole("threads"), metavar="N", fact=">= 1; default: one per processor",
            help="Number of processor threads.",
        ),
        GroupedOption(
            ["--limit-extension", "extension_px"], group="Computing", type=px, fact="px; default: as far as the PSF reaches",
            help="Bound how far beyond the border the object is estimated, to save memory; one number for all axes or "
            "one for each.",
        ),
    ]  # fmt: skip


@click.command(cls=RunCommand, name="run", generate=run_flags, params=fixed_options())
@click.argument("image", type=click.Path(path_type=Path), required=False)
def command(image: Path | None, **given: Any) -> None:
    """Restore IMAGE and write the result beside it.

    The PSF comes from --psf, or is computed from the optics in the file; flags add what the file does not say and
    override what it does. Every channel and time is restored by itself. Ctrl-C ends the run after the present iteration
    and writes what was reached. The recipe that repeats it is written beside the result; with --recipe and without IMAGE
    the recipe's own image is restored.

    The flags listed are those of the method, prior and PSF model that the command line names:
    `deconlab run --method NAME --prior NAME --psf-model NAME --help`.
    """
    from deconlab.cli._job import Job

    ctx = click.get_current_context()
    flags, repeat = under_flags(ctx, {name: value for name, value in given.items() if value is not None})
    flags.pop("recipe", None)
    if image is None and repeat is None:
        raise click.UsageError("Missing argument 'IMAGE'.")
    job = Job.from_flags(image or repeat.recipe.input, flags)  # type: ignore[union-attr]
    job.repeat, job.flags = repeat, recorded(ctx, flags)
    job.check()
    ctx.exit(job.run())
