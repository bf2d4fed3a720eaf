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

from deconlab import api, engine, io, memory
from deconlab.fourier import good_shape
from deconlab.image import Image
from deconlab.methods import registry
from deconlab.psf import Gaussian

SHAPE, PSF_SHAPE = (32, 64, 64), (17, 33, 33)
VOXEL = 4  # bytes
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
    """An image of 48 × 432 × 432 voxels, 16 bits each, large beside what allocators keep for small ones, and a PSF."""
    place = tmp_path_factory.mktemp("memory")
    generator = np.random.default_rng(0)
    tifffile.imwrite(place / "image.tif", generator.poisson(50.0, (48, 432, 432)).astype(np.uint16))
    gaussians = [np.exp(-0.5 * ((np.arange(n) - n // 2) / (n / 5)) ** 2) for n in (17, 33, 33)]
    psf = gaussians[0][:, None, None] * gaussians[1][:, None] * gaussians[2]
    tifffile.imwrite(place / "psf.tif", psf.astype(np.float32))
    return place


@needs_kernel
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize("method", ["richardson-lucy", "scaled-heavy-ball", "biggs-andrews"])
def test_a_run_takes_what_its_estimate_says(folder: Path, method: str) -> None:
    given = [str(folder / "image.tif"), "--psf", str(folder / "psf.tif"), "--voxel-um", "0.2", "0.1", "0.1"]
    given += ["--method", method, "--device", "cpu", "-o", str(folder / f"{method}.tif")]
    peak, said = peak_of(*given, "--iterations", "3")
    expected = memory.of_image(
        io.read(folder / "image.tif"), psf=folder / "psf.tif", method=method, voxel_um=(0.2, 0.1, 0.1), device="cpu"
    )
    assert f"memory: {expected}" in " ".join(said.split())
    assert expected.total == pytest.approx(peak, rel=0.1)


def domain(boundary: str) -> int:
    """Voxels of the domain on which the object is estimated, by arithmetic."""
    if boundary == "periodic":
        return math.prod(SHAPE)
    return math.prod(good_shape([n + p - 1 for n, p in zip(SHAPE, PSF_SHAPE, strict=True)]))


@needs_kernel
@pytest.mark.parametrize("boundary", ["open", "periodic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_richardson_lucy_takes_two_spectra_two_estimates_the_sensitivity_and_the_data(
    boundary: str, weighted: bool
) -> None:
    found = memory.estimate(SHAPE, PSF_SHAPE, boundary=boundary, weighted=weighted, device="cpu")
    data, voxels = math.prod(SHAPE), domain(boundary)
    spectrum = engine.spectrum_bytes(found.domain)
    assert spectrum is not None
    assert spectrum == pytest.approx(VOXEL * voxels, rel=0.3)
    least = 2 * spectrum + VOXEL * (3 * voxels + data * (1 + weighted) + math.prod(PSF_SHAPE))
    assert math.prod(found.domain) == voxels
    assert least <= found.solving <= 1.3 * least


@pytest.mark.parametrize("name", registry.names())
def test_every_method_is_rehearsed_in_less_memory_than_it_is_about(name: str) -> None:
    small = memory.estimate(SHAPE, PSF_SHAPE, name, device="cpu")
    large = memory.estimate([2 * n for n in SHAPE], [2 * n for n in PSF_SHAPE], name, device="cpu")
    growth = math.prod(large.domain) / math.prod(small.domain)
    assert large.solving == pytest.approx(growth * small.solving, rel=0.1)
    assert 12 < small.per_voxel < 400


def test_a_double_precision_run_takes_twice_as_much() -> None:
    with engine.using("plain"):
        single = memory.estimate(SHAPE, PSF_SHAPE, "cgls", device="cpu")
        double = memory.estimate(SHAPE, PSF_SHAPE, "cgls", dtype=torch.float64, device="cpu")
    assert double.solving == pytest.approx(2 * single.solving, rel=0.02)


def test_what_is_held_beside_the_volume_that_is_restored() -> None:
    size = math.prod(SHAPE)
    assert memory.estimate(SHAPE, PSF_SHAPE, device="cpu").held == 0
    assert memory.estimate(SHAPE, PSF_SHAPE, image_dtype="uint16", device="cpu").held == 2 * size
    assert memory.estimate(SHAPE, PSF_SHAPE, image_dtype="uint16", volumes=3, device="cpu").held == 3 * (2 + 4) * size


def test_limits_to_the_domain_save_memory() -> None:
    whole = memory.estimate(SHAPE, PSF_SHAPE, device="cpu")
    limited = memory.estimate(SHAPE, PSF_SHAPE, extension_px=(4, 8, 8), device="cpu")
    assert limited.domain == good_shape((36, 72, 72))
    assert limited.solving < 0.7 * whole.solving


def test_a_history_asks_for_more_at_most() -> None:
    plain = memory.estimate(SHAPE, PSF_SHAPE, "landweber", device="cpu")
    watched = memory.estimate(SHAPE, PSF_SHAPE, "landweber", watched=True, device="cpu")
    assert plain.solving <= watched.solving <= plain.solving + 4.1 * math.prod(plain.domain)


@pytest.mark.parametrize("method", ["scaled-heavy-ball", "tikhonov-miller", "wiener"])
def test_a_prepared_run_is_estimated_as_its_settings_are(method: str) -> None:
    psf = Gaussian(fwhm_um=6.0, fwhm_axial_um=4.0).render(PSF_SHAPE, (1.0, 1.0, 1.0))
    y = torch.poisson(torch.full(SHAPE, 20.0), generator=torch.Generator().manual_seed(0))
    ready = api.prepare(y, psf, method)
    image = Image(y.numpy().astype(np.uint16), "zyx", voxel_um={"z": 1.0, "y": 1.0, "x": 1.0})
    from_settings = memory.of_image(image, psf=psf, method=method, device="cpu")
    prepared = memory.of_prepared(ready, image)
    assert prepared.domain == from_settings.domain
    assert prepared.held == from_settings.held == 2 * y.numel()
    assert prepared.solving == pytest.approx(from_settings.solving, rel=0.05)


def test_a_model_is_not_rendered_to_tell_its_size() -> None:
    image = Image(np.zeros((8, 40, 40), np.float32), "zyx", voxel_um={"z": 0.3, "y": 0.1, "x": 0.1})
    found = memory.of_image(image, psf=Gaussian(fwhm_um=0.4), device="cpu")
    assert all(n >= m for n, m in zip(found.domain, (8, 40, 40), strict=True))
    assert found.psf > 0


def test_the_sentence_names_size_and_domain() -> None:
    found = memory.Estimate(held=0, psf=0, solving=2_000_000_000, domain=(100, 500, 500))
    assert str(found) == "2.09 GB at the peak (80 bytes for each of 100 × 500 × 500 voxels)"
    there = memory.Estimate(held=9, psf=0, solving=200_000_000, domain=(10, 500, 500), device="cuda:0")
    assert str(there) == "200 MB at the peak on cuda:0 (80 bytes for each of 10 × 500 × 500 voxels)"


def test_an_estimate_refuses_what_the_run_would_refuse() -> None:
    with pytest.raises(TypeError, match="Unknown parameter 'itterations'"):
        memory.estimate(SHAPE, PSF_SHAPE, itterations=3, device="cpu")
