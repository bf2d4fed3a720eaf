"""Command-line flags made from declarations: type, choices, bounds, unit and default are those of the dataclass field."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from deconlab import schema
from deconlab.schema import Parameter

if TYPE_CHECKING:
    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType

GROUPS = (
    "Input",
    "Phantom",
    "Experiment",
    "Method",
    "Prior",
    "PSF",
    "Camera",
    "Stopping",
    "Output",
    "Computing",
    "Other",
    "General",
)


class GroupedOption(click.Option):
    """An option that is listed in the help under a heading.

    ``fact`` says what holds where the flag is not given (its default, in brackets); the value of a flag that is not given
    is None, so that defaults live in the declarations alone.
    """

    def __init__(
        self, declarations: Sequence[str], *, group: str, fact: str = "", help: str = "", **settings: Any
    ) -> None:
        self.group = group
        sentence = help[:1].upper() + help[1:] + ("" if help.endswith(".") else ".")
        super().__init__(list(declarations), help=f"{sentence}  [{fact}]" if fact else sentence, **settings)


class Declared(ParamType):
    """The value of a declared parameter, read from text and held against its declaration.

    ``by_channel``: values with commas between them make a tuple, one for each channel.
    """

    def __init__(self, parameter: Parameter, *, by_channel: bool = False) -> None:
        self.by_channel = by_channel
        self.parameter = parameter if parameter.length is None else dataclasses.replace(parameter, length=None)
        self.name = parameter.name

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """``NUMBER``, ``INTEGER|auto``, ``taper|window``."""
        kind = {float: "NUMBER", int: "INTEGER"}.get(self.parameter.kind)
        word = "|".join(([kind] if kind else []) + list(self.parameter.choices)) or "TEXT"
        return f"{word},..." if self.by_channel else word

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:  # noqa: ARG002
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in self.parameter.choices if word.startswith(incomplete)]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if self.by_channel and isinstance(value, str) and "," in value:
            return tuple(self.convert(part, param, ctx) for part in value.split(","))
        found: Any = value
        if isinstance(value, str) and value not in self.parameter.choices and self.parameter.kind in (int, float):
            try:
                found = self.parameter.kind(value)
            except ValueError:
                words = "".join(f" or {word}" for word in self.parameter.choices)
                unit = f" in {self.parameter.unit}" if self.parameter.unit else ""
                number = "whole number" if self.parameter.kind is int else "number"
                raise click.UsageError(
                    f"{self.parameter.flag} must be a {number}{unit}{words}, not {value!r}.", ctx
                ) from None
        try:
            schema.validate(self.parameter, found, "")
        except (TypeError, ValueError) as error:
            rule = str(error).removeprefix(f": {self.parameter.name}")
            raise click.UsageError(self.parameter.flag + rule, ctx) from None
        return found


def option(
    parameter: Parameter, group: str, *, when_missing: str | None = None, bounded: bool = True, by_channel: bool = False
) -> GroupedOption:
    """The flag of a declared parameter. ``when_missing`` says what holds without it, instead of the declared default.

    With ``bounded`` false the class itself refuses bad values, which it can do in better words.
    """
    facts = [parameter.unit, parameter.bounds, _default(parameter) if when_missing is None else when_missing]
    fact = "; ".join(fact for fact in facts if fact)
    settings: dict[str, Any] = {"group": group, "help": parameter.help, "fact": fact, "default": None}
    if parameter.kind is bool:
        return GroupedOption([f"{parameter.flag}/--no-{parameter.flag[2:]}", parameter.name], **settings)
    rule = parameter
    if not bounded:
        rule = dataclasses.replace(parameter, above=None, below=None, at_least=None, at_most=None)
    if parameter.length is not None:
        settings["nargs"] = parameter.length
    return GroupedOption([parameter.flag, parameter.name], type=Declared(rule, by_channel=by_channel), **settings)


def options(cls: type, group: str, **settings: Any) -> list[GroupedOption]:
    """The flags of all parameters that ``cls`` declares."""
    return [option(parameter, group, **settings) for parameter in schema.parameters(cls)]


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None:
        return "" if "default" in parameter.help else "optional"
    if isinstance(parameter.default, bool):
        return f"default: {'yes' if parameter.default else 'no'}"
    values = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
    return "default: " + " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def peek(arguments: Sequence[str], flag: str) -> str | None:
    """The last value that ``flag`` has among the arguments, before they are parsed; None if it is not there."""
    found = None
    for position, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == flag and position + 1 < len(arguments):
            found = arguments[position + 1]
        elif argument.startswith(f"{flag}="):
            found = argument.partition("=")[2]
    return found


class Numbers(ParamType):
    """One to three numbers, joined by commas: :func:`gather` has joined those that stood apart."""

    name = "numbers"

    def __init__(self, kind: type[float] | type[int], metavar: str) -> None:
        self.kind, self.metavar = kind, metavar

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        return self.metavar

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        flag = param.opts[0] if param is not None else "The value"
        what = "whole numbers" if self.kind is int else "numbers"
        try:
            numbers = tuple(self.kind(part) for part in value.split(","))
        except ValueError:
            raise click.UsageError(
                f"{flag} takes {what}, one for each axis ({self.metavar}), not {value!r}.", ctx
            ) from None
        if len(numbers) > 3:
            raise click.UsageError(f"{flag} takes one to three {what} ({self.metavar}), not {len(numbers)}.", ctx)
        return numbers


class Origin(ParamType):
    """``first``, ``centre``, or the index of a voxel."""

    name = "origin"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        return "first|centre|INDEX,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        if not isinstance(value, str) or value in ("first", "centre"):
            return value
        if not all(part.strip().isdigit() for part in value.split(",")):
            raise click.UsageError(
                f"--psf-origin is first, centre, or a voxel such as 2 or 0,10,10, not {value!r}.", ctx
            )
        return tuple(map(int, value.split(",")))


def gather(arguments: Iterable[str], flags: Sequence[str]) -> list[str]:
    """The arguments with the numbers that follow one of ``flags`` joined: ``--voxel-um 0.2 0.1 0.1`` is one option."""
    rest, gathered = list(arguments), []
    while rest:
        argument = rest.pop(0)
        gathered.append(argument)
        numbers: list[str] = []
        while argument in flags and rest and len(numbers) < 3 and _is_number(rest[0]):
            numbers.append(rest.pop(0))
        if numbers:
            gathered.append(",".join(numbers))
    return gathered


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def whole(name: str, at_least: int = 1) -> Declared:
    """A whole number that is a command's own."""
    return Declared(Parameter(name, int, None, "", at_least=at_least))


def reading() -> list[click.Parameter]:
    """The flags that say how a file is to be read: ``file_axes`` and ``series``."""
    return [
        GroupedOption(
            ["--file-axes"], group="Input", metavar="LETTERS", fact="from the file",
            help="Name of each dimension of the file, such as tczyx.",
        ),
        GroupedOption(
            ["--series"], group="Input", type=whole("series", 0), metavar="N", fact=">= 0; default: 0",
            help="Which of several images in the file.",
        ),
    ]  # fmt: skip
