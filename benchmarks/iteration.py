"""CPU time and memory of one iteration, as multiples of the transforms it needs and of the same in plain torch.

    python benchmarks/iteration.py [--sizes 256 512] [--repeats 7] [--threads 1] [--methods richardson-lucy ...]

For an image of 64 × N × N voxels and a PSF of 33 × 65 × 65, open boundary: CPU time of an iteration over that of two rfftn and
two irfftn of the same padded size by torch, scipy.fft and, where installed, FFTW (measured plan) and MKL, both in place; over
Richardson-Lucy written in torch, in place; and over Richardson-Lucy here. All are measured in turn within one run, so that a
slow moment of the machine hits all of them. And the peak of the process above what it held after loading its libraries, per
voxel of the padded domain, measured in a process of its own. Medians with the smallest and largest value.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tables import load, machine, spread, table

if TYPE_CHECKING:
    import torch

    from deconlab.problem import Problem

PSF_SHAPE = (33, 65, 65)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], help="N of the 64 × N × N images")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=["richardson-lucy", "scaled-heavy-ball"])
    parser.add_argument("--quick", action="store_true", help="a small image, two repeats")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print(peak_bytes_per_voxel(arguments.methods[0], arguments.memory_of))
        return
    print(f"{machine(arguments.threads)}; {load()}")
    sizes, repeats = ([64], 2) if arguments.quick else (arguments.sizes, arguments.repeats)
    for size in sizes:
        report(arguments.methods, size, repeats)


def report(methods: list[str], size: int, repeats: int) -> None:
    """Print the figures of one image size."""
    import torch

    from transforms import engines

    tasks: dict[str, Callable[[], None]] = {}
    for name in methods:
        tasks[name], shape = stepper(name, size)
        tasks[f"{name}, no objective"], _ = stepper(name, size, objective=False)
    others = {f"4 transforms, {name}": run for name, run in engines(shape, torch.get_num_threads()).items()}
    others["Richardson-Lucy, torch in place"] = in_place(problem_of("richardson-lucy", size))
    times = interleaved({**tasks, **others}, repeats)
    print(f"\n64 × {size} × {size} in {' × '.join(map(str, shape))}, {repeats} interleaved repeats\n")
    print(table(["one iteration of", "CPU s"], [[name, spread(values)] for name, values in times.items()]))
    rows = [
        [name, other, spread([a / b for a, b in zip(times[name], times[other], strict=True)])]
        for name in methods
        for other in (f"{name}, no objective", methods[0], *others)
        if other != name
    ]
    print("\n" + table(["iteration of", "against", "ratio"], rows) + "\n")
    for name in methods:
        command = [sys.executable, __file__, "--memory-of", str(size), "--methods", name]
        memory = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"- {name}: {memory:.1f} bytes per padded voxel at the peak")


def in_place(problem: Problem[Any, Any]) -> Callable[[], None]:
    """One more iteration of Richardson-Lucy, written by hand in torch with every buffer used again."""
    import torch

    H, y, sensitivity = problem.H, problem.fidelity.y, problem.fidelity.sensitivity
    shape, box, otf = H.in_shape, H.crop.box, H.convolution.otf
    conjugate = otf.conj().resolve_conj()
    background = problem.fidelity.background
    x, buffer = torch.ones(shape), torch.empty(shape)
    spectrum, ratio = torch.empty_like(otf), torch.empty_like(y)

    def blurred(symbol: torch.Tensor) -> None:
        spectrum.mul_(symbol)
        torch.fft.irfftn(spectrum, s=shape, out=buffer)

    def step() -> None:
        torch.fft.rfftn(x, out=spectrum)
        blurred(otf)
        torch.div(y, buffer[box].add_(background).clamp_(min=1e-6), out=ratio)
        buffer.zero_()
        buffer[box] = ratio
        torch.fft.rfftn(buffer, out=spectrum)
        blurred(conjugate)
        x.mul_(buffer.clamp_(min=0)).div_(sensitivity)

    return step


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


def problem_of(name: str, size: int) -> Problem[Any, Any]:
    """A problem that the method of this name can solve."""
    import torch

    from deconlab.functionals import LeastSquares, PoissonLikelihood
    from deconlab.methods import claims, registry
    from deconlab.operators import blur
    from deconlab.problem import Constraint, Free, Problem

    torch.set_grad_enabled(False)
    generator = torch.Generator().manual_seed(0)
    psf = torch.rand(PSF_SHAPE, generator=generator)
    operator = blur(psf / psf.sum(), (64, size, size))
    y = torch.poisson(50 * torch.rand((64, size, size), generator=generator), generator=generator)
    method = registry.get(name)
    fidelity = PoissonLikelihood if issubclass(PoissonLikelihood, claims(method).fidelity) else LeastSquares
    return Problem(fidelity(operator, y), constraint=Free() if method.constraint is Constraint else method.constraint())


def stepper(name: str, size: int, *, objective: bool = True) -> tuple[Callable[[], None], tuple[int, ...]]:
    """A function that does one more iteration, and the shape of the padded domain."""
    from deconlab.methods import registry

    problem, method = problem_of(name, size), registry.get(name)()
    state = [method.init(problem)]
    if not objective:
        whole = problem.H.sandwich
        problem.H.sandwich = lambda x, inner, outer, _: whole(x, inner, outer)  # type: ignore[method-assign]

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
