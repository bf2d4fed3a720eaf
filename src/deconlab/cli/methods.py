"""``deconlab methods``: what there is to choose from, generated from the registry."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import options

if TYPE_CHECKING:
    from deconlab.methods import Method


@click.command(cls=DeconlabCommand, name="methods")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the restoration methods, or describe one: equation, guarantee, parameters, cost and papers."""
    from deconlab import methods

    click.echo(listing() if name is None else description(methods.registry.name_of(methods.registry.get(name))))


def listing() -> str:
    """A line for each method, direct ones first."""
    from deconlab import methods

    rows: dict[str, list[tuple[str, str]]] = {"Direct (one step)": [], "Iterative": []}
    for name, cls in methods.registry.all().items():
        kind = "Direct (one step)" if issubclass(cls, methods.DirectMethod) else "Iterative"
        rows[kind].append((name, summary(cls)))
    formatter = click.HelpFormatter(max_width=120)
    for title, lines in rows.items():
        with formatter.section(title):
            formatter.write_dl(lines, col_max=40)
    return (
        formatter.getvalue()
        + "\n`deconlab methods NAME` describes one; `deconlab run --method NAME --help` lists its flags."
    )


def summary(cls: type) -> str:
    """The first sentence of a class's docstring."""
    return (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")


def description(name: str) -> str:
    """All that the declarations of a method say."""
    from deconlab import methods

    cls = methods.registry.get(name)
    priors = methods.admissible_priors(cls)
    formatter = click.HelpFormatter(max_width=120)
    with formatter.section("Claims"):
        formatter.write_dl(claimed(cls, list(priors)), col_max=34)
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
    return "\n\n".join([f"{name}: {summary(cls)}", text, formatter.getvalue().strip(), papers]).rstrip()


def claimed(cls: type[Method], priors: list[str]) -> list[tuple[str, str]]:
    """What a method class says about itself, as rows of a table."""
    from deconlab.methods import DirectMethod, IterativeMethod, claims
    from deconlab.problem import NonNegative

    rows = [
        ("data term", claims(cls).fidelity.__name__),
        ("prior", f"{', '.join(priors)} (the first unless --prior says another)" if len(priors) > 1 else priors[0]),
        ("constraint", "x >= 0" if issubclass(NonNegative, cls.constraint) else "none: negative values may appear"),
        ("weights, masks", "honoured" if cls.honours_weights else "refused"),
        ("dial", f"{cls.dial}: trades noise against sharpness"),
    ]
    if issubclass(cls, DirectMethod):
        rows.append(("iterations", "none: closed form"))
    if issubclass(cls, IterativeMethod):
        rows.append(("objective", "no step raises it" if cls.monotone else "may rise in a step"))
        if cls.order is not None:
            rows.append(("convergence", f"objective gap O(1/k^{cls.order})"))
    if cls.transforms is not None:
        rows.append(("cost", f"{cls.transforms} real FFTs per step on a periodic problem"))
    return rows
