"""CPU time of a step with total variation over a Richardson-Lucy step of the same problem, measured in turn in one run.

    python benchmarks/splitting.py [--shape 32 96 96] [--repeats 7]

With the compiled engine, which serves Richardson-Lucy's whole step and little of ADMM's, and in plain torch for both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import nullcontext

import numpy as np
import torch

from deconlab import engine
from deconlab.api import prepare
from deconlab.methods import IterativeMethod

METHODS = ("richardson-lucy", "admm", "condat-vu", "rl-tv")


def measured(shape: tuple[int, ...], boundary: str, repeats: int) -> dict[str, float]:
    """Median CPU seconds of a step of each method."""
    image = np.random.default_rng(0).poisson(30, shape).astype(np.float32)
    profile = np.exp(-(np.arange(-8, 9) ** 2) / 8)
    psf = profile[:, None, None] * profile[:, None] * profile
    ready = {name: prepare(image, psf / psf.sum(), name, boundary=boundary) for name in METHODS}
    states, times = {}, {name: [] for name in METHODS}
    with torch.no_grad():
        for name, each in ready.items():
            assert isinstance(each.method, IterativeMethod)
            states[name] = each.method.step(each.problem, each.method.init(each.problem))
        for _ in range(repeats):
            for name, each in ready.items():
                begin = time.process_time()
                states[name] = each.method.step(each.problem, states[name])  # type: ignore[attr-defined]
                times[name].append(time.process_time() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", type=int, nargs=3, default=[32, 96, 96])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for kind, context in (("engine", nullcontext()), ("plain torch", engine.using("plain"))):
        with context:
            for boundary in ("open", "periodic"):
                found = measured(tuple(arguments.shape), boundary, arguments.repeats)
                told = ", ".join(f"{name} {1e3 * s:.1f} ms ({s / found[METHODS[0]]:.1f})" for name, s in found.items())
                print(f"{kind}, {boundary}: {told}")


if __name__ == "__main__":
    main()
