"""Does the restoration explain its data? Standardised residuals, and the likelihood of counts that were held out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.assess.metrics import as_array

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Residual:
    """The standardised residual and what it says.

    Args:
        z: (y − Hx − b)/√var, 0 where masked; variance 1 and white if model and noise are right. Coherent patches beyond
            ±3 show where they are not: a wrong PSF, saturation, motion.
        chi2: mean z² over the measured voxels: > 1 under-fitted (or the variance too small), < 1 over-fitted (a good
            restoration is a little below, for it follows some of the noise).
        chi2_error: its standard error if the model is true.
        neighbours: correlation of z with its neighbours, mean over the (3ᵈ − 1)/2 directions: 0 for white noise.
        whiteness: n·Σρ² over these directions: follows χ² with as many degrees of freedom if z is white.
        white_p: the probability of a larger value for white noise: ≪ 0.01 means structure is left.
    """

    z: Floats
    chi2: float
    chi2_error: float
    neighbours: float
    whiteness: float
    white_p: float


def residual(y: Any, prediction: Any, variance: Any = None, weights: Any = None) -> Residual:
    """Compare data with their prediction Hx + b.

    Args:
        y: data, in electrons if the variance is left out.
        prediction: Hx + b, same shape.
        variance: of the noise; None for photon noise, where it is the prediction itself. With read noise, prediction +
            read variance.
        weights: voxels of weight 0 are left out.

    Raises:
        ValueError: shapes that differ, a variance that is not > 0 where there are data, or nothing measured.
    """
    from scipy import stats

    data, model = as_array(y), as_array(prediction)
    if data.shape != model.shape:
        raise ValueError(f"The data have shape {data.shape}, the prediction {model.shape}; they must be equal.")
    spread = np.broadcast_to(model if variance is None else as_array(variance), data.shape)
    used = np.ones(data.shape, bool) if weights is None else np.broadcast_to(as_array(weights), data.shape) > 0
    n = int(used.sum())
    if n < 2:
        raise ValueError(f"Only {n} voxels have a weight > 0; a residual needs at least 2.")
    if not (np.all(np.isfinite(data[used])) and np.all(np.isfinite(model[used]))):
        raise ValueError("Data and prediction must be finite where the weight is > 0.")
    least = float(spread[used].min())
    if not least > 0:
        raise ValueError(
            f"The variance must be > 0 where there are data; its least value is {least:g}. Is there a background?"
        )
    z = np.zeros(data.shape)
    z[used] = (data[used] - model[used]) / np.sqrt(spread[used])
    chi2 = float(np.mean(z[used] ** 2))
    # Var z² = 2 + excess kurtosis: for Poisson that is 1/mean. With a variance of any other origin it is what it is seen to be
    of_squares = float(np.mean(2 + 1 / spread[used])) if variance is None else float(np.var(z[used] ** 2, ddof=1))
    error = math.sqrt(of_squares / n)
    rhos = _neighbour_correlations(z, used)
    whiteness = float(sum(count * rho**2 for rho, count in rhos))
    p = float(stats.chi2.sf(whiteness, len(rhos))) if rhos else math.nan
    mean_rho = float(np.mean([rho for rho, _ in rhos])) if rhos else math.nan
    return Residual(z, chi2, error, mean_rho, whiteness, p)


def _neighbour_correlations(z: Floats, used: NDArray[np.bool_]) -> list[tuple[float, int]]:
    """(correlation, pairs) of voxels with their next neighbours, each direction once."""
    centred = np.where(used, z - z[used].mean(), 0.0)
    power = float(np.mean(centred[used] ** 2))
    found = []
    for step in product((-1, 0, 1), repeat=z.ndim):
        if step <= (0,) * z.ndim or any(n <= 1 for s, n in zip(step, z.shape, strict=True) if s) or power == 0:
            continue
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(step, z.shape, strict=True))
        there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in zip(step, z.shape, strict=True))
        pairs = int(np.count_nonzero(used[here] & used[there]))
        if pairs:
            found.append((float((centred[here] * centred[there]).sum()) / pairs / power, pairs))
    return found


def split_counts(
    y: Any, fraction: float, seed: int | np.random.Generator, read_variance: Any = None, excess: float = 1.0
) -> tuple[Floats, Floats]:
    """Split data into two parts with independent noise: y₁ of ``fraction`` of the light, y₂ = y − y₁.

    Whole counts without ``read_variance`` are thinned, y₁ ~ Binomial(y, p): for Poisson data the parts are independent
    Poisson. Otherwise y₁ = p·y + √(p(1−p)·excess·(max(y, 0) + σ²))·N(0, 1): uncorrelated to first order if the variance
    excess·(y + σ²) is right. Data must be in photo-electrons, not filtered, resampled or compressed.

    Raises:
        ValueError: a fraction outside 0 to 1, values that are not finite, counts < 0 or not whole without
            ``read_variance``.
    """
    counts = as_array(y)
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be > 0 and < 1, not {fraction!r}.")
    if not np.all(np.isfinite(counts)):
        raise ValueError("Counts must be finite to be split.")
    rng = np.random.default_rng(seed)
    if read_variance is None:
        if np.any(counts != np.rint(counts)) or np.any(counts < 0) or excess != 1.0:
            raise ValueError(
                f"Only whole counts >= 0 can be thinned; these range from {counts.min():g} to {counts.max():g}. Give "
                "read_variance (electrons², 0 if there is none) for data that were calibrated to electrons."
            )
        first = rng.binomial(counts.astype(np.int64), fraction).astype(np.float64)
    else:
        variance = excess * (np.maximum(counts, 0) + as_array(read_variance))
        first = fraction * counts + np.sqrt(fraction * (1 - fraction) * variance) * rng.standard_normal(counts.shape)
    return first, counts - first


def held_out_log_likelihood(
    held_out: Any, prediction: Any, share: float, read_variance: Any = 0.0, weights: Any = None
) -> float:
    """Mean log-likelihood per voxel (nats) of held-out counts: the one score of quality that real data offer.

    Σ [k·log m − m − log Γ(k+1)]/n with m = share·(prediction + σ²), k = max(held_out + share·σ², 0): Poisson, shifted
    by the read variance. Higher is better; differences between methods on the same split are what counts.

    Args:
        held_out: y₂ of ``split_counts``.
        prediction: Hx + b for the *whole* data, from an x that was restored from y₁ alone (divided by its fraction).
        share: part of the light in ``held_out``: 1 − fraction.
        read_variance: electrons² of the whole data.
        weights: voxels of weight 0 are left out.
    """
    from scipy import special

    k, model = as_array(held_out), as_array(prediction)
    if k.shape != model.shape:
        raise ValueError(f"The held-out counts have shape {k.shape}, the prediction {model.shape}; they must be equal.")
    if not 0 < share < 1:
        raise ValueError(f"share must be > 0 and < 1, not {share!r}.")
    variance = np.broadcast_to(as_array(read_variance), k.shape)
    used = np.ones(k.shape, bool) if weights is None else np.broadcast_to(as_array(weights), k.shape) > 0
    m, k = share * (model + variance)[used], np.maximum(k + share * variance, 0)[used]
    if m.size == 0 or not np.all(m >= 0) or np.any((m == 0) & (k > 0)):
        raise ValueError(
            "The prediction must be > 0 wherever counts were held out, and some must be. Is the background missing?"
        )
    return float(np.mean(special.xlogy(k, m) - m - special.gammaln(k + 1)))
