"""``deconlab methods``: what there is to choose from, generated from the registry."""

from __future__ import annotations

import inspect
import sys

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import options


@click.command(cls=DeconlabCommand, name="methods")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the restoration methods, or describe one: equation, guarantee, parameters, cost and papers."""
    from deconlab import methods

    click.echo(listing() if name is None else description(methods.registry.name_of(methods.registry.get(name))))


def listing() -> str:
    """A line for each method, under the heading of what it solves."""
    from deconlab import guide, methods

    formatter = click.HelpFormatter(max_width=120)
    for title, names in guide.grouped().items():
        with formatter.section(title):
            formatter.write_dl([(name, summary(methods.registry.get(name))) for name in names], col_max=40)
    return (
        formatter.getvalue()
        + "\n`deconlab methods NAME` describes one; `deconlab run --method NAME --help` lists its flags."
    )


def summary(cls: type) -> str:
    """The first sentence of a class's docstring."""
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def description(name: str) -> str:
    """All that the declarations of a method say."""
    from deconlab import guide, methods

    cls = methods.registry.get(name)
    priors = methods.admissible_priors(cls)
    formatter = click.HelpFormatter(max_width=120)
    uses = [f"{have} ({why})" for have, method, _, why in guide.DECISIONS if method == name]
    with formatter.section("Claims"):
        formatter.write_dl(guide.facts(cls), col_max=34)
    tables = {"Parameters": options(cls, "Method")}
    tables |= {f"Parameters of --prior {prior}": options(found, "Prior") for prior, found in priors.items()}
    context = click.Context(click.Command(name))
    for title, flags in tables.items():
        rows = [record for flag in flags if (record := flag.get_help_record(context)) is not None]
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows, col_max=34)
    papers = "\n".join(["Papers:", *(f"  https://doi.org/{doi}" for doi in cls.references)] if cls.references else [])
    text = inspect.getdoc(sys.modules[cls.__module__]) or ""
    if uses:
        text += "\n\n" + "\n".join(["When to use it:", *(f"  {use}" for use in uses)])
    return "\n\n".join([f"{name}: {summary(cls)}", text, formatter.getvalue().strip(), papers]).rstrip()
