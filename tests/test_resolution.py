"""Fourier correlations on simulated spectra, and decorrelation on images of a known cut-off."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft, ndimage, special

from deconlab.assess.decorrelation import _high_pass, decorrelation_resolution
from deconlab.assess.resolution import ShellCorrelation, fourier_correlation, sectioned

SHAPES = [((96, 95), (0.1, 0.1)), ((24, 40, 41), (0.3, 0.1, 0.1))]


def coloured(rng, shape, voxel, signal_to_noise):
    """(object, noise, noise) whose spectra have the given ratio S/N per frequency, white noise of variance 1."""
    k = np.sqrt(sum(f**2 for f in np.ix_(*[fft.fftfreq(n, v) for n, v in zip(shape, voxel, strict=True)])))
    spectrum = fft.fftn(rng.standard_normal(shape)) * np.sqrt(signal_to_noise(k))
    return fft.ifftn(spectrum).real, rng.standard_normal(shape), rng.standard_normal(shape)


def ratio(k):
    return 8 * np.exp(-((k / 2.0) ** 2))


@pytest.mark.parametrize(("shape", "voxel"), SHAPES)
def test_expectations_between_halves_and_against_the_truth(shape, voxel):
    halves, truths = [], []
    for seed in range(40):
        x, n1, n2 = coloured(np.random.default_rng(seed), shape, voxel, ratio)
        halves.append(fourier_correlation(x + n1, x + n2, voxel, window="none"))
        truths.append(fourier_correlation(x + n1, x, voxel, window="none"))
    s = ratio(halves[0].frequency)
    many = halves[0].samples > 100
    for found, expected in ((halves, s / (s + 1)), (truths, np.sqrt(s / (s + 1)))):
        curves = np.array([f.correlation for f in found])
        error = curves.std(axis=0, ddof=1) / np.sqrt(40)
        # S varies within a shell and the estimate has a bias of order 1/n: 0.2 % of slack
        assert np.all(np.abs(curves.mean(axis=0) - expected)[many] <= (4 * error + 0.002 * expected)[many])
    doubled = np.array([f.of_both_halves().correlation for f in halves])[:, many]
    off = np.abs(doubled.mean(axis=0) - (2 * s / (2 * s + 1))[many])
    low = s[many] > 1  # where the curve is far from 0 the map 2c/(1 + c) adds no bias to speak of
    assert np.all((off <= 4 * doubled.std(axis=0, ddof=1) / np.sqrt(40) + 0.005)[low])


def test_shells_are_those_of_brute_force():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 7, 9, 8))
    voxel = (0.3, 0.2, 0.1)
    found = fourier_correlation(a, b, voxel, window="none")
    f, g = fft.fftn(a - a.mean()), fft.fftn(b - b.mean())
    k = np.sqrt(sum(q**2 for q in np.ix_(*[fft.fftfreq(n, v) for n, v in zip(a.shape, voxel, strict=True)])))
    shell = np.rint(k * 0.8).astype(int)  # the smallest side is 0.8 µm
    for i, count in enumerate(found.samples):
        inside = (shell == i + 1) & (k <= 5)
        assert count == inside.sum()
        assert found.frequency[i] == pytest.approx(k[inside].mean())
        expected = (f * g.conj())[inside].real.sum() / np.sqrt(
            (abs(f[inside]) ** 2).sum() * (abs(g[inside]) ** 2).sum()
        )
        assert found.correlation[i] == pytest.approx(expected, rel=1e-10)


def test_identical_images_correlate_fully_whatever_their_scale():
    image = np.random.default_rng(1).random((20, 30, 31))
    found = fourier_correlation(image, 3 * image + 7, (0.2, 0.1, 0.1))
    np.testing.assert_allclose(found.correlation, 1)
    assert found.crossing("1/7") is None
    assert found.resolution_um("half-bit") is None


def test_sections_tell_the_axes_apart():
    rng = np.random.default_rng(2)
    shape, voxel = (40, 40, 40), (0.1, 0.1, 0.1)
    kz, ky, kx = (
        f.reshape(s) for f, s in zip([fft.fftfreq(40, 0.1)] * 3, [(-1, 1, 1), (1, -1, 1), (1, 1, -1)], strict=True)
    )
    band = np.exp(-((kz / 0.8) ** 2) - (ky**2 + kx**2) / 1.6**2) * 200
    x = fft.ifftn(fft.fftn(rng.standard_normal(shape)) * np.sqrt(band)).real
    noisy = [x + rng.standard_normal(shape) for _ in range(2)]
    found = {name: c.resolution_um() for name, c in sectioned(*noisy, voxel, window="none", half_angle=20).items()}
    assert list(found) == ["z", "y", "x"]
    # S/N = 1/6, c = 1/7 at c·√ln(1200) on the axis; within the cone around z frequencies fall faster
    z, x = (1 / (width * np.sqrt(np.log(200 * 6))) for width in (0.8, 1.6))
    assert found["x"] == pytest.approx(x, rel=0.15)
    assert found["y"] == pytest.approx(x, rel=0.15)
    assert found["z"] == pytest.approx(z, rel=0.15)


def test_thresholds_and_crossings():
    n = np.array([8.0, 200.0, 1e9])
    curve = ShellCorrelation(np.array([1.0, 2.0, 3.0]), np.array([0.9, 0.5, 0.1]), n)
    np.testing.assert_allclose(curve.threshold(), 1 / 7)
    np.testing.assert_allclose(curve.threshold("0.5"), 0.5)
    np.testing.assert_allclose(curve.threshold("sigma"), np.minimum(3 / np.sqrt(n / 2), 1))
    np.testing.assert_allclose(curve.threshold("sigma", sigmas=2)[1], 0.2)
    assert curve.threshold("half-bit")[2] == pytest.approx(0.2071 / 1.2071, rel=1e-3)
    assert curve.threshold("half-bit")[1] == pytest.approx((0.2071 + 1.9102 / 200**0.5) / (1.2071 + 0.9102 / 200**0.5))
    assert curve.crossing() == pytest.approx(2 + (0.5 - 1 / 7) / 0.4)
    assert curve.resolution_um() == pytest.approx(1 / (2 + (0.5 - 1 / 7) / 0.4))
    assert ShellCorrelation(np.array([1.0, 2]), np.array([0.0, 1]), np.ones(2)).crossing() == 1


def test_pure_noise_stays_below_three_sigma():
    rng = np.random.default_rng(5)
    beyond = []
    for _ in range(40):
        curve = fourier_correlation(*rng.standard_normal((2, 64, 64)), (0.1, 0.1), window="none")
        beyond.append(np.mean(curve.correlation > curve.threshold("sigma")))
    # a shell of n samples of a real image has n/2 independent ones: 3/√(n/2) is 3 σ; P(> 3σ) = 0.13 %
    assert np.mean(beyond) < 0.006


def test_a_window_removes_what_the_borders_add():
    x = np.linspace(0, 1, 64)
    ramp = np.add.outer(30 * x, 20 * x)  # the same ramp in both: its jump at the border correlates
    rng = np.random.default_rng(3)
    a, b = ramp + rng.standard_normal((2, 64, 64))
    assert fourier_correlation(a, b, (0.1, 0.1), window="none").correlation[20:].mean() > 0.05
    assert abs(fourier_correlation(a, b, (0.1, 0.1)).correlation[20:].mean()) < 0.03


@pytest.mark.parametrize("cutoff", [0.35, 0.5, 0.7])
def test_decorrelation_finds_the_cut_off_of_a_band_limited_image(cutoff):
    rng = np.random.default_rng(4)
    n = 200
    k = np.hypot(*np.ix_(*[2 * fft.fftfreq(n)] * 2)) / cutoff
    k = np.minimum(k, 1)
    airy_otf = 2 / np.pi * (np.arccos(k) - k * np.sqrt(1 - k**2))
    points = np.zeros((n, n))
    points[tuple(rng.integers(0, n, (2, 400)))] = 3000 * rng.random(400)
    image = fft.ifft2(fft.fft2(points) * airy_otf).real
    image += 0.05 * rng.standard_normal((n, n))
    found = decorrelation_resolution(image, 0.1)
    assert 2 * 0.1 / cutoff <= found * 1.03  # never finer than what passed
    assert found == pytest.approx(2 * 0.1 / cutoff, rel=0.25)


def test_decorrelation_rewards_sharpened_noise():
    rng = np.random.default_rng(6)
    n = 128
    k = np.hypot(*np.ix_(*[2 * fft.fftfreq(n)] * 2))
    noise = fft.ifft2(fft.fft2(rng.standard_normal((n, n))) * (k < 0.6)).real
    assert decorrelation_resolution(noise, 1.0) == pytest.approx(2 / 0.6, rel=0.1)  # the caveat: there is no signal


def test_the_high_pass_is_what_a_gaussian_blur_takes_away():
    image = np.random.default_rng(9).standard_normal((32, 32))
    radius = np.hypot(*np.ix_(*[2 * fft.fftfreq(32)] * 2))
    filtered = fft.ifft2(fft.fft2(image) * _high_pass(radius, 1.7)).real
    np.testing.assert_allclose(
        filtered, image - ndimage.gaussian_filter(image, 1.7, mode="wrap", truncate=8), atol=1e-4
    )


def test_white_noise_has_no_cut_off():
    assert decorrelation_resolution(np.random.default_rng(7).standard_normal((64, 64)), 1.0) is None


def test_an_airy_disc_of_half_the_na_has_half_the_cut_off():
    r = np.hypot(*np.ix_(np.arange(-64, 64) + 1e-9, np.arange(-64, 64)))
    discs = [
        (2 * special.j1(np.pi * c * r) / (np.pi * c * r)) ** 2 for c in (0.3, 0.6)
    ]  # cut-offs 0.3 and 0.6 Nyquist·2
    rng = np.random.default_rng(8)
    wide, narrow = (decorrelation_resolution(1000 * d + rng.standard_normal(d.shape), 0.1) for d in discs)
    assert wide / narrow == pytest.approx(2, rel=0.25)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fourier_correlation(np.ones((4, 4)), np.ones((4, 5)), (1, 1)), r"shapes \(4, 4\) and \(4, 5\)"),
        (
            lambda: fourier_correlation(np.ones((4, 4)), np.ones((4, 4)), (1,)),
            r"voxel_um must be one size > 0 .* the 2",
        ),
        (lambda: fourier_correlation(np.ones((4, 4)), np.ones((4, 4)), (1, 0)), "voxel_um must be one size > 0"),
        (lambda: fourier_correlation(np.full((4, 4), np.nan), np.ones((4, 4)), (1, 1)), "needs finite values"),
        (lambda: fourier_correlation(np.eye(4), np.eye(4), (1, 1), axis=2), "axis must be None or 0 to 1, not 2"),
        (lambda: fourier_correlation(np.eye(4), np.eye(4), (1, 1), half_angle=0), "half_angle must be > 0 and <= 90"),
        (lambda: fourier_correlation(np.eye(4), np.eye(4), (1, 1), window="flat"), "Unknown window 'flat'. There are"),
        (
            lambda: fourier_correlation(np.eye(4), np.eye(4), (1, 1)).threshold("2"),
            "Unknown criterion '2'. There are: 1/7",
        ),
        (lambda: decorrelation_resolution(np.ones((3, 20, 20)), 1), r"planes of at least 16 × 16 .* \(3, 20, 20\)"),
        (lambda: decorrelation_resolution(np.ones((20, 20)), 1), "finite and not constant"),
        (lambda: decorrelation_resolution(np.eye(20), 0), "pixel_um must be > 0 µm, not 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
