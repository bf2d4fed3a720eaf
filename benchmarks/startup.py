"""CPU seconds of a whole `deconlab run` on a small stack against `python -c "import torch"`.

    python benchmarks/startup.py [--repeats 5] [--quick]

A stack of 16 × 64 × 64 voxels of 16 bits, a PSF computed from its optics, ten iterations, one thread. The first run after an
install, when nothing is compiled to bytecode yet, is measured as well: with a bytecode folder of its own that is empty (where
torch's is read from beside it, as an installer leaves it).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tables import load, machine, spread, table

OPTICS = ("--na", "1.3", "--emission-nm", "520", "--immersion-index", "1.515", "--voxel-um", "0.3", "0.1", "0.1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two repeats")
    arguments = parser.parse_args()
    repeats = 2 if arguments.quick else arguments.repeats
    import numpy as np
    import tifffile

    import deconlab

    seconds: dict[str, list[float]] = {"import torch": [], "deconlab run": [], "the first run": []}
    with tempfile.TemporaryDirectory() as folder:
        image, output = Path(folder, "stack.tif"), Path(folder, "restored.tif")
        tifffile.imwrite(image, np.random.default_rng(0).poisson(50.0, (16, 64, 64)).astype(np.uint16))
        flags = ["run", str(image), *OPTICS, "--modality", "widefield", "--iterations", "10", "-o", str(output)]
        flags += ["--overwrite", "--threads", "1", "--device", "cpu"]
        package = Path(deconlab.__file__).parent
        for _ in range(repeats):
            seconds["import torch"].append(cpu_of("-c", "import torch"))
            seconds["deconlab run"].append(cpu_of("-m", "deconlab", *flags))
            fresh = Path(folder, "fresh")  # a copy without bytecode: an install that has not run yet
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.copytree(package, fresh / "deconlab", ignore=shutil.ignore_patterns("__pycache__"))
            seconds["the first run"].append(cpu_of("-m", "deconlab", *flags, path=fresh))
    print(f"{machine(1)}; {load()}\n")
    torch_alone = statistics.median(seconds["import torch"])
    allowed = 1.3 * torch_alone + 0.5
    rows = [
        [name, spread(values, ".2f"), f"{statistics.median(values) / allowed:.2f}" if "run" in name else ""]
        for name, values in seconds.items()
    ]
    print(table(["process", "CPU s", "of 1.3 × import torch + 0.5 s"], rows))


def cpu_of(*arguments: str, path: Path | None = None) -> float:
    """User and system seconds of a Python process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
