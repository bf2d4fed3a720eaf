"""Every reference PSF: own quadrature to 1e-6 of the peak, other programs as closely as they are right."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import test_psf_optics
from deconlab.psf import (
    BornWolf,
    Confocal,
    Debye,
    GibsonLanni,
    Multiphoton,
    RichardsWolf,
    TorokVarga,
    Zernike,
    _rotational,
)
from deconlab.psf._lateral import Cell

OIL = {"na": 1.4, "emission_nm": 610.0, "immersion_index": 1.515}
GLYCEROL = {**OIL, "sample_index": 1.47, "depth_um": 5.0}
WATER_2 = {**OIL, "sample_index": 1.33, "depth_um": 2.0}
WATER_10 = {**OIL, "sample_index": 1.33, "depth_um": 10.0}
POINT = {"pixel_integration": False}
VOXEL = (0.2, 0.1, 0.1)
SCALED = {3: 0.5 / 6**0.5, 5: 0.3 / 6**0.5, 7: 0.4 / 8**0.5, 12: 0.6 / 5**0.5}  # its polynomials have no r.m.s. of 1

# name: model, voxel, tolerance of the peak, whether its z runs the other way
RENDERED: dict[str, tuple[Any, tuple[float, float, float], float, bool]] = {
    "vectorial_oil_matched_point": (TorokVarga(**OIL, **POINT), VOXEL, 1e-6, False),
    "vectorial_glycerol_ns1.47_pz5_point": (TorokVarga(**GLYCEROL, **POINT), VOXEL, 1e-6, False),
    "vectorial_water_ns1.33_pz2_point": (TorokVarga(**WATER_2, **POINT), VOXEL, 1e-6, False),
    "vectorial_water_ns1.33_pz10_point": (TorokVarga(**WATER_10, **POINT), VOXEL, 1e-6, False),
    "scalar_debye_sin_oil_matched_point": (Debye(**OIL, **POINT, apodisation="none"), VOXEL, 1e-6, False),
    "scalar_debye_apod_oil_matched_point": (Debye(**OIL, **POINT), VOXEL, 1e-6, False),
    "psfmodels_scalar_oil_matched_sf3": (GibsonLanni(**OIL), VOXEL, 1.5e-2, False),
    "psfmodels_scalar_water_ns1.33_pz2_sf3": (GibsonLanni(**WATER_2), VOXEL, 1.5e-2, False),
    "psfmodels_vectorial_oil_matched_sf3": (TorokVarga(**OIL), VOXEL, 1.5e-2, False),
    "psfmodels_vectorial_water_ns1.33_pz2_sf3": (TorokVarga(**WATER_2), VOXEL, 1.5e-2, False),
    "microscpsf_oil_matched": (GibsonLanni(**OIL, **POINT), VOXEL, 1.5e-2, False),
    "microscpsf_water_ns1.33_pz2": (GibsonLanni(**WATER_2, **POINT, supercritical="truncated"), VOXEL, 1.5e-2, False),
    "psfgenerator_scalar_spherical_oil_default": (Debye(**OIL, **POINT, apodisation="none"), VOXEL, 1e-6, False),
    "psfgenerator_scalar_spherical_oil_cos": (Debye(**OIL, **POINT, apodisation="uniform"), VOXEL, 1e-6, False),
    "psfgenerator_vectorial_cartesian_zernike_oil": (
        Zernike(**OIL, **POINT, polarisation="x", coefficients=Zernike.text(SCALED)), VOXEL, 3e-3, True,
    ),
    "dw_bw_oil": (BornWolf(**OIL), VOXEL, 1e-3, False),
    "confocal_vec_0AU": (
        Confocal(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515, pinhole_au=0.0),
        (0.1, 0.05, 0.05), 1e-6, False,
    ),
    "two_photon_900nm_vec": (Multiphoton(na=1.4, excitation_nm=900, immersion_index=1.515), VOXEL, 1e-6, False),
}  # fmt: skip
PROFILES = {
    f"rz_{kind}_{case}": cls(**optics)
    for kind, cls in (("gl_scalar", GibsonLanni), ("vectorial", TorokVarga))
    for case, optics in (
        ("oil_matched", OIL),
        ("glycerol_ns1.47_pz5", GLYCEROL),
        ("water_ns1.33_pz2", WATER_2),
        ("water_ns1.33_pz10", WATER_10),
    )
}


def load(shared: Callable[[str], Path], name: str) -> np.ndarray:
    values: np.ndarray = np.load(shared("reference/psf") / f"{name}.npz")["psf"].astype(float)
    return values


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")  # some references have large voxels
@pytest.mark.parametrize("name", RENDERED)
def test_it_is_the_reference(shared: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, voxel, tolerance, flipped = RENDERED[name]
    if name.startswith("psfmodels"):  # it takes 3 × 3 midpoints per pixel
        midpoints = Cell((np.arange(3) - 1) / 3, np.full(3, 1 / 3))
        monkeypatch.setattr(_rotational, "area", lambda *_: midpoints)
    values = load(shared, name)
    values = values[::-1] / values.sum() if flipped else values / values.sum()
    found = model.render(values.shape, voxel, dtype=torch.float64).data.numpy()
    assert abs(found - values).max() < tolerance * values.max()


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_over_z_and_r_are_the_reference(shared: Callable[[str], Path], name: str) -> None:
    values = load(shared, name)
    z, r = torch.arange(-80, 81, dtype=torch.float64) * 0.05, torch.arange(401, dtype=torch.float64) * 0.01
    found = PROFILES[name]._profile(z, r).numpy()
    assert abs(found / found.max() - values / values.max()).max() < 1e-6


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_confocal_with_the_references_own_disc(shared: Callable[[str], Path]) -> None:
    """It has 9 × 9 samples per pixel of 50 nm for the disc: so, the same; the integral over a disc is 7e-4 off."""
    from scipy import signal

    values = load(shared, "confocal_vec_1AU")
    values /= values.sum()
    excitation, emission = (
        RichardsWolf(1.4, wavelength, 1.515, **POINT).render((33, side, side), (0.1, 0.05, 0.05), dtype=torch.float64)
        for wavelength, side in ((488, 65), (525, 77))
    )
    at = (np.arange(13 * 9) - 58) / 9 * 0.05
    disc = (np.hypot(at[:, None], at) <= 0.61 * 0.525 / 1.4).reshape(13, 9, 13, 9).mean((1, 3))
    seen = [signal.fftconvolve(plane, disc, mode="valid") for plane in emission.data.numpy()]
    product = excitation.data.numpy() * np.stack(seen)
    assert abs(product / product.sum() - values).max() < 1e-6 * values.max()
    model = Confocal(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515)
    found = model.render(values.shape, (0.1, 0.05, 0.05), dtype=torch.float64).data.numpy()
    assert abs(found - values).max() < 1e-3 * values.max()


def test_no_reference_is_left_out(shared: Callable[[str], Path]) -> None:
    known = set(json.loads((shared("reference/psf") / "index.json").read_text())["refs"])
    elsewhere = {*test_psf_optics.POINT, *test_psf_optics.AREA, "airy2d_na0.5", "confocal_vec_1AU"}
    assert {*RENDERED, *PROFILES, *elsewhere} == known
    assert len(known) == 39


@pytest.mark.parametrize(
    ("case", "optics"),
    [
        ("oil_matched", OIL),
        ("glycerol_ns1.47_pz5", GLYCEROL),
        ("water_ns1.33_pz2", WATER_2),
        ("water_ns1.33_pz10", WATER_10),
    ],
)
@pytest.mark.parametrize(("kind", "cls"), [("scalar", GibsonLanni), ("vec", TorokVarga)])
def test_widths_are_those_of_the_reference(
    shared: Callable[[str], Path], case: str, optics: dict[str, Any], kind: str, cls: Any
) -> None:
    """The reference found the focus on a grid of 10 nm, and the width along x there."""
    table = json.loads((shared("reference/psf") / "index.json").read_text())["fwhm_table"][f"{case}/{kind}"]
    found = cls(**optics).facts()
    assert abs(found.fwhm_lateral_um * 1000 - table["fwhm_xy_nm"]) < 1
    assert abs(found.fwhm_axial_um * 1000 - table["fwhm_z_nm"]) < 1
    assert abs(found.focal_shift_um * 1000 - table["best_focus_offset_nm"]) < 6
