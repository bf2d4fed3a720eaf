"""PSFs that are a formula: their widths, their light, their growth, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special

from deconlab.psf import (
    Airy,
    Annular,
    Astigmatic,
    BornWolf,
    CardinalSine,
    CircularPupil,
    Cosine,
    DoubleHelixGaussian,
    Gaussian,
    GaussianFit,
    GaussianMixture,
    GibsonLanni,
    Koehler,
    Lorentz,
    Moffat,
    OrientedGaussian,
    Stokseth,
)  # fmt: skip

POINT = {"pixel_integration": False}
ROUND = [Lorentz, CardinalSine, Cosine, CircularPupil, Koehler]


def data(model: Any, shape: Any, voxel: Any = None) -> Any:
    return model.render(shape, voxel, dtype=torch.float64).data


@pytest.mark.parametrize("cls", ROUND)
@pytest.mark.parametrize(
    ("growth", "factor"), [("linear", 3.0), ("parabolic", 5.0), ("exponential", 4.0), ("constant", 1.0)]
)
def test_widths_grow_as_said(cls: Any, growth: Any, factor: float) -> None:
    """At twice the doubling distance; the half-maximum lies where it should, relative to the middle."""
    model = cls(fwhm_um=0.4, growth=growth, doubling_um=0.5, **POINT)
    planes = data(model, (3, 1, 61), (1.0, 0.1, 0.2 * factor if factor > 1 else 0.2))
    assert float(planes[2, 0, 31] / planes[2, 0, 30]) == pytest.approx(0.5, rel=1e-6)
    focus = data(model, (1, 1, 61), (1.0, 0.1, 0.2))
    assert float(focus[0, 0, 31] / focus[0, 0, 30]) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("cls", [Cosine, CircularPupil, Koehler])
def test_captured_light_is_the_integral_of_the_shape(cls: Any) -> None:
    model = cls(fwhm_um=0.4, **POINT)
    scale = float(model._light(torch.zeros(1, dtype=torch.float64)))

    def height(r: float) -> float:
        place = torch.tensor([r], dtype=torch.float64)
        return float(model._height(place * 0, place, place * 0)) * 2 * math.pi * r

    reach = 30.0 if cls is CircularPupil else 1.5  # an Airy pattern beyond r holds 1 / r of its light
    found = integrate.quad(height, 0, reach, limit=800)[0]
    assert found == pytest.approx(scale, rel=5e-3 if cls is CircularPupil else 1e-8)
    every = cls(fwhm_um=0.4).render((5, 81, 81), (0.3, 0.1, 0.1)).captured_per_plane
    assert all(0.9 < part <= 1.00001 for part in every)


@pytest.mark.parametrize("cls", [Lorentz, CardinalSine])
def test_endless_light_is_told_as_such(cls: Any) -> None:
    model = cls(fwhm_um=0.4)
    psf = model.render((3, 33, 33), (0.3, 0.1, 0.1))
    assert any("no end" in note for note in psf.notes)
    assert 0.1 < psf.captured < 1

    r = torch.from_numpy(np.geomspace(1e-5, 400.0, 400_001))  # 1000 widths
    zero = torch.zeros(1, dtype=torch.float64)
    light = torch.trapezoid(model._height(zero, r, zero) * 2 * math.pi * r, r)
    assert float(light) == pytest.approx(float(model._light(zero)), rel=2e-2 if cls is CardinalSine else 1e-5)


def test_a_pixel_is_integrated_over() -> None:
    model = Lorentz(fwhm_um=0.3)
    psf = data(model, (9, 9), (0.1, 0.1))
    exact = [integrate.dblquad(lambda y, x: 1 / (1 + (x * x + y * y) / 0.0225), a - 0.05, a + 0.05, b - 0.05, b + 0.05)[0]
             for a, b in ((0.0, 0.0), (0.1, 0.2))]  # fmt: skip
    assert float(psf[5, 6] / psf[4, 4]) == pytest.approx(exact[1] / exact[0], rel=1e-7)


def test_astigmatic_foci_lie_apart() -> None:
    model = Astigmatic(fwhm_um=0.3, split_um=0.5, growth="parabolic", doubling_um=0.5, **POINT)
    planes = data(model, (3, 25, 25), (0.5, 0.05, 0.05))
    up = planes[2]  # x is in focus, y at twice its distance
    assert float(up[12, 15] / up[12, 12]) == pytest.approx(0.5, rel=1e-9)
    assert float(up[15, 12] / up[12, 12]) == pytest.approx(0.5 ** (1 / 25), rel=1e-9)


def test_an_oriented_gaussian_is_turned() -> None:
    model = OrientedGaussian(fwhm_um=0.2, elongation=3.0, angle_deg=90.0, **POINT)
    plane = data(model, (21, 21), (0.05, 0.05))
    assert float(plane[12, 10] / plane[10, 10]) == pytest.approx(0.5)  # 0.1 µm along y, its narrow side
    assert float(plane[10, 16] / plane[10, 10]) == pytest.approx(0.5)
    turned = data(OrientedGaussian(fwhm_um=0.2, elongation=3.0, angle_deg=30.0, **POINT), (21, 21), (0.05, 0.05))
    y, x = np.indices((21, 21)) - 10
    u, v = x * math.cos(math.pi / 6) + y * math.sin(math.pi / 6), y * math.cos(math.pi / 6) - x * math.sin(math.pi / 6)
    expected = 0.5 ** ((u * 0.05 / 0.1) ** 2 + (v * 0.05 / 0.3) ** 2)
    assert np.allclose(turned / turned.max(), expected, rtol=1e-9)


def test_the_two_gaussians_turn() -> None:
    model = DoubleHelixGaussian(fwhm_um=0.3, separation_um=1.0, quarter_turn_um=1.0, growth="constant", **POINT)
    planes = data(model, (3, 31, 31), (1.0, 0.1, 0.1))
    assert float(planes[1, 15, 20]) == pytest.approx(float(planes[1].max()), rel=1e-3)
    assert float(planes[2, 20, 15]) == pytest.approx(float(planes[2].max()), rel=1e-3)


def test_moffat_has_its_width_and_light() -> None:
    model = Moffat(fwhm_px=4.0, beta=2.5, **POINT)
    plane = data(model, (41, 41))
    assert float(plane[20, 22] / plane[20, 20]) == pytest.approx(0.5)
    held = integrate.dblquad(lambda y, x: (1 + (x * x + y * y) / model.alpha_px**2) ** -2.5, -10.5, 10.5, -10.5, 10.5)[
        0
    ]
    light = integrate.quad(lambda r: (1 + r * r / model.alpha_px**2) ** -2.5 * 2 * math.pi * r, 0, math.inf)[0]
    assert Moffat(fwhm_px=4.0, beta=2.5).render((21, 21)).captured == pytest.approx(held / light, rel=1e-6)
    gaussian = data(Gaussian(fwhm_px=4.0), (15, 15))
    narrow = data(Moffat(fwhm_px=4.0, beta=400.0), (15, 15))
    assert float((narrow - gaussian).abs().max() / gaussian.max()) < 5e-3


def test_airy_is_a_telescopes_and_its_shadow_a_pupils() -> None:
    plain = data(Airy(resolution_px=4.0, **POINT), (41, 41))
    zero = special.jn_zeros(1, 1)[0] / math.pi * 4.0
    r = np.arange(41) - 20
    expected = np.array([1.0 if x == 0 else (2 * special.j1(math.pi * x / 4) / (math.pi * x / 4)) ** 2 for x in r])
    assert np.allclose(plain[20] / plain[20, 20], expected, atol=1e-12)
    assert 4.8 < zero < 4.9
    telescope = Airy(resolution_px=5.0, obscuration=0.35, **POINT)  # λ / D = λ / 2NA
    objective = Annular(na=0.1, emission_nm=500, immersion_index=1.0, optics="scalar", obscuration=0.35, **POINT)
    found = data(objective, (1, 41, 41), (1.0, 0.5, 0.5))[0]
    other = data(telescope, (41, 41))
    assert float((found - other).abs().max() / other.max()) < 1e-5
    assert telescope.render((41, 41)).captured == pytest.approx(
        objective.render((1, 41, 41), (1.0, 0.5, 0.5)).captured, rel=1e-3
    )


def test_a_mixture_is_the_sum_of_its_gaussians() -> None:
    narrow, wide = (Gaussian(fwhm_px=width, **POINT) for width in (2.5, 8.0))
    parts = [model.render((25, 25), dtype=torch.float64) for model in (narrow, wide)]
    expected = sum(part.data * part.captured * share for part, share in zip(parts, (0.8, 0.2), strict=True))
    found = GaussianMixture("0.8:2.5, 0.2:8", **POINT).render((25, 25), dtype=torch.float64)
    assert torch.allclose(found.data, expected / expected.sum(), rtol=1e-9)  # type: ignore[union-attr]
    assert found.captured == pytest.approx(float(expected.sum()), rel=1e-9)  # type: ignore[union-attr]


def test_gaussian_fits_have_the_published_widths() -> None:
    """Zhang's formulas, written out; and near the widths of the optics themselves."""
    k = 2 * math.pi / 0.52
    paraxial = GaussianFit(na=0.5, emission_nm=520, immersion_index=1.0, approximation="paraxial").gaussian()
    scale = 2 * math.sqrt(2 * math.log(2))
    assert paraxial.fwhm_um == pytest.approx(math.sqrt(2) / (k * 0.5) * scale)
    assert paraxial.fwhm_axial_um == pytest.approx(2 * math.sqrt(6) / (k * 0.25) * scale)
    both = [
        GaussianFit(na=0.05, emission_nm=520, immersion_index=1.0, approximation=a).gaussian()
        for a in ("paraxial", "non-paraxial")
    ]  # type: ignore[arg-type]
    assert both[0].fwhm_um == pytest.approx(both[1].fwhm_um, rel=1e-3)
    assert both[0].fwhm_axial_um == pytest.approx(both[1].fwhm_axial_um, rel=2e-3)
    optics: dict[str, Any] = {"na": 1.3, "emission_nm": 520, "immersion_index": 1.515}
    fit, exact = GaussianFit(**optics).gaussian(), GibsonLanni(**optics).facts()
    assert fit.fwhm_um == pytest.approx(exact.fwhm_lateral_um, rel=0.1)
    assert fit.fwhm_axial_um == pytest.approx(exact.fwhm_axial_um, rel=0.1)
    confocal = GaussianFit(**{**optics, "excitation_nm": 520}).gaussian()
    assert confocal.fwhm_um == pytest.approx(fit.fwhm_um / math.sqrt(2))  # type: ignore[operator]


def test_stokseths_transfer_function_is_nearly_that_of_diffraction() -> None:
    """In focus within 0.03 of the exact one; out of focus its planes are within a fifth of Born and Wolf's."""
    s = torch.linspace(0, 2, 51, dtype=torch.float64)
    model = Stokseth(na=0.4, emission_nm=520, immersion_index=1.0)
    exact = 2 / math.pi * (torch.acos(s / 2) - s / 2 * torch.sqrt(1 - s**2 / 4))
    assert float((model.transfer(s, torch.zeros(1))[0] - exact).abs().max()) < 0.031
    planes = [
        data(m, (5, 41, 41), (1.5, 0.2, 0.2)) for m in (model, BornWolf(na=0.4, emission_nm=520, immersion_index=1.0))
    ]
    largest = (planes[0] - planes[1]).abs().flatten(1).max(1).values / planes[1].flatten(1).max(1).values
    assert float(largest[2]) < 0.07
    assert float(largest.max()) < 0.2
    assert any("cut to 0" in note for note in model.render((3, 9, 9), (1.5, 0.2, 0.2)).notes)


def test_extents_hold_what_they_promise() -> None:
    for model in (Koehler(fwhm_um=0.3), CircularPupil(fwhm_um=0.3), OrientedGaussian(fwhm_um=0.3)):
        shape = model.extent(3, (0.3, 0.1, 0.1))
        assert shape[0] == 5
        assert min(model.render(shape, (0.3, 0.1, 0.1)).captured_per_plane) >= 0.95
    assert Lorentz(fwhm_um=0.3).extent(1, (0.1, 0.1)) == (61, 61)  # 20 widths
    assert Moffat(fwhm_px=3.0).render(Moffat(fwhm_px=3.0).extent(1, ndim=2)).captured >= 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Lorentz(fwhm_um=250.0), "fwhm_um 250 µm is longer than any in use.*250 nm is 0.25 µm"),
        (lambda: Lorentz(fwhm_um=0.0), "fwhm_um must be > 0 µm, not 0"),
        (lambda: Lorentz(fwhm_um=0.3, doubling_um=-1.0), "doubling_um must be > 0 µm, not -1"),
        (lambda: Lorentz(fwhm_um=0.3).render((9, 9)), "Lorentz needs voxel_um"),
        (lambda: Lorentz(fwhm_um=0.3).render((9, 9), (100.0, 100.0)), "A voxel is 333 × as wide as Lorentz"),
        (lambda: Moffat(fwhm_px=3.0, beta=1.0), "beta must be > 1, not 1"),
        (lambda: Moffat(fwhm_px=3.0).render((5, 9, 9)), r"Moffat has 2 dimensions; the shape \(5, 9, 9\) has 3"),
        (lambda: Airy(resolution_px=4.0, obscuration=1.0), "obscuration must be >= 0 and < 1, not 1"),
        (lambda: GaussianMixture("0.8:2.5 -0.2:8"), "has -0.2:8, which is no share:width"),
        (lambda: GaussianMixture("0.8"), "has '0.8', which is no share:width"),
        (lambda: GaussianMixture(""), "is empty; it must be share:width"),
        (lambda: GaussianFit(na=1.2, emission_nm=520, immersion_index=1.0), "na 1.2 must be below immersion_index 1:"),
        (lambda: GaussianFit(na=1.2, emission_nm=0.52, immersion_index=1.3), "emission_nm 0.52 nm is no light"),
        (lambda: Stokseth(na=1.2, emission_nm=520, immersion_index=1.0), "na 1.2 must be below immersion_index 1:"),
        (lambda: Stokseth(na=0.2, emission_nm=0.52, immersion_index=1.0), "emission_nm 0.52 nm is no light"),
    ],
)
def test_impossible_shapes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
