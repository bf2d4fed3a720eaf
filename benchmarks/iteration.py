"""CPU time and memory of one Richardson-Lucy iteration, as multiples of the transforms it needs.

    python benchmarks/iteration.py [--sizes 256 512] [--repeats 7] [--threads 1]

For an image of 64 × N × N voxels and a PSF of 33 × 65 × 65, open boundary: CPU time of an iteration over that of two rfftn and
two irfftn of the same padded size by torch (and by scipy.fft), measured in turn within one run, so that a slow moment of the
machine hits all of them; and the peak of the process above what it held after loading its libraries, per voxel of the padded
domain, measured in a process of its own. Medians with the smallest and largest value.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

PSF_SHAPE = (33, 65, 65)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="N of the 64 × N × N images")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--method", default="richardson-lucy")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print(peak_bytes_per_voxel(arguments.method, arguments.memory_of))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, {arguments.threads} thread(s), {arguments.method}"
    )
    for size in arguments.sizes:
        report(arguments.method, size, arguments.repeats)


def report(method: str, size: int, repeats: int) -> None:
    """Print the figures of one image size."""
    import scipy.fft
    import torch

    step, shape = stepper(method, size)
    x = torch.rand(shape)
    workers = torch.get_num_threads()

    def by_torch() -> None:
        for _ in range(2):
            torch.fft.irfftn(torch.fft.rfftn(x), s=shape)

    def by_scipy() -> None:
        for _ in range(2):
            scipy.fft.irfftn(scipy.fft.rfftn(x.numpy(), workers=workers), s=shape, workers=workers)

    times = interleaved({"iteration": step, "torch": by_torch, "scipy": by_scipy}, repeats)
    print(
        f"\n64 × {size} × {size} in {' × '.join(map(str, shape))}, {repeats} repeats, CPU seconds (min … median … max)"
    )
    for name, label in (
        ("iteration", "one iteration"),
        ("torch", "4 transforms, torch"),
        ("scipy", "4 transforms, scipy.fft"),
    ):
        values = sorted(times[name])
        print(f"  {label:26s} {values[0]:7.3f} … {statistics.median(values):7.3f} … {values[-1]:7.3f}")
    for name in ("torch", "scipy"):
        ratios = sorted(a / b for a, b in zip(times["iteration"], times[name], strict=True))
        print(f"  iteration / {name:14s} {ratios[0]:7.2f} … {statistics.median(ratios):7.2f} … {ratios[-1]:7.2f}")
    command = [sys.executable, __file__, "--memory-of", str(size), "--method", method]
    memory = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"  peak memory               {memory:7.1f} bytes per padded voxel, above the process with its libraries loaded"
    )


def interleaved(tasks: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """CPU seconds of every task, taken in turn; the first round warms up and does not count."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for round_number in range(repeats + 1):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            if round_number:
                times[name].append(time.process_time() - start)
    return times


def stepper(name: str, size: int) -> tuple[Callable[[], None], tuple[int, ...]]:
    """A function that does one more iteration, and the shape of the padded domain."""
    import torch

    from deconlab.functionals import PoissonLikelihood
    from deconlab.methods import registry
    from deconlab.operators import blur
    from deconlab.problem import NonNegative, Problem

    torch.set_grad_enabled(False)
    generator = torch.Generator().manual_seed(0)
    psf = torch.rand(PSF_SHAPE, generator=generator)
    operator = blur(psf / psf.sum(), (64, size, size))
    y = torch.poisson(50 * torch.rand((64, size, size), generator=generator), generator=generator)
    problem, method = Problem(PoissonLikelihood(operator, y), constraint=NonNegative()), registry.get(name)()
    del y, operator
    state = [method.init(problem)]

    def step() -> None:
        state[0] = method.step(problem, state[0])

    return step, problem.H.in_shape


def peak_bytes_per_voxel(name: str, size: int) -> float:
    """Of five iterations, in this process, which must be fresh."""
    import scipy.fft  # noqa: F401  (its libraries are no working memory)
    import torch

    from deconlab.observers import peak_memory

    stepper(name, 16)[0]()  # libraries are loaded by then; they are no working memory
    before = peak_memory(torch.empty(0))
    step, shape = stepper(name, size)
    for _ in range(5):
        step()
    return (peak_memory(torch.empty(0)) - before) / math.prod(shape)


if __name__ == "__main__":
    main()
