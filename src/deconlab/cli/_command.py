"""What all commands share: help under headings, errors without tracebacks, warnings as plain lines, lazy loading."""

from __future__ import annotations

import importlib
import logging
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from deconlab.cli.flags import GROUPS, GroupedOption
from deconlab.errors import DeconvolutionError

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 120}
INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""
EXPECTED = (ValueError, TypeError, OSError, ImportError, MemoryError, DeconvolutionError)

DEBUG_META = "deconlab.debug"
DEBUG = GroupedOption(["--debug"], group="General", is_flag=True, help="Show where in the program an error arose.")
QUIET = GroupedOption(["-q", "--quiet"], group="General", is_flag=True, help="Print warnings and errors only.")


class DeconlabCommand(click.Command):
    """A command whose help lists its options under headings, and whose errors are sentences, not tracebacks."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings.setdefault("context_settings", SETTINGS)
        super().__init__(*arguments, **settings)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), QUIET, DEBUG]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                records[getattr(parameter, "group", "General")].append(record)
        for group, rows in records.items():
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows, col_max=34)

    def invoke(self, ctx: click.Context) -> Any:
        debug, quiet = ctx.params.pop("debug"), ctx.params.pop("quiet")
        ctx.meta[DEBUG_META] = debug
        with spoken(quiet):
            try:
                return super().invoke(ctx)
            except (click.exceptions.Exit, click.Abort, click.ClickException):
                raise
            except Exception as error:
                if debug:
                    raise
                raise click.ClickException(sentence(error)) from error


class DeconlabGroup(click.Group):
    """Commands that are the files beside this one, loaded on use."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click's own code for it is 1, that of a failure
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        package = importlib.import_module("deconlab.cli")
        order = (
            "run", "compare", "recipe", "info", "methods", "psf", "simulate", "score", "experiment", "demo", "doctor",
            "completion",
        )  # fmt: skip
        files = [item.name for item in pkgutil.iter_modules(package.__path__)]
        found = [name for name in files if not name.startswith("_") and name != "flags"]
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"deconlab.cli.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"deconlab.cli.{cmd_name}.command is no click command.")
        return command


@contextmanager
def spoken(quiet: bool) -> Iterator[None]:
    """Log lines and warnings of the block as plain lines on stderr; with ``quiet`` warnings alone.

    A note that repeats a warning is left out.
    """
    log = logging.getLogger("deconlab")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    warned: set[str] = set()
    handler.addFilter(lambda line: line.getMessage() not in warned)

    def show(message: Warning | str, *_: object, **__: object) -> None:
        log.warning("Warning: %s", message)
        warned.add(str(message))

    former = log.level
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.showwarning = show
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(former)


def sentence(error: BaseException) -> str:
    """An error in words; one that nobody expected is said to be ours."""
    if not isinstance(error, EXPECTED):
        return (
            f"{type(error).__name__}: {error}. This is a fault of deconlab, not yours: please report it, with what --debug "
            f"prints."
        )
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({error}). Restore a part of the image, or bound the domain with --limit-extension."
    return str(error) or type(error).__name__
