"""Measures every method at its best setting, and writes method_table.json and method_table.md.

python docs/make_method_table.py            # goes on where it was ended; about 25 minutes from the beginning, on one core
python docs/make_method_table.py --page     # writes the page anew from method_table.json

Whatever a result needs is in its entry of the JSON file; delete the file (or entries) to measure again.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deconlab.api import Prepared, prepare
from deconlab.assess.metrics import psnr, ssim
from deconlab.formation.camera import Camera
from deconlab.formation.phantom import Phantom
from deconlab.formation.phantoms.beads import Beads
from deconlab.formation.phantoms.filaments import Filaments
from deconlab.formation.phantoms.hollow_bars import HollowBars
from deconlab.formation.simulate import Simulation, simulate
from deconlab.functionals import QuadraticPrior
from deconlab.methods import DirectMethod, IterativeMethod, claims, registry

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "method_table.json", HERE / "method_table.md"

SHAPE, VOXEL_UM, SIGMA_PX, REACH_PX, PARTS = (8, 24, 24), (0.2, 0.1, 0.1), 1.2, 3, 3
PHANTOMS: dict[str, Phantom] = {
    "bars": HollowBars(count=3, width_um=0.6, wall_um=0.2, gap_um=0.2, step_um=0.3),
    "beads": Beads(count=10, diameter_um=0.3, brightness_spread=0.7),
    "filaments": Filaments(count=7, length_um=3.0, diameter_um=0.2, persistence_um=3.0),
}
PHOTONS, SEEDS = (20, 200, 2000), (0, 1, 2)
BACKGROUND = 0.1  # of the peak

# Priors that a method is shown with; all others come with their default alone.
PRIORS = {
    "admm": ("total-variation", "hessian-schatten", "sparse-variation", "wavelet-sparsity", "l1"),
    "one-step-late": ("tikhonov", "goods-roughness"),
    "nesterov": ("laplacian",),
    "gradient-descent": ("laplacian",),
    "ista": ("l1",),  # the prox of wavelet-sparsity with x >= 0 is iterated: ADMM has no need of that
    "fista": ("l1",),
    "monotone-fista": ("l1",),
}
REFERENCE = "richardson-lucy"
SETTINGS: dict[str, dict[str, float]] = {"stochastic-gradient-descent": {"decay": 0.0}}  # with decay it needs 10⁴ steps
DIALS = {"wiener": "noise_to_signal", "naive-inverse": "epsilon", "truncated-inverse": "epsilon"}
RATIO, POINTS = 2.0, 12
SHORT, LONG, LONGEST = 20, 64, 5120  # iterations: while λ is sought; at that λ; where the grid of iterations may end
SETTLED_DB = 0.05


def scenes() -> Iterator[tuple[str, int, int]]:
    for seed in SEEDS:
        for name in PHANTOMS:
            for photons in PHOTONS:
                yield name, photons, seed


def pairs() -> Iterator[tuple[str, str]]:
    """Every method with the priors that it is shown with."""
    for name, cls in registry.all().items():
        for prior in PRIORS.get(name, (cls.default_prior,)):
            yield name, prior


def simulated(name: str, photons: int, seed: int) -> Simulation:
    """Drawn three times finer than measured, on a field that goes on beyond the image, and binned: no inverse crime."""
    profile = np.exp(-(np.arange(-REACH_PX * PARTS, REACH_PX * PARTS + 1) ** 2) / (2 * (SIGMA_PX * PARTS) ** 2))
    psf = profile[:, None, None] * profile[:, None] * profile
    camera = Camera(background=BACKGROUND * photons)
    return simulate(
        PHANTOMS[name], psf, shape=SHAPE, voxel_um=VOXEL_UM, camera=camera, photons=photons, seed=seed,
        oversampling=PARTS,
    )  # fmt: skip


class Scored:
    """The best of everything tried, by PSNR over the object's range."""

    def __init__(self, ready: Prepared, truth: np.ndarray) -> None:
        self.ready, self.truth = ready, truth
        self.wanted = torch.from_numpy(truth)
        self.best: dict[str, Any] = {"psnr": -math.inf}
        self.image = self.wanted

    def path(self, problem: Any, least: int, most: int, **setting: Any) -> tuple[dict[int, float], float]:
        """PSNR by iterations, on a grid of ``POINTS`` points at least that is extended while its last is the best."""
        method, found, k = self.ready.method, {}, 0
        assert isinstance(method, IterativeMethod)
        marks = grid(least, most)
        state = method.init(problem, None)
        while marks:
            for _ in range(marks[0] - k):
                state = method.step(problem, state)
            k = marks.pop(0)
            found[k] = self.score(state.x, iterations=k, **setting)
            if not marks and k < LONGEST and most > SHORT and rising(found):
                marks = [round(k * 2 ** (part / 4)) for part in (1, 2, 3, 4)]
        return found, max(found.values())

    def score(self, x: torch.Tensor, **setting: Any) -> float:
        image = self.ready.in_image(x)
        error = float((image - self.wanted).square().mean(dtype=torch.float64))
        value = 10 * math.log10(float(self.wanted.max() - self.wanted.min()) ** 2 / error) if error > 0 else math.inf
        if not math.isfinite(value):
            return -math.inf
        if value > self.best["psnr"]:
            self.best = {"psnr": value, **setting}
            self.image = image.clone()
        return value

    def result(self) -> dict[str, Any]:
        restored = self.image.numpy()
        return {**rounded(self.best), "ssim": round(ssim(restored, self.truth), 4)}


def grid(least: int, most: int) -> list[int]:
    """Whole numbers that rise evenly, ``POINTS`` of them and more."""
    count = POINTS
    while len(found := sorted({round(v) for v in np.geomspace(least, most, count)})) < min(POINTS, most - least + 1):
        count += 1
    return found


def rising(values: dict[int, float]) -> bool:
    """Whether the last of a grid is its best, and by SETTLED_DB more than half as many iterations gave."""
    last = max(values)
    return (
        values[last] == max(values.values())
        and values[last] - max(value for k, value in values.items() if k <= 0.55 * last) > SETTLED_DB
    )


def sought(value_at: Callable[[float], float], centre: float, count: int) -> tuple[float, list[float]]:
    """The best of ``count`` numbers around ``centre``, RATIO apart, extended until none at an edge is the best.

    An edge where the score has settled counts as inner: beyond it nothing changes.
    """
    tried = {k: value_at(centre * RATIO**k) for k in range(-(count // 2), count - count // 2)}
    for _ in range(24):
        best = max(tried, key=lambda k: tried[k])
        low, high = min(tried), max(tried)
        if best == low and tried[low] - tried[low + 1] > SETTLED_DB:
            tried[low - 1] = value_at(centre * RATIO ** (low - 1))
        elif best == high and tried[high] - tried[high - 1] > SETTLED_DB:
            tried[high + 1] = value_at(centre * RATIO ** (high + 1))
        else:
            return centre * RATIO**best, [round(tried[k], 3) for k in sorted(tried)]
    return centre * RATIO**best, [round(tried[k], 3) for k in sorted(tried)]


def measured(name: str, prior: str, found: Simulation, known: float | None) -> dict[str, Any]:
    """A method's best result on one scene. ``known``: the λ that was best for the first seed of the scene."""
    cls = registry.get(name)
    background = BACKGROUND * found.photons
    ready = prepare(
        found.data.astype(np.float32),
        found.psf,
        name,
        prior=prior,
        background=background,
        voxel_um=VOXEL_UM,
        **SETTINGS.get(name, {}),
    )
    problem, scored = ready.problem, Scored(ready, found.truth)
    dialled = hasattr(problem.prior, "weight")
    with torch.no_grad():
        if issubclass(cls, DirectMethod):
            dial = DIALS.get(name)

            def direct(value: float) -> float:
                method: Any = ready.method if dial is None else replace(ready.method, **{dial: value})  # type: ignore[call-arg]
                posed = replace(problem, prior=replace(problem.prior, weight=value)) if dialled else problem
                return scored.score(method.apply(posed).x, setting=value)

            if dial is None and not dialled:
                direct(1.0)
                scored.best.pop("setting")
                return scored.result()
            _, values = sought(direct, 0.01, POINTS)
            return {**scored.result(), "grid": values}
        if not dialled:
            values, _ = scored.path(problem, 1, LONG)
            return {**scored.result(), "path": {k: round(v, 3) for k, v in values.items()}}
        level = float(problem.fidelity.mean_signal)
        unit = level ** (problem.fidelity.degree - problem.prior.degree)

        def with_weight(value: float, most: int) -> float:
            posed = replace(problem, prior=replace(problem.prior, weight=value * unit))
            return scored.path(posed, 3, most, setting=value)[1]

        weight, values = known, []
        if weight is None:
            centre = 1e-3 if isinstance(problem.prior, QuadraticPrior) else 0.01
            weight, values = sought(lambda value: with_weight(value, SHORT), centre, POINTS)
        with_weight(weight, LONG)
        return {**scored.result(), **({"grid": values} if values else {})}


def step_seconds(name: str, prior: str, found: Simulation, steps: int = 10) -> float:
    """Processor time of a step, or of a direct method."""
    ready = prepare(
        found.data.astype(np.float32), found.psf, name, prior=prior, background=BACKGROUND * found.photons,
        voxel_um=VOXEL_UM,
    )  # fmt: skip
    method, problem = ready.method, ready.problem
    with torch.no_grad():
        if isinstance(method, DirectMethod):
            method.apply(problem)
            begin = time.process_time()
            method.apply(problem)
            return time.process_time() - begin
        assert isinstance(method, IterativeMethod)
        state = method.step(problem, method.init(problem, None))
        begin = time.process_time()
        for _ in range(steps):
            state = method.step(problem, state)
        return (time.process_time() - begin) / steps


def rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in values.items()}


def measure() -> dict[str, Any]:
    """All entries that the file does not have yet, one after another; it is saved after each scene."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    begin = time.perf_counter()
    for scene in scenes():
        name, photons, seed = scene
        found, key = simulated(*scene), f"{name} {photons} {seed}"
        entries = results.setdefault(key, {})
        data = found.data.astype(np.float64) - BACKGROUND * photons
        entries["image"] = rounded({"psnr": psnr(data, found.truth), "ssim": ssim(data, found.truth)})
        for method, prior in pairs():
            label = f"{method} {prior}"
            if label not in entries:
                known = results.get(f"{name} {photons} {SEEDS[0]}", {}).get(label, {}).get("setting")
                entries[label] = measured(method, prior, found, known)
        RESULTS.write_text(as_json(results), encoding="utf-8")
        print(f"{time.perf_counter() - begin:6.0f} s  {key}", flush=True)
    found = simulated("beads", 200, 0)
    results["seconds"] = rounded({f"{method} {prior}": step_seconds(method, prior, found) for method, prior in pairs()})
    RESULTS.write_text(as_json(results), encoding="utf-8")
    return results


def as_json(results: dict[str, Any]) -> str:
    """A line for each entry, so that changes can be read."""
    blocks = []
    for key, entries in results.items():
        lines = ",\n".join(f"  {json.dumps(label)}: {json.dumps(entry)}" for label, entry in entries.items())
        blocks.append(f"{json.dumps(key)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def page(results: dict[str, Any]) -> str:
    """The page's text, from the numbers alone."""
    seeds = len({key.split()[2] for key in results if key != "seconds"})
    lines = [
        "# All methods at their best",
        "",
        *paragraph(
            "Made by `docs/make_method_table.py`, the numbers in `method_table.json`. Each method is shown at its *oracle*: "
            "the λ (or ε, or noise-to-signal ratio) and the number of iterations at which it comes nearest to the known "
            "object. No user can choose so: the table shows what a method can do, not what it will do. λ is the best of at "
            "least 12 values, a factor of 2 apart, for the first seed, and kept for the others; iterations are the best of at "
            "least 12. "
            "Both grids were extended until the best was no longer at an edge, or the edge brought less than "
            f"{SETTLED_DB:g} dB; of iterations, 1 is the least there is, and ≥ marks those still gaining at the most tried."
        ),
        "",
        *paragraph(
            f"Images of {' × '.join(map(str, SHAPE))} voxels. Objects are drawn {PARTS} times finer, on a field that goes on "
            f"beyond the image, blurred there by a Gaussian PSF of σ = {SIGMA_PX:g} voxels, and binned: no method solves the "
            f"equation that made its data. The border is open, the background ({BACKGROUND:.0%} of the peak) known, the noise "
            "photon noise; 20, 200 or 2000 photons in the brightest pixel. Means over "
            f"{seeds} seed{'s' if seeds > 1 else ''} and, behind ±, standard deviations. PSNR in dB over the object's range. "
            "Seconds are those of the processor, one thread of a 2-core machine: a step's, measured once, times the steps."
        ),
        "",
        "## What it shows",
        "",
        *sentences(results),
    ]
    for name in PHANTOMS:
        lines += ["", f"## {name.capitalize()}", "", *table(results, name)]
    return "\n".join(lines) + "\n"


def values_of(results: dict[str, Any], name: str, photons: int, label: str, field: str) -> list[float]:
    """A number of a method on a scene, for every seed that was measured."""
    found = [results.get(f"{name} {photons} {seed}", {}).get(label, {}).get(field) for seed in SEEDS]
    return [value for value in found if value is not None]


def table(results: dict[str, Any], name: str) -> list[str]:
    """One row for each method and prior, four columns for each number of photons; the best PSNR of a column is bold."""
    levels = [photons for photons in PHOTONS if values_of(results, name, photons, "image", "psnr")]
    head = ["method", "prior", *(f"{photons}: {what}" for photons in levels for what in ("PSNR", "SSIM", "steps", "s"))]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    labels = ["image", *(f"{method} {prior}" for method, prior in pairs())]
    best = {
        photons: max(
            statistics.mean(values_of(results, name, photons, label, "psnr"))
            for label in labels
            if values_of(results, name, photons, label, "psnr")
        )
        for photons in levels
    }
    for label in labels:
        method, _, prior = label.partition(" ")
        cells = [
            "*the image*" if label == "image" else f"[{method}](methods.md#{method})",
            "" if prior == "zero" else prior,
        ]
        seconds = results.get("seconds", {}).get(label)
        for photons in levels:
            psnrs, ssims, steps = (
                values_of(results, name, photons, label, field) for field in ("psnr", "ssim", "iterations")
            )
            if not psnrs:
                cells += ["", "", "", ""]
                continue
            value = f"{statistics.mean(psnrs):.2f}"
            value = f"**{value}**" if statistics.mean(psnrs) == best[photons] else value
            spread = f" ± {statistics.stdev(psnrs):.2f}" if len(psnrs) > 1 else ""
            cells += [value + spread, f"{statistics.mean(ssims):.3f}"]
            cells += [
                ("≥ " if steps and max(steps) >= LONGEST else "") + (f"{statistics.mean(steps):.0f}" if steps else ""),
                f"{seconds * statistics.mean(steps or [1]):.2g}" if seconds else "",
            ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def sentences(results: dict[str, Any]) -> list[str]:
    """What iterations, methods and priors matter, in dB, scene by scene; nothing here that is not computed here."""
    kind = claims(registry.get(REFERENCE))[1:]
    plain = [f"{name} zero" for name, cls in registry.all().items() if claims(cls)[1:] == kind]
    habits: dict[int, list[float]] = {10: [], 40: [], 160: []}
    spreads: list[float] = []
    gains: dict[tuple[str, str], list[float]] = {}
    for key, entries in results.items():
        if key == "seconds":
            continue
        own = entries[f"{REFERENCE} zero"]
        path = {int(k): value for k, value in own["path"].items()}
        for steps, losses in habits.items():
            at = min(path, key=lambda k: abs(math.log(k / steps)))
            losses.append(own["psnr"] - path[at])
        several = [entries[label]["psnr"] for label in plain]
        spreads.append(max(several) - min(several))
        for label, entry in entries.items():
            method, _, prior = label.partition(" ")
            if method == "admm":
                gains.setdefault((key.split()[1], prior), []).append(entry["psnr"] - max(several))
    lost = ", ".join(
        f"after {steps} steps {statistics.mean(losses):.1f} dB (at worst {max(losses):.1f})"
        for steps, losses in habits.items()
    )
    worst = statistics.mean(max(losses[i] for losses in habits.values()) for i in range(len(spreads)))
    verdict = "more" if worst > statistics.mean(spreads) else "less"
    names = ", ".join(label.split()[0] for label in plain)
    lines = paragraph(
        f"**Iterations.** Richardson-Lucy stopped by habit loses against its own best stop, on average over the scenes: {lost}."
    )
    lines += ["", *paragraph(
        f"**Method.** At their best stops, the {len(plain)} methods for photon noise without a prior ({names}) differ by "
        f"{statistics.mean(spreads):.2f} dB on average, {max(spreads):.2f} dB at most. So when to stop matters {verdict} than "
        f"which of them: {worst:.1f} dB on average for the worst of these three habits."
    )]  # fmt: skip
    for photons in PHOTONS:
        told = [
            f"{prior} {statistics.mean(values):+.2f} ({min(values):+.2f} to {max(values):+.2f})"
            for (level, prior), values in gains.items()
            if level == str(photons)
        ]
        if told:
            text = f"**Priors at {photons} photons.** ADMM against the best of these, in dB: {', '.join(told)}."
            lines += ["", *paragraph(text)]
    return lines


def paragraph(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    measurements = json.loads(RESULTS.read_text()) if "--page" in sys.argv else measure()
    PAGE.write_text(page(measurements), encoding="utf-8")
