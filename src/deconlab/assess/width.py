"""Widths and profiles: FWHM along a line and of a bead, two-point dip, false peaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.assess.metrics import as_array

Floats = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
RAYLEIGH_DIP = 0.265  # the dip between two Airy discs whose first zero meets the other's centre: 1 − 0.735
_FINER = 20  # interpolated samples per sample, among which peaks and dips are sought


@dataclass(frozen=True)
class Peak:
    """A fitted Gaussian. ``centre_um`` counts from the middle of the first sample; one number per axis, z y x."""

    centre_um: tuple[float, ...]
    fwhm_um: tuple[float, ...]
    amplitude: float
    background: float


def fit_peak(image: Any, voxel_um: float | Sequence[float], integrated: bool | Sequence[bool] = True) -> Peak:
    """Fit one Gaussian, its axes along the grid, plus a constant, to a line, spot or bead (1-D to 3-D).

    Where ``integrated`` (per axis or for all) a sample is the mean over its voxel, a difference of error functions:
    the FWHM found is the light's, not the one widened by the voxel. A bead's image is wider than the PSF by the bead.
    Crop to one peak first. Least squares without weights. Cost: a few hundred evaluations on the crop.

    Raises:
        ValueError: no peak (constant, not finite), fewer than 4 samples on an axis, or a fit that does not settle
            inside the image.
    """
    from scipy import optimize, special

    y = as_array(image)
    voxel = np.broadcast_to(np.asarray(voxel_um, np.float64), (y.ndim,))
    over = np.broadcast_to(np.asarray(integrated, bool), (y.ndim,))
    if y.ndim not in (1, 2, 3) or min(y.shape) < 4:
        raise ValueError(f"A peak is fitted to 1 to 3 axes of at least 4 samples, not to shape {y.shape}.")
    if not np.all(np.isfinite(y)) or np.ptp(y) == 0:
        raise ValueError("There is no peak to fit: the image is constant or not finite.")
    if not np.all(voxel > 0):
        raise ValueError(f"voxel_um must be > 0 on every axis, not {tuple(voxel.tolist())}.")
    n = np.array(y.shape)
    low, high = float(np.median(y)) if y.ndim > 1 else float(y.min()), float(y.max())
    start_centre = np.array(np.unravel_index(y.argmax(), y.shape), np.float64)
    start_sigma = np.array([_half_width(y, axis) for axis in range(y.ndim)]) / FWHM_PER_SIGMA * 2

    def shape_of(parameters: Floats) -> Floats:
        factors = []
        for axis, size in enumerate(n):
            x = np.arange(size) - parameters[axis]
            sigma = parameters[y.ndim + axis]
            if over[axis]:
                scale = 1 / (math.sqrt(2) * sigma)
                part = special.erf((x + 0.5) * scale) - special.erf((x - 0.5) * scale)
                factors.append(part * sigma * math.sqrt(math.pi / 2))
            else:
                factors.append(np.exp(-0.5 * (x / sigma) ** 2))
        shape: Floats = factors[0]
        for factor in factors[1:]:
            shape = shape[..., None] * factor
        return shape

    def misfit(parameters: Floats) -> Floats:
        off: Floats = (parameters[-2] * shape_of(parameters) + parameters[-1] - y) / (high - low)
        return off.ravel()

    start = np.concatenate([start_centre, np.clip(start_sigma, 0.4, n), [high - low, low]])
    lower = np.concatenate([-0.5 + np.zeros(y.ndim), np.full(y.ndim, 0.05), [0, -np.inf]])
    upper = np.concatenate([n - 0.5, 4.0 * n, [np.inf, np.inf]])
    if high <= low:
        raise ValueError("There is no peak to fit: the brightest sample is not above the background.")
    found = optimize.least_squares(misfit, start, bounds=(lower, upper), x_scale="jac")
    centre, sigma = found.x[: y.ndim], found.x[y.ndim : 2 * y.ndim]
    outside = np.any(centre < -0.4) or np.any(centre > n - 0.6)
    if not found.success or outside or np.any(sigma > 2 * n) or np.any(sigma <= 0.0501):
        raise ValueError(
            f"The peak could not be fitted: σ of {tuple((sigma * voxel).tolist())} µm at "
            f"{tuple((centre * voxel).tolist())} µm in a field of {tuple((n * voxel).tolist())} µm. Crop to one "
            "peak with some background around it."
        )
    return Peak(
        tuple((centre * voxel).tolist()), tuple((FWHM_PER_SIGMA * sigma * voxel).tolist()),
        float(found.x[-2]), float(found.x[-1]),
    )  # fmt: skip


def fwhm_bead(
    volume: Any, voxel_um: Sequence[float], centre_px: Sequence[int] | None = None, reach_um: float | None = None
) -> Peak:
    """FWHM of a bead per axis: ``fit_peak`` on the crop within ``reach_um`` of ``centre_px``.

    Default: around the brightest voxel, as far as 3 × the width at half of the maximum.
    """
    y = as_array(volume)
    voxel = tuple(float(v) for v in voxel_um)
    centre = [int(i) for i in (np.unravel_index(y.argmax(), y.shape) if centre_px is None else centre_px)]
    if len(centre) != y.ndim or any(not 0 <= c < n for c, n in zip(centre, y.shape, strict=True)):
        raise ValueError(f"centre_px {tuple(centre)} lies outside the image of shape {y.shape}.")
    box = []
    for axis, (c, n, v) in enumerate(zip(centre, y.shape, voxel, strict=True)):
        line = y[tuple(slice(None) if i == axis else k for i, k in enumerate(centre))]
        reach = 3 * _half_width_at(line, c) if reach_um is None else reach_um / v
        box.append(slice(max(0, c - math.ceil(max(reach, 3))), min(n, c + math.ceil(max(reach, 3)) + 1)))
    fitted = fit_peak(y[tuple(box)], voxel)
    shifted = tuple(c + b.start * v for c, b, v in zip(fitted.centre_um, box, voxel, strict=True))
    return Peak(shifted, fitted.fwhm_um, fitted.amplitude, fitted.background)


def fwhm_line(profile: Any, spacing_um: float) -> float:
    """Full width at half of the maximum above the minimum, by linear interpolation: for peaks that are no Gaussians.

    ValueError if the profile does not fall to the half on both sides.
    """
    y = as_array(profile)
    if y.ndim != 1 or not np.all(np.isfinite(y)) or y.size < 3 or np.ptp(y) == 0:
        raise ValueError(f"A width needs a finite line of at least 3 samples that is not constant; shape {y.shape}.")
    half = (y.max() + y.min()) / 2
    top = int(y.argmax())
    left, right = np.flatnonzero(y[:top] < half), np.flatnonzero(y[top:] < half)
    if len(left) == 0 or len(right) == 0:
        raise ValueError("The profile does not fall to half of its maximum on both sides. Make the line longer.")
    i, j = int(left[-1]), top + int(right[0])
    start = i + (half - y[i]) / (y[i + 1] - y[i])
    end = j - (half - y[j]) / (y[j - 1] - y[j])
    return float((end - start) * spacing_um)


def profile(
    image: Any,
    start_px: Sequence[float],
    end_px: Sequence[float],
    voxel_um: Sequence[float],
    samples: int | None = None,
) -> tuple[Floats, Floats]:
    """(positions in µm, values) along a straight line between two points, by linear interpolation.

    ``samples`` defaults to one per voxel crossed, which for lines along an axis returns the voxels themselves.
    """
    from scipy import ndimage

    y = as_array(image)
    start, end = np.asarray(start_px, np.float64), np.asarray(end_px, np.float64)
    for point in (start, end):
        if point.shape != (y.ndim,) or np.any(point < 0) or np.any(point > np.array(y.shape) - 1):
            raise ValueError(f"The point {tuple(point.tolist())} px lies outside the image of shape {y.shape}.")
    count = round(float(np.abs(end - start).max())) + 1 if samples is None else samples
    if count < 2:
        raise ValueError(f"A profile needs two points apart and at least 2 samples, not {count}.")
    part = np.linspace(0, 1, count)
    points = start[:, None] + (end - start)[:, None] * part
    length = float(np.linalg.norm((end - start) * np.asarray(voxel_um, np.float64)))
    return length * part, np.asarray(ndimage.map_coordinates(y, points, order=1), np.float64)


@dataclass(frozen=True)
class TwoPoints:
    """Two neighbouring peaks of a profile. ``dip`` = 1 − lowest value between / lower peak: 0 if they merge.

    ``rayleigh``: the dip is at least that of two Airy discs at Rayleigh's distance, 26.5 %. ``sparrow``: there is a dip
    at all (more than ``noise``). ``separation_um`` of the peaks found, NaN if they merge.
    """

    dip: float
    rayleigh: bool
    sparrow: bool
    separation_um: float


def two_point_dip(
    profile: Any, spacing_um: float, expected_um: tuple[float, float], background: float = 0.0, noise: float = 0.0
) -> TwoPoints:
    """Are two points resolved? Looks for a peak within half of their distance of each expected place.

    Peaks and dip are those of the band-limited line through the samples (20 times finer), so that the verdict does not
    depend on where the points lie between the samples.

    Args:
        profile: values along the line that joins the points.
        spacing_um: distance of its samples.
        expected_um: where the points are, from the first sample.
        background: level to subtract first, since a dip is relative to the peak.
        noise: relative dips up to this one count as none.
    """
    samples = as_array(profile) - background
    first, second = sorted(position / spacing_um for position in expected_um)
    reach = (second - first) / 2
    if samples.ndim != 1 or not (0 <= first < second <= samples.size - 1):
        raise ValueError(f"The places {expected_um} µm must differ and lie within a profile of {samples.size} samples.")
    if not np.all(np.isfinite(samples)):
        raise ValueError(f"{np.count_nonzero(~np.isfinite(samples))} samples of the profile are NaN or infinite.")
    middle = (first + second) / 2
    split = math.floor(middle)
    if math.ceil(first - reach) > split or math.floor(second + reach) <= split:
        raise ValueError(f"The places {expected_um} µm are less than a sample ({spacing_um:g} µm) apart.")
    y = _band_limited(samples)
    split = math.floor(middle * _FINER)
    left = np.arange(max(0, math.ceil((first - reach) * _FINER)), split + 1)
    right = np.arange(split + 1, min(y.size - 1, math.floor((second + reach) * _FINER)) + 1)
    a, b = int(left[y[left].argmax()]), int(right[y[right].argmax()])
    lower = min(y[a], y[b])
    between = float(y[a : b + 1].min())
    dip = float(1 - between / lower) if lower > 0 else 0.0
    apart = dip > noise
    separation = (_vertex(y, b) - _vertex(y, a)) / _FINER * spacing_um if apart else math.nan
    return TwoPoints(dip, bool(dip >= RAYLEIGH_DIP), bool(apart), float(separation))


def false_peaks(
    profile: Any, spacing_um: float, true_um: Sequence[float], tolerance_um: float, prominence: float = 0.05
) -> int:
    """Maxima of the profile that stand out by ``prominence`` × its range and lie farther than the tolerance from any
    true place: what over-iterated noise and ringing make."""
    from scipy import signal

    y = as_array(profile)
    if y.ndim != 1:
        raise ValueError(f"False peaks are counted along a line, not in shape {y.shape}.")
    if not np.all(np.isfinite(y)):
        raise ValueError(f"{np.count_nonzero(~np.isfinite(y))} samples of the profile are NaN or infinite.")
    span = float(np.ptp(y))
    if span == 0:
        return 0
    floor = y.min() - span  # so that a maximum at an end counts
    peaks, _ = signal.find_peaks(np.concatenate([[floor], y, [floor]]), prominence=prominence * span)
    places = (peaks - 1) * spacing_um
    true = np.asarray(true_um, np.float64)
    return int(sum(1 for place in places if true.size == 0 or np.min(np.abs(true - place)) > tolerance_um))


def _band_limited(samples: Floats) -> Floats:
    """The line through the samples, ``_FINER`` times finer, without frequencies that the samples do not hold.

    It is continued by its mirror image, so that unequal ends do not ring.
    """
    from scipy import signal

    mirrored = np.concatenate([samples, samples[::-1]])
    fine = signal.resample(mirrored, mirrored.size * _FINER)
    return np.asarray(fine[: (samples.size - 1) * _FINER + 1], np.float64)


def _vertex(y: Floats, i: int) -> float:
    """The top of the parabola through sample ``i`` and its neighbours."""
    if not 0 < i < y.size - 1:
        return float(i)
    curvature = y[i - 1] - 2 * y[i] + y[i + 1]
    return float(i) if curvature >= 0 else float(i + 0.5 * (y[i - 1] - y[i + 1]) / curvature)


def _half_width(y: Floats, axis: int) -> float:
    centre = np.unravel_index(y.argmax(), y.shape)
    line = y[tuple(slice(None) if i == axis else k for i, k in enumerate(centre))]
    return _half_width_at(line, int(centre[axis]))


def _half_width_at(line: Floats, top: int) -> float:
    """Samples from ``top`` to where the line has fallen half-way to its median or minimum, the larger side."""
    half = (line[top] + min(np.median(line), line[top])) / 2
    below = np.flatnonzero(line < half) if half < line[top] else np.zeros(0, np.intp)
    nearest = [*below[below < top][-1:], *below[below > top][:1]]
    return float(max(abs(i - top) for i in nearest)) if nearest else len(line) / 4
