"""Time and memory of a Richardson-Lucy iteration against volume, and against threads.

    python benchmarks/scaling.py [--largest 512] [--threads 1 2] [--repeats 5] [--quick]

Cubes of 2⁶ … 2⁹ voxels along each side, cubes of sizes between them, and 128 × 512 × 512, with a periodic boundary (the
domain is the image); then an open boundary with one and more threads. CPU time per voxel of the domain, and the same divided by
log₂ of the number of voxels; memory is the estimate of `deconlab run`, which benchmarks/memory.py holds against the truth.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable

from tables import load, machine, spread, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--largest", type=int, default=512)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="up to 64 voxels along each side, two repeats")
    arguments = parser.parse_args()
    import torch

    from deconlab import memory

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    largest, repeats = (64, 2) if arguments.quick else (arguments.largest, arguments.repeats)
    shapes = [(n,) * 3 for n in (32, 64, 96, 100, 128, 200, 256, 400, 512) if n <= largest]
    if largest >= 512:
        shapes.insert(-1, (128, 512, 512))
    print(f"{machine(1)}; {load()}\n")
    costs = {shape: per_voxel(shape, "periodic", repeats) for shape in shapes}
    logs = {shape: math.log2(math.prod(shape)) for shape in shapes}
    rows = []
    for shape, values in costs.items():
        estimate = memory.estimate(shape, (17, 17, 17), boundary="periodic", device="cpu")
        per_log = [value / logs[shape] for value in values]
        rows.append([text(shape), spread(values, ".2f"), spread(per_log), f"{estimate.total / 1e6:.0f}"])
    print("Periodic boundary, PSF of 17³, one thread:\n")
    print(table(["image", "CPU ns per voxel", "the same / log₂ of the voxels", "memory of a run, MB"], rows))
    middle = [statistics.median(values) for shape, values in costs.items() if shape[0] >= 64]
    print(
        f"\nCost per voxel from 64³ on: {min(middle):.2f} … {max(middle):.2f} ns, ±{deviation(middle):.0%} about the middle;"
    )
    levels = [statistics.median(values) / logs[shape] for shape, values in costs.items() if shape[0] >= 64]
    print(f"n log n removed: {min(levels):.3f} … {max(levels):.3f}, ±{deviation(levels):.0%}.\n")
    shape = (32, 64, 64) if arguments.quick else (64, 256, 256)
    print(f"Open boundary, {text(shape)}:\n")
    print(table(["threads", "wall ms", "CPU ms"], [threaded(shape, count, repeats) for count in arguments.threads]))


def text(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def deviation(values: list[float]) -> float:
    """Half the range over its middle."""
    return (max(values) - min(values)) / (max(values) + min(values))


def stepper(shape: tuple[int, ...], boundary: str) -> tuple[Callable[[], None], int]:
    """A function that does one more iteration, and the number of voxels of the domain."""
    import torch

    from deconlab.functionals import PoissonLikelihood
    from deconlab.methods import registry
    from deconlab.operators import blur
    from deconlab.problem import NonNegative, Problem

    generator = torch.Generator().manual_seed(0)
    psf = torch.rand(17, 17, 17, generator=generator)
    H = blur(psf / psf.sum(), shape, boundary)  # type: ignore[arg-type]
    y = torch.poisson(50 * torch.rand(shape, generator=generator), generator=generator)
    problem, method = Problem(PoissonLikelihood(H, y), constraint=NonNegative()), registry.get("richardson-lucy")()
    state = [method.init(problem)]

    def step() -> None:
        state[0] = method.step(problem, state[0])

    step()
    step()
    return step, math.prod(H.in_shape)


def per_voxel(shape: tuple[int, ...], boundary: str, repeats: int) -> list[float]:
    """CPU nanoseconds per voxel of the domain."""
    step, voxels = stepper(shape, boundary)
    count, values = max(1, 4_000_000 // voxels), []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(count):
            step()
        values.append((time.process_time() - start) / count / voxels * 1e9)
    return values


def threaded(shape: tuple[int, ...], count: int, repeats: int) -> list[str]:
    """Wall and CPU milliseconds of an iteration by so many threads."""
    import torch

    step, _ = stepper(shape, "open")
    torch.set_num_threads(count)
    wall, cpu = [], []
    for _ in range(repeats):
        begin, start = time.perf_counter(), time.process_time()
        step()
        wall.append(1e3 * (time.perf_counter() - begin))
        cpu.append(1e3 * (time.process_time() - start))
    torch.set_num_threads(1)
    return [str(count), spread(wall, ".1f"), spread(cpu, ".1f")]


if __name__ == "__main__":
    main()
