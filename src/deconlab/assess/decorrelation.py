"""Decorrelation analysis: the cut-off frequency of a single image (Descloux 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.assess.metrics import as_array

Floats = NDArray[np.float64]

_RADII = 50
_HIGH_PASSES = 10
_LEAST_DROP = 5e-4  # a maximum is one if the curve falls by this much after it


def decorrelation_resolution(image: Any, pixel_um: float) -> float | None:
    """Resolution of a 2-D image in µm: 2·pixel/r, r the highest frequency (Nyquist = 1) at which d(r) has its maximum.

    d(r) = Σ_{k<r}|F| / √(Σ|F|² · #{k<r}) correlates the spectrum F with its phases below r; it is searched on the image
    and on ten high-pass filtered copies, then once more near what was found (doi:10.1038/s41592-019-0515-7).

    Caveat: it rewards sharpened noise. A non-linear restoration that amplifies noise up to some frequency, or whose
    regularisation cuts there, scores that frequency, whether or not there is truth in it. It measures raw images; it
    is no measure of quality after deconvolution. Use ``fourier_correlation`` of two halves there.

    Returns None where no maximum is found. ValueError unless the image is 2-D, finite and not constant.
    """
    array = as_array(image)
    if array.ndim != 2 or min(array.shape) < 16:
        raise ValueError(
            f"Decorrelation analysis is for planes of at least 16 × 16 pixels, not for shape {array.shape}."
        )
    if not np.all(np.isfinite(array)) or np.ptp(array) == 0:
        raise ValueError("Decorrelation analysis needs an image that is finite and not constant.")
    if not pixel_um > 0:
        raise ValueError(f"pixel_um must be > 0 µm, not {pixel_um!r}.")
    magnitude, radius = _spectrum(array)
    radii = np.linspace(0, 1, _RADII + 1)[1:]
    first = _peak(magnitude, radius, radii)
    widest = min(array.shape) / 4
    narrow = 2 / first if first else widest
    sigmas = np.concatenate([[widest], np.geomspace(min(narrow, widest), 0.15, _HIGH_PASSES)])
    found: list[tuple[float, float]] = [(first, 0.0)] if first else []
    for sigma in sigmas:
        peak = _peak(magnitude * _high_pass(radius, float(sigma)), radius, radii)
        if peak:
            found.append((peak, float(sigma)))
    if not found:
        return None
    best, sigma = max(found)
    near = np.linspace(max(best - 2 / _RADII, 0.5 / _RADII), min(best + 2 / _RADII, 1.0), _RADII)
    filtered = magnitude * _high_pass(radius, sigma) if sigma else magnitude
    refined = _peak(filtered, radius, near) or best
    return 2 * pixel_um / refined


def _high_pass(radius: Floats, sigma_px: float) -> Floats:
    """What subtracting a Gaussian blur of ``sigma_px`` leaves of a frequency (Nyquist = 1, i.e. ½ cycle per pixel)."""
    return np.asarray(1 - np.exp(-2 * (np.pi * sigma_px * radius / 2) ** 2), np.float64)


def _spectrum(array: Floats) -> tuple[Floats, Floats]:
    """|F| and |k| (Nyquist = 1) within the circle of Nyquist, of the image with its borders faded out."""
    from scipy import fft

    fade = [_edge_fade(n) for n in array.shape]
    spectrum = np.abs(fft.fft2((array - array.mean()) * np.outer(*fade)))
    ky, kx = (2 * fft.fftfreq(n) for n in array.shape)
    radius = np.hypot(ky[:, None], kx)
    inside = (radius <= 1) & (radius > 0)
    order = np.argsort(radius[inside])
    return spectrum[inside][order], radius[inside][order]


def _edge_fade(n: int, part: float = 0.1) -> Floats:
    position = np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / (part * n)
    return np.asarray(np.sin(np.pi / 2 * np.minimum(position, 1)) ** 2, np.float64)


def _peak(magnitude: Floats, radius: Floats, radii: Floats) -> float | None:
    """The radius at which d has its maximum, the end of the curve not counting; None if there is none."""
    count = np.searchsorted(radius, radii, side="right")
    below = np.concatenate([[0.0], np.cumsum(magnitude)])[count]
    d = below / np.sqrt(np.sum(magnitude**2) * np.maximum(count, 1))
    end = len(d)
    while end > 1:
        top = int(np.argmax(d[:end]))
        if top == end - 1:
            end -= 1  # still rising there: no maximum
            continue
        return float(radii[top]) if top > 0 and d[top] - d[top:].min() >= _LEAST_DROP else None
    return None
