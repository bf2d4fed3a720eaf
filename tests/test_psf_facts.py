"""What a PSF tells of itself, two PSFs beside each other, their picture, and the support of the OTF."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from deconlab.assess.psf_comparison import compare_psfs
from deconlab.assess.psf_picture import psf_picture
from deconlab.psf import (
    ISM,
    STED,
    BornWolf,
    Confocal,
    FourPi,
    Gaussian,
    GibsonLanni,
    LightSheet,
    Lorentz,
    Moffat,
    Multiphoton,
    Polychromatic,
    TorokVarga,
    Zernike,
    otf_support,
)

OIL: dict[str, Any] = {"na": 1.4, "emission_nm": 610.0, "immersion_index": 1.515}


def test_facts_are_the_textbooks() -> None:
    found = BornWolf(na=0.3, emission_nm=500, immersion_index=1.0).facts()
    assert found.rayleigh_um == pytest.approx(0.61 * 0.5 / 0.3)
    assert found.abbe_um == pytest.approx(0.5 / 0.6)
    assert found.airy_unit_um == pytest.approx(1.22 * 0.5 / 0.3)
    assert found.fwhm_lateral_um == pytest.approx(1.616340 * 0.5 / (math.pi * 0.3), rel=1e-3)
    assert found.fwhm_axial_um == pytest.approx(2 * 2.783115 / math.pi * 0.5 / 0.3**2, rel=1e-3)
    assert found.nyquist_lateral_um == pytest.approx(0.5 / 1.2)
    assert found.focal_shift_um == 0
    confocal = Confocal(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515).facts()
    assert confocal.nyquist_lateral_um == pytest.approx(0.0452, abs=5e-5)  # 1 / (2 (2 NA/λex + 2 NA/λem))
    assert confocal.nyquist_axial_um == pytest.approx(0.1351, abs=5e-5)


def test_facts_are_told_in_lines() -> None:
    lines = GibsonLanni(**OIL, sample_index=1.33, depth_um=2).facts().lines()
    assert lines[0].startswith("GibsonLanni: na 1.4")
    assert any(line.startswith("FWHM, axial: 88") for line in lines)
    assert "best focus from the nominal one: 379" in lines[-1]


def test_facts_of_shapes_are_their_widths_or_none() -> None:
    found = Gaussian(fwhm_um=0.3, fwhm_axial_um=0.8).facts()
    assert (found.fwhm_lateral_um, found.fwhm_axial_um) == (pytest.approx(0.3, rel=1e-3), pytest.approx(0.8, rel=1e-3))
    assert found.rayleigh_um is None
    assert Moffat(fwhm_px=3).facts().fwhm_lateral_um is None
    constant = Lorentz(fwhm_um=0.3, growth="constant").facts()
    assert constant.fwhm_axial_um is None  # as high in every plane


def test_comparison_of_gaussians_is_the_closed_form() -> None:
    a, b = (
        Gaussian(fwhm_px=width, pixel_integration=False).render((61, 61), dtype=torch.float64) for width in (4.0, 5.0)
    )
    found = compare_psfs(a, b)
    assert found.peak == pytest.approx(25 / 16, rel=1e-6)
    assert found.largest == pytest.approx(25 / 16 - 1, rel=1e-6)
    s, t = 16.0, 25.0  # in units of FWHM²: ∫g_s g_t = 1 / (2π (σs² + σt²))
    assert found.l2**2 == pytest.approx((1 / (2 * s) + 1 / (2 * t) - 2 / (s + t)) * 2 * t, rel=1e-6)
    cut = s * t / (t - s) * math.log(t / s)  # where both are equal, in r² 4 ln 2
    assert found.l1 == pytest.approx(2 * (math.exp(-cut / t) - math.exp(-cut / s)), rel=0.02)
    assert found.fwhm == (pytest.approx(4, rel=1e-2), pytest.approx(4, rel=1e-2))
    assert found.reference_fwhm[0] == pytest.approx(5, rel=1e-2)
    assert found.unit == "px"
    assert any("FWHM along x" in line for line in found.lines())


def test_comparison_crops_about_the_middle() -> None:
    model = TorokVarga(**OIL)
    small, large = (model.render(shape, (0.2, 0.1, 0.1)) for shape in ((4, 17, 16), (9, 33, 33)))
    found = compare_psfs(small, large)
    assert found.l1 < 1e-5
    assert found.fwhm[0] is None  # four planes are too few to fall to the half
    assert "beyond the grid" in found.lines()[4]
    assert found.unit == "µm"


@pytest.mark.parametrize(
    ("shape", "voxel", "message"),
    [((9, 9), (0.1, 0.1), "have 3 and 2 axes"), ((5, 9, 9), (0.2, 0.1, 0.08), r"voxels of \(0.2, 0.1, 0.1\) and")],
)
def test_psfs_that_cannot_be_compared(shape: Any, voxel: Any, message: str) -> None:
    one = TorokVarga(**OIL).render((5, 9, 9), (0.2, 0.1, 0.1))
    with pytest.raises(ValueError, match=message):
        compare_psfs(one, TorokVarga(**OIL).render(shape, voxel))


def test_the_otf_lies_within_its_support() -> None:
    """Of a wide grid, with a window so that its border does not leak: at most 1e-4 of the energy lies outside."""
    voxel, shape = (0.15, 0.09, 0.09), (64, 128, 128)
    psf = GibsonLanni(**OIL, sample_index=1.47, depth_um=2.0).render(shape, voxel, dtype=torch.float64).data.numpy()
    window = np.ones(())
    for count in shape:
        window = window[..., None] * np.hanning(count + 1)[:-1]
    power = abs(np.fft.fftn(psf * window)) ** 2
    kz, ky, kx = (np.fft.fftfreq(count, size) for count, size in zip(shape, voxel, strict=True))
    kr = np.hypot(ky[:, None], kx)
    margin_z, margin_r = 2 / (shape[0] * voxel[0]), 2 / (shape[1] * voxel[1])  # the width of the window's own spectrum
    supports = [
        np.nan_to_num(otf_support(kr + shift, 1.4, 1.515, 0.61), nan=-9.0) for shift in (-margin_r, 0, margin_r)
    ]
    outside = np.abs(kz)[:, None, None] > np.max(supports, axis=0) + margin_z
    assert power[outside].sum() / power.sum() < 1e-4
    assert 0.2 < outside.mean() < 0.95


def test_the_support_is_a_torus_with_a_missing_cone() -> None:
    """Against the envelope of differences of pairs of rays on the cap."""
    na, n, wavelength = 1.2, 1.4, 0.5
    q = np.linspace(-na, na, 4001)
    height = np.sqrt(n**2 - q**2)
    for kr in (0.3, 1.7, 3.0, 4.5):
        shift = round(kr * wavelength / (q[1] - q[0]))
        largest = abs(height[shift:] - height[: len(q) - shift]).max() / wavelength
        assert otf_support(kr, na, n, wavelength) == pytest.approx(largest, rel=2e-3)
    assert otf_support(0.0, na, n, wavelength) == pytest.approx(0, abs=1e-12)
    assert np.isnan(otf_support(2.01 * na / wavelength, na, n, wavelength))


@pytest.mark.parametrize(
    ("model", "parts"),
    [
        (Confocal(na=1.2, excitation_nm=480, emission_nm=600, immersion_index=1.4), (("wide", 0.48), ("wide", 0.6))),
        (ISM(na=1.2, excitation_nm=480, emission_nm=600, immersion_index=1.4), (("wide", 0.48), ("wide", 0.6))),
        (Multiphoton(na=1.2, excitation_nm=900, immersion_index=1.4), (("wide", 0.9), ("wide", 0.9))),
        (
            FourPi(na=1.2, excitation_nm=480, emission_nm=600, immersion_index=1.4, kind="A"),
            (("both", 0.48), ("wide", 0.6)),
        ),
        (
            FourPi(na=1.2, excitation_nm=480, emission_nm=600, immersion_index=1.4, kind="C"),
            (("both", 0.48), ("both", 0.6)),
        ),
    ],
)
def test_borders_of_products_hold_what_pairs_of_rays_make_and_no_more(model: Any, parts: Any) -> None:
    """Against differences of rays on the caps (of both objectives, in 4Pi), summed over the factors at random."""
    rng, na, n = np.random.default_rng(0), 1.2, 1.4
    count = 400_000

    def rays(wavelength: float, sides: str) -> np.ndarray:
        turn, q = rng.uniform(0, 2 * np.pi, count), na * np.sqrt(rng.uniform(0, 1, count))
        q[: count // 2] = na  # the rim makes the border
        sign = rng.choice([-1, 1], count) if sides == "both" else 1
        return np.stack([q * np.cos(turn), q * np.sin(turn), sign * np.sqrt(n**2 - q**2)]) / wavelength

    total = sum(rays(wavelength, sides) - rays(wavelength, sides) for sides, wavelength in parts)
    kr, kz = np.hypot(total[0], total[1]), abs(total[2])
    border_r, border_z = model.otf_border()
    assert kr.max() <= border_r[-1] * 1.0001
    allowed = np.interp(kr, border_r, border_z)
    assert (kz - allowed).max() < 0.03 * border_z.max()
    bins = np.digitize(kr, np.linspace(0, 0.5 * border_r[-1], 9))
    reached = [(kz / allowed)[bins == place].max() for place in range(1, 9)]
    assert min(reached) > 0.85  # random rays hardly ever make the very border


def test_where_there_is_no_end_there_is_no_border() -> None:
    sted = STED(na=1.4, excitation_nm=640, emission_nm=670, depletion_nm=775, immersion_index=1.515)
    assert sted.otf_border() is None
    assert Gaussian(fwhm_px=3).otf_border() is None


def test_other_borders_follow_their_model() -> None:
    """Paraxial waves are parabolas; a sheet adds its own band along z; of many colours the shortest reaches farthest."""
    kr, kz = BornWolf(na=0.5, emission_nm=500, immersion_index=1.0).otf_border() or ((), ())
    q = np.linspace(-0.5, 0.5, 2001)
    for place in (20, 77, 140):
        shift = round(kr[place] * 0.5 / (q[1] - q[0]))
        largest = abs(q[shift:] ** 2 - q[: len(q) - shift] ** 2).max() / 2 / 0.5
        assert kz[place] == pytest.approx(largest, rel=1e-2)
    sheet = LightSheet(na=1.0, emission_nm=525, immersion_index=1.333, excitation_nm=488, sheet="scanned")
    plain = TorokVarga(na=1.0, emission_nm=525, immersion_index=1.333).otf_border()
    assert plain is not None
    assert np.allclose((sheet.otf_border() or plain)[1] - plain[1], 2 * 0.1 / 0.488)
    colours = Polychromatic(na=1.0, emission_nm=525, immersion_index=1.333, spectrum="500:1 550:1").otf_border()
    assert colours is not None
    assert colours[0][-1] == pytest.approx(2 / 0.5)
    pupil = Zernike(na=1.0, emission_nm=525, immersion_index=1.333).otf_border()
    assert np.allclose((pupil or plain)[0], plain[0])


def test_the_picture_shows_both_sections_and_the_border(tmp_path: Path) -> None:
    psf = TorokVarga(**OIL).render((21, 41, 41), (0.2, 0.1, 0.1))
    psf_picture(psf, tmp_path / "plain.png", width=123)
    psf_picture(psf, tmp_path / "lines.png", width=123, border=TorokVarga(**OIL).otf_border())
    pictures = []
    for name in ("plain.png", "lines.png"):
        with Image.open(tmp_path / name) as picture:
            pictures.append(np.asarray(picture).astype(int))
    plain, lines = pictures
    assert plain.shape == lines.shape
    assert plain.shape[1] == 3 * (123 + 8) + 8
    drawn = np.abs(plain - lines).sum(2) > 0
    assert drawn.any()
    assert not drawn[:, : 2 * (123 + 8)].any()  # over the OTF alone
    panel = plain[31 - 8 : 31 - 8 + 123, 8 : 8 + 123, 0]
    middle = np.unravel_index(panel.argmax(), panel.shape)
    assert np.allclose(middle, (61, 61), atol=3)


def test_a_plane_has_a_picture_and_a_line_none(tmp_path: Path) -> None:
    psf_picture(Gaussian(fwhm_px=3).render((17, 21)), tmp_path / "plane.png")
    with Image.open(tmp_path / "plane.png") as picture:
        assert picture.height < 400
    with pytest.raises(ValueError, match=r"two or three axes, not shape \(17,\)"):
        psf_picture(Gaussian(fwhm_px=3).render((17,)), tmp_path / "line.png")
