"""The simulation against brute force, and each effect of the environment against its law."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage, signal, special

from deconlab.formation.camera import Camera, preset
from deconlab.formation.data_term import data_term
from deconlab.formation.environment import illuminate, move, scatter_with_depth
from deconlab.formation.grid import Grid, bin_sum
from deconlab.formation.phantoms.beads import Beads
from deconlab.formation.phantoms.filaments import Filaments
from deconlab.formation.phantoms.membranes import Membranes
from deconlab.formation.phantoms.spikes import Spikes
from deconlab.formation.recipe import Recipe
from deconlab.formation.simulate import convolve, integrate, simulate
from deconlab.psf import Gaussian


def gaussian(shape, sigma):
    axes = [((np.arange(n) - n // 2) / s) ** 2 for n, s in zip(shape, sigma, strict=True)]
    psf = np.exp(-sum(np.ix_(*axes)) / 2)
    return psf / psf.sum()


PSF = gaussian((13, 17, 17), (2.4, 2.0, 2.0))
STACK = {"shape": (8, 24, 25), "voxel_um": (0.2, 0.1, 0.1)}
IDEAL = Camera(shot_noise=False)


@dataclass(frozen=True)
class Model:
    """A PSF model as ``simulate`` needs one: Gaussian, in physical units, a tensor of sum ½ on purpose."""

    sigma_um: tuple[float, ...]
    reach: tuple[int, ...] = (3, 6, 6)

    def extent(self, planes, voxel_um, *, ndim):  # noqa: ARG002
        return tuple(2 * r + 1 for r in self.reach[-ndim:])

    def render(self, shape, voxel_um):
        data = gaussian(shape, [s / v for s, v in zip(self.sigma_um, voxel_um, strict=True)])
        return SimpleNamespace(data=torch.from_numpy(data / 2), voxel_um=voxel_um)


def test_a_simulation_is_complete_seeded_and_bit_equal():
    camera = preset("scmos")
    first = simulate(Filaments(), PSF, **STACK, camera=camera, photons=150, seed=5)
    again = simulate(Filaments(), PSF, **STACK, camera=camera, photons=150, seed=5)
    other = simulate(Filaments(), PSF, **STACK, camera=camera, photons=150, seed=6)
    for name in ("truth", "psf", "mean", "data"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.truth, other.truth)
    assert first.truth.shape == first.mean.shape == first.data.shape == (8, 24, 25)
    assert first.truth.dtype == first.mean.dtype == first.psf.dtype == np.float32
    assert first.data.dtype == np.uint16
    assert (first.camera, first.voxel_um, first.photons, first.seed) == (camera, (0.2, 0.1, 0.1), 150, 5)
    assert first.psf.sum() == pytest.approx(1, rel=1e-5)
    assert np.unravel_index(first.psf.argmax(), first.psf.shape) == tuple(n // 2 for n in first.psf.shape)


def test_the_mean_is_the_fine_and_large_scene_blurred_cropped_and_binned():
    found = simulate(Filaments(count=5), PSF, **STACK, camera=replace(IDEAL, background=3.0), photons=100, seed=2)
    children = np.random.SeedSequence(2).spawn(3)
    grid = Grid((8, 24, 25), (0.2, 0.1, 0.1), (2, 2, 2), (3, 4, 4))  # half the PSF in measurement voxels
    light = Filaments(count=5).render(grid, int(np.random.default_rng(children[0]).integers(2**63)))
    full = signal.fftconvolve(light.astype(np.float64), PSF, mode="full")
    same = full[tuple(slice(k // 2, k // 2 + n) for n, k in zip(light.shape, PSF.shape, strict=True))]
    image = bin_sum(same[6:-6, 8:-8, 8:-8], (2, 2, 2))
    np.testing.assert_allclose(found.mean, 3 + image * 100 / image.max(), rtol=1e-4, atol=1e-3)
    truth = bin_sum(light[6:-6, 8:-8, 8:-8].astype(np.float64), (2, 2, 2)) * 100 / image.max()
    np.testing.assert_allclose(found.truth, truth, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found.data, found.mean)


def test_light_from_outside_the_field_arrives():
    found = simulate(Membranes(count=6), PSF, **STACK, camera=IDEAL, seed=1)
    alone = simulate(Membranes(count=6), PSF, **STACK, camera=IDEAL, seed=1, margin=0)
    ratio = found.mean.sum(axis=0) / found.mean.max() / (alone.mean.sum(axis=0) / alone.mean.max())
    edge = np.ones((24, 25), bool)
    edge[3:-3, 3:-3] = False
    assert np.median(ratio[edge]) > 1.15 * np.median(ratio[9:-9, 9:-9])


def test_photons_are_those_of_the_brightest_pixel():
    camera = replace(IDEAL, quantum_efficiency=0.7, background=10)
    found = simulate(Beads(), PSF, **STACK, camera=camera, photons=80, seed=0)
    assert found.mean.max() == pytest.approx(0.7 * 90, rel=1e-5)
    assert found.truth.sum() < 2 * (found.mean - 7).sum()


def test_a_psf_model_is_rendered_fine_for_blurring_and_coarse_for_restoring():
    model = Model((0.5, 0.22, 0.22))
    model = replace(model, reach=(5, 6, 7))
    found = simulate(Beads(), model, **STACK, camera=IDEAL, seed=3, margin=(5, 6, 7))
    np.testing.assert_allclose(found.psf, gaussian((11, 13, 15), (2.5, 2.2, 2.2)), rtol=1e-4, atol=1e-9)
    fine = gaussian((21, 25, 29), (5, 4.4, 4.4))
    by_array = simulate(Beads(), fine, **STACK, camera=IDEAL, seed=3, margin=(5, 6, 7))
    np.testing.assert_allclose(found.mean, by_array.mean, rtol=1e-4, atol=1e-3)
    by_default = simulate(Beads(), model, **STACK, camera=IDEAL, seed=3)
    np.testing.assert_array_equal(by_default.mean, found.mean)  # the default margin is the PSF's reach
    alone = simulate(Beads(), model, **STACK, camera=IDEAL, seed=3, margin=0)
    np.testing.assert_array_equal(alone.psf, found.psf)  # the margin bounds the scene, not the PSF
    assert alone.mean.std() < 0.9 * alone.truth.std()


def test_the_function_and_the_recipe_agree_by_default():
    model = Gaussian(fwhm_um=0.25, fwhm_axial_um=0.5)
    recipe = Recipe(Filaments(count=3), model, IDEAL, (6, 20, 22), (0.2, 0.1, 0.1), seed=4)
    by_recipe = recipe.run()
    by_hand = simulate(Filaments(count=3), model, shape=(6, 20, 22), voxel_um=(0.2, 0.1, 0.1), camera=IDEAL, seed=4)
    for name in ("truth", "psf", "mean", "data"):
        assert np.array_equal(getattr(by_recipe, name), getattr(by_hand, name))
    assert by_hand.psf.shape == model.extent(6, (0.2, 0.1, 0.1))


def test_a_recipe_keeps_the_places_of_beads():
    beads = Beads(diameter_um=0.0, positions_um=((1.0, 1.0), (0.5, 1.5)))
    recipe = Recipe(beads, Gaussian(fwhm_um=0.3), IDEAL, (20, 20), (0.1, 0.1))
    again = Recipe.from_data(json.loads(json.dumps(recipe.as_data())))
    assert again == recipe
    assert np.array_equal(again.run().data, recipe.run().data)


@pytest.mark.parametrize(("ndim", "phantom"), [(1, Spikes()), (2, Beads())])
def test_lines_and_frames(ndim, phantom):
    found = simulate(phantom, gaussian((17,) * ndim, (2.0,) * ndim), shape=(40,) * ndim, voxel_um=(0.1,) * ndim)
    assert found.data.shape == (40,) * ndim
    assert found.mean.max() == pytest.approx(200, rel=1e-5)


def test_a_binning_camera_delivers_the_asked_shape_and_light():
    camera = replace(preset("ccd"), binning=2)
    found = simulate(
        Beads(diameter_um=0.5), Model((0.5, 0.3, 0.3)), **STACK, camera=camera, photons=300, seed=0, margin=(3, 6, 6)
    )
    single = simulate(
        Beads(diameter_um=0.5), Model((0.5, 0.3, 0.3)), **STACK, camera=replace(camera, binning=1), photons=300,
        seed=0, oversampling=(2, 4, 4), margin=(3, 6, 6),
    )  # fmt: skip
    assert found.data.shape == found.truth.shape == (8, 24, 25)
    assert found.voxel_um == (0.2, 0.1, 0.1)
    np.testing.assert_allclose(found.truth, single.truth, rtol=0.01, atol=0.01 * single.truth.max())
    np.testing.assert_allclose(found.mean, single.mean, rtol=0.02, atol=0.5)
    assert found.psf.shape == single.psf.shape


def test_a_finer_grid_changes_little():
    beads = Beads(diameter_um=0.3, count=8)
    model = Model((0.3, 0.15, 0.15))
    two, four = (
        simulate(beads, model, **STACK, camera=IDEAL, seed=1, oversampling=s, margin=(3, 6, 6)).mean for s in (2, 4)
    )
    assert np.abs(two - four).max() < 0.02 * four.max()


@pytest.mark.parametrize(("factor", "reach"), [(1, 12), (2, 6), (3, 4), (4, 3)])
def test_a_fine_psf_is_integrated_over_the_larger_pixel(factor, reach):
    sigma = 3.0
    fine = gaussian((25,), (sigma,))
    coarse = integrate(fine, (factor,))
    centre = len(coarse) // 2
    assert coarse[centre] == coarse.max()
    edges = (np.arange(-reach, reach + 2) - 0.5) * factor / (np.sqrt(2) * sigma)
    exact = np.diff(special.erf(edges)) / 2
    np.testing.assert_allclose(coarse[centre - reach : centre + reach + 1], exact, atol=0.004)
    np.testing.assert_allclose(coarse, coarse[::-1], atol=1e-8)
    assert coarse.sum() == pytest.approx(1, abs=1e-6)


def test_convolution_is_linear_for_even_and_odd_sizes():
    rng = np.random.default_rng(0)
    for image_shape, psf_shape in (((9, 10), (4, 5)), ((8, 11), (3, 6)), ((5, 5), (9, 8))):
        image, psf = rng.random(image_shape), rng.random(psf_shape)
        full = signal.convolve2d(image, psf)
        expected = full[tuple(slice(k // 2, k // 2 + n) for n, k in zip(image_shape, psf_shape, strict=True))]
        found = convolve(image, psf, [k // 2 for k in psf_shape])
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_flicker_and_bleaching_act_per_plane_or_frame():
    rng = np.random.default_rng(0)
    lit = illuminate(np.ones((20_000, 1, 2)), Camera(flicker=0.1), rng)[:, 0, 0]
    assert lit.mean() == pytest.approx(1, abs=4 * 0.1 / np.sqrt(20_000))
    assert lit.std() == pytest.approx(0.1, rel=0.03)
    fading = illuminate(np.ones((2, 3, 4, 4)), Camera(bleaching=0.05), rng)  # time, then z, as they are acquired
    np.testing.assert_allclose(fading[..., 1, 2], 0.95 ** np.arange(6).reshape(2, 3))
    assert illuminate(np.ones((2000, 1, 1)), Camera(flicker=2.0), rng).min() == 0


def test_drift_moves_planes_and_motion_shakes_them():
    grid = Grid((6, 40, 40), (0.2, 0.1, 0.1), (2, 2, 2), (2, 10, 10))
    spot = ndimage.gaussian_filter(Beads(count=1, positions_um=((0.6, 2, 2),)).render(grid), (30, 3, 3), mode="nearest")
    moved = grid.measure(move(spot, grid, Camera(drift_um=(0.08, -0.13)), np.random.default_rng(0)))
    still = grid.measure(move(spot, grid, Camera(), np.random.default_rng(0)))
    for k in range(6):
        step = np.array(ndimage.center_of_mass(moved[k])) - ndimage.center_of_mass(still[k])
        np.testing.assert_allclose(step * 0.1, k * np.array([0.08, -0.13]), atol=2e-3)
        assert moved[k].sum() == pytest.approx(still[k].sum(), rel=1e-4)
    frame = Grid((50, 50), (0.1, 0.1), (1, 1), (10, 10))
    dot = ndimage.gaussian_filter(Beads(count=1, positions_um=((2.5, 2.5),)).render(frame), 3)
    rng = np.random.default_rng(1)
    places = [ndimage.center_of_mass(move(dot, frame, Camera(motion_um=0.15), rng)) for _ in range(300)]
    assert np.std(places) * 0.1 == pytest.approx(0.15, rel=4 / np.sqrt(2 * 600))


def test_scattering_keeps_each_planes_light_and_dims_its_sharp_part():
    grid = Grid((10, 32, 32), (1.0, 0.5, 0.5), (1, 1, 1), (2, 8, 8))
    light = np.zeros(grid.fine_shape, np.float32)
    light[:, 24, 24] = 1000
    seen = scatter_with_depth(light, grid, Camera(scattering_length_um=4.0, scattering_angle=1.0))
    np.testing.assert_allclose(seen.sum(axis=(1, 2)), 1000, rtol=1e-3)
    np.testing.assert_array_equal(seen[:2], light[:2])  # above the field
    for k in range(3, 6):
        z = k + 0.5
        haze = 1000 * (1 - np.exp(-z / 4)) * 0.25 / (2 * np.pi * z**2)  # a Gaussian of σ = z, per pixel of 0.25 µm²
        assert seen[k + 2, 24, 24] == pytest.approx(1000 * np.exp(-z / 4) + haze, rel=0.001)
        assert seen[k + 2, 20, 27] == pytest.approx(haze * np.exp(-(2.0**2 + 1.5**2) / (2 * z**2)), rel=0.01)


def test_the_environment_reaches_the_data():
    camera = replace(IDEAL, bleaching=0.1, autofluorescence=20.0, background=5.0)
    found = simulate(Beads(), PSF, **STACK, camera=camera, photons=100, seed=4)
    plain = simulate(Beads(), PSF, **STACK, camera=IDEAL, photons=100, seed=4)
    left = 0.9 ** np.arange(8).reshape(-1, 1, 1)
    np.testing.assert_allclose(found.mean, left * (plain.mean + 20) + 5, rtol=1e-4)
    np.testing.assert_array_equal(found.truth, plain.truth)
    assert found.mean.sum() == pytest.approx(float(found.data.sum(dtype=np.float64)), rel=1e-5)
    for change in ({"drift_um": (0.1, 0.0)}, {"motion_um": 0.1}, {"flicker": 0.1}, {"scattering_length_um": 1.0}):
        other = simulate(Beads(), PSF, **STACK, camera=replace(IDEAL, **change), photons=100, seed=4)
        assert np.abs(other.mean - plain.mean).max() > 1
        if "scattering_length_um" not in change:
            np.testing.assert_array_equal(other.truth, plain.truth)


def test_the_mean_is_the_expectation_of_the_electrons():
    camera = replace(preset("scmos"), background=5)
    pulls = []
    for seed in range(6):
        found = simulate(Filaments(), PSF, **STACK, camera=camera, seed=seed)
        term = data_term(camera, found.data)
        pulls.append(((term.y - found.mean) / np.sqrt(found.mean + term.read_variance))[term.weights > 0])
    z = np.concatenate(pulls).astype(np.float64)
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert z.var() == pytest.approx(1, abs=4 * np.sqrt((np.mean(z**4) - 1) / z.size))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"photons": 0}, "photons must be a finite number > 0 (of the brightest pixel), not 0"),
        ({"photons": float("nan")}, "photons must be a finite number > 0"),
        (
            {"camera": preset("scmos", bit_depth=8)},
            "200 photons are 444 ADU (gain 2.1 ADU/e⁻, offset 100), but 8 bits end",
        ),
        ({"photons": 1e20}, "1e+20 photons in a pixel are more than can be drawn; give at most 1e+15"),
        ({"photons": "200"}, "photons must be a finite number > 0 (of the brightest pixel), not '200'"),
        ({"seed": -1}, "seed must be a whole number >= 0, not -1"),
        ({"oversampling": 2.5}, "oversampling must be a whole number >= 1, or one per axis, not 2.5"),
        ({"psf": PSF - 1e-4}, "The PSF goes down to -"),
        ({"phantom": Beads(brightness_spread=1000.0)}, "is not finite: one of its numbers is too large"),
        ({"psf": np.ones((3, 3))}, "The PSF has 2 axes (shape (3, 3)), the data 3"),
        ({"psf": np.zeros((3, 3, 3))}, "The PSF sums to 0; it must be finite and have a sum > 0"),
        ({"psf": np.full((3, 3, 3), np.nan)}, "The PSF sums to nan"),
        ({"voxel_um": (0.2, -0.1, 0.1)}, "voxel_um must be 3 finite sizes > 0 µm"),
        ({"margin": (1, 2)}, "margin must be 3 whole numbers >= 0, one per axis, not (1, 2)"),
        ({"oversampling": 0}, "oversampling must be 3 whole numbers >= 1, one per axis, not (0, 0, 0)"),
    ],
)
def test_bad_input_is_refused(changes, message):
    arguments = {"psf": PSF, **STACK, "photons": 200, **changes}
    psf = arguments.pop("psf")
    with pytest.raises(ValueError, match=re.escape(message)):
        simulate(arguments.pop("phantom", Beads()), psf, **arguments)


def test_a_bin_holds_the_wells_of_all_its_pixels():
    camera = Camera(full_well=18_000, gain=0.5, offset=200, bit_depth=14, binning=2)
    beads = Beads(diameter_um=1.0, positions_um=((1.6, 1.6),))
    field = {"shape": (32, 32), "voxel_um": (0.1, 0.1)}
    with pytest.raises(ValueError, match="60000 photons are 30200 ADU"):
        simulate(beads, PSF[6], **field, camera=camera, photons=60_000)
    single = replace(camera, binning=1, full_well=32_000)
    assert simulate(beads, PSF[6], **field, camera=single, photons=60_000).data.max() == 16_200  # the well is the end


@pytest.mark.parametrize("change", [{"drift_um": (0.1, 0.0)}, {"bleaching": 0.1}])
def test_what_acts_from_plane_to_plane_needs_planes(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))} acts from plane to plane: the data are 2-D"):
        simulate(Beads(), PSF[6], shape=(20, 20), voxel_um=(0.1, 0.1), camera=Camera(**change))


def test_an_offset_that_cuts_the_read_noise_is_warned_of():
    field = {"shape": (20, 20), "voxel_um": (0.1, 0.1)}
    with pytest.warns(UserWarning, match=r"offset of 2 ADU is less than 4 standard .* Raise offset to 20 or more"):
        simulate(Beads(), PSF[6], **field, camera=Camera(read_noise=5, bit_depth=12, offset=2))
    simulate(Beads(), PSF[6], **field, camera=Camera(read_noise=5, bit_depth=12, offset=20))


def test_a_field_without_light_is_refused():
    class Dark(Beads):
        def draw(self, canvas, rng):
            pass

    with pytest.raises(ValueError, match=r"No light of Dark reaches the field of view of .* with seed 7"):
        simulate(Dark(), PSF, **STACK, seed=7)


def test_scattering_needs_depth():
    with pytest.raises(ValueError, match="scattering_length_um needs depth: the data are 2-D"):
        simulate(
            Beads(), PSF[6], shape=(20, 20), voxel_um=(0.1, 0.1), camera=Camera(scattering_length_um=5.0)
        )  # fmt: skip


def test_a_well_may_saturate_where_the_converter_must_not():
    camera = Camera(full_well=100.0, bit_depth=8, offset=10)
    found = simulate(Beads(diameter_um=0.4), PSF, **STACK, camera=camera, photons=1000, seed=0)
    assert found.data.max() == 110
