"""``compare``: several methods on one image, each at its own stop and again at equal time, in one table and one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from deconlab import functionals
from deconlab.api import Prepared, prepare
from deconlab.functionals import Prior, Zero
from deconlab.held_out import held_out_iterations
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import DirectMethod, admissible_priors, refusals, registry
from deconlab.solve import Rule, Solution, solve
from deconlab.stopping import Discrepancy, MaxIterations, MaxSeconds
from deconlab.volume import to_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

OwnStop = Literal["discrepancy", "held-out"]


@dataclass(frozen=True)
class Row:
    """A run of the table. ``stop`` is "own" or "equal time"; numbers that do not exist are None.

    ``prior`` is the one used, with its λ. ``seconds`` are those of the run, the search for its end not counted. ``transforms``
    are real FFTs, where a step's number is fixed; ``objective`` is the method's own, data term and prior: two can be compared
    only where these are equal. ``chi2`` is the mean squared residual in units of photon (and read) noise, 1 where the model
    explains the data; ``neighbours`` the residual's correlation with its neighbours, 0 where it is white. PSNR in dB.
    """

    method: str
    prior: str | None
    stop: str
    reason: str
    iterations: int | None = None
    seconds: float | None = None
    transforms: int | None = None
    objective: float | None = None
    chi2: float | None = None
    neighbours: float | None = None
    psnr: float | None = None
    ssim: float | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """The rows of the table, and by (method, stop) the restored images as arrays; ``image`` is what they were made from."""

    rows: tuple[Row, ...]
    images: dict[tuple[str, str], NDArray[Any]]
    image: NDArray[Any]
    reference: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as Markdown; columns that are empty throughout are left out."""
        names = [field.name for field in fields(Row) if any(getattr(row, field.name) is not None for row in self.rows)]
        lines = [names, ["---"] * len(names)]
        lines += [[_printed(getattr(row, name)) for name in names] for row in self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def data(self) -> list[dict[str, Any]]:
        """The rows as plain data, for a JSON file; numbers that are not finite are None, as JSON has none."""
        rows = [asdict(row) for row in self.rows]
        return [{k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in row.items()} for row in rows]

    def picture(self, path: Path | str, **options: Any) -> None:
        """Write a PNG: image, reference and every result at its own stop, and below at equal time; one range, one section.

        ``options`` are those of :func:`deconlab.comparison_picture.draw`: ``voxel_um``, ``at``, ``limits``, ``crop_px``.
        """
        from deconlab.comparison_picture import draw

        draw(self, path, **options)


def compare(
    image: Any,
    psf: Any,
    methods: Sequence[str],
    *,
    stop: OwnStop = "discrepancy",
    iterations: int = 100,
    seconds: float | None = None,
    reference: Any = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    told: Callable[[Row], None] | None = None,
    **settings: Any,
) -> Comparison:
    """Run ``methods`` on one image and lay their results side by side.

    Each runs twice: until its own ``stop`` or ``iterations`` are done, and again for as many seconds as all others:
    ``seconds``, or those of the slowest run before. Direct methods run once. "discrepancy" ends when the residual is what the
    noise explains (:class:`~deconlab.stopping.Discrepancy`), "held-out" after the number of iterations that best predicts light
    which was held out (:func:`~deconlab.held_out.held_out_iterations`, whose split ``seed`` draws). A method that cannot solve
    the problem gets a row that says why; it is no error.

    methods: names, each with the prior behind a colon where it is not the method's default: "admm:hessian-schatten".
    reference: the true object, of the image's shape, for PSNR and SSIM over its own range.
    own: settings of single methods by their names, such as ``{"rl-tv": {"weight": 0.01}}``; all other ``settings`` are those of
        :func:`deconlab.deconvolve` and hold for every method.
    told: called with each row as soon as it is there.

    Raises ValueError for an unknown or repeated method, or settings for one that is not compared, and what deconvolve raises.
    """
    if stop not in get_args(OwnStop):
        raise ValueError(f"Unknown stop {stop!r}; there are {', '.join(get_args(OwnStop))}.")
    chosen = [_named(name) for name in methods]
    names = [label for label, _, _ in chosen]
    private = {_named(name)[0]: dict(values) for name, values in (own or {}).items()}
    if len(set(names)) < len(names) or not names:
        raise ValueError(
            f"The methods to compare must be different and at least one; they are {', '.join(names) or 'none'}."
        )
    if not set(private) <= set(names):
        raise ValueError(f"Settings for {', '.join(sorted(set(private) - set(names)))}, which is not compared.")
    ready = {
        label: prepare(
            image, psf, name, **{**settings, **({"prior": prior} if prior else {}), **private.get(label, {})}
        )
        for label, name, prior in chosen
    }
    truth = None if reference is None else _array(to_tensor(reference, "cpu", torch.float64))
    rows: list[Row] = []
    images: dict[tuple[str, str], NDArray[Any]] = {}

    def add(row: Row, restored: NDArray[Any] | None) -> None:
        rows.append(row)
        if restored is not None:
            images[row.method, row.stop] = restored
        if told is not None:
            told(row)

    for name in names:
        reasons = refusals(ready[name].method, ready[name].problem)
        if reasons:
            add(Row(name, described_prior(ready[name].problem.prior), "own", " ".join(reasons)), None)
            continue
        rule, reason = _own_rule(ready[name], stop, iterations, seed)
        add(*_run(name, "own", ready[name], rule, truth, reason))
    allowed = max((row.seconds or 0.0 for row in rows), default=0.0) if seconds is None else seconds
    for name in names:
        if (name, "own") in images and not _direct(ready[name]) and allowed > 0:
            add(*_run(name, "equal time", ready[name], MaxSeconds(allowed), truth))
    first = ready[names[0]]
    measured = first.counts.image_units(first.blur.measured.forward(first.problem.fidelity.y))
    return Comparison(tuple(rows), images, _array(measured), truth, first.notes)


def described_prior(prior: Prior) -> str | None:
    """``total-variation, λ = 0.01``; None for none."""
    if isinstance(prior, Zero):
        return None
    weight = getattr(prior, "weight", None)
    name = functionals.registry.name_of(type(prior))
    return name if weight is None else f"{name}, λ = {float(weight):.4g}"


def _named(text: str) -> tuple[str, str, str]:
    """The label, method and prior of "method" or "method:prior"; the label without a prior that is the default."""
    name, _, prior = text.partition(":")
    cls = registry.get(name)
    name = registry.name_of(cls)
    if prior:
        found = admissible_priors(cls)
        prior = functionals.registry.name_of(functionals.registry.get(prior))
        if prior not in found:
            raise ValueError(f"{name} cannot use the prior {prior!r}: there are {', '.join(found)}.")
    return (f"{name}:{prior}" if prior and prior != cls.default_prior else name), name, prior


def _direct(ready: Prepared) -> bool:
    return isinstance(ready.method, DirectMethod)


def _own_rule(ready: Prepared, stop: OwnStop, iterations: int, seed: int) -> tuple[Rule, str | None]:
    """The rule of a method's own stop, and the reason if another than the rule's is to be given."""
    if _direct(ready):
        return MaxIterations(1), None
    if stop == "discrepancy":
        return Discrepancy() | MaxIterations(iterations), None
    found = held_out_iterations(ready, iterations, seed=seed)
    return MaxIterations(found.iterations), found.reason


def _run(
    name: str, stop: str, ready: Prepared, rule: Rule, truth: NDArray[Any] | None, reason: str | None = None
) -> tuple[Row, NDArray[Any]]:
    import time

    begin = time.perf_counter()
    solution = solve(ready.method, ready.problem, stop=rule, x0=ready.start)
    duration = time.perf_counter() - begin
    restored = _array(ready.in_image(solution.x))
    direct, per_step = _direct(ready), ready.method.transforms
    row = Row(
        name,
        described_prior(ready.problem.prior),
        stop,
        reason or solution.reason,
        None if direct else solution.iterations,
        duration,
        None if per_step is None else per_step * max(1, solution.iterations),
        **_judged(ready, solution, restored, truth),
    )
    return row, restored


def _judged(
    ready: Prepared, solution: Solution, restored: NDArray[Any], truth: NDArray[Any] | None
) -> dict[str, float | None]:
    """The objective, the residual's whiteness and size, and the metrics against the truth."""
    from deconlab.assess.metrics import psnr, ssim
    from deconlab.assess.residual import residual

    problem, fidelity, x = ready.problem, ready.problem.fidelity, solution.x
    with torch.no_grad():
        prediction = problem.H.forward(x) + fidelity.background
        found: dict[str, float | None] = {
            "objective": float(problem.objective(x)) if hasattr(problem.prior, "value") else None
        }
    # Inverse filters predict negative light; a thousandth of the mean is then the least variance there is.
    variance = (prediction + ready.counts.read_noise**2).clamp(min=1e-3 * float(fidelity.y.abs().mean()))
    left = residual(_array(fidelity.y), _array(prediction), _array(variance), fidelity.weights)
    found |= {"chi2": left.chi2, "neighbours": left.neighbours}
    if truth is not None:
        found |= {"psnr": psnr(restored, truth)}
        if min(truth.shape) >= 7:  # the window of SSIM
            found |= {"ssim": ssim(restored, truth)}
    return found


def _array(x: Tensor) -> NDArray[Any]:
    return np.asarray(x.detach().cpu().numpy())


def _printed(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
