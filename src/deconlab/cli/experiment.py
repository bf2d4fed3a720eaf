"""``deconlab experiment``: simulate, restore and assess in one go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from deconlab.cli._generated import GeneratedCommand
from deconlab.cli.flags import GroupedOption, options

DEFAULT = ("laplacian-regularised-inverse", "projected-landweber")


def experiment_flags(arguments: Sequence[str]) -> list[GroupedOption]:  # noqa: ARG001
    """The flags of the experiment."""
    from deconlab import methods
    from deconlab.experiments.resolution import Resolution

    return [
        GroupedOption(
            ["--method"], group="Experiment", type=click.Choice(methods.registry.names()), metavar="NAME", multiple=True,
            help="Restoration method; may be given several times.", fact=f"default: {' and '.join(DEFAULT)}",
        ),
        *options(Resolution, "Experiment"),
    ]  # fmt: skip


@click.command(
    cls=GeneratedCommand,
    name="experiment",
    generate=experiment_flags,
    params=[
        GroupedOption(
            ["-o", "--output"], group="Output", type=click.Path(file_okay=False, path_type=Path),
            required=True, help="Folder for the files.",
        ),
        GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace files that exist."),
    ],
)  # fmt: skip
@click.argument("name", type=click.Choice(["resolution"]))
def command(name: str, output: Path, overwrite: bool, method: tuple[str, ...], **given: Any) -> None:
    """Run an experiment and write its table, numbers and picture.

    resolution: what restorations make of beads at known distances, over iterations or over λ. Which profiles are sharper,
    which pairs are resolved, which peaks are false? Writes resolution.md, resolution.json and resolution.png; takes one to
    three minutes.
    """
    from deconlab.experiments.resolution import Resolution, run
    from deconlab.experiments.resolution_picture import draw
    from deconlab.experiments.resolution_table import as_data, legend, table

    settings = Resolution(**{key: value for key, value in given.items() if value is not None})
    files = {ending: output / f"{name}.{ending}" for ending in ("md", "json", "png")}
    for path in files.values():
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists already. Say --overwrite to replace it, or name another folder.")
    output.mkdir(parents=True, exist_ok=True)
    scene, outcomes = run(settings, method or DEFAULT, lambda text: click.echo(f"{text} ...", err=True))
    files["md"].write_text(f"{table(outcomes)}\n{legend()}")
    files["json"].write_text(json.dumps(as_data(settings, scene, outcomes), allow_nan=False) + "\n")
    draw(scene, outcomes, files["png"])
    click.echo(files["md"].read_text())
    click.echo(str(files["png"]))
