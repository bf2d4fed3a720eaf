"""Gibson-Lanni and Born-Wolf against independent quadrature, closed forms and limits."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, special

from deconlab.psf import BornWolf, GibsonLanni, SamplingWarning, _radial, _rotational, registry
from deconlab.psf._lateral import Cell

OIL = {"na": 1.4, "emission_nm": 610.0, "immersion_index": 1.515}
VOXEL = (0.2, 0.1, 0.1)
POINT = [
    "gl_scalar_oil_matched_point",
    "gl_scalar_glycerol_ns1.47_pz5_point",
    "gl_scalar_water_ns1.33_pz2_point",
    "gl_scalar_water_ns1.33_pz10_point",
    "gl_scalar_water_ns1.33_pz2_point_clamped",
    "gl_scalar_water_ns1.33_pz10_point_clamped",
    "gl_scalar_layer_mismatch_point",
    "born_wolf_point",
]
AREA = ["gl_scalar_oil_matched_pix9", "gl_scalar_water_ns1.33_pz2_pix9", "born_wolf_pix9"]


def reference(folder: Path, name: str) -> tuple[Any, np.ndarray]:
    p = json.loads((folder / "index.json").read_text())["refs"][name]["parameters"]
    values = np.load(folder / f"{name}.npz")["psf"].astype(float)
    optics = {**OIL, "immersion_index": p["ni"], "pixel_integration": "pix9" in name}
    if name.startswith("born"):
        return BornWolf(**optics), values / values.sum()
    model = GibsonLanni(
        **optics,
        sample_index=p["ns"],
        depth_um=p["pz_um"],
        coverslip_index=p["ng"],
        coverslip_um=p["tg_um"],
        design_immersion_index=p["ni0"],
        design_coverslip_index=p["ng0"],
        design_coverslip_um=p["tg0_um"],
        design_immersion_um=p["ti0_um"],
        supercritical="truncated" if "clamped" in name else "evanescent",
    )
    return model, values / values.sum()


def difference(model: Any, values: np.ndarray, dtype: torch.dtype) -> float:
    found = model.render(values.shape, VOXEL, dtype=dtype).data.double().numpy()
    return float(abs(found - values).max() / values.max())


@pytest.mark.parametrize("name", POINT)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sampled_at_points_it_is_the_reference(shared: Callable[[str], Path], name: str, dtype: torch.dtype) -> None:
    model, values = reference(shared("reference/psf"), name)
    assert difference(model, values, dtype) < 1e-6


@pytest.mark.parametrize("name", AREA)
def test_with_81_midpoints_per_pixel_it_is_the_reference(
    shared: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, values = reference(shared("reference/psf"), name)
    midpoints = Cell((np.arange(9) - 4) / 9, np.full(9, 1 / 9))
    monkeypatch.setattr(_rotational, "area", lambda *_: midpoints)
    assert difference(model, values, torch.float32) < 1e-6


@pytest.mark.parametrize("name", AREA)
def test_the_exact_integral_is_the_limit_of_midpoints(
    shared: Callable[[str], Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9 and 27 midpoints err as h²; extrapolated to h = 0 they give the integral."""
    model, values = reference(shared("reference/psf"), name)
    exact = model.render((5, 17, 17), VOXEL, dtype=torch.float64)
    raw = {}
    for count in (9, 27):
        cell = Cell((np.arange(count) - count // 2) / count, np.full(count, 1 / count))
        monkeypatch.setattr(_rotational, "area", lambda *_, cell=cell: cell)
        found = model.render((5, 17, 17), VOXEL, dtype=torch.float64)
        raw[count] = found.data * found.captured  # so both have the scale of the light
    limit = (9 * raw[27] - raw[9]) / 8
    assert float((exact.data * exact.captured - limit).abs().max() / limit.max()) < 2e-6
    assert float((exact.data * exact.captured - raw[9]).abs().max() / limit.max()) > 5e-4
    assert difference(model, values, torch.float64) > 5e-4  # what 81 midpoints lack


@pytest.mark.parametrize("model", [GibsonLanni, BornWolf])
def test_in_focus_it_is_the_airy_pattern(shared: Callable[[str], Path], model: Any) -> None:
    values = np.load(shared("reference/psf") / "airy2d_na0.5.npz")["psf"].astype(float)
    optics = model(na=0.5, emission_nm=610, immersion_index=1.0, pixel_integration=False)
    found = optics.render(values.shape, (0.05, 0.05), dtype=torch.float64).data.numpy()
    assert abs(found - values / values.sum()).max() < 1e-6 * values.max()


def test_the_first_dark_ring_lies_at_airys_radius() -> None:
    radius = special.jn_zeros(1, 1)[0] / (2 * math.pi * 1.4 / 0.61)  # 1.22 λ / (2 NA)
    model = GibsonLanni(**OIL, pixel_integration=False)
    profile = model.render((1, 101), (radius / 10, radius / 10), dtype=torch.float64).data[0]
    around = profile[50 + 5 : 50 + 15]
    assert int(around.argmin()) == 5
    assert float(profile[60] / profile[50]) < 1e-12


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_brute_force_agrees_off_axis_out_of_focus_and_aberrated() -> None:
    """Adaptive quadrature of the defining integral, written out again, at single points."""
    ni, ns, d, na, k = 1.515, 1.33, 3.0, 1.4, 2 * math.pi / 0.61

    def field(r: float, z: float) -> complex:
        def integrand(q: float) -> complex:
            gap = ni * (150 / ni - d / ns)
            path = d * np.sqrt(complex(ns**2 - q * q)) - 150 * math.sqrt(ni**2 - q * q)
            path += (gap - z) * math.sqrt(ni**2 - q * q)
            return complex(np.exp(1j * k * path) * special.j0(k * q * r) * q)

        value, _ = integrate.quad(integrand, 0, na, points=[ns], complex_func=True, limit=400)
        return complex(value)

    model = GibsonLanni(**OIL, sample_index=ns, depth_um=d, pixel_integration=False)
    psf = model.render((5, 9, 9), (0.6, 0.2, 0.3), dtype=torch.float64).data
    places = [(2, 4, 4), (0, 4, 4), (4, 4, 8), (3, 0, 0), (2, 1, 6)]
    expected = [abs(field(math.hypot((y - 4) * 0.2, (x - 4) * 0.3), (z - 2) * 0.6)) ** 2 for z, y, x in places]
    found = [float(psf[place]) for place in places]
    assert np.allclose(np.array(found) / found[0], np.array(expected) / expected[0], rtol=1e-7, atol=1e-9)


def test_without_aberrations_it_is_symmetric_about_focus() -> None:
    data = GibsonLanni(**OIL).render((15, 31, 31), VOXEL, dtype=torch.float64).data
    assert float((data - data.flip(0)).abs().max() / data.max()) < 1e-10
    deep = GibsonLanni(**OIL, sample_index=1.33, depth_um=5).render((15, 31, 31), VOXEL, dtype=torch.float64).data
    assert float((deep - deep.flip(0)).abs().max() / deep.max()) > 0.1


def test_towards_low_aperture_it_becomes_born_and_wolfs() -> None:
    """On grids that shrink with the PSF, the difference falls as NA²."""
    off = []
    for na in (0.2, 0.1, 0.05):
        optics, voxel = {"na": na, "emission_nm": 500.0, "immersion_index": 1.0}, (0.2 / na**2, 0.1 / na, 0.1 / na)
        exact, paraxial = (
            model(**optics).render((9, 33, 33), voxel, dtype=torch.float64).data for model in (GibsonLanni, BornWolf)
        )
        off.append(float((exact - paraxial).abs().max() / exact.max()))
    assert off[2] < 2e-3
    assert 3.5 < off[0] / off[1] < 4.5
    assert 3.5 < off[1] / off[2] < 4.5


def test_layers_as_designed_do_nothing() -> None:
    plain = GibsonLanni(**OIL).render((5, 15, 15), VOXEL).data
    other = GibsonLanni(**OIL, coverslip_um=140, coverslip_index=1.52, design_immersion_um=200)
    assert torch.allclose(other.render((5, 15, 15), VOXEL).data, plain, atol=1e-7 * float(plain.max()), rtol=0)


@pytest.mark.parametrize(("ns", "depth", "focus"), [(1.47, 5.0, 0.22), (1.33, 2.0, 0.38), (1.33, 10.0, 0.93)])
def test_best_focus_moves_with_depth(ns: float, depth: float, focus: float) -> None:
    """Against the maxima of the reference quadrature, found on a 10 nm grid."""
    assert abs(GibsonLanni(**OIL, sample_index=ns, depth_um=depth).best_focus_um() - focus) < 0.006


@pytest.mark.parametrize(("side", "steps", "held"), [(256, 0, 0.997), (256, 21, 0.973), (128, 21, 0.659)])
def test_captured_light_is_that_of_the_reference_quadrature(side: int, steps: int, held: float) -> None:
    """Square windows of 128 and 256 pixels, in focus and 6.3 µm from it."""
    psf = GibsonLanni(**OIL).render((2 * steps + 1, side, side), (0.3, 0.1, 0.1))
    assert abs(psf.captured_per_plane[-1] - held) < 2e-3


@pytest.mark.parametrize(
    ("z_um", "radius_um", "held"),
    [(3.2, 3.2, 0.587), (3.2, 6.4, 0.949), (6.4, 6.4, 0.585), (6.4, 12.8, 0.952), (12.8, 25.6, 0.949)],
)
def test_encircled_light_is_that_of_the_reference_quadrature(z_um: float, radius_um: float, held: float) -> None:
    assert abs(encircled(z_um, radius_um) - held) < 2e-3


@pytest.mark.parametrize("radius_um", [0.2, 3.2, 25.6])
def test_encircled_light_in_focus_is_rayleighs(radius_um: float) -> None:
    """1 - J0(v)² - J1(v)², v = 2π NA r / λ; so the total that the pupil gives is right."""
    v = 2 * math.pi * 1.4 * radius_um / 0.61
    assert abs(encircled(0, radius_um) - (1 - special.j0(v) ** 2 - special.j1(v) ** 2)) < 1e-9


def encircled(z_um: float, radius_um: float) -> float:
    pupil, z = GibsonLanni(**OIL)._pupil(), torch.tensor([float(z_um)], dtype=torch.float64)
    nodes, weights = special.roots_legendre(800)
    r = torch.from_numpy((nodes + 1) / 2 * radius_um)
    light = _radial.intensity(pupil, z, r)[0].numpy() * 2 * math.pi * r.numpy() * weights * radius_um / 2
    return float(light.sum() / _radial.plane_energy(pupil, z))


def test_planes_hold_the_same_light_where_the_grid_is_wide_enough() -> None:
    model = GibsonLanni(na=0.4, emission_nm=500, immersion_index=1.0, sample_index=1.33, depth_um=3)
    held = model.render((5, 256, 256), (2.0, 0.3, 0.3)).captured_per_plane
    assert all(0.985 < part < 1 for part in held)


def test_two_dimensions_are_the_slice_in_best_focus() -> None:
    model = GibsonLanni(**OIL, sample_index=1.33, depth_um=2)
    flat = model.render((33, 33), (0.1, 0.1), dtype=torch.float64)
    stack = model.render((41, 33, 33), (0.02, 0.1, 0.1), dtype=torch.float64).data
    best = stack[20 + 19]  # 0.38 µm above the nominal focus
    assert float((flat.data - best / best.sum()).abs().max() / flat.data.max()) < 1e-3
    assert any("out of focus is not modelled" in note and "+0.379" in note for note in flat.notes)


def test_the_default_extent_holds_95_percent_of_every_plane() -> None:
    model, voxel = GibsonLanni(**OIL), (0.3, 0.1, 0.08)
    shape = model.extent(8, voxel)
    assert shape[0] == 15
    assert all(size % 2 for size in shape)
    held = min(model.render(shape, voxel).captured_per_plane)
    smaller = min(model.render((15, shape[1] - 4, shape[2] - 4), voxel).captured_per_plane)
    assert smaller < 0.95 <= held < 0.96
    assert model.extent(1, voxel[1:]) == model.extent(1, voxel)[1:]


def test_the_extent_keeps_its_limit() -> None:
    shape = GibsonLanni(**OIL).extent(20, VOXEL, max_voxels=100_000)
    assert shape[0] == 39
    assert 0.8 * 100_000 < math.prod(shape) <= 100_000
    with pytest.raises(ValueError, match="39 planes of at least 3 × 3 voxels do not fit in max_voxels = 100"):
        GibsonLanni(**OIL).extent(20, VOXEL, max_voxels=100)
    for planes in (0, 2.5, True):
        with pytest.raises(ValueError, match="number of planes must be a whole number >= 1"):
            GibsonLanni(**OIL).extent(planes, VOXEL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="GibsonLanni needs voxel_um"):
        GibsonLanni(**OIL).extent(3)


def test_depth_has_a_gradient() -> None:
    """The engine's own derivative against a finite difference."""

    def value(depth: torch.Tensor) -> torch.Tensor:
        model = GibsonLanni(**OIL, sample_index=1.38, depth_um=depth)  # type: ignore[arg-type]
        return model.render((3, 9, 9), VOXEL, dtype=torch.float64).data[1, 4, 5]

    depth = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    value(depth).backward()
    step = 1e-5
    with torch.no_grad():
        slope = (value(depth.detach() + step) - value(depth.detach() - step)) / (2 * step)
    assert depth.grad is not None
    assert abs(float(depth.grad / slope) - 1) < 1e-6


def test_notes_tell_parameters_defaults_and_losses() -> None:
    notes = GibsonLanni(**OIL, depth_um=1).render((5, 9, 9), VOXEL).notes
    assert "na 1.4" in notes[0]
    assert "emission_nm 610 nm" in notes[0]
    given, assumed = notes[0].split("by default:")
    assert "depth_um 1 µm" in given
    assert "sample_index 1.515" in assumed
    assert "design_coverslip_um 170 µm" in assumed
    assert "holds" in notes[-1]
    assert "plane 0 holds least" in notes[-1] or "plane 4 holds least" in notes[-1]


def test_coarse_sampling_is_warned_of() -> None:
    with pytest.warns(SamplingWarning, match=r"0.2 µm along y \(limit 0.109 µm\)"):
        psf = GibsonLanni(**OIL).render((5, 9, 9), (0.2, 0.2, 0.1))
    assert any("below Nyquist" in note for note in psf.notes)
    with pytest.warns(SamplingWarning, match=r"0.5 µm along z \(limit 0.326 µm\)"):
        GibsonLanni(**OIL).render((5, 9, 9), (0.5, 0.1, 0.1))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"na": 1.52}, r"na 1.52 must be below immersion_index 1.515: NA = n sin θ"),
        ({"na": 1.515}, r"na 1.515 must be below immersion_index 1.515"),
        ({"coverslip_index": 1.39}, r"na 1.4 must be below coverslip_index 1.39"),
        ({"design_immersion_index": 1.33}, r"na 1.4 must be below design_immersion_index 1.33"),
        ({"design_coverslip_index": 1.33}, r"na 1.4 must be below design_coverslip_index 1.33"),
        ({"emission_nm": 0.52}, r"emission_nm 0.52 nm is no light.*0.52 µm is 520 nm"),
        ({"emission_nm": 5.2}, r"emission_nm 5.2 nm is no light.*5.2 µm is 5200 nm"),
        ({"emission_nm": 0.01}, r"Give it in nm, such as 520"),
        ({"emission_nm": -520.0}, r"emission_nm must be > 0 nm, not -520"),
        ({"emission_nm": math.nan}, r"emission_nm must be > 0 nm, not nan"),
        ({"na": 0.0}, r"na must be > 0, not 0"),
        ({"na": math.nan}, r"na must be > 0, not nan"),
        ({"depth_um": -1.0}, r"depth_um must be >= 0 µm, not -1"),
        ({"depth_um": 10000.0}, r"depth_um 10000 µm is longer than any in use \(5000 µm\). 10000 nm is 10 µm"),
        ({"coverslip_um": 170000.0}, r"coverslip_um 170000 µm is longer than any in use.*170000 nm is 170 µm"),
        ({"supercritical": "clamped"}, r"supercritical must be one of evanescent, truncated, not 'clamped'"),
    ],
)
def test_impossible_optics_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GibsonLanni(**{**OIL, **values})


def test_an_aperture_above_the_samples_index_is_legal() -> None:
    psf = GibsonLanni(**OIL, sample_index=1.33, depth_um=1).render((3, 9, 9), VOXEL)
    assert abs(float(psf.data.sum()) - 1) < 1e-6


@pytest.mark.parametrize(
    ("shape", "voxel_um", "error", "message"),
    [
        ((5, 9, 0), VOXEL, ValueError, r"Every size of a PSF must be >= 1, not \(5, 9, 0\)"),
        ((5, -9, 9), VOXEL, ValueError, r"must be >= 1, not \(5, -9, 9\)"),
        ((5, 9.0, 9), VOXEL, TypeError, r"must be whole numbers, not \(5, 9.0, 9\)"),
        (9, VOXEL, TypeError, r"sequence of whole numbers, not 9"),
        ((9,), (0.1,), ValueError, r"GibsonLanni has 2 or 3 dimensions; the shape \(9,\) has 1"),
        ((2, 5, 9, 9), (1, *VOXEL), ValueError, r"has 2 or 3 dimensions"),
        ((5, 9, 9), None, ValueError, r"GibsonLanni needs voxel_um, the voxel size in µm"),
        ((5, 9, 9), 0.1, TypeError, r"must be 3 numbers in µm \(zyx\), not 0.1"),
        ((5, 9, 9), (0.1, 0.1), ValueError, r"must be 3 numbers in µm \(zyx\), not \(0.1, 0.1\)"),
        ((5, 9, 9), (0.2, 0.1, "0.1"), TypeError, r"must be numbers in µm"),
        ((5, 9, 9), (0.2, 0.1, 0.0), ValueError, r"Every voxel size must be > 0 µm, not \(0.2, 0.1, 0.0\)"),
        ((5, 9, 9), (0.2, 0.1, math.nan), ValueError, r"Every voxel size must be > 0 µm"),
        ((5, 9, 9), (0.2, 100.0, 100.0), ValueError, r"100 µm along y is 918 × Nyquist's.*100 nm is 0.1"),
        ((5, 9, 9), (200.0, 0.1, 0.1), ValueError, r"200 µm along z is 614 × Nyquist's.*200 nm is 0.2"),
    ],
)
def test_impossible_grids_are_refused(shape: Any, voxel_um: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        GibsonLanni(**OIL).render(shape, voxel_um)


def test_impossible_dtypes_and_endless_grids_are_refused() -> None:
    with pytest.raises(TypeError, match=r"float32 or float64, not torch.float16"):
        GibsonLanni(**OIL).render((5, 9, 9), VOXEL, dtype=torch.float16)
    with pytest.raises(ValueError, match=r"would need \d+ rays \(at most 6000\): it spans 2100 µm of defocus"):
        GibsonLanni(**OIL).render((21001, 1, 1), VOXEL)


def test_arrays_serve_as_shape_and_voxel_size() -> None:
    psf = GibsonLanni(**OIL).render(np.array([3, 9, 9]), np.array(VOXEL))  # type: ignore[arg-type]
    assert psf.voxel_um == VOXEL
    assert GibsonLanni(np.float64(1.4), 610, np.float32(1.515)) == eval(
        repr(GibsonLanni(np.float64(1.4), 610, np.float32(1.515)))
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_it_is_rendered_where_it_is_wanted(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU here")
    psf = GibsonLanni(**OIL).render((3, 9, 9), VOXEL, device=device)
    assert psf.data.device.type == device
    assert torch.allclose(psf.data.cpu(), GibsonLanni(**OIL).render((3, 9, 9), VOXEL).data, atol=1e-8)


def test_the_dipole_lies_in_the_medium_at_the_point() -> None:
    """Where the index changes on the way, the field of a dipole is that of one in the index it lies in."""
    known = {"na": 1.3, "emission_nm": 610.0, "immersion_index": 1.515, "depth_um": 3.0}
    changing = registry.get("variable-index")(**known, sample_index=1.33, deep_index=1.45, optics="vectorial")
    q = torch.tensor([0.3, 0.8, 1.2], dtype=torch.float64)
    there, at_coverslip = (registry.get("torok-varga")(**known, sample_index=n) for n in (1.45, 1.33))
    for number, component in enumerate(changing._pupil().components):
        amplitude, other = (model._pupil().components[number].amplitude(q) for model in (there, at_coverslip))
        torch.testing.assert_close(component.amplitude(q), amplitude)
        assert not torch.allclose(amplitude, other, rtol=1e-2)


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_depletion_is_differentiable_in_depth() -> None:
    weights = torch.rand((3, 9, 9), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def value(depth: torch.Tensor | float) -> torch.Tensor:
        model = registry.get("sted")(
            na=1.4, immersion_index=1.515, excitation_nm=488, emission_nm=525, depletion_nm=592, sample_index=1.38,
            depth_um=depth,
        )  # fmt: skip
        return (model.render((3, 9, 9), (0.1, 0.04, 0.04), dtype=torch.float64).data * weights).sum()

    depth = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(value(depth), depth)
    difference = float(value(2.001) - value(1.999)) / 0.002
    assert float(slope) == pytest.approx(difference, rel=2e-3)
