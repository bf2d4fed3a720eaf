"""The camera against its own equations: mean and variance of each noise, photon transfer, maps, and the data term."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from deconlab import schema
from deconlab.formation.camera import PRESETS, Camera, preset
from deconlab.formation.data_term import data_term
from deconlab.formation.exposure import expected_electrons, expose
from deconlab.formation.sensor import Sensor, sensor_of

MILLION = (1000, 1000)


def within_4_standard_errors(sample, mean, variance):
    x = sample.astype(np.float64).ravel()
    assert abs(x.mean() - mean) <= 4 * x.std() / np.sqrt(x.size), (x.mean(), mean)
    error = np.sqrt(((x - x.mean()) ** 4).mean() - x.var() ** 2) / np.sqrt(x.size)
    assert abs(x.var() - variance) <= 4 * error, (x.var(), variance)


FULL = Camera(
    quantum_efficiency=0.8, dark_current=3.0, exposure_s=0.5, clock_induced_charge=0.25, em_gain=5.0, read_noise=4.0,
    gain=0.7, offset=120.0, bit_depth=16, background=6.0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("camera", "photons", "mean", "variance"),
    [
        (Camera(), 20.0, 20.0, 20.0),
        (Camera(), 0.05, 0.05, 0.05),
        (Camera(quantum_efficiency=0.6), 20.0, 12.0, 12.0),
        (Camera(dark_current=2.0, exposure_s=3.0), 0.0, 6.0, 6.0),
        (Camera(clock_induced_charge=0.02), 0.0, 0.02, 0.02),
        (Camera(background=7.0, quantum_efficiency=0.5), 0.0, 3.5, 3.5),
        (Camera(em_gain=100.0), 5.0, 500.0, 2 * 100.0**2 * 5),  # excess noise factor 2
        (Camera(read_noise=1.7, shot_noise=False), 10.0, 10.0, 1.7**2),
        (Camera(gain=2.5, offset=100.0), 8.0, 120.0, 2.5**2 * 8),
        (Camera(read_noise=1.7, shot_noise=False, bit_depth=12, offset=50.0), 10.3, 60.3, 1.7**2 + 1 / 12),
        (FULL, 30.0, 120 + 3.5 * (0.8 * 36 + 1.75), 0.7**2 * (25 * 2 * (0.8 * 36 + 1.75) + 16) + 1 / 12),
    ],
)
def test_mean_and_variance_of_each_noise_and_of_all(camera, photons, mean, variance):
    within_4_standard_errors(expose(np.full(MILLION, photons), camera, seed=11), mean, variance)


@pytest.mark.parametrize(("place", "read_outs"), [("chip", 1), ("codes", 4)])
def test_binning_reads_once_on_the_chip_and_four_times_in_codes(place, read_outs):
    camera = Camera(read_noise=3.0, gain=2.0, offset=10.0, binning=2, binning_place=place)
    data = expose(np.full((2000, 2000), 5.0), camera, seed=1)
    assert data.shape == MILLION
    within_4_standard_errors(data, 10 * read_outs + 2 * 20, 4 * (20 + 9 * read_outs))


def test_an_ideal_camera_without_shot_noise_returns_the_light():
    photons = np.random.default_rng(0).random((3, 8, 9)) * 50
    np.testing.assert_array_equal(expose(photons, Camera(shot_noise=False), 0), photons.astype(np.float32))


def test_photon_transfer_recovers_gain_and_read_noise():
    camera = Camera(quantum_efficiency=0.8, gain=2.1, read_noise=2.4, offset=100, bit_depth=16)
    levels = np.array([0.0, 5, 20, 50, 100])
    pairs = [
        [expose(np.full((700, 700), level), camera, seed=[i, j]) for j in (0, 1)] for i, level in enumerate(levels)
    ]
    mean = [np.mean(pair) for pair in pairs]
    variance = [np.var(pair[0].astype(float) - pair[1]) / 2 for pair in pairs]  # of differences: free of fixed pattern
    weights = 1 / np.array(variance)
    slope, dark = np.polyfit(np.array(mean) - 100, variance, 1, w=weights)
    assert slope == pytest.approx(2.1, rel=0.02)
    assert np.sqrt(dark - 1 / 12) / slope == pytest.approx(2.4, rel=0.02)


def test_equal_seeds_give_equal_bits_and_others_do_not():
    photons = np.full((2, 32, 32), 30.0)
    camera = preset("scmos")
    assert np.array_equal(expose(photons, camera, 5), expose(photons, camera, 5))
    assert not np.array_equal(expose(photons, camera, 5), expose(photons, camera, 6))


def test_pixel_maps_have_the_stated_spreads_and_belong_to_the_sensor():
    camera = Camera(
        gain=2.0, gain_spread=0.05, offset=100, offset_spread=3.0, read_noise=1.5, read_noise_spread=0.4,
        hot_pixels=0.01, hot_current=80.0, dead_pixels=0.02, vignetting=0.3,
    )  # fmt: skip
    maps = sensor_of(camera, (400, 400))
    n = 400 * 400
    assert np.log(maps.gain / 2).std() == pytest.approx(0.05, rel=0.02)
    assert maps.offset.mean() == pytest.approx(100, abs=4 * 3 / 400)
    assert maps.offset.std() == pytest.approx(3, rel=0.02)
    assert np.median(maps.read_variance) == pytest.approx(1.5**2, rel=0.02)
    assert np.log(maps.read_variance).std() == pytest.approx(0.8, rel=0.02)
    assert (maps.dark > 0).sum() == pytest.approx(0.01 * n, abs=4 * np.sqrt(0.01 * n))
    assert maps.dark[maps.dark > 0].mean() == pytest.approx(80, rel=0.1)
    assert maps.dead.sum() == pytest.approx(0.02 * n, abs=4 * np.sqrt(0.02 * n))
    assert maps.flat.max() == pytest.approx(1, abs=1e-4)
    assert maps.flat[0, 0] == pytest.approx(0.7, abs=0.002)
    assert np.array_equal(maps.gain, sensor_of(camera, (400, 400)).gain)
    assert not np.array_equal(maps.gain, sensor_of(replace(camera, sensor_seed=1), (400, 400)).gain)


def test_measured_maps_rule_each_pixel():
    rng = np.random.default_rng(2)
    shape = (4, 5)
    maps = Sensor(
        gain=1 + rng.random(shape), offset=90 + 20 * rng.random(shape), read_variance=1 + 4 * rng.random(shape),
        dark=rng.random(shape), flat=0.5 + 0.5 * rng.random(shape), dead=np.zeros(shape, bool),
    )  # fmt: skip
    camera = Camera(quantum_efficiency=0.9, exposure_s=2.0, sensor=maps)
    planes = 40_000
    data = expose(np.full((planes, *shape), 25.0), camera, seed=3).astype(np.float64)
    electrons = 0.9 * maps.flat * 25 + 2 * maps.dark
    variance = maps.gain**2 * (electrons + maps.read_variance)
    np.testing.assert_array_less(
        np.abs(data.mean(0) - maps.offset - maps.gain * electrons), 4.5 * np.sqrt(variance / planes)
    )
    np.testing.assert_allclose(data.var(0), variance, rtol=4.5 * np.sqrt(2.2 / planes))


def test_wells_fill_and_dead_pixels_stay_dark():
    camera = Camera(full_well=50.0, offset=10.0, dead_pixels=0.1)
    data = expose(np.full((100, 100), 1000.0), camera, seed=0)
    dead = sensor_of(camera, (100, 100)).dead
    assert 0 < dead.sum() < 2000
    assert np.all(data[~dead] == 60)
    assert np.all(data[dead] == 10)
    clipped = expose(np.full((4, 4), 1000.0), Camera(bit_depth=8), seed=0)
    assert clipped.dtype == np.uint8
    assert np.all(clipped == 255)


@pytest.mark.parametrize("base", [*PRESETS, Camera(em_gain=5.0, read_noise=20.0, offset=300.0)])
def test_presets_expose_and_their_data_term_agrees_with_the_expectation(base):
    camera = preset(base) if isinstance(base, str) else base
    camera = replace(camera, background=8.0, vignetting=0.2, sensor_seed=4)
    photons = np.full((600, 60, 64), 40.0)
    term = data_term(camera, expose(photons, camera, seed=9))
    assert term.kind == "poisson"
    modulation = 1.0 if term.modulation is None else term.modulation
    predicted = modulation * (camera.quantum_efficiency * photons) + term.background
    expected = expected_electrons(photons[0], camera)
    usable = term.weights[0] > 0
    np.testing.assert_allclose(predicted[0][usable], expected[usable], rtol=1e-6)
    variance = camera.excess * (predicted + term.read_variance)
    z = (term.y - predicted) / np.sqrt(variance)
    z = z[:, usable]
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert z.var() == pytest.approx(1, abs=4 * np.sqrt((np.mean(z**4) - 1) / z.size))
    np.testing.assert_allclose(term.weights[:, usable], 1 / camera.excess)
    squares = data_term(camera, expose(photons, camera, seed=9), kind="least-squares")
    around = np.ones((3, 3, 3))
    around[1, 1, 1] = 0
    signal = np.where(squares.weights > 0, squares.y - squares.background, 0.0)
    count = ndimage.convolve((squares.weights > 0).astype(float), around, mode="constant")
    mean = squares.background + ndimage.convolve(signal, around, mode="constant") / count
    expected_weight = 1 / (camera.excess * (np.maximum(mean, squares.background) + squares.read_variance))
    np.testing.assert_allclose(squares.weights[:, usable], expected_weight[:, usable], rtol=1e-5)


@pytest.mark.parametrize("place", ["chip", "codes"])
def test_the_data_term_knows_about_binning(place):
    camera = replace(preset("scmos"), binning=2, binning_place=place, background=12.0, vignetting=0.3)
    camera = replace(camera, hot_pixels=0.01, dead_pixels=0.01, clock_induced_charge=0.5)
    photons = np.full((500, 40, 40), 10.0)
    term = data_term(camera, expose(photons, camera, seed=2))
    mean = expected_electrons(photons[0], camera).reshape(20, 2, 20, 2).sum((1, 3))
    usable = term.weights[0] > 0
    assert 0.9 < usable.mean() < 1
    predicted = (term.modulation * camera.quantum_efficiency * 40 + term.background)[0]
    np.testing.assert_allclose(predicted[usable], mean[usable], rtol=1e-3)  # the flat field varies within a bin
    z = (term.y - predicted) / np.sqrt(predicted + term.read_variance)
    assert abs(z[:, usable].mean()) < 0.02
    assert z[:, usable].var() == pytest.approx(1, abs=0.02)


def test_saturated_and_dead_pixels_weigh_nothing():
    camera = Camera(full_well=200.0, dead_pixels=0.05, bit_depth=8, gain=0.5, offset=20)
    photons = np.full((80, 80), 40.0)
    photons[:10] = 5000
    term = data_term(camera, expose(photons, camera, seed=0))
    dead = sensor_of(camera, (80, 80)).dead
    assert np.all(term.weights[:10] == 0)
    assert np.all(term.y[:10] == 0)
    assert np.all(term.weights[10:][dead[10:]] == 0)
    assert np.all(term.weights[10:][~dead[10:]] == 1)
    clipped = data_term(Camera(bit_depth=6), np.array([[5, 63]], np.uint8))
    assert clipped.weights.tolist() == [[1, 0]]
    assert clipped.read_variance.tolist() == [[pytest.approx(1 / 12)] * 2]


def test_without_shot_noise_the_data_term_is_least_squares():
    data = np.arange(6.0).reshape(2, 3)
    plain = data_term(Camera(shot_noise=False), data)
    assert plain.kind == "least-squares"
    assert np.all(plain.weights == 1)
    noisy = data_term(Camera(shot_noise=False, read_noise=2.0), data)
    np.testing.assert_allclose(noisy.weights, 0.25)
    np.testing.assert_array_equal(noisy.y, data)


def test_a_camera_is_a_value_and_declares_every_parameter():
    camera = preset("emccd")
    assert eval(repr(camera)) == camera
    declared = schema.parameters(Camera)
    assert len(declared) == len(Camera.__dataclass_fields__) - 1  # the measured maps are no parameter
    for noise in ("shot", "dark", "read noise", "sampling", "discretisation", "quantisation", "non-uniformity", "env"):
        assert noise in Camera.__doc__
    for parameter in declared:  # every parameter is named among the noise sources, or in the equation's order
        assert parameter.name in Camera.__doc__ or parameter.name in (
            "quantum_efficiency", "offset", "hot_current", "scattering_angle", "binning_place",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantum_efficiency": 1.2}, "quantum_efficiency must be > 0 and <= 1, not 1.2"),
        ({"read_noise": float("nan")}, "read_noise must be >= 0 e⁻, not nan"),
        ({"full_well": 30.0, "offset": 100.0}, "a full well of 30 e⁻ is 30 ADU at 1 ADU/e⁻, which is below the offset"),
        ({"bit_depth": 6, "offset": 100.0}, "an offset of 100 ADU leaves no room below 63, the end of 6 bits"),
        ({"binning_place": "disk"}, "binning_place must be one of chip, codes, not 'disk'"),
    ],
)
def test_a_camera_refuses_what_no_camera_has(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Camera(**changes)


def test_unknown_cameras_are_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown camera 'scmoss'. Did you mean 'scmos'\?"):
        preset("scmoss")
    with pytest.raises(ValueError, match=r"Unknown camera 'xyz'. There are: ccd, emccd, scmos, ideal\."):
        preset("xyz")


def test_exposures_refuse_impossible_light():
    with pytest.raises(ValueError, match="Photons must be finite and >= 0; they range from -1 to 1"):
        expose(np.array([[1.0, -1.0]]), Camera(), 0)
    with pytest.raises(ValueError, match="Photons must be finite"):
        expose(np.array([[1.0, np.nan]]), Camera(), 0)
    with pytest.raises(ValueError, match=r"Binning 2 × 2 does not divide a sensor of \(3, 4\) pixels"):
        expose(np.ones((3, 4)), Camera(binning=2), 0)


def test_maps_must_fit():
    flat = {name: np.ones((2, 2)) for name in ("gain", "offset", "read_variance", "dark", "flat")}
    dead = np.zeros((2, 2), bool)
    with pytest.raises(ValueError, match=r"all maps must have one shape; they have gain \(2, 2\).*dead \(3,\)"):
        Sensor(**flat, dead=np.zeros(3, bool))
    with pytest.raises(ValueError, match="gain must be > 0 everywhere; its least value is 0"):
        Sensor(**{**flat, "gain": np.zeros((2, 2))}, dead=dead)
    with pytest.raises(ValueError, match="read_variance must be >= 0 everywhere; its least value is -1"):
        Sensor(**{**flat, "read_variance": -np.ones((2, 2))}, dead=dead)
    camera = Camera(sensor=Sensor(**flat, dead=dead))
    with pytest.raises(ValueError, match=r"its maps have shape \(2, 2\), but the image needs \(4, 4\) pixels"):
        expose(np.ones((4, 4)), camera, 0)


def test_the_data_term_refuses_kinds_that_do_not_exist():
    with pytest.raises(ValueError, match=r"Unknown kind 'gauss' of data term. There are: poisson, least-squares"):
        data_term(Camera(), np.ones((2, 2)), kind="gauss")
    with pytest.raises(ValueError, match=r"no shot noise \(shot_noise=False\): its data term is least-squares"):
        data_term(Camera(shot_noise=False), np.ones((2, 2)), kind="poisson")
