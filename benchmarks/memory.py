"""Peak memory of `deconlab run` against its own estimate, and bytes per voxel of the padded domain.

    python benchmarks/memory.py [--sizes 256 512] [--methods ...] [--quick]

Each run is a process of its own: an image of 64 × N × N voxels of 16 bits and a measured PSF, open boundary, one thread, three
iterations. Measured is the peak above what the process holds once torch is imported.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import load, machine, table

METHODS = ("richardson-lucy", "scaled-heavy-ball", "biggs-andrews", "landweber", "cgls", "wiener", "admm")
RUN = """
import sys, torch
def status(field):
    return next(int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith(field))
before = status("VmRSS")
from deconlab.cli import main
try:
    main()
except SystemExit as end:
    if end.code:
        raise
print(status("VmHWM") - before)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--quick", action="store_true", help="a small image and two methods")
    arguments = parser.parse_args()
    sizes, methods = ([192], METHODS[:2]) if arguments.quick else (arguments.sizes, arguments.methods)
    print(f"{machine(1)}; {load()}\n")
    rows = [row(name, size) for size in sizes for name in methods]
    head = ["method", "image", "domain", "estimate MB", "measured MB", "estimate / measured", "bytes per padded voxel"]
    print(table(head, rows))


def row(name: str, size: int) -> list[str]:
    """One method on one size."""
    import numpy as np
    import tifffile

    from deconlab import io, memory

    with tempfile.TemporaryDirectory() as folder:
        image, psf, output = (Path(folder, f"{name}.tif") for name in ("image", "psf", "output"))
        tifffile.imwrite(image, np.random.default_rng(0).poisson(50.0, (64, size, size)).astype(np.uint16))
        z, y, x = (np.exp(-0.5 * ((np.arange(n) - n // 2) / (n / 5)) ** 2) for n in (33, 65, 65))
        tifffile.imwrite(psf, (z[:, None, None] * y[:, None] * x).astype(np.float32))
        voxel_um = (0.2, 0.1, 0.1)
        estimate = memory.of_image(io.read(image), psf=psf, voxel_um=voxel_um, method=name, device="cpu")
        command = [
            sys.executable,
            "-c",
            RUN,
            "run",
            str(image),
            "--psf",
            str(psf),
            "-o",
            str(output),
            "--device",
            "cpu",
        ]
        command += ["--method", name, "--threads", "1", "--voxel-um", *map(str, voxel_um)]
        command += [] if name == "wiener" else ["--iterations", "3"]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    measured = int(done.stdout.split()[-1])
    working = measured - memory.PROGRAM - estimate.held
    return [
        name,
        f"64 × {size} × {size}",
        " × ".join(map(str, estimate.domain)),
        f"{estimate.total / 1e6:.0f}",
        f"{measured / 1e6:.0f}",
        f"{estimate.total / measured:.2f}",
        f"{working / math.prod(estimate.domain):.1f} (estimate {estimate.per_voxel:.1f})",
    ]


if __name__ == "__main__":
    main()
