"""Which flags a command line admits: those of the method, prior and PSF model that it names, read before all else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from deconlab import schema
from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import GroupedOption, gather, option, options, peek
from deconlab.psf._modality import DEFAULT

METHOD, PSF_MODEL = "richardson-lucy", DEFAULT
NUMBER_LISTS = ("--voxel-um", "--psf-voxel-um", "--limit-extension", "--shape", "--margin")


class GeneratedCommand(DeconlabCommand):
    """A command whose flags depend on its arguments: ``generate`` makes them from what was written."""

    def __init__(self, *arguments: Any, generate: Any, **settings: Any) -> None:
        self.generate = generate
        super().__init__(*arguments, **settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        gathered = gather(args, NUMBER_LISTS)
        ctx.meta["deconlab.flags"] = self._flags(gathered, ctx)
        try:
            return super().parse_args(ctx, list(gathered))  # which click uses up
        except click.NoSuchOption as error:
            reason = _elsewhere(error.option_name, gathered, "--psf" if ctx.info_name == "simulate" else "--psf-model")
            if reason is None:
                raise
            raise click.UsageError(reason, ctx) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*ctx.meta.get("deconlab.flags", ()), *super().get_params(ctx)]

    def _flags(self, arguments: Sequence[str], ctx: click.Context) -> list[GroupedOption]:
        try:
            found: list[GroupedOption] = self.generate(arguments)
        except (ValueError, TypeError) as error:  # an unknown name
            if ctx.resilient_parsing:
                return []
            raise click.UsageError(str(error), ctx) from None
        return found


def _elsewhere(flag: str, arguments: Sequence[str], model_flag: str) -> str | None:
    """Why a flag that others have is not one of the method or PSF model named; None if it is nobody's."""
    from deconlab import api, methods, psf

    owners = [name for name, cls in psf.registry.all().items() if any(flag == p.flag for p in schema.parameters(cls))]
    if owners:
        return (
            f"{flag} is no parameter of the PSF model here, but of {', '.join(owners)}: name the one that you mean with "
            f"{model_flag}."
        )
    if not any(flag == p.flag for rule in api.STOP_RULES for p in schema.parameters(rule)):
        return None
    name = peek(arguments, "--method") or METHOD
    direct = issubclass(methods.registry.get(name), methods.DirectMethod)
    return f"{name} is computed in one step and does not iterate: leave {flag} out." if direct else None


def method_flags(arguments: Sequence[str]) -> list[GroupedOption]:
    """The flags of the method, its prior, the camera and the stop rules."""
    from deconlab import api, methods

    name = peek(arguments, "--method") or METHOD
    cls = methods.registry.get(name)
    priors = methods.admissible_priors(cls)
    prior = peek(arguments, "--prior") or next(iter(priors))
    if prior not in priors:
        raise ValueError(f"{name} cannot use the prior {prior!r}: there {_are(list(priors))}.")
    found = [
        GroupedOption(
            ["--method"],
            group="Method",
            type=click.Choice(methods.registry.names()),
            metavar="NAME",
            help="Restoration method, see `deconlab methods`; the flags below are this one's.",
            fact=f"default: {METHOD}" if name == METHOD else f"default: {METHOD}; here: {name}",
        ),
        GroupedOption(
            ["--prior"],
            group="Prior",
            type=click.Choice(list(priors)),
            help="What is known of the object beforehand.",
            fact=f"default: {next(iter(priors))}",
        ),
    ]
    headings = {"method": "Method", "prior": "Prior", "counts": "Camera"}
    for part, declaring in api.parts(cls, priors[prior]).items():
        if part in headings:
            found += options(declaring, headings[part])
        elif issubclass(cls, methods.IterativeMethod):
            only = {} if part == "MaxIterations" else {"when_missing": "default: not used"}
            found += options(declaring, "Stopping", **only)
    return found


def psf_flags(arguments: Sequence[str], flag: str = "--psf-model") -> list[GroupedOption]:
    """The flags of the PSF model: of the one named after ``flag``, of a preset's, or of that for a kind of microscope.

    What optics say in a file is not asked for.
    """
    from deconlab import psf
    from deconlab.optics import BY_CHANNEL
    from deconlab.psf._modality import MODELS, kind_of, preset_of

    chosen = peek(arguments, "--preset")
    start = None if chosen is None else preset_of(chosen)
    kind = MODELS.get(kind_of(peek(arguments, "--modality") or ""), PSF_MODEL)
    name = peek(arguments, flag) or (kind if start is None else start.model)
    found = [
        GroupedOption(
            [flag],
            group="PSF",
            type=click.Choice(psf.registry.names()),
            metavar="NAME",
            help="Computes the PSF from optics, see `deconlab psf --list-models`; the flags below are this one's.",
            fact=f"default: by the microscope, else {PSF_MODEL}" + ("" if name == PSF_MODEL else f"; here: {name}"),
        ),
        GroupedOption(
            ["--preset"],
            group="PSF",
            metavar="NAME",
            help="Named starting point, see `deconlab psf --list-presets`: its numbers stand where neither the file nor a "
            "flag says another.",
            fact="optional",
        ),
    ]
    for parameter in schema.parameters(psf.registry.get(name)):
        missing = "from the file, else required" if parameter.required else None
        value = None if start is None else start.values.get(parameter.name)
        if value is not None:
            missing = f"from the file, else {value:g}" if isinstance(value, float) else f"default: {value}"
            missing += f" of {chosen}"
        several = parameter.name in BY_CHANNEL
        if several and missing:
            missing += "; one for each channel"
        found.append(option(parameter, "PSF", when_missing=missing, bounded=False, by_channel=several))
    return found


def run_flags(arguments: Sequence[str]) -> list[GroupedOption]:
    """All of them."""
    return method_flags(arguments) + psf_flags(arguments)


def _are(names: list[str]) -> str:
    return f"is {names[0]} alone" if len(names) == 1 else f"are {', '.join(names)}"
