"""``deconlab run --recipe``: the flags of a recipe under those of the command line, and the recipe of what was run."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from deconlab.cli._generated import GeneratedCommand
from deconlab.cli.flags import GroupedOption, peek

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.recipe import Recipe

log = logging.getLogger("deconlab")
META = "deconlab.recipe"
WITHOUT_INFLUENCE = ("Output", "Computing", "General")  # groups of flags whose values change no restored number
NOT_RECORDED = ("recipe", "force")


@dataclass(frozen=True, eq=False)
class Repeat:
    """A recipe, and the names of the flags that were said beside it."""

    recipe: Recipe
    said: frozenset[str]

    def on(self, image: Image, settings: Mapping[str, Any], source: Path) -> tuple[Image, dict[str, Any]]:
        """The image and the settings that repeat the recipe; what is not as it was then is said."""
        from deconlab.repetition import repeated

        again = repeated(self.recipe.data, image, settings, self.said, source)
        for note in again.notes:
            log.info("differs from the recipe: %s", note)
        return again.image, again.settings


class RunCommand(GeneratedCommand):
    """A command whose flags are also those of the method, prior and PSF model that a recipe names."""

    def _flags(self, arguments: Sequence[str], ctx: click.Context) -> list[GroupedOption]:
        path = peek(arguments, "--recipe")
        if path is None:
            return super()._flags(arguments, ctx)
        from deconlab.recipe import Recipe
        from deconlab.recipe_schema import named

        try:
            recipe = Recipe.load(path)
        except (OSError, ValueError) as error:
            if ctx.resilient_parsing:
                return super()._flags(arguments, ctx)
            raise click.ClickException(str(error)) from None
        ctx.meta[META] = recipe
        method, prior, model = named(recipe.data)
        own = ["--method", method, "--psf-model", model]
        if peek(arguments, "--method") in (None, method):
            own += ["--prior", prior]
        return super()._flags([*own, *arguments], ctx)


def under_flags(ctx: click.Context, given: Mapping[str, Any]) -> tuple[dict[str, Any], Repeat | None]:
    """What was ``given``, and below it what the recipe says, if one is named."""
    recipe: Recipe | None = ctx.meta.get(META)
    if recipe is None:
        return dict(given), None
    from deconlab.recipe_schema import section

    said = {name: given[name] for name in given if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    merged = dict(given)
    for name, value in section(recipe.data, "flags").items():
        if name not in said:
            merged[name] = _converted(ctx, recipe, name, value)
    computing = section(recipe.data, "computing")
    if "threads" in computing:
        merged.setdefault("threads", computing["threads"])
    if computing.get("dtype") == "float64":
        merged.setdefault("dtype", "float64")
    names = {option.name for option in ctx.command.get_params(ctx) if _has_influence(option)}
    merged |= recipe.settings({name: value for name, value in said.items() if name in names})
    return merged, Repeat(recipe, frozenset(said))


def recorded(ctx: click.Context, given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that matter to the result."""
    names = [option.name for option in ctx.command.get_params(ctx) if _has_influence(option)]
    return {name: given[name] for name in names if name is not None and given.get(name) is not None}


def _has_influence(option: click.Parameter) -> bool:
    if option.name in NOT_RECORDED:
        return False
    return option.name in ("dtype", "extension_px") or getattr(option, "group", "General") not in WITHOUT_INFLUENCE


def _converted(ctx: click.Context, recipe: Recipe, name: str, value: Any) -> Any:
    """A flag's value as the command line would have read it."""
    options = {option.name: option for option in ctx.command.get_params(ctx) if _has_influence(option)}
    where = recipe.where(("flags", name))
    if name not in options:
        near = difflib.get_close_matches(name, [known for known in options if known], n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise click.ClickException(f"{where}: {name} is no flag of `deconlab run`{hint}")
    option = options[name]
    one = option.nargs == 1 and not option.multiple if isinstance(option, click.Option) else option.nargs == 1
    if isinstance(value, list) and one:
        value = ",".join(map(str, value))
    try:
        return option.type_cast_value(ctx, value)
    except click.UsageError as error:
        raise click.ClickException(f"{where}: {error.format_message()}") from None
