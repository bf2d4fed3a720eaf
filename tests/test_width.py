"""Widths of analytic peaks, and what counts as resolved."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, special

from deconlab.assess.width import (
    FWHM_PER_SIGMA,
    RAYLEIGH_DIP,
    false_peaks,
    fit_peak,
    fwhm_bead,
    fwhm_line,
    profile,
    two_point_dip,
)  # fmt: skip


def integrated(n, centre, sigma):
    """A Gaussian of height 1 and σ in samples, averaged over each sample: closed form."""
    edges = (np.arange(n + 1) - 0.5 - centre) / (np.sqrt(2) * sigma)
    return sigma * np.sqrt(np.pi / 2) * np.diff(special.erf(edges))


@pytest.mark.parametrize("fwhm_px", [1.2, 2.0, 2.82, 8.46])
@pytest.mark.parametrize("offset", [0.0, 0.31, 0.5])
def test_a_line_of_pixel_integrated_gaussians(fwhm_px, offset):
    y = 100 + 40 * integrated(31, 15 + offset, fwhm_px / FWHM_PER_SIGMA)
    found = fit_peak(y, 0.1)
    assert found.fwhm_um[0] == pytest.approx(0.1 * fwhm_px, rel=1e-4)
    assert found.centre_um[0] == pytest.approx(0.1 * (15 + offset), rel=1e-4)
    assert (found.amplitude, found.background) == pytest.approx((40, 100), rel=1e-3)


def test_sampled_peaks_are_fitted_as_such():
    x = np.arange(25) - 12.3
    y = np.exp(-0.5 * (x / 0.8) ** 2)
    assert fit_peak(y, 1.0, integrated=False).fwhm_um[0] == pytest.approx(0.8 * FWHM_PER_SIGMA, rel=1e-5)
    assert fit_peak(y, 1.0).fwhm_um[0] < 0.97 * 0.8 * FWHM_PER_SIGMA  # the voxel's width, taken off wrongly


def test_a_bead_in_3d_with_noise_is_within_one_per_cent():
    sigma = np.array([3.6, 1.2, 1.2])
    volume = np.full((40, 33, 34), 5.0)
    volume += 2000 * np.einsum(
        "i,j,k->ijk", *(integrated(n, c, s) for n, c, s in zip(volume.shape, (19.4, 15.8, 20.1), sigma, strict=True))
    )
    noisy = np.random.default_rng(0).poisson(volume)
    found = fwhm_bead(noisy, (0.2, 0.1, 0.1))
    np.testing.assert_allclose(found.fwhm_um, FWHM_PER_SIGMA * sigma * (0.2, 0.1, 0.1), rtol=0.01)
    np.testing.assert_allclose(found.centre_um, np.array([19.4, 15.8, 20.1]) * (0.2, 0.1, 0.1), atol=2e-3)
    chosen = fwhm_bead(noisy, (0.2, 0.1, 0.1), centre_px=(19, 16, 20), reach_um=1.5)
    np.testing.assert_allclose(chosen.fwhm_um, found.fwhm_um, rtol=0.02)


def test_half_maximum_of_peaks_that_are_no_gaussians():
    x = np.linspace(-5, 5, 2001)
    assert fwhm_line(1 / (1 + x**2), 0.005) == pytest.approx(2 * np.sqrt((1 - 1 / 26) / (1 + 1 / 26)), rel=1e-4)
    assert fwhm_line(np.maximum(0, 1 - abs(x)), 0.005) == pytest.approx(1, rel=1e-6)


def test_profiles_follow_straight_lines():
    z, y, x = np.mgrid[:6, :8, :10]
    image = 2.0 * z - y + 0.5 * x
    positions, values = profile(image, (1, 2, 3), (1, 2, 9), (0.5, 0.2, 0.2))
    np.testing.assert_array_equal(values, image[1, 2, 3:])
    np.testing.assert_allclose(positions, 0.2 * np.arange(7))
    positions, values = profile(image, (0, 0, 0), (5, 7, 9), (0.5, 0.2, 0.2), samples=11)
    np.testing.assert_allclose(values, np.linspace(0, 7.5, 11), atol=1e-12)
    assert positions[-1] == pytest.approx(np.sqrt(2.5**2 + 1.4**2 + 1.8**2))


def airy(v):
    return np.where(np.abs(v) < 1e-9, 1.0, (2 * special.j1(v) / np.where(v == 0, 1, v)) ** 2)


def test_rayleighs_distance_gives_rayleighs_dip():
    x = np.linspace(-12, 12, 2401)
    distance = 3.8317  # the first zero of J₁
    at = two_point_dip(airy(x - distance / 2) + airy(x + distance / 2), 0.01, (12 - distance / 2, 12 + distance / 2))
    assert at.dip == pytest.approx(RAYLEIGH_DIP, abs=0.001)
    for factor, resolved in ((0.97, False), (1.03, True)):
        d = factor * distance
        found = two_point_dip(airy(x - d / 2) + airy(x + d / 2), 0.01, (12 - d / 2, 12 + d / 2))
        assert found.rayleigh is resolved
        assert found.sparrow
        assert found.separation_um == pytest.approx(d, rel=0.03)


def test_sparrows_limit_of_gaussians_is_two_sigma():
    x = np.linspace(-6, 6, 2401)
    for distance, resolved in ((1.96, False), (2.1, True)):
        y = 7 + np.exp(-((x - distance / 2) ** 2) / 2) + np.exp(-((x + distance / 2) ** 2) / 2)
        found = two_point_dip(y, 0.005, (6 - distance / 2, 6 + distance / 2), background=7)
        assert found.sparrow is resolved
        assert not found.rayleigh
        assert np.isnan(found.separation_um) != resolved


def test_unequal_points_and_noise():
    x = np.arange(40.0)
    y = np.exp(-((x - 15) ** 2) / 8) + 0.3 * np.exp(-((x - 22) ** 2) / 8)
    found = two_point_dip(y, 1.0, (15, 22))
    assert found.sparrow
    assert found.dip < two_point_dip(np.exp(-((x - 15) ** 2) / 8) + np.exp(-((x - 22) ** 2) / 8), 1.0, (15, 22)).dip
    shoulder = two_point_dip(np.exp(-((x - 15) ** 2) / 8) + 0.3 * np.exp(-((x - 18) ** 2) / 8), 1.0, (15, 18))
    assert shoulder.dip == 0
    assert not shoulder.sparrow
    assert two_point_dip(np.zeros(9), 1.0, (2, 6)).dip == 0
    flat = np.array([0, 1, 0.97, 1, 0, 0])
    assert two_point_dip(flat, 1.0, (1, 3)).sparrow
    assert not two_point_dip(flat, 1.0, (1, 3), noise=0.1).sparrow


@pytest.mark.parametrize("sigma", [1.2, 3.6])
def test_the_dip_does_not_depend_on_where_between_the_samples_the_points_lie(sigma):
    apart = 1.25 * 2.3548 * sigma
    fine = np.linspace(-apart, apart, 20_001)
    both = sum(np.exp(-((fine - side * apart / 2) ** 2) / (2 * sigma**2)) for side in (-1, 1))
    exact = 1 - both[10_000] / both.max()
    x = np.arange(60.0)
    for phase in np.linspace(0, 1, 11):
        first = 20 + phase
        y = sum(np.exp(-((x - c) ** 2) / (2 * sigma**2)) for c in (first, first + apart))
        assert two_point_dip(y, 1.0, (first, first + apart)).dip == pytest.approx(exact, abs=0.005)


def test_false_peaks_are_those_far_from_any_true_one():
    y = np.zeros(50)
    y[[10, 30]] = 10
    y[20], y[40], y[49] = 3, 0.2, 5
    y = ndimage.gaussian_filter1d(y, 0.5)
    assert false_peaks(y, 0.1, (1.0, 3.0), tolerance_um=0.15) == 2  # at 20 and at the end; 40 does not stand out
    assert false_peaks(y, 0.1, (1.0, 2.0, 3.0), tolerance_um=0.15) == 1
    assert false_peaks(y, 0.1, (), tolerance_um=0.15) == 4
    assert false_peaks(np.ones(9), 0.1, (), tolerance_um=0.1) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_peak(np.ones(3), 1.0), r"at least 4 samples, not to shape \(3,\)"),
        (lambda: fit_peak(np.ones(9), 1.0), "There is no peak to fit: the image is constant or not finite"),
        (lambda: fit_peak(np.eye(9)[4], 0.0), "voxel_um must be > 0 on every axis"),
        (lambda: fit_peak(np.arange(9.0), 1.0), "The peak could not be fitted: σ of .* Crop to one peak"),
        (
            lambda: fit_peak(1 - np.eye(5), 1.0),
            "There is no peak to fit: the brightest sample",
        ),
        (lambda: fwhm_bead(np.eye(9), (1, 1), centre_px=(9, 0)), r"centre_px \(9, 0\) lies outside the image"),
        (lambda: fwhm_line(np.ones(9), 1.0), "a finite line of at least 3 samples that is not constant"),
        (lambda: fwhm_line(np.arange(9.0), 1.0), "does not fall to half of its maximum on both sides"),
        (lambda: profile(np.eye(4), (0, 0), (0, 4), (1, 1)), r"point \(0.0, 4.0\) px lies outside the image of shape"),
        (lambda: profile(np.eye(4), (0, 0), (0, 0), (1, 1)), "two points apart and at least 2 samples, not 1"),
        (
            lambda: two_point_dip(np.ones(9), 1.0, (3, 12)),
            r"places \(3, 12\) µm must differ and lie within a profile of 9",
        ),
        (lambda: two_point_dip(np.ones(9), 1.0, (3, 3.0)), "must differ and lie within"),
        (lambda: two_point_dip(np.ones(9), 1.0, (3.2, 3.4)), "are less than a sample"),
        (lambda: two_point_dip([0, 1, np.nan, 1, 0], 1.0, (1, 3)), "1 samples of the profile are NaN or infinite"),
        (lambda: false_peaks([0, 1, np.inf, 1, 0], 1.0, (), 1.0), "1 samples of the profile are NaN or infinite"),
        (lambda: false_peaks(np.eye(3), 1.0, (), 1.0), r"counted along a line, not in shape \(3, 3\)"),
    ],
)
def test_what_has_no_width_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
