"""Which methods there are for what: the decision table and the groups that the docs page and ``deconlab methods`` share."""

from __future__ import annotations

from collections.abc import Callable

from deconlab.functionals import Fidelity, LeastSquares, PoissonLikelihood, Zero
from deconlab.methods import DirectMethod, IterativeMethod, Method, admissible_priors, claims, registry
from deconlab.problem import NonNegative

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

GROUPS: tuple[tuple[str, Callable[[type[Method]], bool]], ...] = (
    ("Closed form", lambda cls: issubclass(cls, DirectMethod)),
    ("Photon noise, maximum likelihood", lambda cls: _claims(cls, PoissonLikelihood) and claims(cls).prior is Zero),
    ("Photon noise with a prior", lambda cls: _claims(cls, PoissonLikelihood)),
    ("Photon noise or least squares, with a prior", lambda cls: claims(cls).fidelity is Fidelity),
    ("Least squares without a prior", lambda cls: _claims(cls, LeastSquares) and claims(cls).prior is Zero),
    ("Least squares with a prior", lambda cls: _claims(cls, LeastSquares)),
)


def _claims(cls: type[Method], fidelity: type[Fidelity]) -> bool:
    return claims(cls).fidelity is fidelity


def grouped() -> dict[str, list[str]]:
    """The registry names of all methods, by the heading of what they solve."""
    groups: dict[str, list[str]] = {title: [] for title, _ in GROUPS}
    for name, cls in registry.all().items():
        groups[next(title for title, belongs in GROUPS if belongs(cls))].append(name)
    return groups


def facts(cls: type[Method]) -> list[tuple[str, str]]:
    """What a method class says about itself, as rows of a table: what it solves, its guarantees, its cost."""
    priors = list(admissible_priors(cls))
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
    return [*rows, ("cost", cost(cls))]


def cost(cls: type[Method]) -> str:
    """Transforms and memory of a step, as declared and measured by the contracts."""
    parts = []
    if cls.transforms is not None:
        parts.append(f"{cls.transforms} real FFTs per step on a periodic problem")
    if cls.buffers is not None:
        what = "" if cls.default_prior == "zero" else f", with {cls.default_prior} in 3-D"
        parts.append(f"{cls.buffers} volumes of memory at most, state and workspace{what}")
    return "; ".join(parts)
