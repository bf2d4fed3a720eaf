"""Metrics of an image against a known truth. Arrays or tensors in, one float out.

All are computed in float64 on the raw intensities: nothing is clipped or rescaled unless the name says so.
ValueError for shapes that differ, values that are not finite, or a truth that leaves the metric undefined.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def mse(image: Any, truth: Any) -> float:
    """Mean squared error, in squared units of the data."""
    x, t = _pair(image, truth)
    return float(np.mean((x - t) ** 2))


def psnr(image: Any, truth: Any, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio 10·log₁₀(range²/MSE) in dB; ∞ for equal images.

    ``data_range`` defaults to max(truth) − min(truth). Values with different ranges cannot be compared: state it.

    >>> round(psnr([0.0, 1.0, 2.0], [0.0, 1.0, 1.0]), 3)
    4.771
    """
    span = truth_range(truth) if data_range is None else _positive(data_range)
    error = mse(image, truth)
    return math.inf if error == 0 else 10 * math.log10(span**2 / error)


def truth_range(truth: Any) -> float:
    """max − min of the truth: the default range of ``psnr`` and ``ssim``."""
    span = float(np.ptp(as_array(truth)))
    if span == 0:
        raise ValueError("The truth is constant: its range is 0. Give data_range, the range that the data could have.")
    return span


def ssim(
    image: Any,
    truth: Any,
    data_range: float | None = None,
    window: Literal["uniform", "gaussian"] = "uniform",
    window_px: int = 7,
) -> float:
    """Mean structural similarity (Wang 2004, doi:10.1109/TIP.2003.819861), K₁ = 0.01, K₂ = 0.03; 1 for equal images.

    ``uniform``: sample covariances in windows of ``window_px`` per axis. ``gaussian``: weights of σ = 1.5 px cut at
    5 px, as in the paper. Windows that would cross the border are left out. In images that are mostly dark it is
    ruled by how the background's noise compares with ``data_range``.
    """
    from scipy import ndimage

    if window not in ("uniform", "gaussian"):
        raise ValueError(f"Unknown window {window!r}. There are: uniform, gaussian.")
    x, t = _pair(image, truth)
    span = truth_range(t) if data_range is None else _positive(data_range)
    size = 11 if window == "gaussian" else window_px
    if size < 3 or size % 2 == 0 or size > min(x.shape):
        raise ValueError(
            f"The SSIM window of {size} px must be odd, >= 3 and fit into the shape {x.shape}. Give a smaller "
            "window_px (of a uniform window)."
        )

    def local_mean(a: NDArray[np.float64]) -> NDArray[np.float64]:
        if window == "gaussian":
            return np.asarray(ndimage.gaussian_filter(a, 1.5, truncate=3.5), np.float64)
        return np.asarray(ndimage.uniform_filter(a, size), np.float64)

    n = size**x.ndim
    unbiased = n / (n - 1) if window == "uniform" else 1.0
    mean_x, mean_t = local_mean(x), local_mean(t)
    var_x = unbiased * (local_mean(x * x) - mean_x**2)
    var_t = unbiased * (local_mean(t * t) - mean_t**2)
    covariance = unbiased * (local_mean(x * t) - mean_x * mean_t)
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    similarity = (2 * mean_x * mean_t + c1) * (2 * covariance + c2)
    similarity /= (mean_x**2 + mean_t**2 + c1) * (var_x + var_t + c2)
    half = size // 2
    return float(similarity[(slice(half, -half),) * x.ndim].mean())


def nrmse(image: Any, truth: Any, normalisation: Literal["euclidean", "range", "mean"] = "euclidean") -> float:
    """Root mean squared error over the truth's root mean square (``euclidean``), range, or mean."""
    x, t = _pair(image, truth)
    scales = {"euclidean": math.sqrt(np.mean(t**2)), "range": float(np.ptp(t)), "mean": float(np.mean(t))}
    if normalisation not in scales:
        raise ValueError(f"Unknown normalisation {normalisation!r}. There are: {', '.join(scales)}.")
    scale = scales[normalisation]
    if scale == 0:
        raise ValueError(
            f"The truth's {normalisation} norm is 0: the NRMSE is undefined. Choose another normalisation."
        )
    return math.sqrt(np.mean((x - t) ** 2)) / scale


def affine_fit(image: Any, truth: Any) -> tuple[float, float]:
    """(a, b) that minimise ‖a·image + b − truth‖²: what a change of gain and offset can explain."""
    x, t = _pair(image, truth)
    variance = float(np.var(x))
    a = 0.0 if variance == 0 else float(np.mean((x - x.mean()) * (t - t.mean()))) / variance
    return a, float(t.mean() - a * x.mean())


def nrmse_affine(image: Any, truth: Any, normalisation: Literal["euclidean", "range", "mean"] = "euclidean") -> float:
    """NRMSE of a·image + b, fitted to the truth: for images in other units (CARE's convention)."""
    a, b = affine_fit(image, truth)
    return nrmse(a * as_array(image) + b, truth, normalisation)


def correlation(image: Any, truth: Any) -> float:
    """Pearson's correlation, −1 to 1: blind to gain and offset."""
    x, t = _pair(image, truth)
    spread = float(np.std(x) * np.std(t))
    if spread == 0:
        raise ValueError("The correlation is undefined: one of the images is constant.")
    return float(np.mean((x - x.mean()) * (t - t.mean()))) / spread


def flux_bias(image: Any, truth: Any) -> float:
    """Σimage/Σtruth − 1: 0 if the light is kept, in total."""
    x, t = _pair(image, truth)
    total = float(t.sum())
    if total == 0:
        raise ValueError("The flux bias is undefined: the truth sums to 0.")
    return float(x.sum()) / total - 1


def snr(image: Any, truth: Any) -> float:
    """20·log₁₀(‖truth‖/‖image − truth‖) in dB; ∞ for equal images."""
    x, t = _pair(image, truth)
    error = float(np.linalg.norm(x - t))
    norm = float(np.linalg.norm(t))
    if norm == 0:
        raise ValueError("The SNR is undefined: the truth is 0 everywhere.")
    return math.inf if error == 0 else 20 * math.log10(norm / error)


def score(image: Any, truth: Any, data_range: float | None = None) -> dict[str, float]:
    """All metrics by name, with the data range that PSNR and SSIM used; those that are undefined are NaN."""
    x, t = _pair(image, truth)
    span = float(np.ptp(t)) if data_range is None else _positive(data_range)
    size = min(7, min(x.shape) - (1 - min(x.shape) % 2))
    shown, norm, varies = span > 0, float(np.linalg.norm(t)) > 0, bool(np.std(x) > 0 and np.std(t) > 0)
    found = {"psnr": psnr(x, t, span) if shown else math.nan, "data_range": span if shown else math.nan}
    found["ssim"] = ssim(x, t, span, window_px=size) if size >= 3 and shown else math.nan
    found["nrmse"] = nrmse(x, t) if norm else math.nan
    found["nrmse_affine"] = nrmse_affine(x, t) if norm else math.nan
    found["snr"] = snr(x, t) if norm else math.nan
    found["correlation"] = correlation(x, t) if varies else math.nan
    found["flux_bias"] = flux_bias(x, t) if t.sum() != 0 else math.nan
    return found


def as_array(image: Any) -> NDArray[np.float64]:
    """An array or a tensor of any device, as float64."""
    return np.asarray(image.detach().cpu() if hasattr(image, "detach") else image, np.float64)


def _pair(image: Any, truth: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, t = as_array(image), as_array(truth)
    if x.shape != t.shape:
        raise ValueError(f"The image has shape {x.shape}, the truth {t.shape}; a metric compares voxel by voxel.")
    for name, array in (("image", x), ("truth", t)):
        bad = int(np.count_nonzero(~np.isfinite(array)))
        if bad or array.size == 0:
            raise ValueError(
                f"The {name} has {bad} values that are not finite among {array.size}; a metric needs finite ones."
            )
    return x, t


def _positive(data_range: float) -> float:
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range must be a finite number > 0, not {data_range!r}.")
    return float(data_range)
