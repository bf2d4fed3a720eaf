"""Pupils of any shape: the field of a point by a zoomed Fourier transform from the pupil's plane.

    E(x, y, z) = ∫∫ P(qx, qy) exp(i k [L(q) - z a(q)]) exp(i k (qx x + qy y)) dqx dqy

The pupil is sampled on an even Cartesian grid, and the transform is evaluated at the very places of the pixels: the same
sums as a chirp-Z transform, by two matrix products (faster than chirps at these sizes, and free in its places: the
points inside a pixel over which its area is integrated). The edge of the aperture is not a staircase: a disc, or any box
cut from it, is integrated exactly against the cubic interpolant of the samples, so edges err as the fourth power of the
step. Differentiable in the pupil's phase and amplitude, in L, a and z.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.floating]

_MARGIN = 3  # samples beyond the edge, which the cubic interpolant reaches
_MOST = 2048


@dataclass(frozen=True)
class Box:
    """The part of a ring ``hole`` < |q| < ``stop`` that lies in low < qx < high and low < qy < high."""

    stop: float
    hole: float = 0.0
    x: tuple[float, float] = (-math.inf, math.inf)
    y: tuple[float, float] = (-math.inf, math.inf)


@dataclass(frozen=True, eq=False)
class Plane:
    """An even grid over the pupil: coordinates q (rows are qy), symmetric about 0, ``step`` apart."""

    q: Tensor
    step: float

    @property
    def qy(self) -> Tensor:
        return self.q[:, None]

    @property
    def qx(self) -> Tensor:
        return self.q[None, :]

    @property
    def radius(self) -> Tensor:
        return torch.sqrt(self.qy**2 + self.qx**2)

    def weights(self, box: Box) -> Tensor:
        """∫∫ over the box of the cubic interpolant of each sample: Σ weights × f is the integral of f to O(step⁴)."""
        return torch.from_numpy(_weights(len(self.q), self.step, box))


@lru_cache(maxsize=16)
def _weights(count: int, step: float, box: Box) -> Array:
    """See :meth:`Plane.weights`; kept for the next call, so not to be written to."""
    if box.hole > 0:
        return _weights(count, step, replace(box, hole=0.0)) - _weights(count, step, Box(box.hole, 0.0, box.x, box.y))
    total = np.zeros((count, count))
    low, high = max(box.y[0], -box.stop), min(box.y[1], box.stop)
    if low >= high or box.x[0] >= box.x[1]:
        return total
    first, last = math.asin(max(-1.0, low / box.stop)), math.asin(min(1.0, high / box.stop))
    ends = np.array([first, last])
    for limit in box.x:  # the chord is cut by the box from here on: no smooth function of the height across it
        if abs(limit) < box.stop:
            corner = math.acos(min(1.0, abs(limit) / box.stop))
            ends = np.append(ends, [corner, -corner])
    ends = np.unique(ends[(ends >= first) & (ends <= last)])
    q = _samples(count, step)
    for start, end in itertools.pairwise(ends):
        nodes, gauss = _fine(start, end, max(8, math.ceil(3 * count * (end - start) / math.pi)))
        y, half = box.stop * np.sin(nodes), box.stop * np.cos(nodes)
        right = np.minimum(half, box.x[1])
        left = np.minimum(np.maximum(-half, box.x[0]), right)
        across = _summed((right[:, None] - q) / step) - _summed((left[:, None] - q) / step)
        along = _cubic((y[:, None] - q) / step) * (gauss * half)[:, None]
        total += along.T @ across * step
    return total


def _samples(count: int, step: float) -> Array:
    """``count`` even samples about 0."""
    return (np.arange(count) - (count - 1) / 2) * step


def plane(stop: float, widest_phase: float, root: float = math.inf, least: int = 256) -> Plane:
    """A grid fine enough for a phase of ``widest_phase`` radians from the pupil's middle to its edge, to 1e-5 of the peak.

    ``root`` is the lowest index, where √(n² - q²) has its root: near the edge it asks for a finer grid, and within the
    pupil, where rays turn evanescent, no cubic follows it, so that 1e-3 is reached. ``least`` is the number of samples
    across that the pupil needs by itself. Raises ValueError beyond 2048 samples.
    """
    finer = 2.0 if stop > 0.999 * root else 1.5 if stop > 0.94 * root else 1.0
    count = 64 * math.ceil(finer * max(least, 2.5 * widest_phase) / 64)
    if count > _MOST:
        raise ValueError(
            f"The PSF would need a pupil of {count} samples across (at most {_MOST}): its phase swings by "
            f"{widest_phase:.0f} rad over this grid. Render a smaller grid, or check that the lengths are in µm."
        )
    step = 2 * stop / count
    return Plane(torch.from_numpy(_samples(count + 2 * _MARGIN, step)), step)


def intensity(
    pupil: list[Tensor],
    at: Plane,
    phase: Callable[[float | Tensor], Tensor],
    wavenumber: float,
    z_um: Tensor,
    y_um: Tensor,
    x_um: Tensor,
) -> Iterator[Tensor]:
    """Σ |E|² over the fields whose weighted pupils are given, one plane (y, x) at a time; ``phase(z)`` in radians."""
    rows = torch.exp(1j * wavenumber * y_um[:, None] * at.q)
    columns = torch.exp(1j * wavenumber * at.q[:, None] * x_um)
    for z in z_um:
        turned = torch.exp(1j * phase(z))
        total: Tensor | None = None
        for part in pupil:
            field = rows @ (part * turned) @ columns
            light = field.real**2 + field.imag**2
            total = light if total is None else total + light
        assert total is not None  # a pupil has at least one field
        yield total


def energy(pupil: list[Tensor], weights: Tensor, faded: Tensor, wavenumber: float) -> Tensor:
    """∫∫ Σ |E|² dx dy by Parseval's theorem; ``faded`` is the part of the intensity that evanescent rays keep."""
    total = torch.zeros((), dtype=torch.float64)
    for part in pupil:
        total = total + (weights * faded * (part.real**2 + part.imag**2)).sum()
    return (2 * math.pi / wavenumber) ** 2 * total


def _fine(first: float, last: float, count: int) -> tuple[Array, Array]:
    """Gauss points in many short pieces: the interpolant is smooth only in pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(4)
    edges = np.linspace(first, last, count + 1)
    half = np.diff(edges) / 2
    return (
        (edges[:-1, None] + half[:, None] * (nodes + 1)).ravel(),
        (half[:, None] * weights).ravel(),
    )


def _cubic(u: Array) -> Array:
    """The kernel of cubic Lagrange interpolation between even samples."""
    a = np.abs(u)
    inner = (1 - a**2) * (2 - a) / 2
    outer = (1 - a) * (2 - a) * (3 - a) / 6
    return np.where(a < 1, inner, np.where(a < 2, outer, 0.0))


def _summed(u: Array) -> Array:
    """∫ of the kernel from -∞ to u."""
    a = np.minimum(np.abs(u), 2.0)
    inner = a - a**2 / 4 - a**3 / 3 + a**4 / 8
    outer = a - 11 / 12 * a**2 + a**3 / 3 - a**4 / 24
    middle, edge = 1 - 1 / 4 - 1 / 3 + 1 / 8, 1 - 11 / 12 + 1 / 3 - 1 / 24
    half = np.where(a < 1, inner, middle + outer - edge)
    return 0.5 + np.sign(u) * half
