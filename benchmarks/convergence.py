"""Objective against CPU seconds: Richardson-Lucy, its accelerations, and Richardson-Lucy in plain torch, in place.

    python benchmarks/convergence.py [--size 256] [--iterations 100] [--repeats 3] [--quick]

A crowd of blurred points and lines, Poisson noise, 64 × N × N voxels, a PSF of 33 × 65 × 65, open boundary, one thread. The
question is how soon each comes to the likelihood that plain Richardson-Lucy has after 100 iterations. Steps are timed in one
pass, objectives (of the estimate that a user would take home) computed in another, so that their cost is nobody's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from tables import load, machine, spread, table

METHODS = ("richardson-lucy", "scaled-heavy-ball", "biggs-andrews")
TORCH = "Richardson-Lucy, torch in place"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a small image, once")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    size, repeats = (64, 1) if arguments.quick else (arguments.size, arguments.repeats)
    problem = problem_of(size)
    count = arguments.iterations
    objectives = {name: objectives_of(problem, name, count) for name in METHODS}
    goal = objectives["richardson-lucy"][-1]
    needed = {
        name: next(k for k, value in enumerate(values, 1) if value <= goal) for name, values in objectives.items()
    }
    times: dict[str, list[list[float]]] = {name: [] for name in (*METHODS, TORCH)}
    for _ in range(repeats):
        for name in METHODS:
            times[name].append(times_of(problem, name, count))
        times[TORCH].append(times_in_torch(problem, count))
    needed[TORCH] = count
    plain = [seconds[count - 1] for seconds in times[TORCH]]
    rows = []
    for name, runs in times.items():
        until = [seconds[needed[name] - 1] for seconds in runs]
        ratios = [a / b for a, b in zip(until, plain, strict=True)]
        rows.append(
            [name, str(needed[name]), spread(until, ".2f"), spread(ratios), f"1/{1 / statistics.median(ratios):.0f}"]
        )
    print(f"{machine(1)}; {load()}\n")
    print(f"64 × {size} × {size} voxels, objective of {count} plain iterations: {goal:.6g}\n")
    head = ["method", "iterations", "CPU s until then, set-up included", "of plain torch", ""]
    print(table(head, rows))
    print("\nObjective above the best that was seen, relative to the start, after CPU seconds:\n")
    best = min(min(values) for values in objectives.values())
    start = objectives["richardson-lucy"][0]
    last = statistics.median(seconds[-1] for seconds in times["richardson-lucy"])
    moments = [last * part for part in (0.1, 0.2, 0.4, 0.6, 1.0)]
    rows = []
    for name in (*METHODS, TORCH):
        seconds = times[name][0]
        values = objectives["richardson-lucy" if name == TORCH else name]
        reached = [sum(s <= moment for s in seconds) for moment in moments]
        rows.append([name, *(f"{(values[k - 1] - best) / (start - best):.1e}" if k else "–" for k in reached)])
    print(table(["method", *(f"{moment:.2f} s" for moment in moments)], rows))


def problem_of(size: int) -> Any:
    """Points and lines, seen by a Gaussian of widths 3 × 4 × 4 voxels with a faint, wide skirt."""
    import torch

    from deconlab.functionals import PoissonLikelihood
    from deconlab.operators import blur
    from deconlab.problem import NonNegative, Problem

    generator = torch.Generator().manual_seed(0)
    axes = [torch.arange(n) - n // 2 for n in (33, 65, 65)]

    def gaussian(widths: tuple[float, ...]) -> torch.Tensor:
        z, y, x = (torch.exp(-0.5 * (axis / width) ** 2) for axis, width in zip(axes, widths, strict=True))
        volume = z[:, None, None] * y[:, None] * x
        return volume / volume.sum()

    psf = 0.8 * gaussian((3.0, 2.0, 2.0)) + 0.2 * gaussian((8.0, 12.0, 12.0))
    H = blur(psf, (64, size, size))
    x = torch.full(H.in_shape, 1.0)
    places = [torch.randint(0, n, (size * 8,), generator=generator) for n in H.in_shape]
    x[tuple(places)] += 3000 * torch.rand(size * 8, generator=generator)
    for _ in range(size // 8):
        z, y = (int(torch.randint(0, n, (1,), generator=generator)) for n in H.in_shape[:2])
        x[z, y] += 100
    y = torch.poisson(H.forward(x).clamp(min=0), generator=generator)
    return Problem(PoissonLikelihood(H, y, 1.0), constraint=NonNegative())


def objectives_of(problem: Any, name: str, count: int) -> list[float]:
    """Of the estimate after each step."""
    from deconlab.methods import registry

    method, values = registry.get(name)(), []
    state = method.init(problem)
    for _ in range(count):
        state = method.step(problem, state)
        values.append(float(problem.objective(state.x)))
    return values


def times_of(problem: Any, name: str, count: int) -> list[float]:
    """CPU seconds until each step is done, from a problem that knows nothing yet."""
    from dataclasses import replace

    from deconlab.methods import registry

    method, seconds = registry.get(name)(), []
    H = problem.H.with_psf(problem.H.convolution.psf)
    fresh = replace(problem, fidelity=replace(problem.fidelity, H=H))
    start = time.process_time()
    state = method.init(fresh)
    for _ in range(count):
        state = method.step(fresh, state)
        seconds.append(time.process_time() - start)
    return seconds


def times_in_torch(problem: Any, count: int) -> list[float]:
    """As :func:`times_of`, of :func:`iteration.in_place`."""
    from iteration import in_place

    start = time.process_time()
    step, seconds = in_place(problem), []
    for _ in range(count):
        step()
        seconds.append(time.process_time() - start)
    return seconds


if __name__ == "__main__":
    main()
