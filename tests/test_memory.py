"""The estimate of memory against the peak that the system saw, and the parts that it is made of against arithmetic."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from deconlab import api, engine, memory
from deconlab.image import Image
from deconlab.methods import registry
from deconlab.psf import PSF

SHAPE, PSF_SHAPE = (32, 256, 256), (17, 33, 33)
DOMAIN = math.prod((48, 288, 288))
needs_kernel = pytest.mark.skipif(
    engine.status().kernel is None, reason=f"no compiled engine: {engine.status().reason}"
)

PEAK_OF_RUN = """
import sys, torch
def status(field):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
before = status("VmRSS")
from deconlab.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end
print(status("VmHWM") - before)
"""


def peak_of(*arguments: str) -> tuple[int, str]:
    """Bytes of ``deconlab run`` above the process that has imported torch, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK_OF_RUN, "run", *arguments],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]), done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 48 × 384 × 384 voxels, 16 bits each, and a PSF."""
    place = tmp_path_factory.mktemp("memory")
    generator = np.random.default_rng(0)
    tifffile.imwrite(place / "image.tif", generator.poisson(50.0, (48, 384, 384)).astype(np.uint16))
    gaussians = [np.exp(-0.5 * ((np.arange(n) - n // 2) / (n / 5)) ** 2) for n in (25, 49, 49)]
    psf = gaussians[0][:, None, None] * gaussians[1][:, None] * gaussians[2]
    tifffile.imwrite(place / "psf.tif", psf.astype(np.float32))
    return place


@needs_kernel
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("method", ["richardson-lucy", "biggs-andrews", "wiener"])
def test_a_run_takes_what_its_estimate_says(folder: Path, method: str) -> None:
    given = [str(folder / "image.tif"), "--psf", str(folder / "psf.tif"), "--voxel-um", "0.2", "0.1", "0.1"]
    given += ["--method", method, "--device", "cpu", "-o", str(folder / f"{method}.tif")]
    peak, said = peak_of(*given, *([] if method == "wiener" else ["--iterations", "3"]))
    from deconlab import io

    expected = memory.of_image(
        io.read(folder / "image.tif"), psf=folder / "psf.tif", method=method, voxel_um=(0.2, 0.1, 0.1), device="cpu"
    )
    assert f"memory: {expected}" in " ".join(said.split())
    assert expected.total == pytest.approx(peak, rel=0.1)
