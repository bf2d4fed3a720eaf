"""Writes docs/methods.md from the registry: run ``python docs/make_methods_page.py`` after a change of any method."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from deconlab.functionals import Fidelity, LeastSquares, PoissonLikelihood, Zero
from deconlab.methods import DirectMethod, IterativeMethod, Method, admissible_priors, claims, registry
from deconlab.problem import NonNegative
from deconlab.schema import parameters

PAGE = Path(__file__).parent / "methods.md"

# (what you have or want, method, prior, why). Names are checked against the registries when the page is made.
DECISIONS = (
    ("a first look, in a second", "wiener", "", "closed form; estimates the noise itself"),
    ("photon counts, bright (hundreds per voxel), few choices", "biggs-andrews", "", "maximum likelihood in few steps"),
    ("photon counts, the field's standard, to be cited", "richardson-lucy", "", "what every paper compares with"),
    ("photon counts, dim; cells, bars, vesicles", "admm", "total-variation", "keeps edges; exact Poisson likelihood"),
    ("photon counts, dim; filaments, smooth stainings", "admm", "hessian-schatten", "no staircase on slopes"),
    (
        "photon counts, dim structures on a dark ground",
        "admm",
        "sparse-variation",
        "intensity and curvature sparse together",
    ),
    ("beads, spots, stars", "admm", "l1", "few voxels are bright"),
    (
        "point sources on bright extended light",
        "damped-richardson-lucy",
        "",
        "stops sharpening where the noise is reached",
    ),
    ("a boundary that is mirrored or dark (reflect, zero)", "condat-vu", "total-variation", "takes any blur"),
    ("a smooth prior and its exact minimum", "l-bfgs-b", "hyperbolic-total-variation", "no splitting, bounds included"),
    (
        "camera noise rather than photon noise",
        "fista",
        "wavelet-sparsity",
        "least squares with a sparse prior, O(1/k²)",
    ),
    ("additive noise, x >= 0, no prior", "bounded-variables", "", "exact non-negative least squares, fast"),
    ("nothing to choose, linear result", "unsupervised-wiener", "", "finds noise and smoothness itself"),
)

GROUPS = (
    ("Closed form", lambda cls: issubclass(cls, DirectMethod)),
    ("Photon noise, maximum likelihood", lambda cls: _claims(cls, PoissonLikelihood) and claims(cls).prior is Zero),
    ("Photon noise with a prior", lambda cls: _claims(cls, PoissonLikelihood)),
    ("Photon noise or least squares, with a prior", lambda cls: claims(cls).fidelity is Fidelity),
    ("Least squares without a prior", lambda cls: _claims(cls, LeastSquares) and claims(cls).prior is Zero),
    ("Least squares with a prior", lambda cls: _claims(cls, LeastSquares)),
)


def _claims(cls: type[Method], fidelity: type[Fidelity]) -> bool:
    return claims(cls).fidelity is fidelity


def page() -> str:
    """The page's text."""
    lines = [
        "# Restoration methods",
        "",
        "Made by `docs/make_methods_page.py` from the methods themselves; `deconlab methods NAME` says the same of one.",
        "",
        "Choosing the number of iterations, or λ, matters more than choosing the method: stop by a rule (`discrepancy`), not",
        "by habit. A prior then helps the more, the fewer photons there are. `deconlab.compare` shows both on your own image.",
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
    groups: dict[str, list[str]] = {title: [] for title, _ in GROUPS}
    for name, cls in registry.all().items():
        groups[next(title for title, belongs in GROUPS if belongs(cls))].append(name)
    for title, names in groups.items():
        lines += ["", f"## {title}"]
        for name in names:
            lines += section(name, registry.get(name))
    return "\n".join(lines) + "\n"


def section(name: str, cls: type[Method]) -> list[str]:
    """What one method says of itself."""
    text = (inspect.getdoc(sys.modules[cls.__module__]) or "").splitlines()
    lines = ["", f"### {name}", "", f"*{(inspect.getdoc(cls) or '').splitlines()[0]}*", "", *text, ""]
    facts = [
        f"data term {claims(cls).fidelity.__name__}",
        f"prior {', '.join(admissible_priors(cls))}",
        "x >= 0" if issubclass(NonNegative, cls.constraint) else "negative values may appear",
        "weights honoured" if cls.honours_weights else "weights refused",
    ]
    if issubclass(cls, IterativeMethod):
        facts += ["monotone"] if cls.monotone else []
        facts += [f"gap O(1/k^{cls.order})"] if cls.order else []
    facts += [f"{cls.transforms} real FFTs per step"] if cls.transforms else []
    lines.append("; ".join(facts) + ".")
    own = [f"`{p.name}` ({p.help}; default {p.default})" for p in parameters(cls)]
    lines += ["", "Parameters: " + ", ".join(own) + "."] if own else []
    links = ", ".join(f"[{doi}](https://doi.org/{doi})" for doi in cls.references)
    return [*lines, "", f"Source: {links}."]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
