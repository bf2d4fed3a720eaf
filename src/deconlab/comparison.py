"""``compare``: several methods on one image, each at its own stop and again at equal time, in one table and one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.api import Prepared, prepare
from deconlab.functionals import PoissonLikelihood
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import DirectMethod, refusals, registry
from deconlab.solve import Rule, solve
from deconlab.stopping import Discrepancy, MaxIterations, MaxSeconds
from deconlab.volume import to_tensor


@dataclass(frozen=True)
class Row:
    """A run of the table. ``stop`` is "own" or "equal time"; numbers that do not exist are None.

    ``transforms`` are real FFTs, where a step's number is fixed; ``objective`` is the method's own, data term and prior: two
    can be compared only where these are equal. ``chi2`` is the mean squared residual in units of photon (and read) noise, 1
    where the model explains the data; ``neighbours`` the residual's correlation with its neighbours, 0 where it is white.
    """

    method: str
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

    def markdown(self) -> str:
        """The table as Markdown; columns that are empty throughout are left out."""
        names = [field.name for field in fields(Row) if any(getattr(row, field.name) is not None for row in self.rows)]
        lines = [names, ["---"] * len(names)]
        lines += [[_printed(getattr(row, name)) for name in names] for row in self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def picture(self, path: Path | str, stop: str = "own", **options: Any) -> None:
        """Write a PNG with the image and every result at ``stop``, the same display range and section in all panels.

        ``options`` are those of :func:`deconlab.assess.picture.side_by_side`, such as ``voxel_um``, ``at`` and ``limits``.
        """
        from deconlab.assess.picture import side_by_side

        panels = {"image": self.image} | {name: x for (name, at), x in self.images.items() if at == stop}
        side_by_side(panels, path, **options)


def compare(
    image: Any,
    psf: Any,
    methods: Sequence[str],
    *,
    iterations: int = 100,
    seconds: float | None = None,
    reference: Any = None,
    own: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Comparison:
    """Run ``methods`` on one image and lay their results side by side.

    Each runs twice: until its residual is what the noise explains (:class:`~deconlab.stopping.Discrepancy`) or ``iterations``
    are done, and again for as many seconds as all others: ``seconds``, or those of the slowest run before. Direct methods run
    once. A method that cannot solve the problem gets a row that says why; it is no error.

    reference: the true object, of the image's shape, for PSNR and SSIM over its own range.
    own: settings of single methods by their names, such as ``{"rl-tv": {"weight": 0.01}}``; all other ``settings`` are those of
        :func:`deconlab.deconvolve` and hold for every method.

    Raises ValueError for an unknown or repeated method, or settings for one that is not compared, and what deconvolve raises.
    """
    names = [registry.name_of(registry.get(name)) for name in methods]
    private = {registry.name_of(registry.get(name)): dict(values) for name, values in (own or {}).items()}
    if len(set(names)) < len(names) or not names:
        raise ValueError(
            f"The methods to compare must be different and at least one; they are {', '.join(names) or 'none'}."
        )
    if not set(private) <= set(names):
        raise ValueError(f"Settings for {', '.join(sorted(set(private) - set(names)))}, which is not compared.")
    ready = {name: prepare(image, psf, name, **{**settings, **private.get(name, {})}) for name in names}
    rows: list[Row] = []
    images: dict[tuple[str, str], NDArray[Any]] = {}

    def run(name: str, stop: str, rule: Rule) -> None:
        row, restored = _row(name, stop, ready[name], rule, reference)
        rows.append(row)
        if restored is not None:
            images[name, stop] = restored

    for name in names:
        run(
            name,
            "own",
            MaxIterations(iterations) if _direct(ready[name]) else Discrepancy() | MaxIterations(iterations),
        )
    allowed = max((row.seconds or 0.0 for row in rows), default=0.0) if seconds is None else seconds
    for name in names:
        if (name, "own") in images and not _direct(ready[name]) and allowed > 0:
            run(name, "equal time", MaxSeconds(allowed))
    first = ready[names[0]]
    measured = first.counts.image_units(first.blur.measured.forward(first.problem.fidelity.y))
    return Comparison(tuple(rows), images, _array(measured))


def _direct(ready: Prepared) -> bool:
    return isinstance(ready.method, DirectMethod)


def _row(name: str, stop: str, ready: Prepared, rule: Rule, reference: Any) -> tuple[Row, NDArray[Any] | None]:
    import time

    from deconlab.assess.metrics import psnr, ssim
    from deconlab.assess.residual import residual

    method, problem = ready.method, ready.problem
    reasons = refusals(method, problem)
    if reasons:
        return Row(name, stop, " ".join(reasons)), None
    begin = time.perf_counter()
    solution = solve(method, problem, stop=rule, x0=ready.start)
    duration = time.perf_counter() - begin
    fidelity, x = problem.fidelity, solution.x
    with torch.no_grad():
        prediction = problem.H.forward(x) + fidelity.background
        objective = float(problem.objective(x)) if hasattr(problem.prior, "value") else None
    variance = prediction + (
        fidelity.read_variance if isinstance(fidelity, PoissonLikelihood) else ready.counts.read_noise**2
    )
    # Inverse filters predict negative light; a thousandth of the mean is then the least variance there is.
    variance = variance.clamp(min=1e-3 * float(fidelity.y.abs().mean()))
    left = residual(_array(fidelity.y), _array(prediction), _array(variance), fidelity.weights)
    restored = _array(ready.in_image(x))
    scores: dict[str, float] = {}
    if reference is not None:
        truth = _array(to_tensor(reference, "cpu", torch.float64))
        scores = {"psnr": psnr(restored, truth), "ssim": ssim(restored, truth)}
    per_step = method.transforms
    row = Row(
        name,
        stop,
        solution.reason,
        None if _direct(ready) else solution.iterations,
        duration,
        None if per_step is None else per_step * max(1, solution.iterations),
        objective,
        left.chi2,
        left.neighbours,
        **scores,
    )
    return row, restored


def _array(x: Tensor) -> NDArray[Any]:
    return np.asarray(x.detach().cpu().numpy())


def _printed(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
