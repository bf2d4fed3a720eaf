"""``deconlab score``: how near a result comes to a known truth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import Declared, GroupedOption
from deconlab.schema import Parameter

if TYPE_CHECKING:
    from deconlab.image import Image

FILE = click.Path(dir_okay=False, path_type=Path)
MEANING = {
    "psnr": "dB, 10 log10(range²/MSE)",
    "data_range": "the range that PSNR and SSIM use",
    "ssim": "mean structural similarity",
    "nrmse": "root mean squared error over the truth's root mean square",
    "nrmse_affine": "the same after the best gain and offset",
    "snr": "dB, 20 log10(‖truth‖/‖error‖)",
    "correlation": "Pearson's, blind to gain and offset",
    "flux_bias": "Σ result / Σ truth − 1",
    "resolution_z_um": "µm along z, where the Fourier correlation with the truth falls to 0.5",
    "resolution_y_um": "µm along y",
    "resolution_x_um": "µm along x",
}


@click.command(
    cls=DeconlabCommand,
    name="score",
    params=[
        GroupedOption(
            ["--data-range"], group="Input", type=Declared(Parameter("data_range", float, None, "", above=0)),
            fact="> 0; default: the truth's range", help="Range of the data, for PSNR and SSIM.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=FILE, fact="default: <result>_score.json beside the result",
            help="JSON file for the numbers.",
        ),
        GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace the file if it exists."),
    ],
)  # fmt: skip
@click.argument("result", type=FILE)
@click.argument("truth", type=FILE)
def command(result: Path, truth: Path, output: Path | None, overwrite: bool, data_range: float | None) -> None:
    """Compare RESULT with TRUTH, voxel by voxel: a table, and the same numbers as JSON.

    Both must have the same axes, shape and units; nothing is scaled, except where a metric says so. Every channel and time is
    scored by itself. A resolution "none" means that the correlation with the truth never falls to 0.5.
    """
    from deconlab import io
    from deconlab.cli._files import stem

    path = result.with_name(f"{stem(result)}_score.json") if output is None else output
    image, wanted = io.read(result), io.read(truth)
    if image.axes != wanted.axes or image.data.shape != wanted.data.shape:
        raise ValueError(
            f"{result} has axes {image.axes} of shape {image.data.shape}, {truth} {wanted.axes} of {wanted.data.shape}: they "
            f"must be equal."
        )
    differing = [
        f"{axis}: {size:g} and {wanted.voxel_um[axis]:g} µm"
        for axis, size in image.voxel_um.items()
        if axis in wanted.voxel_um and not math.isclose(size, wanted.voxel_um[axis], rel_tol=0.01)
    ]
    if differing:
        raise ValueError(
            f"The voxels of {result} and {truth} differ ({', '.join(differing)}): they do not show the same "
            "places. Resample one of them, or correct its voxel size."
        )
    if not path.parent.exists():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists already. Say --overwrite to replace it, or name another with --output.")
    found = [
        {"where": where, **scores(part, wanted.volume(where), data_range)} for where, part in image.volumes()
    ]  # fmt: skip
    for entry in found:
        if len(found) > 1:
            click.echo(", ".join(f"{axis} {index}" for axis, index in entry["where"].items()))
        for name, value in entry.items():
            if name != "where":
                click.echo(f"  {name:16} {'none' if value is None else f'{value:12.6g}':>12}  {MEANING[name]}")
    numbers = [
        {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in entry.items()} for entry in found
    ]
    record = {"result": str(result), "truth": str(truth), "volumes": numbers}
    path.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    click.echo(str(path))


def scores(image: Image, truth: Image, data_range: float | None) -> dict[str, Any]:
    """All metrics of a volume, and its resolution along each axis where the voxel size is known."""
    from deconlab.assess import metrics
    from deconlab.assess.resolution import sectioned

    found: dict[str, Any] = dict(metrics.score(image.data, truth.data, data_range))
    voxel_um = truth.spatial_voxel_um or image.spatial_voxel_um
    if voxel_um is None or min(truth.data.shape) < 2:
        return found
    for axis, curve in sectioned(image.data, truth.data, voxel_um).items():
        found[f"resolution_{axis}_um"] = curve.resolution_um("0.5")
    return found
