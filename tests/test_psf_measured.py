"""Measured PSFs: what is mended comes back right, what is no PSF is refused, what looks odd is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from astropy.io import fits
from scipy.interpolate import RectBivariateSpline

from deconlab.psf import Gaussian, PSFWarning, measured


def camera(folder: Path, shape: tuple[int, ...], voxel_um: tuple[float, ...], centre: tuple[float, ...]) -> np.ndarray:
    """The reference quadrature's radial profile, integrated over camera pixels (9 × 9), about any place."""
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


def off(found: torch.Tensor, expected: np.ndarray) -> float:
    values = expected / expected.sum()
    return float(np.linalg.norm(found.double().numpy() - values) / np.linalg.norm(values))


def middle(shape: Any) -> tuple[float, ...]:
    return tuple(size // 2 for size in shape)


def test_shifted_elsewhere_sampled_even_and_on_a_background_it_comes_back(shared: Callable[[str], Path]) -> None:
    folder = shared("reference/psf")
    data = camera(folder, (46, 64, 64), (0.15, 0.08, 0.08), (23.37, 32.37, 31.63))
    psf = measured(100 + 3000 * data, (0.15, 0.08, 0.08), (0.2, 0.1, 0.1))
    assert psf.voxel_um == (0.2, 0.1, 0.1)
    assert off(psf.data, camera(folder, tuple(psf.data.shape), psf.voxel_um, middle(psf.data.shape))) < 0.01
    said = " ".join(psf.notes)
    assert "Background 100" in said
    assert "(23.37, 32.37, 31.63)" in said
    assert "1.333, 1.25, 1.25 ×" in said
    assert "sum 1" in said


def test_with_the_background_given_it_comes_back_to_a_thousandth(shared: Callable[[str], Path]) -> None:
    folder = shared("reference/psf")
    data = camera(folder, (46, 64, 64), (0.15, 0.08, 0.08), (23.37, 32.37, 31.63))
    psf = measured(100 + 3000 * data, (0.15, 0.08, 0.08), (0.2, 0.1, 0.1), background=100)
    assert off(psf.data, camera(folder, tuple(psf.data.shape), psf.voxel_um or (), middle(psf.data.shape))) < 1e-3


def test_finer_voxels_of_the_image_are_met_too(shared: Callable[[str], Path]) -> None:
    folder = shared("reference/psf")
    data = camera(folder, (31, 51, 51), (0.2, 0.1, 0.1), (15.2, 24.6, 25.3))
    psf = measured(data, (0.2, 0.1, 0.1), (0.15, 0.08, 0.08), background=0)
    assert off(psf.data, camera(folder, tuple(psf.data.shape), psf.voxel_um or (), middle(psf.data.shape))) < 3e-3


def test_noise_neither_moves_nor_outweighs_it(shared: Callable[[str], Path]) -> None:
    folder = shared("reference/psf")
    data = camera(folder, (39, 56, 56), (0.2, 0.1, 0.1), (19.2, 28.4, 27.7))
    rng = np.random.default_rng(0)
    noisy = rng.poisson(100 + 3000 * data) + rng.normal(0, 2, data.shape)
    psf = measured(noisy, (0.2, 0.1, 0.1))
    expected = camera(folder, tuple(psf.data.shape), (0.2, 0.1, 0.1), middle(psf.data.shape))
    clipped = np.maximum(noisy - 100, 0)
    assert off(torch.from_numpy(clipped / clipped.sum()), data) > 0.4  # what clipping alone would give
    assert off(psf.data, expected) < 0.2
    assert any("set to zero" in note and "Noise" in note for note in psf.notes)


def test_a_sub_pixel_shift_is_undone_in_one_and_two_dimensions() -> None:
    y, x = np.mgrid[:30, :33]
    plane = np.exp(-((y - 13.37) ** 2 + (x - 17.81) ** 2) / (2 * 2.0**2))
    psf = measured(plane)
    expected = Gaussian.from_sigma(sigma_px=2.0, pixel_integration=False).render(tuple(psf.data.shape))
    assert off(psf.data, expected.data.numpy()) < 1e-3
    assert off(measured(plane[13]).data, expected.data[expected.data.shape[0] // 2].numpy()) < 1e-2


def test_a_right_psf_is_left_alone() -> None:
    model = Gaussian(fwhm_px=4, fwhm_axial_px=6)
    psf = model.render((31, 21, 21), dtype=torch.float64)
    again = measured(psf.data)
    assert all(size % 2 for size in again.data.shape)
    assert off(again.data, model.render(tuple(again.data.shape), dtype=torch.float64).data.numpy()) < 1e-4
    assert again.captured > 0.999
    assert len(again.captured_per_plane) == again.data.shape[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, ">f8", np.float64])
def test_any_real_dtype_is_taken(dtype: Any) -> None:
    data = (Gaussian(fwhm_px=4).render((21, 21)).data.numpy() * 3000).astype(dtype)
    psf = measured(data)
    assert psf.data.dtype == (torch.float64 if np.dtype(dtype).itemsize == 8 else torch.float32)
    assert float(psf.data.sum()) == pytest.approx(1, abs=1e-6)
    assert np.unravel_index(int(psf.data.argmax()), psf.data.shape) == middle(psf.data.shape)


def test_what_lies_beyond_the_image_is_cut_and_axes_of_one_are_dropped() -> None:
    data = Gaussian(fwhm_px=9).render((1, 41, 41)).data[0].numpy()
    psf = measured(data[None, None], ndim=2, image_shape=(5, 100))
    assert psf.data.shape[0] == 9
    assert any("shape (1, 1, 41, 41) taken as (41, 41)" in note for note in psf.notes)
    assert psf.captured < 0.99


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        (np.zeros((5, 5)), {}, ValueError, r"zero everywhere \(shape \(5, 5\)\)"),
        (np.full((5, 5), 3.0), {}, ValueError, r"is 3 everywhere \(shape \(5, 5\)\): it has no peak"),
        (np.zeros((0, 5)), {}, ValueError, r"empty: its shape is \(0, 5\)"),
        (np.ones((5, 5), complex), {}, TypeError, r"real numbers, not complex128"),
        (np.ones((5, 5), bool), {}, TypeError, r"real numbers, not bool"),
        (np.ones((2, 3, 4, 5)), {}, ValueError, r"one to three axes, and its shape is \(2, 3, 4, 5\)"),
        (np.ones((4, 5)), {"ndim": 3}, ValueError, r"must have 3 axes, and its shape is \(4, 5\)"),
        (np.ones((3, 4, 5)), {"ndim": 2}, ValueError, r"must have 2 axes, and its shape is \(3, 4, 5\)"),
        (-np.eye(5), {}, ValueError, r"mostly negative: its values sum to 0 above and 5 below zero"),
        (np.diag([1, np.nan, np.inf]), {}, ValueError, r"2 values that are NaN or infinite, the first at \(1, 1\)"),
        (np.eye(5), {"voxel_um": (0.1,)}, ValueError, r"voxel size of the PSF must be 2 numbers > 0"),
        (np.eye(5), {"image_voxel_um": (0.1, -1)}, ValueError, r"voxel size of the image must be 2 numbers > 0"),
        (
            np.eye(5),
            {"voxel_um": (0.1, 0.1), "image_voxel_um": (100, 100)},
            ValueError,
            r"differ more than 100-fold. Are both in µm",
        ),
        (np.eye(5), {"background": 2.0}, ValueError, r"no peak above its background 2 \(as given\): its maximum is 1"),
        (np.eye(5), {"background": np.nan}, ValueError, r"background of the PSF must be a finite number, not nan"),
    ],
)
def test_what_is_no_psf_is_refused(data: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        measured(data, **options)


def test_several_beads_are_warned_of(shared: Callable[[str], Path]) -> None:
    beads = tifffile.imread(shared("data/open-haase-beads") / "beads.tif")
    with pytest.warns(PSFWarning, match=r"several peaks \(4 above a third"):
        psf = measured(beads, (0.125, 0.02249, 0.02249))
    assert any("several peaks" in note for note in psf.notes)


def test_light_at_the_border_is_warned_of() -> None:
    data = Gaussian(fwhm_px=20).render((15, 15)).data
    with pytest.warns(PSFWarning, match=r"\d+% of the PSF's light lies on its lateral border"):
        measured(data, background=0)


def test_wider_than_tall_is_warned_of() -> None:
    data = Gaussian(fwhm_px=9, fwhm_axial_px=3).render((31, 31, 31)).data
    with pytest.warns(PSFWarning, match=r"wider \(0.9\d* µm\) than tall \(0.\d+ µm\): are its axes z, y, x"):
        measured(data, (0.1, 0.1, 0.1))


def test_far_off_centre_is_warned_of() -> None:
    data = np.roll(Gaussian(fwhm_px=4, fwhm_axial_px=12).render((41, 41, 41)).data.numpy(), 18, 0)
    with pytest.warns(PSFWarning, match=r"far from the middle of its data: of its light, \d+% has no counterpart"):
        measured(data)


def test_a_real_bead_is_met(shared: Callable[[str], Path]) -> None:
    """Bead 1 of 4, with the published centre and widths."""
    beads = tifffile.imread(shared("data/open-haase-beads") / "beads.tif")
    psf = measured(
        beads[:, 58:88, 14:44], (0.125, 0.02249, 0.02249), (0.125, 0.02196, 0.02196), pixel_integration=False
    )
    centre = tuple(size // 2 for size in psf.data.shape)
    assert psf.voxel_um == (0.125, 0.02196, 0.02196)
    assert any("(23.5" in note for note in psf.notes)  # published: plane 24
    for axis, (size, fwhm) in enumerate(zip(psf.voxel_um, (0.567, 0.228, 0.166), strict=True)):
        line = psf.data[tuple(slice(None) if other == axis else centre[other] for other in range(3))].numpy()
        assert abs((line > line.max() / 2).sum() * size - fwhm) < max(0.05, 1.5 * size)


def test_hubbles_psf_off_by_half_a_pixel_is_centred(shared: Callable[[str], Path]) -> None:
    data = fits.getdata(shared("data/open-galsim-hst") / "psf.fits")
    psf = measured(data)
    assert np.unravel_index(int(data.argmax()), data.shape) == (51, 51)
    values, m = psf.data.numpy(), middle(psf.data.shape)
    assert np.unravel_index(int(values.argmax()), values.shape) == m
    core = values[m[0] - 5 : m[0] + 6, m[1] - 5 : m[1] + 6]
    place = [float((core.sum(1 - axis) * np.arange(-5, 6)).sum() / core.sum()) for axis in (0, 1)]
    assert max(map(abs, place)) < 0.05


def test_voxel_sizes_that_are_assumed_are_said() -> None:
    data = Gaussian(fwhm_px=4).render((21, 21)).data
    assert (
        "Voxel size of the PSF: not known, taken to be the image's, 0.1 × 0.2 µm"
        in measured(data, None, (0.1, 0.2)).notes
    )
    assert "Voxel size of the image: not known, taken to be the PSF's, 0.1 × 0.2 µm" in measured(data, (0.1, 0.2)).notes
    assert not any("Voxel size" in note for note in measured(data, (0.1, 0.1), (0.2, 0.2)).notes)


def test_what_is_centred_is_not_moved() -> None:
    data = Gaussian(fwhm_px=4).render((21, 21)).data
    found = measured(data, background=0)
    assert any(note == "Centred: it was" for note in found.notes)
    expected = crop(data, tuple(found.data.shape))
    assert np.allclose(found.data.numpy(), expected / expected.sum(), rtol=1e-5, atol=0)


def crop(data: torch.Tensor, shape: tuple[int, ...]) -> np.ndarray:
    return data[tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(data.shape, shape, strict=True))].numpy()
