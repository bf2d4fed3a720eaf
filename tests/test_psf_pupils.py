"""Pupils of any shape: against the radial engine, closed forms, brute force and finite differences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special

from deconlab.psf import (
    Annular,
    ArbitraryPupil,
    DoubleHelix,
    GibsonLanni,
    PhaseMask,
    RichardsWolf,
    TorokVarga,
    Zernike,
    _propagation,
    _radial,
    _zernike,
)  # fmt: skip
from deconlab.psf._propagation import Box
from deconlab.psf._radial import Component

OIL: dict[str, Any] = {"na": 1.4, "emission_nm": 610.0, "immersion_index": 1.515}
GLYCEROL: dict[str, Any] = {**OIL, "sample_index": 1.47, "depth_um": 5.0}
LAYERS: dict[str, Any] = {**OIL, "coverslip_um": 180.0, "design_coverslip_um": 170.0, "coverslip_index": 1.525}
SCALAR: dict[str, Any] = {**OIL, "optics": "scalar", "pixel_integration": False}
VOXEL = (0.3, 0.1, 0.1)
SHAPE = (7, 25, 25)


def data(model: Any, shape: Any = SHAPE, voxel: Any = VOXEL) -> Any:
    return model.render(shape, voxel, dtype=torch.float64).data


def off(found: Any, expected: Any) -> float:
    return float((found - expected).abs().max() / expected.max())


@pytest.mark.parametrize("optics", [OIL, GLYCEROL, LAYERS])
@pytest.mark.parametrize("pixel_integration", [True, False])
@pytest.mark.parametrize(("kind", "radial"), [("scalar", GibsonLanni), ("vectorial", TorokVarga)])
def test_both_engines_agree(optics: Any, pixel_integration: bool, kind: Any, radial: Any) -> None:
    cartesian = Zernike(**optics, optics=kind, pixel_integration=pixel_integration)
    expected = radial(**optics, pixel_integration=pixel_integration).render(SHAPE, VOXEL, dtype=torch.float64)
    found = cartesian.render(SHAPE, VOXEL, dtype=torch.float64)
    assert off(found.data, expected.data) < 1e-5
    assert np.allclose(found.captured_per_plane, expected.captured_per_plane, atol=2e-5)


def test_both_engines_agree_where_rays_turn_evanescent() -> None:
    """Less closely: the phase has a root inside the pupil, which no even grid follows."""
    optics: dict[str, Any] = {**OIL, "sample_index": 1.33, "depth_um": 2.0}
    shape = (3, 15, 15)
    assert off(data(Zernike(**optics), shape), data(TorokVarga(**optics), shape)) < 1e-3
    optics["supercritical"] = "truncated"
    assert off(data(Zernike(**optics), shape), data(TorokVarga(**optics), shape)) < 3e-3


@pytest.mark.parametrize("polarisation", ["x", "y"])
def test_both_engines_agree_for_polarised_light(polarisation: Any) -> None:
    assert (
        off(data(Zernike(**OIL, polarisation=polarisation)), data(RichardsWolf(**OIL, polarisation=polarisation)))
        < 1e-5
    )


def radial(components: tuple[Component, ...], steps: tuple[float, ...] = ()) -> Any:
    """The radial engine on the grid, for a scalar pupil."""
    pupil = dataclasses.replace(GibsonLanni(**OIL)._pupil(), components=components, steps=steps)
    y, x = np.indices((25, 25)) - 12
    z = (torch.arange(7, dtype=torch.float64) - 3) * 0.3
    light = _radial.intensity(pupil, z, torch.from_numpy(np.hypot(y, x).ravel() * 0.1)).view(SHAPE)
    return light / light.sum()


@pytest.mark.parametrize("charge", [1, 2])
def test_a_vortex_is_a_higher_bessel_order(charge: int) -> None:
    expected = radial((Component(torch.ones_like, charge),))
    assert off(data(PhaseMask(**SCALAR, plate="vortex", charge=charge)), expected) < 1e-5


def test_a_top_hat_and_a_ring_jump_inside_the_pupil() -> None:
    edge = 1.4 / math.sqrt(2)
    hat = radial((Component(lambda q: torch.where(q < edge, -1.0, 1.0).double()),), (edge,))
    assert off(data(PhaseMask(**SCALAR, plate="top-hat")), hat) < 1.2e-5
    ring = radial((Component(lambda q: torch.where(q < 0.7, 0.0, 1.0).double()),), (0.7,))
    assert off(data(Annular(**SCALAR, obscuration=0.5)), ring) < 1e-5


def brute(x: float, pupil: Callable[[Any, Any], Any]) -> float:
    """|∫∫ P exp(i k q x)|² on a fine polar grid, in focus."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    q, w = (nodes + 1) * 0.7, weights * 0.7
    phi = (np.arange(4000) + 0.5) * 2 * math.pi / 4000
    field = pupil(q[:, None], phi) * np.exp(2j * math.pi / 0.61 * q[:, None] * x * np.cos(phi))
    return float(abs((field.mean(1) * w * q).sum()) ** 2)


@pytest.mark.parametrize("plate", ["half-moon-x", "half-moon-y"])
def test_half_moons_against_brute_force(plate: Any) -> None:
    side = np.cos if plate == "half-moon-x" else np.sin
    found = data(PhaseMask(**SCALAR, plate=plate), (1, 25, 25))[0]
    line = found[12, 12:18] if plate == "half-moon-x" else found[12:18, 12]
    expected = np.array([brute(0.1 * k, lambda _, phi: np.where(np.cos(phi) > 0, 1, -1)) for k in range(6)])
    assert np.allclose(line.numpy() / float(line.max()), expected / expected.max(), atol=1e-5)
    assert side is not None


def test_vanes_take_away_their_area() -> None:
    """In focus on the axis the field is the area that is left, so the intensity its square."""
    areas = []
    for width in (0.0, 0.013, 0.1):
        at = _propagation.plane(1.4, 10.0)
        boxes = Annular(**SCALAR, obscuration=0.3, vane_width=width)._boxes(1.4)
        areas.append(float(sum((factor * at.weights(box) for factor, _, box in boxes)).real.sum()))  # type: ignore[union-attr]
    ring = math.pi * 1.4**2 * (1 - 0.3**2)
    assert areas[0] == pytest.approx(ring, rel=1e-6)
    for width, area in zip((0.013, 0.1), areas[1:], strict=True):
        half, outer, inner = width * 1.4, 1.4, 0.42

        def strip(radius: float, half: float = half) -> float:
            return 2 * integrate.quad(lambda y: math.sqrt(radius**2 - y**2), -half, half)[0]

        vanes = 2 * (strip(outer) - strip(inner))  # their crossing lies within the shadow
        assert area == pytest.approx(ring - vanes, rel=1e-5)


@pytest.mark.parametrize(
    "box",
    [Box(1.4), Box(1.4, 0.5), Box(1.4, x=(0.2, 0.9)), Box(1.4, y=(-0.3, math.inf)), Box(1.4, 0.4, (-0.1, 0.1), (-2.0, 0.6)),
     Box(1.0, x=(1.1, 2.0))],
)  # fmt: skip
def test_weights_integrate_smooth_functions_over_cut_discs(box: Box) -> None:
    at = _propagation.plane(1.4, 10.0)

    def f(y: Any, x: Any) -> Any:
        return np.cos(3 * x + 1) * np.exp(-y) + x * y

    def across(y: float, radius: float) -> float:
        half = math.sqrt(max(0.0, radius**2 - y**2))
        low, high = max(-half, box.x[0]), min(half, box.x[1])
        return integrate.quad(lambda x: f(y, x), low, high, epsabs=1e-11)[0] if low < high else 0.0  # type: ignore[no-any-return]

    def whole(radius: float) -> float:
        ends = [max(box.y[0], -radius), min(box.y[1], radius)]
        corners = [s * math.sqrt(radius**2 - v**2) for v in box.x if abs(v) < radius for s in (1, -1)]
        points = [c for c in corners if ends[0] < c < ends[1]]
        return float(
            integrate.quad(lambda y: across(y, radius), *ends, points=points or None, limit=400, epsabs=1e-9)[0]
        )

    expected = whole(box.stop) - (whole(box.hole) if box.hole else 0.0)
    found = float((at.weights(box) * torch.from_numpy(f(at.qy.numpy(), at.qx.numpy()))).sum())
    assert found == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    ("index", "order"),
    [(0, (0, 0)), (1, (1, -1)), (2, (1, 1)), (3, (2, -2)), (4, (2, 0)), (5, (2, 2)), (7, (3, -1)), (12, (4, 0))],
)
def test_osa_indices(index: int, order: tuple[int, int]) -> None:
    """j = (n (n + 2) + l) / 2, from the standard's table."""
    assert _zernike.orders(index, "osa") == order


@pytest.mark.parametrize(
    ("index", "order"),
    [(1, (0, 0)), (2, (1, 1)), (3, (1, -1)), (4, (2, 0)), (5, (2, -2)), (6, (2, 2)), (7, (3, -1)), (8, (3, 1)), (9, (3, -3)),
     (10, (3, 3)), (11, (4, 0)), (12, (4, 2)), (13, (4, -2)), (14, (4, 4)), (15, (4, -4)), (22, (6, 0))],
)  # fmt: skip
def test_noll_indices(index: int, order: tuple[int, int]) -> None:
    """From Noll's table I: even indices have cosines."""
    assert _zernike.orders(index, "noll") == order


def test_zernike_polynomials_are_orthonormal() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(12)
    rho, w = (nodes + 1) / 2, weights / 2
    phi = torch.arange(24, dtype=torch.float64) * math.pi / 12
    r = torch.from_numpy(rho)[:, None]
    all_of = torch.stack([_zernike.polynomial(*_zernike.orders(j, "osa"), r + 0 * phi, phi + 0 * r) for j in range(21)])
    weight = torch.from_numpy(2 * rho * w)[:, None] / 24
    gram = torch.einsum("irp,jrp->ij", all_of * weight, all_of)
    assert torch.allclose(gram, torch.eye(21, dtype=torch.float64), atol=1e-12)
    coma = _zernike.polynomial(3, 1, torch.tensor(0.5), torch.tensor(0.0))
    assert float(coma) == pytest.approx(math.sqrt(8) * (3 * 0.125 - 2 * 0.5))


def test_aberrations_do_what_their_names_say() -> None:
    tilt = data(Zernike(**SCALAR, coefficients="2:1.0"), (1, 33, 33))[0]
    plain = data(Zernike(**SCALAR), (1, 33, 33))[0]
    moved = -2 * 1.0 / (2 * math.pi / 0.61 * 1.4)  # exp(i 2 c qx / NA) shifts by -2c / (k NA)
    x = torch.arange(33, dtype=torch.float64) - 16
    near = slice(12, 21)
    centre = float((tilt[near, near].sum(0) * x[near]).sum() / tilt[near, near].sum()) * 0.1
    assert centre == pytest.approx(moved, abs=0.02)
    assert float(tilt.max()) < float(plain.max()) * 1.02
    astigmatic = data(Zernike(**SCALAR, coefficients="5:0.7"), (5, 33, 33))
    first, last = astigmatic[0], astigmatic[4]
    assert off(first, last.T) < 1e-5  # line foci, one above and one below
    assert float(first[16, 20] / first[20, 16]) not in (pytest.approx(1, abs=0.2),)
    strehl = float(data(Zernike(**SCALAR, coefficients="12:0.2"), (1, 1, 1)).sum())
    assert strehl == pytest.approx(1)  # normalised; so compare with what the grid captured
    ratio = (
        Zernike(**SCALAR, coefficients="12:0.2").render((1, 1, 1), VOXEL).captured
        / Zernike(**SCALAR).render((1, 1, 1), VOXEL).captured
    )
    assert ratio == pytest.approx(math.exp(-(0.2**2)), rel=1e-3)  # Maréchal


def test_noll_and_osa_give_the_same_pupil() -> None:
    osa = Zernike(**OIL, coefficients="5:0.4, 7:-0.3")
    noll = Zernike(**OIL, coefficients="6:0.4 7:-0.3", ordering="noll")
    assert off(data(noll, (3, 9, 9)), data(osa, (3, 9, 9))) < 1e-12
    assert Zernike.text({5: 0.4, 7: -0.3}) == "5:0.4 7:-0.3"


def test_defocus_is_a_shift_of_the_planes() -> None:
    stack = data(Zernike(**GLYCEROL, optics="scalar"), (7, 15, 15))
    shifted = data(Zernike(**GLYCEROL, optics="scalar", defocus_um=0.6), (3, 15, 15))
    part = stack[4:7]
    assert off(shifted, part / part.sum()) < 1e-5


def test_the_lobes_of_a_double_helix_turn_with_depth() -> None:
    model = DoubleHelix(**SCALAR)
    stack = data(model, (5, 61, 61), (0.25, 0.05, 0.05))
    y, x = np.indices((61, 61)) - 30
    angles = []
    for plane in stack.numpy():
        moment = ((x + 1j * y) ** 2 * plane**2).sum()
        angles.append(math.degrees(np.angle(moment)) / 2)
        assert abs(moment) / ((x**2 + y**2) * plane**2).sum() > 0.25  # two lobes, not a ring
    steps = np.diff(np.unwrap(np.radians(angles) * 2)) / 2
    assert (np.abs(np.degrees(steps)) > 10).all()
    assert len(set(np.sign(steps))) == 1


@pytest.mark.parametrize(("kind", "twin", "scale"), [("scalar", GibsonLanni, 1.0), ("vectorial", TorokVarga, 0.5)])
def test_parseval_holds_on_the_pupil(kind: Any, twin: Any, scale: float) -> None:
    """Both engines find the same light in a plane, from two- and one-dimensional sums over the pupil."""
    z = torch.tensor([-3.0, 0.0, 4.0], dtype=torch.float64)
    light, _ = Zernike(**GLYCEROL, optics=kind)._planes(z, torch.zeros(1), torch.zeros(1))
    exact = _radial.plane_energy(twin(**GLYCEROL)._pupil(), z)  # its field lacks the factor 2π of the angle
    assert float(light / exact) == pytest.approx((2 * math.pi) ** 2 * scale, rel=1e-6)


@pytest.mark.parametrize("model", [GibsonLanni(**GLYCEROL), TorokVarga(**GLYCEROL)])
def test_light_of_a_plane_summed_over_radii_is_parsevals_at_every_depth(model: Any) -> None:
    """Summed to a radius R; beyond it the light falls as 1 / R, which two radii extrapolate away."""
    z = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    r = (torch.arange(1600, dtype=torch.float64) + 0.5) * 0.02
    rings = _radial.intensity(model._pupil(), z, r) * r * 0.02 * 2 * math.pi
    whole = 2 * rings.sum(1) - rings[:, :800].sum(1)
    assert torch.allclose(whole, model._plane_light(z), rtol=2e-3)


GRADIENTS = {
    "coefficients": (torch.tensor([0.0, 0.0, 0.0, 0.0, 0.2, -0.3], dtype=torch.float64), Zernike),
    "depth_um": (torch.tensor(2.0, dtype=torch.float64), Zernike),
    "defocus_um": (torch.tensor(0.3, dtype=torch.float64), Zernike),
    "phase": (torch.linspace(-0.4, 0.7, 36, dtype=torch.float64).view(6, 6), ArbitraryPupil),
    "amplitude": (torch.linspace(0.6, 1.2, 36, dtype=torch.float64).view(6, 6), ArbitraryPupil),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    start, cls = GRADIENTS[name]
    torch.manual_seed(0)
    pattern = torch.rand(3, 5, 5, dtype=torch.float64)

    def value(parameter: Any) -> Any:
        model = cls(**OIL, sample_index=1.5, **{name: parameter, **({} if name == "depth_um" else {"depth_um": 1.0})})  # type: ignore[arg-type]
        return (data(model, (3, 5, 5)) * pattern).sum()

    parameter = start.clone().requires_grad_()
    value(parameter).backward()
    assert parameter.grad is not None
    step = 1e-5
    places = [()] if start.ndim == 0 else [(k,) for k in (4, 5)] if start.ndim == 1 else [(1, 2), (4, 1)]
    for place in places:
        ends = []
        for sign in (1, -1):
            moved = start.clone()
            moved[place] += sign * step
            with torch.no_grad():
                ends.append(float(value(moved)))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert float(parameter.grad[place]) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_arrays_stand_for_the_pupil() -> None:
    flat = ArbitraryPupil(**OIL, phase=torch.zeros(16, 16), amplitude=torch.ones(16, 16))
    assert off(data(flat), data(TorokVarga(**OIL))) < 1e-5
    side = torch.linspace(-1, 1, 257, dtype=torch.float64)
    y, x = torch.meshgrid(side, side, indexing="ij")
    phase = 0.4 * _zernike.polynomial(2, 2, torch.hypot(x, y), torch.atan2(y, x))
    drawn = ArbitraryPupil(**OIL, phase=phase)
    assert off(data(drawn), data(Zernike(**OIL, coefficients="5:0.4"))) < 1e-5


def test_amplitude_darkens_its_part_of_the_pupil() -> None:
    """A Gaussian amplitude over a scalar pupil, in focus: a Hankel transform."""
    side = torch.linspace(-1, 1, 301, dtype=torch.float64)
    y, x = torch.meshgrid(side, side, indexing="ij")
    model = ArbitraryPupil(**SCALAR, amplitude=torch.exp(-2 * (x**2 + y**2)))
    line = data(model, (1, 25, 25))[0, 12, 12:].numpy()
    k = 2 * math.pi / 0.61 * 1.4
    expected = [
        integrate.quad(lambda p, r=r: math.exp(-2 * p * p) * special.j0(k * p * r) * p, 0, 1)[0] ** 2
        for r in np.arange(13) * 0.1
    ]
    assert np.allclose(line / line[0], np.array(expected) / expected[0], atol=1e-5)


def test_the_extent_of_a_pupil_model_holds_95_percent() -> None:
    model = Zernike(na=0.8, emission_nm=520, immersion_index=1.0, coefficients="12:0.3")
    shape = model.extent(3, (0.5, 0.15, 0.15))
    assert shape[0] == 5
    assert min(model.render(shape, (0.5, 0.15, 0.15)).captured_per_plane) > 0.945


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Zernike(**OIL, coefficients="5=0.3"), r"has '5=0.3', which is no index:radians, such as 5:0.3"),
        (lambda: Zernike(**OIL, coefficients="2.5:0.3"), r"has 2.5:0.3, which is no index:radians"),
        (lambda: Zernike(**OIL, coefficients="-1:0.3"), r"OSA/ANSI index .* is a whole number >= 0, not -1"),
        (lambda: Zernike(**OIL, coefficients="0:0.3", ordering="noll"), r"Noll index .* whole number >= 1, not 0"),
        (lambda: Zernike(**OIL, coefficients="5:inf"), r"has '5:inf', which is no"),
        (lambda: Zernike(**{**OIL, "na": 1.6}), r"na 1.6 must be below immersion_index 1.515"),
        (lambda: Zernike(**{**OIL, "emission_nm": 0.61}), r"emission_nm 0.61 nm is no light"),
        (lambda: Zernike(**OIL, defocus_um=3000.0), r"defocus_um 3000 µm is longer than any"),
        (lambda: Zernike(**OIL, coverslip_um=170000.0), r"coverslip_um 170000 µm is longer than any"),
        (lambda: ArbitraryPupil(**OIL, phase=torch.zeros(8, 9)), r"phase must be a square of at least 4 × 4.*\(8, 9\)"),
        (lambda: ArbitraryPupil(**OIL, amplitude=torch.zeros(3, 3)), r"amplitude must be a square of at least 4 × 4"),
        (lambda: Zernike(**OIL).render((5, 9, 9)), r"Zernike needs voxel_um"),
        (lambda: Zernike(**OIL).extent(5), r"Zernike needs voxel_um"),
        (lambda: Zernike(**OIL).render((2001, 1, 1), (0.3, 0.1, 0.1)), r"a pupil of \d+ samples across \(at most 2048\)"),
    ],
)  # fmt: skip
def test_impossible_pupils_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
