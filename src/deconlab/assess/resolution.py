"""Resolution from the spectrum: Fourier ring and shell correlation, between halves or against a truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deconlab.assess.metrics import as_array

Floats = NDArray[np.float64]
Criterion = Literal["1/7", "0.5", "half-bit", "sigma"]
CRITERIA: tuple[Criterion, ...] = ("1/7", "0.5", "half-bit", "sigma")


@dataclass(frozen=True, eq=False)
class ShellCorrelation:
    """A correlation per shell of spatial frequency.

    Args:
        frequency: mean frequency of each shell in cycles/µm; the shell of frequency 0 is left out.
        correlation: Re Σ F₁F₂* / √(Σ|F₁|² Σ|F₂|²).
        samples: Fourier samples in the shell, both halves of the symmetric spectrum counted.
    """

    frequency: Floats
    correlation: Floats
    samples: Floats

    def threshold(self, criterion: Criterion = "1/7", sigmas: float = 3.0) -> Floats:
        """The threshold in each shell of n samples (van Heel & Schatz 2005, doi:10.1016/j.jsb.2005.05.009).

        ``1/7``: constant, for halves of the data. ``0.5``: constant, for a comparison with the truth, where it is the
        same signal-to-noise ratio. ``half-bit``: (0.2071 + 1.9102/√n)/(1.2071 + 0.9102/√n), for halves. ``sigma``:
        ``sigmas``/√(n/2), the level that pure noise does not reach.
        """
        root = np.sqrt(self.samples)
        if criterion == "half-bit":
            return np.asarray((0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root), np.float64)
        if criterion == "sigma":
            return np.minimum(sigmas * math.sqrt(2) / root, 1.0)
        if criterion not in CRITERIA:
            raise ValueError(f"Unknown criterion {criterion!r}. There are: {', '.join(CRITERIA)}.")
        return np.full(len(root), 1 / 7 if criterion == "1/7" else 0.5)

    def crossing(self, criterion: Criterion = "1/7", sigmas: float = 3.0) -> float | None:
        """The first frequency (cycles/µm) at which the correlation falls below the threshold; None if it never does."""
        above = self.correlation - self.threshold(criterion, sigmas)
        below = np.flatnonzero(above < 0)
        if len(below) == 0:
            return None
        i = int(below[0])
        if i == 0:
            return float(self.frequency[0])
        part = above[i - 1] / (above[i - 1] - above[i])
        return float(self.frequency[i - 1] + part * (self.frequency[i] - self.frequency[i - 1]))

    def resolution_um(self, criterion: Criterion = "1/7", sigmas: float = 3.0) -> float | None:
        """1/crossing in µm: the finest period that is supported; None if the sampling is what limits it."""
        crossing = self.crossing(criterion, sigmas)
        return None if crossing is None else 1 / crossing

    def of_both_halves(self) -> ShellCorrelation:
        """The correlation that two measurements with twice the light would have: 2c/(1 + c)."""
        doubled = 2 * self.correlation / (1 + np.maximum(self.correlation, -0.999))
        return ShellCorrelation(self.frequency, doubled, self.samples)


def fourier_correlation(
    first: Any,
    second: Any,
    voxel_um: Sequence[float],
    *,
    axis: int | None = None,
    half_angle: float = 30.0,
    window: Literal["hann", "none"] = "hann",
) -> ShellCorrelation:
    """Fourier ring (2-D) or shell (3-D) correlation of two images.

    Between two halves of the data (independent noise) E[FRC] = S/(S+N) per half; of an image against the truth it is
    √(S/(S+N)). It says up to which frequency the images agree, not how strong that frequency is: correct a blur, and
    it does not change. Restored halves share their PSF and prior, which correlates what these invented.

    Args:
        first, second: images of equal shape, 1-D to 3-D.
        voxel_um: size of a voxel; shells are of equal physical frequency, one per 1/(largest side) or coarser.
        axis: only frequencies within ``half_angle`` of this axis: the resolution along it (sectioned correlation).
        half_angle: degrees.
        window: ``hann`` keeps the borders' jumps out of the spectrum (and correlates neighbouring samples, which makes
            the thresholds somewhat lenient); ``none`` for images that are periodic.

    Raises:
        ValueError: shapes that differ, values that are not finite, an axis or angle out of range.
    """
    from scipy import fft

    a, b = as_array(first), as_array(second)
    voxel = tuple(float(v) for v in voxel_um)
    _check(a, b, voxel, axis, half_angle, window)
    tapers = [np.hanning(n + 2)[1:-1] if window == "hann" else np.ones(n) for n in a.shape]
    taper = reduce(np.multiply, np.ix_(*tapers))
    f = fft.rfftn((a - a.mean()) * taper)
    g = fft.rfftn((b - b.mean()) * taper)
    grids = [fft.fftfreq(n, v) for n, v in zip(a.shape[:-1], voxel[:-1], strict=True)]
    grids.append(fft.rfftfreq(a.shape[-1], voxel[-1]))
    mesh = np.ix_(*grids)
    radius = np.sqrt(sum(k * k for k in mesh))
    twice = np.full(len(grids[-1]), 2.0)  # the half of the spectrum that is not stored
    twice[0] = 1.0
    if a.shape[-1] % 2 == 0:
        twice[-1] = 1.0
    weight = np.broadcast_to(twice, radius.shape)
    nyquist = max(0.5 / v for v in voxel) if axis is None else 0.5 / voxel[axis]
    keep = radius <= nyquist * (1 + 1e-9)
    if axis is not None:
        keep &= np.abs(mesh[axis]) >= radius * math.cos(math.radians(half_angle)) - 1e-12
    sides = [n * v for n, v in zip(a.shape, voxel, strict=True)]
    width = 1 / (min(sides) if axis is None else sides[axis])
    shell = np.rint(radius / width).astype(np.intp)[keep]

    def total(values: Any) -> Floats:
        return np.bincount(shell, (np.broadcast_to(values, radius.shape) * weight)[keep]).astype(np.float64)

    samples = total(1.0)
    used = np.flatnonzero(samples > 0)
    used = used[used > 0]
    cross, power = total((f * g.conj()).real), total(np.abs(f) ** 2) * total(np.abs(g) ** 2)
    correlation = cross[used] / np.sqrt(np.maximum(power[used], np.finfo(np.float64).tiny))
    return ShellCorrelation(total(radius)[used] / samples[used], correlation, samples[used])


def sectioned(
    first: Any, second: Any, voxel_um: Sequence[float], *, half_angle: float = 30.0,
    window: Literal["hann", "none"] = "hann",
) -> dict[str, ShellCorrelation]:  # fmt: skip
    """``fourier_correlation`` along each axis by its name, z y x: axial against lateral resolution."""
    names = "zyx"[-len(tuple(voxel_um)) :]
    return {
        name: fourier_correlation(first, second, voxel_um, axis=axis, half_angle=half_angle, window=window)
        for axis, name in enumerate(names)
    }


def _check(
    a: Floats, b: Floats, voxel: tuple[float, ...], axis: int | None, half_angle: float, window: str
) -> None:  # fmt: skip
    if a.shape != b.shape:
        raise ValueError(f"The images have shapes {a.shape} and {b.shape}; a correlation needs equal ones.")
    if a.ndim not in (1, 2, 3) or len(voxel) != a.ndim or any(not v > 0 for v in voxel):
        raise ValueError(f"voxel_um must be one size > 0 for each of the {a.ndim} (1 to 3) axes, not {voxel}.")
    if not (np.all(np.isfinite(a)) and np.all(np.isfinite(b))):
        raise ValueError("A Fourier correlation needs finite values; one of the images holds NaN or infinity.")
    if axis is not None and axis not in range(a.ndim):
        raise ValueError(f"axis must be None or 0 to {a.ndim - 1}, not {axis}.")
    if not 0 < half_angle <= 90:
        raise ValueError(f"half_angle must be > 0 and <= 90 degrees, not {half_angle:g}.")
    if window not in ("hann", "none"):
        raise ValueError(f"Unknown window {window!r}. There are: hann, none.")
