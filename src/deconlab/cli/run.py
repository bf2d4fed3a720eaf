"""``deconlab run``: restore a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from deconlab.cli._command import DEBUG_META
from deconlab.cli._generated import run_flags
from deconlab.cli._repeat import RunCommand, recorded, under_flags
from deconlab.cli.flags import GroupedOption, Numbers, Origin, reading, whole
from deconlab.operators.blur import Boundary

DTYPES = ("float32", "float64", "uint8", "uint16", "int16", "uint32", "int32")
FILE = click.Path(dir_okay=False, path_type=Path)


def fixed_options() -> list[click.Parameter]:
    """The flags that are not declared by a method, prior, camera, stop rule or PSF model."""
    um, px = Numbers(float, "Z Y X"), Numbers(int, "Z Y X")
    return [
        *reading(),
        GroupedOption(
            ["--channel"], group="Input", metavar="WHICH", fact="default: all",
            help="Channels to restore: indices from 0, ranges such as 0-3, names, with commas between them.",
        ),
        GroupedOption(
            ["--time"], group="Input", metavar="WHICH", fact="default: all",
            help="Times to restore: indices from 0 and ranges such as 0-3, with commas between them.",
        ),
        GroupedOption(
            ["--crop"], group="Input", metavar="z=0:20,y=100:200", fact="px; default: all",
            help="Box to restore: the first voxel along an axis, and the one after the last.",
        ),
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
            ["--axes"], group="Method", metavar="LETTERS", fact="default: zyx",
            help="Axes along which is restored, each position on the others by itself: t for traces, c for spectra.",
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
            ["--psf-origin"], group="PSF", type=Origin(), fact="default: its centre; required along t",
            help="Voxel of the PSF, from 0, that blurs nothing aside (first for a causal one): the PSF is then taken as it is.",
        ),
        GroupedOption(
            ["--modality"], group="PSF", metavar="NAME", fact="from the file",
            help="How the image was acquired, where the file is silent or wrong about it: widefield, confocal, spinning disk, "
            "multi-photon, light sheet, STED, ISM, 4Pi.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=click.Path(path_type=Path),
            fact="default: <input>_deconvolved.ome.tif beside the input",
            help="Where the restored image goes; the ending says the format. For several inputs a folder, or a pattern "
            "such as out/{stem}_dec.ome.tif ({stem}, {name}, {folder}).",
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
            ["--preview"], group="Output", type=click.Choice(["z", "mip"]), fact="optional",
            help="Write a picture of before and after beside the output: sections through the brightest place (z), or the "
            "greatest values along z (mip).",
        ),
        GroupedOption(
            ["--dry-run"], group="Output", is_flag=True,
            help="Tell what would be done, with memory and time, and write nothing.",
        ),
        GroupedOption(
            ["--json"], group="Output", is_flag=True,
            help="Print what became of each file as JSON, and nothing else, on standard output.",
        ),
        GroupedOption(
            ["-v", "--verbose"], group="General", is_flag=True, help="Print a line for each iteration.",
        ),
        GroupedOption(
            ["--snapshots"], group="Output", type=whole("snapshots"), metavar="K", fact=">= 1; optional",
            help="Write the estimate after every K-th iteration beside the output.",
        ),
        GroupedOption(
            ["--checkpoint"], group="Output", type=FILE, fact="with --resume: beside the output, until it is whole",
            help="File from which an interrupted run can go on; saved every 10 iterations and at the end.",
        ),
        GroupedOption(
            ["--resume"], group="Output", is_flag=True,
            help="Go on from what an earlier run has finished and saved; say it from the start, so that iterations are "
            "saved, too. A file that is done is skipped.",
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
@click.argument("images", metavar="[IMAGE]...", type=click.Path(path_type=Path), nargs=-1)
def command(images: tuple[Path, ...], **given: Any) -> None:
    """Restore each IMAGE and write the result beside it. A folder or a pattern ("*.tif") stands for the files in it.

    The PSF comes from --psf, or is computed from the optics in the file; flags add what the file does not say and
    override what it does. Every channel and time is restored by itself. Ctrl-C ends the run after the present iteration
    and writes what was reached. The recipe that repeats it is written beside the result; with --recipe and without IMAGE
    the recipe's own image is restored. Of several files one that fails does not stop the rest: a table at the end tells
    what became of each, and the exit code is 1.

    The flags listed are those of the method, prior and PSF model that the command line names:
    `deconlab run --method NAME --prior NAME --psf-model NAME --help`.
    """
    from deconlab.cli import _batch, _inputs
    from deconlab.cli._job import Job

    ctx = click.get_current_context()
    flags, repeat = under_flags(ctx, {name: value for name, value in given.items() if value is not None})
    flags.pop("recipe", None)
    if images:
        sources = _inputs.expand(images, flags)
    elif repeat is not None:
        sources = [repeat.recipe.input]
    else:
        raise click.UsageError("Missing argument 'IMAGE'.")
    jobs = [Job.from_flags(source, own) for source, own in zip(sources, _inputs.for_each(sources, flags), strict=True)]
    for job in jobs:
        job.repeat, job.flags = repeat, recorded(ctx, flags)
    code = _batch.run(jobs, debug=ctx.meta[DEBUG_META])
    if flags.get("json"):
        click.echo(_batch.as_json(jobs, code))
    ctx.exit(code)
