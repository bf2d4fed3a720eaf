"""Phantoms against closed forms: totals, moments, convergence, and the messages of what does not fit."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage, special

from deconlab.formation import phantoms
from deconlab.formation.canvas import Canvas
from deconlab.formation.grid import Grid, bin_sum
from deconlab.formation.phantoms.beads import Beads
from deconlab.formation.phantoms.blocks import Blocks
from deconlab.formation.phantoms.filaments import Filaments
from deconlab.formation.phantoms.galaxies import Galaxies
from deconlab.formation.phantoms.hollow_bars import HollowBars
from deconlab.formation.phantoms.membranes import Membranes
from deconlab.formation.phantoms.nuclei import Nuclei
from deconlab.formation.phantoms.point_sources import PointSources
from deconlab.formation.phantoms.resolution_star import ResolutionStar
from deconlab.formation.phantoms.shells import Shells
from deconlab.formation.phantoms.spikes import Spikes
from deconlab.formation.phantoms.vesicles import Vesicles
from deconlab.formation.simulate import convolve
from deconlab.formation.texture import Waves

CASES = [(name, d) for name, cls in phantoms.all_phantoms().items() for d in cls.dimensions]

SMALL = {  # scenes that lie wholly within twice the field of view on each side
    "beads": Beads(count=2, diameter_um=0.3, brightness_spread=0.5),
    "blocks": Blocks(count=2),
    "filaments": Filaments(count=1, length_um=3.0, diameter_um=0.2),
    "galaxies": Galaxies(count=1, half_light_radius_um=0.2, radius_spread=0.1),
    "hollow-bars": HollowBars(count=2, width_um=0.8, wall_um=0.13, length_um=2.0),
    "nuclei": Nuclei(count=1, diameter_um=1.6),
    "point-sources": PointSources(count=3),
    "resolution-star": ResolutionStar(spokes=12, diameter_um=2.2),
    "shells": Shells(count=1, diameter_um=1.5),
    "spikes": Spikes(count=3),
    "vesicles": Vesicles(count=3),
}


@dataclass(frozen=True)
class Shifted(Grid):
    """The same grid, laid a part of a fine voxel elsewhere."""

    shift: float = 0.0

    @property
    def origin_um(self):
        return Grid.origin_um.fget(self) + self.shift * np.array(self.fine_voxel_um)


def grid_of(ndim, *, shape=(12, 26, 26), voxel_um=(0.2, 0.1, 0.1), oversampling=1, margin=0):
    return Grid(shape[-ndim:], voxel_um[-ndim:], (oversampling,) * ndim, (margin,) * ndim)


def centroid(image):
    return np.array(ndimage.center_of_mass(image.astype(np.float64)))


def test_names_load_nothing():
    code = (
        "import sys; from deconlab.formation import phantoms; print(len(phantoms.names()));"
        "assert 'numpy' not in sys.modules; phantoms.all_phantoms();"
        "assert not {'scipy', 'torch'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "12\n"


def test_an_unknown_phantom_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown phantom 'filament'. Did you mean 'filaments'\?"):
        phantoms.get("filament")


@pytest.mark.parametrize(("name", "ndim"), CASES)
def test_a_scene_is_seeded_and_independent_of_margin(name, ndim):
    phantom = SMALL.get(name) or phantoms.get(name)()
    narrow = phantom.render(grid_of(ndim, margin=1), seed=3)
    wide = phantom.render(grid_of(ndim, margin=4), seed=3)
    assert np.array_equal(narrow, phantom.render(grid_of(ndim, margin=1), seed=3))
    assert narrow.dtype == np.float32
    assert np.all(narrow >= 0)
    assert narrow.sum() > 0
    inner = wide[(slice(3, -3),) * ndim]
    np.testing.assert_allclose(narrow, inner, atol=2e-6 * wide.max())
    if name not in ("hollow-bars", "resolution-star"):
        assert not np.array_equal(narrow, phantom.render(grid_of(ndim, margin=1), seed=4))


@pytest.mark.parametrize(("name", "ndim"), [case for case in CASES if case[0] != "membranes"])
def test_the_total_does_not_depend_on_the_position_within_a_voxel(name, ndim):
    shape, voxel = ((6, 13, 13), (0.4, 0.2, 0.2)) if ndim == 3 else ((0, 40, 40), (0, 0.1, 0.1))
    totals = []
    for shift in (0.0, 0.23, 0.5, 0.81):
        grid = Shifted(shape[-ndim:], voxel[-ndim:], (1,) * ndim, tuple(2 * n + 8 for n in shape[-ndim:]), shift=shift)
        totals.append(SMALL[name].render(grid, seed=1).sum(dtype=np.float64))
    assert np.ptp(totals) < 1e-4 * np.mean(totals)


def test_membranes_have_their_area_on_any_grid():
    for ndim in (2, 3):
        totals = [Membranes().render(grid_of(ndim, oversampling=s), seed=2).sum() for s in (2, 4)]
        assert totals[0] == pytest.approx(totals[1], rel=0.01)
    flat = Membranes(count=1, amplitude_um=0).render(Grid((60, 60), (0.1, 0.1)), seed=5)
    length_px = flat.sum() / 0.1  # of a straight line across 60 × 60 pixels
    rows, columns = np.nonzero(flat > 0)
    assert length_px == pytest.approx(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1), rel=0.03)


def test_point_emitters_keep_sum_and_centroid():
    canvas = Canvas(Grid((8, 9, 10), (0.3, 0.1, 0.2)))
    place = np.array([1.17, 0.433, 0.987])
    canvas.points(place, 2.5)
    assert canvas.image.sum() == pytest.approx(2.5, rel=1e-6)
    np.testing.assert_allclose((centroid(canvas.image) + 0.5) * (0.3, 0.1, 0.2), place, atol=1e-6)


def test_points_one_by_one_equal_points_counted_in_a_box():
    rng = np.random.default_rng(0)
    places = rng.random((500, 2)) * 1.4 - 0.2  # some beyond the border
    counted, added = Canvas(Grid((6, 6), (0.17, 0.17))), Canvas(Grid((6, 6), (0.17, 0.17)))
    counted.points(places, 1.0)
    for place in places:  # the box of one point is larger than four points
        added.points(place[None], 1.0)
    spread = Canvas(Grid((6, 6), (0.17, 0.17)))
    spread.points(np.concatenate([places, [[0.0, 0.0]]])[::-1], np.r_[0.0, np.ones(500)])
    np.testing.assert_allclose(counted.image, added.image, rtol=1e-5)
    np.testing.assert_allclose(counted.image, spread.image, rtol=1e-5)


@pytest.mark.parametrize("diameter_px", [3.1, 7.9, 8.1, 17.3])
def test_a_ball_has_the_moments_of_a_ball(diameter_px):
    canvas = Canvas(Grid((24, 24, 24), (1.0, 1.0, 1.0)))
    centre = np.array([12.3, 11.9, 12.05])
    canvas.ball(centre, diameter_px, 7.0)
    assert canvas.image.sum() == pytest.approx(7, rel=1e-6)
    np.testing.assert_allclose(centroid(canvas.image) + 0.5, centre, atol=1e-5 if diameter_px < 8 else 0.012)
    r2 = sum(
        (np.arange(24) + 0.5 - c).reshape([-1 if i == a else 1 for i in range(3)]) ** 2 for a, c in enumerate(centre)
    )
    mean_r2 = float((canvas.image * r2).sum() / 7)
    # the ball's 3/5 R², and the blur of drawing: on average 1/6 px² per axis for shared points, 1/12 for covered voxels
    blur = 3 / 6 if diameter_px < 8 else 3 / 12
    assert mean_r2 == pytest.approx(0.6 * (diameter_px / 2) ** 2 + blur, abs=0.15)


def test_a_shell_has_the_moment_of_its_wall():
    canvas = Canvas(Grid((30, 60, 60), (0.1, 0.05, 0.05)))
    canvas.shell((1.52, 1.49, 1.5), 2.0, 0.03, 1.0)
    z, y, x = (
        ((np.arange(n) + 0.5) * v - c).reshape(s)
        for n, v, c, s in ((30, 0.1, 1.52, (-1, 1, 1)), (60, 0.05, 1.49, (1, -1, 1)), (60, 0.05, 1.5, (1, 1, -1)))
    )
    mean_r2 = (canvas.image * (z**2 + y**2 + x**2)).sum()
    assert mean_r2 == pytest.approx(0.6 * (1 - 0.97**5) / (1 - 0.97**3), rel=0.003)


def gaussian_ball(r, radius, sigma):
    """A ball of density 1 blurred by an isotropic Gaussian: closed form."""
    a, b = (radius - r) / (np.sqrt(2) * sigma), (radius + r) / (np.sqrt(2) * sigma)
    return 0.5 * (special.erf(a) + special.erf(b)) - sigma / (np.sqrt(2 * np.pi) * r) * (
        np.exp(-a * a) - np.exp(-b * b)
    )


@pytest.mark.parametrize("diameter", [0.35, 1.3])
def test_a_beads_image_converges_to_the_closed_form_as_the_grid_is_refined(diameter):
    shape, voxel, sigma, place = (13, 17, 17), (0.2, 0.15, 0.15), 0.24, (1.33, 1.21, 1.302)
    parts = 6
    axes = [(np.arange(n * parts) + 0.5) * v / parts - c for n, v, c in zip(shape, voxel, place, strict=True)]
    r = np.sqrt(sum(a**2 for a in np.ix_(*axes)))
    exact = bin_sum(gaussian_ball(r, diameter / 2, sigma), (parts,) * 3)
    exact /= exact.sum()
    errors = []
    for s in (1, 2, 4):
        grid = Grid(shape, voxel, (s,) * 3)
        drawn = Beads(count=1, diameter_um=diameter, positions_um=(place,)).render(grid)
        fine = [np.arange(-n * s // 2, n * s // 2 + 1) * v / s for n, v in zip(shape, voxel, strict=True)]
        psf = np.exp(-sum(a**2 for a in np.ix_(*fine)) / (2 * sigma**2))
        image = grid.measure(convolve(drawn, psf / psf.sum(), [n // 2 for n in psf.shape]))
        errors.append(np.abs(image / image.sum() - exact).max() / exact.max())
    assert errors[1] < errors[0] / 3
    assert errors[2] < errors[1] / 2.5
    assert errors[2] < 0.01


def test_filaments_have_their_length_and_persistence():
    grid = Grid((20, 20), (0.5, 0.5), (1, 1), (60, 60))
    image = Filaments(count=2, length_um=4.0).render(grid, seed=7)
    light = image.sum() / 4.0
    assert light == pytest.approx(round(light), abs=1e-4)
    rng = np.random.default_rng(0)
    for ndim in (2, 3):
        chain = Filaments(persistence_um=2.0)
        runs = np.array([chain._tangents(rng, ndim, 21, 0.05) for _ in range(2000)])
        cosines = (runs[:, 0] * runs[:, 20]).sum(axis=1)
        assert abs(cosines.mean() - np.exp(-20 * 0.05 / 2.0)) < 4 * cosines.std() / np.sqrt(2000) + 0.005


def test_waves_are_a_gaussian_field_with_the_stated_covariance():
    rng = np.random.default_rng(1)
    x = [np.linspace(0, 60, 200), np.linspace(0, 60, 201)]
    waves = Waves.draw(rng, 500, 2, 1.5)
    field = waves.on_grid([x[0].reshape(-1, 1), x[1].reshape(1, -1)])
    brute = np.sqrt(2 / 500) * np.cos(x[0][3] * waves.vectors[:, 0] + x[1][17] * waves.vectors[:, 1] + waves.phases)
    assert field[3, 17] == pytest.approx(brute.sum(), abs=1e-9)
    assert field.var() == pytest.approx(1, abs=0.1)
    lag = x[0][5] - x[0][0]
    assert np.mean(field[:-5] * field[5:]) == pytest.approx(np.exp(-(lag**2) / (2 * 1.5**2)), abs=0.1)
    slope = waves.on_grid([x[0].reshape(-1, 1), x[1].reshape(1, -1)], derivative=1)
    fine = waves.on_grid([x[0][:2].reshape(-1, 1), np.array([[5.0, 5.0 + 1e-6]])])
    there = waves.on_grid([x[0][:2].reshape(-1, 1), np.array([[5.0]])], derivative=1)
    np.testing.assert_allclose((fine[:, 1] - fine[:, 0]) / 1e-6, there[:, 0], atol=1e-5)
    assert slope.shape == field.shape


def test_galaxies_hold_half_their_light_within_their_radius():
    grid = Grid((160, 160), (0.05, 0.05))
    for index in (1.0, 4.0):
        galaxy = Galaxies(
            count=1, half_light_radius_um=0.8, radius_spread=0, index=index, least_axis_ratio=1, decades=0
        )
        canvas = Canvas(grid)
        galaxy._galaxy(canvas, np.array([4.013, 3.98]), 0.8, 1.0, 0.0, 1.0)
        axis = (np.arange(160) + 0.5) * 0.05
        r = np.hypot(axis[:, None] - 4.013, axis[None] - 3.98)
        assert canvas.image[r < 0.8].sum() == pytest.approx(0.5, abs=0.005)
        b = special.gammaincinv(2 * index, 0.5)
        within = special.gammainc(2 * index, b * (3.5 / 0.8) ** (1 / index))
        assert canvas.image[r < 3.5].sum() == pytest.approx(within, abs=1e-3)


def test_point_sources_span_their_decades():
    image = PointSources(count=400, decades=4).render(Grid((2000, 2000), (1.0, 1.0)), seed=0)
    labels, n = ndimage.label(image > 0, np.ones((3, 3)))
    light = np.log10(ndimage.sum(image, labels, np.arange(1, n + 1)))
    light = light[light > -4 + 1e-3]
    assert light.max() <= 1e-6 + 0.31  # two sources may touch
    assert np.mean(light) == pytest.approx(-2, abs=4 * 4 / np.sqrt(12 * 400))
    assert light.min() < -3.9


def test_a_star_has_its_spokes():
    image = ResolutionStar(spokes=16, diameter_um=6).render(Grid((280, 280), (0.025, 0.025)))
    angle = np.linspace(0, 2 * np.pi, 640, endpoint=False)
    ring = ndimage.map_coordinates(image, 139.5 + 80 * np.array([np.sin(angle), np.cos(angle)]), order=1)
    spectrum = np.abs(np.fft.rfft(ring)) / len(ring)
    assert np.argmax(spectrum[1:]) + 1 == 16
    assert 2 * spectrum[16] / spectrum[0] == pytest.approx(4 / np.pi, rel=0.02)  # a square wave's fundamental
    assert image[139:141, 139:141].mean() == pytest.approx(image[120:160, 120:160].mean(), rel=0.1)  # grey centre


def test_bars_are_hollow():
    bars = HollowBars(count=1, width_um=1.0, wall_um=0.2, step_um=0, length_um=2.0)
    image = bars.render(Grid((20, 40, 40), (0.1, 0.1, 0.1)))
    assert image[10, 20, 20] == 0
    assert image.sum() == pytest.approx(2.0 * (1.0 - 0.6**2), rel=1e-5)
    np.testing.assert_allclose(image[5:7, 12:28, 15:25], 1e-3, rtol=1e-4)  # the lower wall: 0.1³ µm³ per voxel


@pytest.mark.parametrize(
    ("phantom", "grid", "message"),
    [
        (Beads(diameter_um=3), grid_of(3), "Beads: a bead of 3 × 3 × 3 µm lies outside the field of view of 2.4 × 2.6"),
        (Beads(positions_um=((1.0, 5.0),)), grid_of(2), r"position (1.0, 5.0) µm lies outside the field of view"),
        (Shells(diameter_um=9), grid_of(3), "Shells: a shell of 9 × 9 × 9 µm lies outside the field of view"),
        (Nuclei(diameter_um=9), grid_of(3), "Nuclei: a nucleus of 11.7 × 11.7 × 11.7 µm lies outside"),
        (HollowBars(), grid_of(3), "HollowBars: the block of bars of 1.6 × 0 × 9 µm lies outside"),
        (ResolutionStar(), grid_of(2), "ResolutionStar: the star of 6 × 6 µm lies outside"),
        (Vesicles(diameter_um=4), grid_of(2), "Vesicles: a vesicle of 4 × 4 µm lies outside"),
        (Membranes(amplitude_um=4), grid_of(2), "Membranes: a membrane's undulation of 4 × 4 µm lies outside"),
        (Filaments(diameter_um=4), grid_of(2), "Filaments: a filament's diameter of 4 × 4 µm lies outside"),
        (Galaxies(half_light_radius_um=4), grid_of(2), "Galaxies: a galaxy of 8 × 8 µm lies outside"),
        (Blocks(width_um=4), grid_of(1), "Blocks: a block of 6 µm lies outside the field of view of 2.6 µm"),
        (Spikes(), grid_of(3), "Spikes is made for 1-D, not for the 3-D shape (12, 26, 26)"),
    ],
)
def test_what_does_not_fit_is_refused(phantom, grid, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        phantom.render(grid)


def test_what_is_not_hollow_is_refused():
    with pytest.raises(ValueError, match="thickness_um = 2 exceeds the radius 1 µm; a shell is hollow"):
        Shells(diameter_um=2, thickness_um=2)
    with pytest.raises(ValueError, match=r"two walls of wall_um = 0.6 fill a bar of width_um = 1; a bar is hollow"):
        HollowBars(wall_um=0.6)
    with pytest.raises(ValueError, match="Beads: diameter_um must be >= 0 µm, not -1"):
        Beads(diameter_um=-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((2, 3, 4, 5), (1, 1, 1, 1)), "shape has 4 axes"),
        (((2, 3.5), (1, 1)), "shape must be 2 whole numbers >= 1, one per axis, not (2, 3.5)"),
        (((2, 3), (1, 0)), "voxel_um must be 2 finite sizes > 0 µm, one per axis, not (1.0, 0.0)"),
        (((2, 3), (1, float("nan"))), "voxel_um must be 2 finite sizes > 0 µm"),
        (((2, 3), (1, 1), (0, 1)), "oversampling must be 2 whole numbers >= 1, one per axis, not (0, 1)"),
        (((2, 3), (1, 1), (1, 1), (-1, 1)), "margin must be 2 whole numbers >= 0, one per axis, not (-1, 1)"),
    ],
)
def test_a_grid_refuses_what_is_no_grid(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Grid(*arguments)
