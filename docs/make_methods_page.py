"""Writes docs/methods.md from the registry: run ``python docs/make_methods_page.py`` after a change of any method."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from deconlab.guide import DECISIONS, facts, grouped
from deconlab.methods import Method, admissible_priors, registry
from deconlab.schema import parameters

PAGE = Path(__file__).parent / "methods.md"


def page() -> str:
    """The page's text."""
    lines = [
        "# Restoration methods",
        "",
        "Made by `docs/make_methods_page.py` from the methods themselves; `deconlab methods NAME` says the same of one.",
        "",
        "Choosing the number of iterations, or λ, matters more than choosing the method: stop by a rule (`discrepancy`), not",
        "by habit; [the table of all methods](method_table.md) says by how much. `deconlab compare` shows it on your image.",
        "",
        "## Which one?",
        "",
        "| you have | method | prior | because |",
        "|---|---|---|---|",
    ]
    for have, name, prior, why in DECISIONS:
        cls = registry.get(name)
        if prior and prior not in admissible_priors(cls):
            raise ValueError(f"{name} cannot use {prior}.")
        lines.append(f"| {have} | [{name}](#{name}) | {prior} | {why} |")
    for title, names in grouped().items():
        lines += ["", f"## {title}"]
        for name in names:
            lines += section(name, registry.get(name))
    return "\n".join(lines) + "\n"


def section(name: str, cls: type[Method]) -> list[str]:
    """What one method says of itself."""
    text = (inspect.getdoc(sys.modules[cls.__module__]) or "").splitlines()
    lines = ["", f"### {name}", "", f"*{(inspect.getdoc(cls) or '').splitlines()[0]}*", "", *text, ""]
    lines += [f"- {name}: {said}" for name, said in facts(cls)]
    own = [f"`{p.name}` ({p.help}; default {p.default})" for p in parameters(cls)]
    lines += ["", "Parameters: " + ", ".join(own) + "."] if own else []
    links = ", ".join(f"[{doi}](https://doi.org/{doi})" for doi in cls.references)
    return [*lines, "", f"Source: {links}."]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
