"""Modalities against limits, brute force and closed forms."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special

from deconlab.io.ome import MODALITIES
from deconlab.psf import (
    ISM,
    PRESETS,
    STED,
    Confocal,
    FourPi,
    GibsonLanni,
    LightSheet,
    Multiphoton,
    Polychromatic,
    RichardsWolf,
    SpinningDisk,
    STEDLorentzian,
    TorokVarga,
    VariableIndex,
    _radial,
    for_modality,
    preset,
    registry,
)  # fmt: skip
from deconlab.psf._modality import MODELS

OIL: dict[str, Any] = {"na": 1.4, "immersion_index": 1.515}
BOTH: dict[str, Any] = {**OIL, "excitation_nm": 488.0, "emission_nm": 525.0}
POINT = {"pixel_integration": False}
VOXEL = (0.12, 0.04, 0.04)
SHAPE = (7, 33, 33)
DEEP: dict[str, Any] = {"sample_index": 1.38, "depth_um": 4.0}


def data(model: Any, shape: Any = SHAPE, voxel: Any = VOXEL) -> Any:
    return model.render(shape, voxel, dtype=torch.float64).data


def off(found: Any, expected: Any) -> float:
    expected = expected / expected.sum()
    return float((found / found.sum() - expected).abs().max() / expected.max())


def test_a_closed_pinhole_gives_the_product_and_an_open_one_the_illumination() -> None:
    excitation, emission = (data(TorokVarga(**OIL, **DEEP, emission_nm=nm, **POINT)) for nm in (488, 525))
    assert off(data(Confocal(**BOTH, **DEEP, pinhole_au=0.0)), excitation * emission) < 1e-8
    differences = [off(data(Confocal(**BOTH, **DEEP, pinhole_au=au)), excitation) for au in (2.0, 8.0, 16.0)]
    assert (
        differences[0] > 5 * differences[1] > 8 * differences[2]
    )  # as 1 / radius: light far from focus needs a wide one
    assert differences[2] < 0.04


@pytest.mark.parametrize("radius_um", [0.05, 0.4])
def test_the_pinhole_is_an_integral_over_a_disc(radius_um: float) -> None:
    """Against adaptive quadrature over the disc, in polar coordinates about it."""
    model = Confocal(**BOTH, backprojected_pinhole_um=2 * radius_um)
    pupil, z = model._at(525.0), torch.tensor([0.4], dtype=torch.float64)

    def light(radius: float) -> float:
        return float(_radial.intensity(pupil, z, torch.tensor([radius], dtype=torch.float64)))

    for r in (0.0, 0.3):

        def ring(s: float, angle: float, r: float = r) -> float:
            return light(math.sqrt(r * r + s * s + 2 * r * s * math.cos(angle))) * s

        nodes, weights = np.polynomial.legendre.leggauss(14)
        s, w = (nodes + 1) / 2 * radius_um, weights / 2 * radius_um
        angles = (np.arange(24) + 0.5) * math.pi / 24
        expected = sum(ring(a, t) * b for a, b in zip(s, w, strict=True) for t in angles) * 2 * math.pi / 24
        found = float(model._detection(z, torch.tensor([r], dtype=torch.float64)))
        assert found == pytest.approx(expected / (math.pi * radius_um**2), rel=1e-8)


def test_an_airy_unit_is_122_wavelengths_over_the_aperture() -> None:
    model = Confocal(**BOTH, pinhole_au=1.0)
    assert model.pinhole_radius_um == pytest.approx(0.61 * 0.525 / 1.4)
    same = Confocal(**BOTH, backprojected_pinhole_um=2 * model.pinhole_radius_um)
    assert off(data(same), data(model)) < 1e-12
    assert Confocal(**BOTH).pinhole_radius_um == model.pinhole_radius_um


def test_plane_light_of_a_product_is_its_integral() -> None:
    model = Confocal(**BOTH)
    z = torch.tensor([0.0, 1.5], dtype=torch.float64)
    nodes, weights = np.polynomial.legendre.leggauss(600)
    r = torch.from_numpy((nodes + 1) * 6)
    exact = (model._profile(z, r) * r * torch.from_numpy(weights)).sum(1) * 2 * math.pi * 6
    assert torch.allclose(model._plane_light(z), exact, rtol=1e-5)


def test_photons_are_powers() -> None:
    one = data(TorokVarga(**OIL, emission_nm=900, **POINT))
    for photons in (2, 3):
        assert off(data(Multiphoton(**OIL, excitation_nm=900, photon_order=photons)), one**photons) < 1e-8
    assert off(data(Multiphoton(**OIL, excitation_nm=900, photon_order=1)), one) < 1e-8
    emission = data(TorokVarga(**OIL, emission_nm=525, **POINT))
    descanned = Multiphoton(**OIL, excitation_nm=900, emission_nm=525, pinhole_au=0.0)
    assert off(data(descanned), one**2 * emission) < 1e-8


def test_scattered_pinholes_are_confocal_and_dense_ones_let_haze_through() -> None:
    confocal = Confocal(**BOTH)
    far, near = (SpinningDisk(**BOTH, spacing_um=spacing) for spacing in (9.0, 1.2))
    z, r = torch.tensor([0.0, 3.0], dtype=torch.float64), torch.arange(40, dtype=torch.float64) * 0.05
    alone, sparse, dense = (model._profile(z, r) for model in (confocal, far, near))
    assert float((sparse - alone).abs().max() / alone.max()) < 1e-3
    assert float(dense[1].sum() / dense[0].max()) > 3 * float(alone[1].sum() / alone[0].max())


def test_neighbours_of_the_disk_are_averaged_over_their_angle() -> None:
    """At r = 0 a ring gives what lies at its radius; the haze is the rest of the illumination, spread evenly."""
    model = SpinningDisk(**BOTH, spacing_um=1.5)
    z, here = torch.tensor([2.0], dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    lit = model._profile(z, here) / model._detection(z, here)
    pupil = model._at(488.0)
    rings = torch.tensor([1.0, 3**0.5, 2.0, 7**0.5, 3.0], dtype=torch.float64) * 1.5
    near = (_radial.intensity(pupil, z, rings) * torch.tensor([6, 6, 6, 12, 6])).sum()
    expected = _radial.intensity(pupil, z, here) + near + model._haze(pupil, z)
    assert torch.allclose(lit, expected, rtol=1e-9)


@pytest.mark.parametrize("sheet", ["gaussian", "scanned"])
def test_a_light_sheet_multiplies_each_plane(sheet: Any) -> None:
    optics: dict[str, Any] = {"na": 0.9, "immersion_index": 1.333, "emission_nm": 525.0}
    model = LightSheet(**optics, excitation_nm=488, illumination_na=0.3, sheet=sheet)
    shape, voxel = (9, 33, 33), (0.15, 0.12, 0.12)
    plain = data(TorokVarga(**optics), shape, voxel)
    z = (np.arange(9) - 4) * 0.15
    if sheet == "gaussian":
        profile = np.exp(-2 * (z * math.pi * 0.3 / 0.488) ** 2)
    else:  # the line spread of an Airy pattern, integrated over y
        k = 2 * math.pi * 0.3 / 0.488

        def airy(y: float, height: float) -> float:
            v = k * math.hypot(y, height) or 1e-9
            return float((2 * special.j1(v) / v) ** 2)

        profile = np.array([integrate.quad(airy, -60, 60, args=(height,), limit=800)[0] for height in z])
        profile /= profile[4]
    assert off(data(model, shape, voxel), plain * torch.from_numpy(profile)[:, None, None]) < (
        1e-9 if sheet == "gaussian" else 1e-3
    )


def test_a_gaussian_sheet_may_be_given_by_its_thickness() -> None:
    model = LightSheet(na=0.9, immersion_index=1.333, emission_nm=525, excitation_nm=488, sheet_fwhm_um=3.0)
    z = torch.tensor([0.0, 1.5], dtype=torch.float64)
    assert torch.allclose(model.sheet_at(z), torch.tensor([1.0, 0.5], dtype=torch.float64), atol=1e-12)
    psf = model.render((81, 65, 65), (0.25, 0.12, 0.12))
    assert 0.5 < psf.captured < min(1, sum(psf.captured_per_plane))  # all light is finite: the sheet ends


def test_without_depletion_sted_is_confocal_and_with_it_the_spot_shrinks_as_predicted() -> None:
    optics: dict[str, Any] = {**BOTH, "depletion_nm": 592.0}
    assert off(data(STED(**optics, saturation=0.0)), data(Confocal(**BOTH))) < 1e-6
    widths = [STED(**optics, saturation=s, regime="cw").facts().fwhm_lateral_um for s in (15.0, 63.0)]
    assert None not in widths
    assert 1.7 < widths[0] / widths[1] < 2.1  # type: ignore[operator]  # √((1 + 63) / (1 + 15)) = 2
    plain, trimmed = (STED(**optics, saturation=s, plate="tophat").facts() for s in (0.0, 20.0))
    assert trimmed.fwhm_axial_um < 0.5 * plain.fwhm_axial_um  # type: ignore[operator]


@pytest.mark.parametrize("regime", ["pulsed", "cw"])
def test_depletion_acts_by_its_formula(regime: Any) -> None:
    model = STED(**BOTH, depletion_nm=592, saturation=7.0, regime=regime)
    z, r = torch.zeros(1, dtype=torch.float64), torch.arange(0, 400, dtype=torch.float64) * 0.002
    ring = _radial.intensity(model.depletion(), z, r)
    share = ring / ring.max()
    left = model._profile(z, r) / Confocal(**BOTH)._profile(z, r)
    expected = torch.exp(-7 * share) if regime == "pulsed" else 1 / (1 + 7 * share)
    assert torch.allclose(left, expected, rtol=2e-4)
    assert float(ring[0, 0] / ring.max()) < 1e-20  # the middle stays dark, for vectorial light too


def test_the_lorentzian_has_its_widths_and_holds_its_light() -> None:
    model = STEDLorentzian(fwhm_um=0.06, fwhm_axial_um=0.5)
    found = model.facts()
    assert found.fwhm_lateral_um == pytest.approx(0.06, rel=2e-2)  # of voxels, which widen it slightly
    assert found.fwhm_axial_um == pytest.approx(0.5, rel=1e-3)
    g = model.gamma_um
    psf = model.render((21, 21), (0.02, 0.02), dtype=torch.float64)
    held, _ = integrate.dblquad(
        lambda y, x: g / (2 * math.pi * (x * x + y * y + g * g) ** 1.5), -0.21, 0.21, -0.21, 0.21
    )
    assert psf.captured == pytest.approx(held, rel=1e-6)


def test_the_middle_detector_is_a_small_pinhole_and_reassignment_sharpens() -> None:
    middle = ISM(**BOTH, detector_au=0.2, element=0)
    assert off(data(middle), data(Confocal(**BOTH, pinhole_au=0.2))) < 1e-8
    summed = ISM(**BOTH, detector_au=0.25, detector_rings=1).facts()
    closed, wide = (Confocal(**BOTH, pinhole_au=au).facts() for au in (0.25, 0.75))
    assert summed.fwhm_lateral_um < wide.fwhm_lateral_um  # type: ignore[operator]
    assert summed.fwhm_lateral_um < closed.fwhm_lateral_um * 1.05  # type: ignore[operator]


def test_an_offset_detector_sees_the_shifted_emission() -> None:
    model = ISM(**BOTH, detector_au=0.3, detector_rings=1, element=1)
    dy, dx = model.offsets_um()[1]
    assert math.hypot(dy, dx) == pytest.approx(0.3 * 1.22 * 0.525 / 1.4)
    y, x = np.meshgrid((np.arange(33) - 16) * 0.04, (np.arange(33) - 16) * 0.04, indexing="ij")
    z = torch.zeros(1, dtype=torch.float64)
    lit = _radial.intensity(model._at(488.0), z, torch.from_numpy(np.hypot(y, x).ravel()))
    own = dataclasses.replace(Confocal(**BOTH), pinhole_au=0.3)
    seen = own._detection(z, torch.from_numpy(np.hypot(y - dy, x - dx).ravel()))
    assert off(data(model, (1, 33, 33))[0], (lit * seen).view(33, 33)) < 1e-7


def test_all_light_of_the_detectors_is_counted() -> None:
    model = ISM(**BOTH, detector_au=0.3, detector_rings=1)
    wide = model.render((1, 161, 161), (0.1, 0.04, 0.04), dtype=torch.float64)
    assert 0.995 < wide.captured < 1.0001


@pytest.mark.parametrize("kind", ["A", "C"])
def test_four_pi_interferes(kind: Any) -> None:
    """The lobes lie about λ / 2n apart; a phase of π makes the middle dark."""
    model = FourPi(na=1.4, immersion_index=1.515, excitation_nm=488, emission_nm=525, kind=kind)
    line = data(model, (121, 1, 1), (0.01, 0.02, 0.02))[:, 0, 0]
    assert torch.allclose(line, line.flip(0), rtol=1e-9)
    lobes = [i for i in range(1, 120) if line[i - 1] < line[i] > line[i + 1]]
    spacing = min(b - a for a, b in itertools.pairwise(lobes)) * 0.01
    assert 0.15 < spacing < 0.24  # λ / 2n = 0.161 µm, stretched by the aperture
    dark = data(dataclasses.replace(model, phase_rad=math.pi), (121, 1, 1), (0.01, 0.02, 0.02))[:, 0, 0]
    assert float(dark[60] / dark.max()) < 1e-12
    assert model.facts().fwhm_axial_um < 0.12  # type: ignore[operator]


def test_one_colour_is_no_spectrum_and_many_are_their_sum() -> None:
    optics: dict[str, Any] = {**OIL, "emission_nm": 525.0, **DEEP}
    assert off(data(Polychromatic(**optics, spectrum="525:3")), data(TorokVarga(**optics))) < 1e-9
    parts = [TorokVarga(**{**optics, "emission_nm": nm}).render(SHAPE, VOXEL, dtype=torch.float64) for nm in (500, 560)]
    expected = parts[0].data * parts[0].captured * 0.25 + parts[1].data * parts[1].captured * 0.75
    assert off(data(Polychromatic(**optics, spectrum="500:1, 560:3")), expected) < 1e-7
    narrow, wide = (Polychromatic(**optics, band_nm=width) for width in (1.0, 60.0))
    assert off(data(narrow), data(TorokVarga(**optics))) < 1e-4
    assert sum(share for _, share in wide.colours()) == pytest.approx(1)
    mean = sum(nm * share for nm, share in wide.colours())
    spread = sum((nm - mean) ** 2 * share for nm, share in wide.colours())
    assert (mean, math.sqrt(spread) * 2.3548) == (pytest.approx(525), pytest.approx(60, rel=1e-4))


def test_a_constant_index_is_gibson_lannis_and_a_course_is_its_integral() -> None:
    optics: dict[str, Any] = {**OIL, "emission_nm": 525.0, "sample_index": 1.42, "depth_um": 6.0}
    assert off(data(VariableIndex(**optics, layers=7)), data(GibsonLanni(**optics))) < 1e-9
    q = torch.linspace(0, 1.2, 7, dtype=torch.float64)
    for course, n in (
        ("linear", lambda u: 1.42 + 0.08 * u),
        ("exponential", lambda u: 1.42 * (1.5 / 1.42) ** u),
        ("logarithmic", lambda u: 1.42 + 0.08 * math.log(1 + (math.e - 1) * u)),
    ):
        model = VariableIndex(**optics, deep_index=1.5, course=course, layers=100)  # type: ignore[arg-type]
        plain = GibsonLanni(**optics)._pupil().path(q)
        exact = []
        for ray in q.tolist():
            along = integrate.quad(lambda u, ray=ray, n=n: math.sqrt(n(u) ** 2 - ray**2), 0, 1)[0]
            focus = 1.515 * (1 / 1.42 - integrate.quad(lambda u, n=n: 1 / n(u), 0, 1)[0])
            exact.append(6 * (along - math.sqrt(1.42**2 - ray**2) + focus * math.sqrt(1.515**2 - ray**2)))
        found = (model._pupil().path(q) - plain).real
        assert torch.allclose(found, torch.tensor(exact, dtype=torch.float64), atol=2e-5)
    assert (
        VariableIndex(**{**optics, "sample_index": 1.33}, deep_index=1.36).best_focus_um() > 0
    )  # NA above the indices


FAMILIES = [
    TorokVarga(**OIL, emission_nm=525, sample_index=1.33),
    Confocal(**BOTH, sample_index=1.38),
    LightSheet(**BOTH, sample_index=1.42),
    ISM(**BOTH, sample_index=1.42, detector_rings=1),
    SpinningDisk(**BOTH, sample_index=1.42),
]


@pytest.mark.parametrize("model", FAMILIES, ids=lambda model: type(model).__name__)
def test_a_family_over_depth_is_each_of_its_members(model: Any) -> None:
    depths, shape, voxel = (0.0, 1.0, 3.5), (5, 17, 17), (0.1, 0.04, 0.04)
    for depth, psf in zip(depths, model.at_depths(depths, shape, voxel), strict=True):
        alone = dataclasses.replace(model, depth_um=depth).render(shape, voxel)
        assert off(psf.data.double(), alone.data.double()) < 1e-6
        assert psf.captured == pytest.approx(alone.captured, rel=1e-3)
        assert f"depth_um {depth:g}" in psf.notes[0]


def test_a_family_costs_less_than_its_members() -> None:
    """Counted, not timed: one Bessel table serves all depths."""
    model = TorokVarga(**OIL, emission_nm=525, sample_index=1.38)
    counted = 0
    plain = _radial._bessel

    def counting(order: int, argument: Any) -> Any:
        nonlocal counted
        counted += argument.numel()
        return plain(order, argument)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_radial, "_bessel", counting)
        model.at_depths([0.5 * k for k in range(8)], (9, 33, 33), (0.2, 0.08, 0.08))
        together, counted = counted, 0
        for k in range(8):
            dataclasses.replace(model, depth_um=0.5 * k).render((9, 33, 33), (0.2, 0.08, 0.08))
    assert together < counted / 4


def test_impossible_families_are_refused() -> None:
    model = TorokVarga(**OIL, emission_nm=525)
    with pytest.raises(ValueError, match=r"TorokVarga\.at_depths needs at least one depth"):
        model.at_depths([], (5, 9, 9), (0.2, 0.08, 0.08))
    with pytest.raises(ValueError, match=r"depth_um must be >= 0 µm, not -1"):
        model.at_depths([1, -1], (5, 9, 9), (0.2, 0.08, 0.08))
    with pytest.raises(
        ValueError, match=r"at_depths renders stacks: give a shape of three sizes \(z, y, x\), not \(9, 9\)"
    ):
        model.at_depths([1], (9, 9), (0.08, 0.08))


def test_polarised_light_turns_with_its_axis_and_averages_to_unpolarised() -> None:
    optics: dict[str, Any] = {**OIL, "emission_nm": 525.0}
    shape, voxel = (3, 33, 33), (0.2, 0.08, 0.08)
    along = {p: data(RichardsWolf(**optics, polarisation=p), shape, voxel) for p in ("x", "y", "circular")}  # type: ignore[arg-type]
    assert off(along["x"].transpose(1, 2), along["y"]) < 1e-9
    assert off(along["x"] + along["y"], along["circular"]) < 1e-6
    dipoles = [
        TorokVarga(**optics, **DEEP, dipole=d).render(shape, voxel, dtype=torch.float64) for d in ("x", "y", "z")
    ]  # type: ignore[arg-type]
    lights = [
        float(_radial.plane_energy(TorokVarga(**optics, **DEEP, dipole=d)._pupil(), torch.zeros(1)))
        for d in ("x", "y", "z")
    ]  # type: ignore[arg-type]
    total = sum(p.data * p.captured * light for p, light in zip(dipoles, lights, strict=True))
    assert off(total, data(TorokVarga(**optics, **DEEP), shape, voxel)) < 1e-6
    assert float(dipoles[2].data[1, 16, 16] / dipoles[2].data.max()) < 0.2  # a dipole along the axis is dark on it


def test_at_low_aperture_polarisation_does_not_matter() -> None:
    """The difference to scalar light falls as NA²."""
    differences = []
    for na in (0.4, 0.2, 0.1):
        voxel = (0.3 / na**2, 0.1 / na, 0.1 / na)
        scalar, vectorial = (
            cls(na=na, emission_nm=500, immersion_index=1.0).render((5, 21, 21), voxel, dtype=torch.float64).data
            for cls in (GibsonLanni, TorokVarga)
        )
        differences.append(off(vectorial, scalar))
    assert differences[2] < 5e-3
    assert all(3.3 < a / b < 4.8 for a, b in itertools.pairwise(differences))


def test_without_mismatch_layers_do_nothing() -> None:
    optics: dict[str, Any] = {**OIL, "emission_nm": 525.0}
    assert off(data(TorokVarga(**optics, depth_um=7.0)), data(RichardsWolf(**optics))) < 1e-8


def test_transmission_through_the_interfaces_is_fresnels() -> None:
    """From water to glass at normal incidence t = 2 n₁ / (n₁ + n₂); energy is conserved below the critical angle."""
    model = TorokVarga(na=1.2, emission_nm=525, immersion_index=1.515, sample_index=1.33, coverslip_index=1.6)
    zero = model._pupil().components[0].amplitude(torch.tensor([0.0], dtype=torch.float64))
    step = 2 * 1.515 / (1.515 + 1.6) * 2 * 1.6 / (1.6 + 1.33)
    assert zero.real.item() == pytest.approx(2 * step, rel=1e-12)


def test_every_modality_of_files_has_its_model_or_is_named() -> None:
    lacking = {"structured illumination", "TIRF", "PALM", "STORM", "bright field"}
    for word in set(MODALITIES.values()):
        if word in lacking:
            with pytest.raises(ValueError, match=f"no PSF model for '{word}' microscopes.*widefield, confocal"):
                for_modality(word)
        else:
            assert for_modality(word).modality == word
    assert {model.modality for model in registry.all().values()} - {None} == set(MODELS)
    assert for_modality("Airyscan") is ISM
    assert for_modality("two photon") is Multiphoton
    with pytest.raises(ValueError, match="Did you mean 'confocal'"):
        for_modality("confokal")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_every_number(name: str) -> None:
    model = preset(name)
    told = model.describe().split("by default:")[0]
    assert all(
        key in told
        for key, value in PRESETS[name].values.items()
        if getattr(model, key) != getattr(type(model), key, None)
    )
    assert preset(name, na=0.9).na == 0.9  # type: ignore[attr-defined]
    assert PRESETS[name].doc


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(ValueError, match=r"no preset 'confocal-oli'\. Did you mean 'confocal-oil'"):
        preset("confocal-oli")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Confocal(**BOTH, pinhole_au=-1.0), "pinhole_au must be >= 0, not -1"),
        (lambda: Confocal(**BOTH, backprojected_pinhole_um=0.0), "backprojected_pinhole_um must be > 0 µm, not 0"),
        (lambda: Confocal(**BOTH, backprojected_pinhole_um=50.0), "backprojected_pinhole_um 50 µm is longer than any"),
        (lambda: Confocal(**BOTH, pinhole_au=1.0, backprojected_pinhole_um=0.3), "the pinhole is given twice.*1 and"),
        (
            lambda: Confocal(**{**BOTH, "excitation_nm": 0.488}),
            "excitation_nm 0.488 nm is no light.*0.488 µm is 488 nm",
        ),
        (lambda: Confocal(**{**BOTH, "na": 1.2, "immersion_index": 1.0}), "na 1.2 must be below immersion_index 1:"),
        (lambda: Confocal(**BOTH, depth_um=9000.0), "depth_um 9000 µm is longer than any"),
        (
            lambda: Multiphoton(**OIL, excitation_nm=900, pinhole_au=1.0),
            "a pinhole sees emitted light: give emission_nm",
        ),
        (lambda: Multiphoton(**OIL, excitation_nm=900, photon_order=0), "photon_order must be >= 1 and <= 6, not 0"),
        (lambda: SpinningDisk(**BOTH, spacing_um=0.4), "do not fit at distances of spacing_um 0.4 µm"),
        (lambda: SpinningDisk(**BOTH, spacing_um=250.0), "spacing_um 250 µm is longer than any"),
        (lambda: LightSheet(**BOTH, sheet="scanned", sheet_fwhm_um=2.0), "leave out sheet_fwhm_um 2"),
        (lambda: LightSheet(**BOTH, sheet_fwhm_um=2000.0), "sheet_fwhm_um 2000 µm is longer than any"),
        (lambda: STED(**BOTH, depletion_nm=400.0), "depletion_nm 400 must not be below excitation_nm 488"),
        (lambda: STED(**BOTH, depletion_nm=592.0, optics="scalar"), "optics must be 'vectorial', not 'scalar'"),
        (lambda: STEDLorentzian(fwhm_um=50.0), "fwhm_um 50 µm is longer than any"),
        (lambda: ISM(**BOTH, detector_rings=1, element=7), "no element 7: 1 rings have 7, from 0"),
        (lambda: Polychromatic(**OIL, emission_nm=525, spectrum="0.52:1"), "spectrum 0.52 nm is no light"),
        (
            lambda: Polychromatic(**OIL, emission_nm=525, spectrum="520:-1"),
            "spectrum has 520:-1, which is no wavelength:share",
        ),
        (lambda: Polychromatic(**OIL, emission_nm=525, spectrum="520"), "has '520', which is no wavelength:share"),
        (lambda: Polychromatic(**OIL, emission_nm=525, spectrum=" "), "is empty; it must be wavelength:share"),
    ],
)
def test_impossible_microscopes_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_size_in_um_is_needed() -> None:
    with pytest.raises(ValueError, match="STEDLorentzian needs voxel_um"):
        STEDLorentzian(fwhm_um=0.05).render((9, 9))


def test_extents_of_modalities_hold_most_light() -> None:
    model = Confocal(**BOTH)
    shape = model.extent(4, VOXEL)
    assert min(model.render(shape, VOXEL).captured_per_plane) > 0.95
    sted = STEDLorentzian(fwhm_um=0.06)
    assert sted.render(sted.extent(5, (0.1, 0.02, 0.02)), (0.1, 0.02, 0.02)).captured > 0.9
