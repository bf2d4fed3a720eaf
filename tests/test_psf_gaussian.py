"""The Gaussian against its closed form, numerical integration and another program's."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from scipy import integrate

from deconlab.psf import Gaussian


def test_it_is_another_programs_gaussian(shared: Callable[[str], Path]) -> None:
    folder = shared("data/open-sdeconv-2d")
    plane = Gaussian.from_sigma(sigma_px=1.5, pixel_integration=False).render((15, 15))
    expected = tifffile.imread(folder / "psf_ref_gaussian2d.tif")
    assert np.allclose(plane.data.numpy(), expected, rtol=1e-4, atol=1e-10)
    stack = Gaussian.from_sigma(sigma_px=1.5, sigma_axial_px=0.5, pixel_integration=False).render((11, 15, 15))
    expected = tifffile.imread(folder / "psf_ref_gaussian3d.tif")
    assert np.allclose(stack.data.numpy(), expected, rtol=1e-4, atol=1e-10)


def test_its_width_is_the_one_asked_for() -> None:
    line = Gaussian(fwhm_um=0.5, pixel_integration=False).render((101,), (0.05,), dtype=torch.float64).data
    assert float(line[50 + 5] / line[50]) == pytest.approx(0.5, rel=1e-12)
    stack = Gaussian(fwhm_um=0.2, fwhm_axial_um=0.8, pixel_integration=False)
    data = stack.render((9, 9, 9), (0.2, 0.1, 0.05), dtype=torch.float64).data
    for place in ((4 + 2, 4, 4), (4, 4 + 1, 4), (4, 4, 4 + 2)):
        assert float(data[place] / data[4, 4, 4]) == pytest.approx(0.5, rel=1e-12)


def test_a_voxel_holds_the_integral_over_it() -> None:
    sigma, size = 0.11, 0.1
    psf = Gaussian.from_sigma(sigma_um=sigma).render((8,), (size,), dtype=torch.float64)
    expected = [
        integrate.quad(lambda x: math.exp(-(x**2) / (2 * sigma**2)), (k - 4.5) * size, (k - 3.5) * size)[0]
        for k in range(8)
    ]
    assert np.allclose(psf.data.numpy(), np.array(expected) / sum(expected), rtol=1e-9)
    assert psf.captured == pytest.approx(sum(expected) / (sigma * math.sqrt(2 * math.pi)), rel=1e-9)


@pytest.mark.parametrize("pixel_integration", [True, False])
def test_captured_light_counts_all_three_axes(pixel_integration: bool) -> None:
    psf = Gaussian(fwhm_px=4, fwhm_axial_px=8, pixel_integration=pixel_integration).render((5, 7, 9))
    wide = Gaussian(fwhm_px=4, fwhm_axial_px=8, pixel_integration=pixel_integration).render((61, 41, 41))
    part = wide.data[28:33, 17:24, 16:25].double()
    assert psf.captured == pytest.approx(float(part.sum()), rel=1e-5)
    planes = wide.data[28:33].double().sum((1, 2))
    assert np.allclose(psf.captured_per_plane, (part.sum((1, 2)) / planes).numpy(), rtol=1e-5)


def test_the_default_extent_holds_nearly_all() -> None:
    model, voxel = Gaussian(fwhm_um=0.3, fwhm_axial_um=0.9), (0.2, 0.1, 0.05)
    shape = model.extent(50, voxel)
    assert all(size % 2 for size in shape)
    assert 0.9999 <= model.render(shape, voxel).captured < 0.99999
    assert model.extent(3, voxel)[0] == 5  # two planes of the image are never more than 2 apart
    assert Gaussian(fwhm_px=3).extent(1, ndim=1) == Gaussian(fwhm_px=3).extent(1, ndim=2)[:1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"give either fwhm_um or fwhm_px, not \{'fwhm_um': None, 'fwhm_px': None\}"),
        ({"fwhm_um": 0.3, "fwhm_px": 3}, r"give either fwhm_um or fwhm_px"),
        ({"fwhm_um": 0.3, "fwhm_axial_px": 3}, r"fwhm_axial_px 3 does not go with fwhm_um"),
        ({"fwhm_px": 3, "fwhm_axial_um": 0.3}, r"fwhm_axial_um 0.3 does not go with fwhm_px"),
        ({"fwhm_um": -0.3}, r"fwhm_um must be > 0 µm, not -0.3"),
        ({"fwhm_um": math.nan}, r"fwhm_um must be > 0 µm, not nan"),
        ({"fwhm_um": 2500}, r"fwhm_um 2500 µm is longer than any in use \(1000 µm\). 2500 nm is 2.5 µm"),
    ],
)
def test_impossible_widths_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gaussian(**values)


def test_impossible_grids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Gaussian with fwhm_um needs voxel_um.*or give its width as fwhm_px"):
        Gaussian(fwhm_um=0.3).render((5, 5))
    with pytest.raises(ValueError, match=r"voxel size 100 µm is 333 × the Gaussian's width 0.3 µm.*100 nm is 0.1"):
        Gaussian(fwhm_um=0.3).render((5, 5), (100, 100))
