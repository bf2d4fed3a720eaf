"""Metrics against scikit-image and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import metrics as reference

from deconlab.assess import metrics


@pytest.fixture(params=[(40, 37), (12, 15, 14)], ids=["2d", "3d"])
def pair(request):
    rng = np.random.default_rng(3)
    truth = rng.random(request.param).cumsum(0) + 1
    return truth + 0.3 * rng.standard_normal(truth.shape), truth


def test_psnr_equals_scikit_images(pair):
    image, truth = pair
    for span in (np.ptp(truth), 7.0):
        assert metrics.psnr(image, truth, span) == pytest.approx(
            reference.peak_signal_noise_ratio(truth, image, data_range=span), rel=1e-12
        )
    assert metrics.psnr(image, truth) == metrics.psnr(image, truth, np.ptp(truth))
    assert metrics.psnr(truth, truth) == math.inf


@pytest.mark.parametrize("window_px", [3, 7])
def test_ssim_equals_scikit_images(pair, window_px):
    image, truth = pair
    ours = metrics.ssim(image, truth, 5.0, window_px=window_px)
    theirs = reference.structural_similarity(truth, image, data_range=5.0, win_size=window_px)
    assert ours == pytest.approx(theirs, rel=1e-10)
    assert metrics.ssim(truth, truth) == pytest.approx(1)


def test_gaussian_ssim_equals_scikit_images(pair):
    image, truth = pair
    theirs = reference.structural_similarity(
        truth, image, data_range=5.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert metrics.ssim(image, truth, 5.0, window="gaussian") == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize(("ours", "theirs"), [("euclidean", "euclidean"), ("range", "min-max"), ("mean", "mean")])
def test_nrmse_equals_scikit_images(pair, ours, theirs):
    image, truth = pair
    assert metrics.nrmse(image, truth, ours) == pytest.approx(
        reference.normalized_root_mse(truth, image, normalization=theirs), rel=1e-12
    )


def test_the_affine_fit_removes_gain_and_offset(pair):
    image, truth = pair
    assert metrics.affine_fit(2 * truth - 3, truth) == pytest.approx((0.5, 1.5))
    assert metrics.nrmse_affine(2 * truth - 3, truth) < 1e-12
    a, b = metrics.affine_fit(image, truth)
    best = np.linalg.lstsq(np.column_stack([image.ravel(), np.ones(image.size)]), truth.ravel(), rcond=None)[0]
    np.testing.assert_allclose((a, b), best)
    assert metrics.nrmse_affine(image, truth) == pytest.approx(metrics.nrmse(a * image + b, truth))
    assert metrics.affine_fit(np.ones(4), np.arange(4.0)) == (0.0, 1.5)


def test_correlation_flux_and_snr(pair):
    image, truth = pair
    assert metrics.correlation(image, truth) == pytest.approx(np.corrcoef(image.ravel(), truth.ravel())[0, 1])
    assert metrics.flux_bias(1.03 * truth, truth) == pytest.approx(0.03)
    assert metrics.snr(1.1 * truth, truth) == pytest.approx(20)
    assert metrics.snr(truth, truth) == math.inf
    assert metrics.mse([1.0, 3.0], [1.0, 1.0]) == 2


def test_tensors_are_as_good_as_arrays(pair):
    image, truth = pair
    scores = metrics.score(image, truth)
    tensors = metrics.score(torch.from_numpy(image).requires_grad_(), torch.from_numpy(truth))
    assert scores == tensors
    assert all(type(value) is float for value in scores.values())
    assert scores["data_range"] == np.ptp(truth)
    assert scores["psnr"] == metrics.psnr(image, truth)
    assert scores["ssim"] == metrics.ssim(image, truth)


def test_a_score_leaves_undefined_metrics_undefined():
    scores = metrics.score(np.zeros((2, 9)), np.tile([1.0, -1.0, 0.0], (2, 3)))
    assert math.isnan(scores["ssim"])
    assert math.isnan(scores["correlation"])
    assert math.isnan(scores["flux_bias"])
    assert scores["nrmse"] == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.mse(np.ones(3), np.ones(4)), r"image has shape \(3,\), the truth \(4,\)"),
        (lambda: metrics.mse([1.0, np.nan], [1.0, 2.0]), "image has 1 values that are not finite among 2"),
        (lambda: metrics.mse([], []), "image has 0 values that are not finite among 0"),
        (lambda: metrics.psnr([1.0, 2.0], [1.0, 1.0]), "The truth is constant: its range is 0. Give data_range"),
        (lambda: metrics.psnr([1.0, 2.0], [1.0, 2.0], -1), "data_range must be a finite number > 0, not -1"),
        (lambda: metrics.ssim(np.eye(5), np.eye(5)), r"SSIM window of 7 px must be odd, >= 3 and fit .* \(5, 5\)"),
        (lambda: metrics.ssim(np.eye(9), np.eye(9), window="disc"), "Unknown window 'disc'. There are: uniform, gauss"),
        (lambda: metrics.nrmse([1.0, 2.0], [0.0, 0.0]), "The truth's euclidean norm is 0: the NRMSE is undefined"),
        (lambda: metrics.nrmse([1.0, 2.0], [0.0, 1.0], "max"), "Unknown normalisation 'max'. There are: euclidean, r"),
        (
            lambda: metrics.correlation([1.0, 1.0], [0.0, 1.0]),
            "correlation is undefined: one of the images is constant",
        ),
        (lambda: metrics.flux_bias([1.0, 1.0], [-1.0, 1.0]), "flux bias is undefined: the truth sums to 0"),
        (lambda: metrics.snr([1.0, 1.0], [0.0, 0.0]), "SNR is undefined: the truth is 0 everywhere"),
    ],
)
def test_undefined_metrics_say_so(call, message):
    with pytest.raises(ValueError, match=message):
        call()
