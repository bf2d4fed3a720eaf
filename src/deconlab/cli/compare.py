"""``deconlab compare``: several methods on one image, as a table and a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._generated import GeneratedCommand, psf_flags
from deconlab.cli.flags import Declared, GroupedOption, options, whole
from deconlab.cli.run import fixed_options
from deconlab.schema import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deconlab.comparison import Comparison
    from deconlab.image import Image
    from deconlab.restore import Volume

FILE = click.Path(dir_okay=False, path_type=Path)
SHARED = (
    "file_axes", "series", "voxel_um", "weights", "boundary", "start", "psf", "psf_voxel_um", "modality", "overwrite",
    "reference", "device", "threads", "extension_px",
)  # fmt: skip
PARTS = {"channel": "c", "time": "t"}


def compare_flags(arguments: Sequence[str]) -> list[GroupedOption]:
    """The flags of the camera and the PSF model; those of methods and priors go through --set."""
    from deconlab.counts import Counts

    return [*options(Counts, "Camera"), *psf_flags(arguments)]


def own_options() -> list[click.Parameter]:
    """What ``compare`` asks for itself, and what it shares with ``run``."""
    return [
        GroupedOption(
            ["--methods"], group="Method", required=True, metavar="NAME,NAME:PRIOR,...", fact="required",
            help="Methods with commas between them, see `deconlab methods`; a prior other than the method's default stands "
            "behind a colon.",
        ),
        GroupedOption(
            ["--set", "own"], group="Method", multiple=True, metavar="NAME.PARAMETER=VALUE",
            help="A parameter of one method or of its prior, such as rl-tv.weight=0.01; may be given several times.",
        ),
        GroupedOption(
            ["--stop"], group="Stopping", type=click.Choice(["discrepancy", "held-out"]), fact="default: discrepancy",
            help="Where each method ends by itself: when its residual is as small as the noise explains, or where light "
            "that was held out is best predicted.",
        ),
        GroupedOption(
            ["--iterations"], group="Stopping", type=whole("iterations"), metavar="N", fact=">= 1; default: 100",
            help="Iterations at most, at the method's own stop.",
        ),
        GroupedOption(
            ["--seconds"], group="Stopping", type=Declared(Parameter("seconds", float, "s", "", above=0)),
            fact="s; > 0; default: those of the slowest at its own stop", help="Time for each in the second round.",
        ),
        GroupedOption(
            ["--seed"], group="Stopping", type=whole("seed", 0), metavar="N", fact=">= 0; default: 0",
            help="Seed of the split of the light that --stop held-out makes.",
        ),
        GroupedOption(
            ["--channel"], group="Input", type=whole("channel", 0), metavar="N", fact=">= 0; default: the first",
            help="Which channel is restored.",
        ),
        GroupedOption(
            ["--time"], group="Input", type=whole("time", 0), metavar="N", fact=">= 0; default: the first",
            help="Which time is restored.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=FILE, fact="default: <input>_comparison.png beside the input",
            help="The picture; the table goes beside it as Markdown and as JSON.",
        ),
        *(option for option in fixed_options() if option.name in SHARED),
    ]  # fmt: skip


@click.command(cls=GeneratedCommand, name="compare", generate=compare_flags, params=own_options())
@click.argument("image", type=click.Path(path_type=Path))
def command(image: Path, methods: str, own: tuple[str, ...], output: Path | None, **given: Any) -> None:
    """Restore IMAGE by several METHODS: a table and a picture of what each makes of it.

    Every method runs until its own stop, and again for as long as the slowest. The table says time, iterations, transforms,
    objective, and how large (chi2, 1 is right) and how white (neighbours, 0 is right) the residual is; with --reference also
    PSNR and SSIM. The picture shows all results in one section and one display range. One volume is compared: of several, the
    first or the one that --channel and --time name.
    """
    from deconlab import io
    from deconlab.cli._files import stem

    given = {name: value for name, value in given.items() if value is not None}
    overwrite = given.pop("overwrite", False)
    picture = image.with_name(f"{stem(image)}_comparison.png") if output is None else output
    if picture.suffix.lower() != ".png":
        raise ValueError(f"--output names the picture, which is a PNG: {picture.with_suffix('.png')}, not {picture}.")
    files = [picture, picture.with_suffix(".md"), picture.with_suffix(".json")]
    for path in files:
        if path.exists() and not overwrite:
            raise FileExistsError(
                f"{path} exists already. Say --overwrite to replace it, or name another with --output."
            )
    if not picture.parent.exists():
        raise FileNotFoundError(f"The folder {picture.parent} does not exist; make it first.")
    source = io.read(image, axes=given.pop("file_axes", None), series=given.pop("series", 0))
    names = [name.strip() for name in methods.split(",") if name.strip()]
    found, volume = compared(source, names, settings_of(own), given)
    files[1].write_text(f"# {image.name}{volume}\n\n{found.markdown()}\n", encoding="utf-8")
    record = {"image": str(image), "volume": volume.removeprefix(": "), "rows": found.data(), "notes": found.notes}
    files[2].write_text(json.dumps(record, indent=2, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    click.echo(found.markdown())
    if found.image.ndim > 1 and found.images:
        sizes = (source.voxel_um.get(axis) for axis in source.spatial_axes)
        known = [size for size, n in zip(sizes, spatial_shape(source), strict=True) if n > 1]
        found.picture(picture, voxel_um=None if None in known else [float(size) for size in known if size is not None])
        click.echo(str(picture))
    click.echo(str(files[1]))


def compared(
    source: Image, names: Sequence[str], own: dict[str, dict[str, Any]], given: dict[str, Any]
) -> tuple[Comparison, str]:
    """The comparison of one volume of an image, and which one it is in words, empty if there is one only."""
    import logging

    import torch

    from deconlab import compare, io
    from deconlab.channel_psf import ChannelPSF
    from deconlab.cli._files import same_shape
    from deconlab.volumes import split, weights_by_volume, with_voxel_um

    log = logging.getLogger("deconlab")
    if "threads" in given:
        torch.set_num_threads(given.pop("threads"))
    if "voxel_um" in given:
        source = with_voxel_um(source, given.pop("voxel_um"))
    volume = chosen_volume(source, list(split(source)), {name: given.pop(name, None) for name in PARTS})
    said = "" if volume.of == 1 else f": {volume.label}"
    if said:
        log.info("of %d volumes, %s is compared", volume.of, volume.label)
    part = source.volume(volume.where).data.squeeze()
    mask = weights_by_volume(source, io.read(given.pop("weights")).data if "weights" in given else None)(volume)
    reference = given.pop("reference", None)
    if reference is not None:
        truth = same_shape(io.read(reference), source, reference)
        reference = source.replace_data(truth).volume(volume.where).data.squeeze()
    psf, psf_voxel_um, model, modality, preset = (
        given.pop(name, None) for name in ("psf", "psf_voxel_um", "psf_model", "modality", "preset")
    )
    psfs = ChannelPSF.of(source, psf, psf_voxel_um, model, modality, given, preset)
    settings = {name: value for name, value in given.items() if name not in psfs.parameters}
    limit = settings.pop("extension_px", None)
    if limit is not None:
        settings["extension_px"] = limit * part.ndim if len(limit) == 1 else limit
    if settings.get("start") not in (None, "flat", "measured", "wiener"):
        settings["start"] = io.read(settings["start"]).data.squeeze()
    found = compare(
        part, psfs.psf(volume.channel, part.shape), names, own=own, reference=reference,
        voxel_um=psfs.voxel_um, dtype=torch.float32,
        weights=None if mask is None else mask.reshape(part.shape),
        told=lambda row: log.info("%s, %s: %s", row.method, row.stop, row.reason), **settings,
    )  # fmt: skip
    for note in found.notes:
        log.info("%s", note)
    return found, said


def chosen_volume(source: Image, volumes: Sequence[Volume], wanted: dict[str, int | None]) -> Volume:
    """The volume that --channel and --time name, each 0 unless given."""
    for name, index in wanted.items():
        axis = PARTS[name]
        size = source.data.shape[source.axes.index(axis)] if axis in source.axes else 1
        if index is not None and index >= size:
            raise ValueError(f"--{name} {index} does not exist: the image has {size}, counted from 0.")
    place = {PARTS[name]: index or 0 for name, index in wanted.items()}
    return next(
        volume for volume in volumes if all(volume.where.get(axis, 0) == index for axis, index in place.items())
    )


def settings_of(assignments: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``["rl-tv.weight=0.01"]`` -> ``{"rl-tv": {"weight": 0.01}}``."""
    found: dict[str, dict[str, Any]] = {}
    for text in assignments:
        place, equals, value = text.partition("=")
        name, dot, parameter = place.partition(".")
        if not (equals and dot and name and parameter and value):
            raise click.UsageError(f"--set is NAME.PARAMETER=VALUE, such as rl-tv.weight=0.01, not {text!r}.")
        found.setdefault(name.strip(), {})[parameter.strip().replace("-", "_")] = plain(value.strip())
    return found


def plain(text: str) -> Any:
    """A whole number, a number, yes or no, or else the word itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"yes": True, "true": True, "no": False, "false": False}.get(text.lower(), text)


def spatial_shape(source: Image) -> list[int]:
    return [source.data.shape[source.axes.index(axis)] for axis in source.spatial_axes]
