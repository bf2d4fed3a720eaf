"""Residuals and held-out counts against the statistics they claim."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, special, stats

from deconlab.assess.residual import held_out_log_likelihood, residual, split_counts


def test_true_models_leave_white_residuals_of_variance_one():
    rng = np.random.default_rng(0)
    mean = 0.3 + 0.4 * rng.random((12, 30, 31))  # where Poisson is far from Gaussian
    found = [residual(rng.poisson(mean), mean) for _ in range(60)]
    pulls = np.array([(f.chi2 - 1) / f.chi2_error for f in found])
    assert abs(pulls.mean()) < 4 / np.sqrt(60)
    assert pulls.std() == pytest.approx(1, abs=4 / np.sqrt(120))
    assert stats.kstest([f.white_p for f in found], "uniform").pvalue > 1e-3
    assert np.mean([f.whiteness for f in found]) == pytest.approx(13, abs=4 * np.sqrt(26 / 60))  # χ² of 13 directions


def test_read_noise_needs_its_variance():
    rng = np.random.default_rng(1)
    mean = np.full((60, 60), 9.0)
    y = rng.poisson(mean) + 4 * rng.standard_normal(mean.shape)
    assert residual(y, mean).chi2 == pytest.approx(25 / 9, rel=0.1)
    right = residual(y, mean, mean + 16)
    assert abs(right.chi2 - 1) < 5 * right.chi2_error


def test_structure_that_is_left_is_seen():
    rng = np.random.default_rng(2)
    truth = 30 + 200 * np.exp(-((np.arange(64)[:, None] - 30.0) ** 2 + (np.arange(64)[None] - 33.0) ** 2) / 40)
    y = rng.poisson(truth)
    wrong = residual(y, ndimage.gaussian_filter(truth, 3))
    assert wrong.white_p < 1e-6
    assert wrong.neighbours > 0.05
    assert wrong.chi2 > 1.1
    assert residual(y, truth).white_p > 1e-3
    assert wrong.z[30, 33] > 3


def test_masked_voxels_do_not_count():
    rng = np.random.default_rng(3)
    mean = np.full((40, 41), 50.0)
    y = rng.poisson(mean).astype(float)
    weights = np.ones(mean.shape)
    y[5:9], weights[5:9] = np.nan, 0
    found = residual(y, mean, weights=weights)
    assert np.all(found.z[5:9] == 0)
    assert abs(found.chi2 - 1) < 5 * found.chi2_error
    assert found.white_p > 1e-3


def test_thinned_counts_are_independent_poisson():
    rng = np.random.default_rng(4)
    y = rng.poisson(6.0, 200_000)
    first, second = split_counts(y, 0.3, seed=1)
    np.testing.assert_array_equal(first + second, y)
    for part, mean in ((first, 1.8), (second, 4.2)):
        assert part.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / y.size))
        assert part.var() == pytest.approx(mean, rel=0.02)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(y.size)
    again, _ = split_counts(y, 0.3, seed=1)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(("excess", "read"), [(1.0, 3.0), (2.0, 0.0)])
def test_calibrated_electrons_are_split_by_recorruption(excess, read):
    rng = np.random.default_rng(5)
    n = 300_000
    y = excess * rng.poisson(40.0 / excess, n) + read * np.sqrt(excess) * rng.standard_normal(n)  # mean 40
    first, second = split_counts(y, 0.5, 7, read_variance=read**2, excess=excess)
    assert first.mean() == pytest.approx(20, abs=0.1)
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(n)


def test_held_out_likelihood_is_poissons_and_prefers_the_truth():
    rng = np.random.default_rng(6)
    truth = 5 + 30 * rng.random((40, 40))
    y = rng.poisson(truth)
    seen, held = split_counts(y, 0.8, 2)
    score = held_out_log_likelihood(held, truth, share=0.2)
    assert score == pytest.approx(np.mean(stats.poisson.logpmf(held, 0.2 * truth)), rel=1e-12)
    assert score > held_out_log_likelihood(held, 1.3 * truth, share=0.2)
    assert score > held_out_log_likelihood(held, np.full_like(truth, truth.mean()), share=0.2)
    assert score > held_out_log_likelihood(held, seen / 0.8 + 0.5, share=0.2)  # noise does not foretell noise
    weights = np.zeros(truth.shape)
    weights[:3] = 1
    np.testing.assert_allclose(
        held_out_log_likelihood(held, truth, 0.2, weights=weights),
        np.mean(stats.poisson.logpmf(held[:3], 0.2 * truth[:3])),
    )
    shifted = held_out_log_likelihood(held, truth, 0.2, read_variance=10.0)
    m = 0.2 * (truth + 10)
    k = held + 2.0
    assert shifted == pytest.approx(np.mean(k * np.log(m) - m - special.gammaln(k + 1)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: residual(np.ones(3), np.ones(4)), r"data have shape \(3,\), the prediction \(4,\)"),
        (lambda: residual(np.ones(3), np.ones(3), weights=np.zeros(3)), "Only 0 voxels have a weight > 0"),
        (lambda: residual([1.0, np.nan], [1.0, 1.0]), "must be finite where the weight is > 0"),
        (lambda: residual([1.0, 2.0], [1.0, 0.0]), "variance must be > 0 where there are data; its least value is 0"),
        (lambda: split_counts([1.0], 1.0, 0), "fraction must be > 0 and < 1, not 1.0"),
        (lambda: split_counts([np.inf], 0.5, 0), "Counts must be finite"),
        (lambda: split_counts([1.5, -2], 0.5, 0), "Only whole counts >= 0 can be thinned; these range from -2 to 1.5"),
        (
            lambda: held_out_log_likelihood(np.ones(2), np.ones(3), 0.5),
            r"counts have shape \(2,\), the prediction \(3,\)",
        ),
        (lambda: held_out_log_likelihood(np.ones(2), np.ones(2), 1.5), "share must be > 0 and < 1, not 1.5"),
        (lambda: held_out_log_likelihood(np.ones(2), np.zeros(2), 0.5), "prediction must be > 0 wherever counts were"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_error_of_chi2_holds_with_a_variance_that_is_given():
    rng = np.random.default_rng(0)
    pulls = []
    for _ in range(300):
        y = rng.poisson(0.3, (40, 50)) + 0.1 * rng.standard_normal((40, 50))
        found = residual(y, np.full(y.shape, 0.3), np.full(y.shape, 0.31))
        pulls.append((found.chi2 - 1) / found.chi2_error)
    assert np.std(pulls) == pytest.approx(1, abs=4 / np.sqrt(2 * 300))
