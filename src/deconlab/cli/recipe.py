"""``deconlab recipe``: show, check and describe recipes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from deconlab.cli._command import SETTINGS, DeconlabCommand
from deconlab.cli._generated import METHOD
from deconlab.psf._modality import DEFAULT

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(name="recipe", context_settings=SETTINGS)
def command() -> None:
    """Show, check and describe recipes: what `deconlab run` wrote beside its output, and repeats with --recipe."""


@command.command(cls=DeconlabCommand)
@click.argument("file", type=FILE)
def show(file: Path) -> None:
    """Print the recipe in FILE: a recipe, or an image that deconlab has restored, whose metadata hold it."""
    from deconlab.recipe import Recipe

    click.echo(Recipe.load(file).text(file.name), nl=False)


@command.command(cls=DeconlabCommand)
@click.argument("files", type=FILE, nargs=-1, required=True)
def check(files: tuple[Path, ...]) -> None:
    """Say whether FILES can be read as recipes, or which line is wrong."""
    from deconlab.recipe import Recipe

    wrong = []
    for file in files:
        try:
            Recipe.load(file)
            click.echo(f"{file}: a recipe, nothing is wrong with it.")
        except (OSError, ValueError) as error:
            wrong.append(str(error))
    if wrong:
        raise click.ClickException("\n".join(wrong))


@command.command(cls=DeconlabCommand)
@click.option("--method", default=METHOD, show_default=True, help="The method that the recipe is of.")
@click.option("--prior", help="Its prior.  [default: the method's]")
@click.option("--psf-model", default=DEFAULT, show_default=True, help="The PSF model that computes its PSF.")
def schema(method: str, prior: str | None, psf_model: str) -> None:
    """Print what a recipe may say as JSON Schema, which editors complete and check with."""
    from deconlab.recipe_schema import json_schema, named

    settings = {"method": method, "psf_model": psf_model, **({"prior": prior} if prior else {})}
    click.echo(json.dumps(json_schema(*named({"settings": settings})), indent=2, ensure_ascii=False))
