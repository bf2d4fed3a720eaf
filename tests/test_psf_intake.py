"""A measured PSF on its way into a restoration: what it costs against the true one, what is kept, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.interpolate import RectBivariateSpline
from scipy.signal import fftconvolve

from deconlab import io
from deconlab.cli import main
from deconlab.image import Image
from deconlab.psf import Gaussian, measured
from deconlab.restore import restore

VOXEL = (0.2, 0.1, 0.1)


def photographed(
    folder: Path, shape: tuple[int, ...], voxel_um: tuple[float, ...], centre: tuple[float, ...]
) -> np.ndarray:
    """The reference quadrature's widefield profile, integrated over camera pixels (9 × 9), about any place."""
    profile = np.load(folder / "rz_gl_scalar_oil_matched.npz")["psf"].astype(float)
    r, z = np.arange(401) * 0.01, (np.arange(161) - 80) * 0.05
    spline = RectBivariateSpline(z, np.concatenate([-r[:0:-1], r]), np.hstack([profile[:, :0:-1], profile]), kx=5, ky=5)
    zs, ys, xs = ((np.arange(n) - c) * size for n, c, size in zip(shape, centre, voxel_um, strict=True))
    total = np.zeros(shape)
    for dy in (np.arange(9) - 4) / 9 * voxel_um[1]:
        for dx in (np.arange(9) - 4) / 9 * voxel_um[2]:
            radii, where = np.unique(np.hypot(ys[:, None] + dy, xs + dx), return_inverse=True)
            total += spline(zs, radii)[:, where.reshape(shape[1:])]
    return np.asarray(total / 81)


def psnr(found: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(truth.max() ** 2 / np.mean((found - truth) ** 2)))


def test_a_mended_psf_restores_as_well_as_the_true_one(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """Shifted by 0.37 voxel, other voxels, a background, even sizes: within 0.2 dB of the restoration with the truth."""
    folder = shared("reference/psf")
    true = photographed(folder, (29, 47, 47), VOXEL, (14, 23, 23))
    true /= true.sum()
    rng = np.random.default_rng(1)
    object_ = np.zeros((28, 60, 60))
    for z, y, x in zip(rng.integers(8, 20, 30), rng.integers(14, 46, 30), rng.integers(14, 46, 30), strict=True):
        object_[z, y : y + 3, x : x + 3] += rng.uniform(2e3, 1e4)
    field = (slice(6, 22), slice(10, 50), slice(10, 50))
    mean = fftconvolve(object_, true, mode="same")[field] + 20
    data = rng.poisson(np.maximum(mean, 0))
    bead = 100 + 3000 * photographed(folder, (38, 58, 58), (0.15, 0.08, 0.08), (18.37, 29.37, 28.63))
    image = Image(data.astype(np.uint16), "zyx", dict(zip("zyx", VOXEL, strict=True)))
    io.write(tmp_path / "data.tif", image, dtype="uint16")
    io.write(tmp_path / "bead.tif", Image(bead, "zyx", {"z": 0.15, "y": 0.08, "x": 0.08}))
    found = {}
    for name, psf, sizes in (("true", true, None), ("bead", bead, (0.15, 0.08, 0.08))):
        done = restore(image, psf=psf, psf_voxel_um=sizes, method="biggs-andrews", iterations=12, background=20.0)
        found[name] = psnr(done.data, object_[field])
    assert found["true"] > psnr(data - 20.0, object_[field]) + 1  # there is something to lose
    assert found["bead"] > found["true"] - 0.2
    command = ["run", tmp_path / "data.tif", "--psf", tmp_path / "bead.tif", "--method", "biggs-andrews"]
    command += ["--iterations", 12, "--background", 20, "-o", tmp_path / "out.ome.tif"]
    said = CliRunner().invoke(main, list(map(str, command)))
    assert said.exit_code == 0, said.output
    out = io.read(tmp_path / "out.ome.tif")
    assert psnr(out.data, object_[field]) == pytest.approx(found["bead"], abs=0.01)
    steps = out.history["deconvolution"]["psf"]["channels"][0]["steps"]
    for step in ("Background 100", "1.333, 1.25, 1.25 ×", "Cropped to", "Normalised to sum 1"):
        assert any(step in told for told in steps)
        assert step in said.output


@pytest.mark.parametrize("shape", [(8, 20, 20), (9, 20, 21), (20, 30)])
@pytest.mark.parametrize("off", [0.5, 0.3, 0.0, -0.45])
def test_an_even_size_loses_no_light_and_is_not_called_far_from_the_middle(shape: tuple[int, ...], off: float) -> None:
    centre = tuple((n - 1) / 2 + (off if n % 2 == 0 else 0) for n in shape)
    grid = np.meshgrid(*(np.arange(n) - c for n, c in zip(shape, centre, strict=True)), indexing="ij")
    data = np.exp(-sum(g**2 for g in grid) / (2 * 2.2**2))
    psf = measured(data, background=0)  # a warning would be an error
    assert psf.captured > 0.998
    values = psf.data.numpy()
    ideal = np.meshgrid(*(np.arange(n) - n // 2 for n in values.shape), indexing="ij")
    expected = np.exp(-sum(g**2 for g in ideal) / (2 * 2.2**2))
    inner = tuple(slice(1, -1) for _ in shape)
    assert np.abs(values / values.max() - expected)[inner].max() < 0.03


def test_a_psf_without_a_border_says_that_its_background_stays() -> None:
    data = Gaussian(fwhm_px=3).render((9, 9)).data.numpy() + 0.001
    assert any(
        "Background and noise: not removed, a PSF of 9 × 9, less than 16 px wide, has no border" in note
        for note in measured(data).notes
    )
    given = measured(data, background=0.001).notes
    assert any(note.startswith("Background 0.001 removed (as given") for note in given)
    assert any(note.startswith("Noise: not removed, a PSF of 9 × 9") for note in given)


def test_a_psf_larger_than_the_image_is_taken() -> None:
    kernel = Gaussian(fwhm_px=3).render((61, 63), dtype=torch.float64).data.numpy()
    data = np.random.default_rng(0).poisson(20 + 80 * np.eye(21, 24)).astype(np.float32)
    found: Any = restore(Image(data, "yx"), psf=kernel, iterations=3)
    small = restore(Image(data, "yx"), psf=kernel[20:-20, 20:-20], iterations=3)
    assert np.allclose(found.data, small.data, rtol=2e-3, atol=2e-2)
