"""From a radial profile to pixels, by symmetry and one short weighted sum per pixel.

The profile is known on a fine, even grid of radii. A pixel's value is Σ weights × profile over a window of it:
Lagrange interpolation at the pixel's centre, or at the Gauss points of its area, folded into one window. So integrating
over the pixel costs the same as sampling it, and the weights serve all planes. Only pixels of one octant (one quadrant,
if pixels are not square) are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.floating]

_TAPS = 10
_CHUNK = 2**18  # sample points whose weights are computed at once


@dataclass(frozen=True, eq=False)
class Cell:
    """Where a pixel is sampled along one side, as parts of the side from its centre, and with which weights (sum 1)."""

    points: Array
    weights: Array


POINT = Cell(np.zeros(1), np.ones(1))


def area(pixel_um: float, cutoff: float, extra: int = 4) -> Cell:
    """Gauss points that integrate a function of frequencies up to ``cutoff`` (per µm) over a pixel, to 1e-8 (extra 3: 1e-6)."""
    points, weights = np.polynomial.legendre.leggauss(math.ceil(math.pi * cutoff * pixel_um / 2) + extra)
    return Cell(points / 2, weights / 2)


class Lateral:
    """Pixels ``shape`` of size ``pixel_um`` (y, x) about the voxel ``n // 2``, from a profile on ``self.r_um``."""

    def __init__(
        self, shape: tuple[int, int], pixel_um: tuple[float, float], cutoff: float, cell: Cell, twofold: bool = False
    ) -> None:
        self.shape, self.step = shape, step_um(cutoff)
        quadrant = (shape[0] // 2 + 1) * (shape[1] // 2 + 1)
        longest = max(shape) // 2 + 1
        octant = longest * (longest + 1) // 2
        self._square = pixel_um[0] == pixel_um[1] and octant < quadrant and not twofold
        if self._square:
            row, column = np.tril_indices(longest)
        else:
            row, column = (side.ravel() for side in np.indices((shape[0] // 2 + 1, shape[1] // 2 + 1)))
        far = (max(row) + 0.5) * pixel_um[0], (max(column) + 0.5) * pixel_um[1]
        self.r_um = radii(math.hypot(*far), self.step)
        y, x = row * pixel_um[0], column * pixel_um[1]
        self._start, self._weights = _windows(y, x, pixel_um, self.step, cell)
        self._twofold = _windows(y, x, pixel_um, self.step, cell, twofold=True)[1] if twofold else None

    def pixels(self, profile: Tensor, dtype: torch.dtype, device: torch.device | None) -> Tensor:
        """(planes, radii) -> (planes, y, x). The sum over the window is float64; ``profile`` may require gradients."""
        return self._spread(_gather(profile, self._start, self._weights), dtype, device)

    def twofold(self, profile: Tensor, dtype: torch.dtype, device: torch.device | None) -> Tensor:
        """As :meth:`pixels`, of profile × cos 2φ, φ being the angle from the x axis."""
        if self._twofold is None:
            raise ValueError("This Lateral was made without twofold=True: it has no weights for cos 2φ.")
        return self._spread(_gather(profile, self._start, self._twofold), dtype, device)

    def _spread(self, values: Tensor, dtype: torch.dtype, device: torch.device | None) -> Tensor:
        values = values.to(dtype=dtype, device=device).contiguous()
        return values.index_select(1, self._index().to(values.device)).view(len(values), *self.shape)

    def _index(self) -> Tensor:
        row = (torch.arange(self.shape[0]) - self.shape[0] // 2).abs()[:, None]
        column = (torch.arange(self.shape[1]) - self.shape[1] // 2).abs()[None]
        if not self._square:
            return (row * (self.shape[1] // 2 + 1) + column).flatten()
        larger, smaller = torch.maximum(row, column), torch.minimum(row, column)
        return (larger * (larger + 1) // 2 + smaller).flatten()


def step_um(cutoff: float) -> float:
    """Step of the radial grid: 16 nodes in the shortest period of the profile."""
    return 1 / (16 * cutoff)


def radii(reach_um: float, step: float) -> Tensor:
    """The grid of radii that serves interpolation up to ``reach_um``."""
    return torch.arange(math.ceil(reach_um / step) + _TAPS, dtype=torch.float64) * step


def at_points(profile: Tensor, step: float, y_um: Array, x_um: Array) -> Tensor:
    """The profile (…, radii) at places in any shape: (…, places)."""
    start, weights = _windows(y_um.ravel(), x_um.ravel(), (0.0, 0.0), step, POINT)
    return _gather(profile.flatten(0, -2), start, weights).reshape(*profile.shape[:-1], -1)


@lru_cache(maxsize=4)
def averaging(count: int, step: float, rings: tuple[Ring, ...], cutoff: float) -> tuple[Tensor, Tensor]:
    """(radii, matrix): a profile on these radii, times the matrix, is the profile convolved with rings, at 0, step, 2 step …

    A profile of frequencies up to ``cutoff`` is averaged over each ring by the trapezoidal rule, to rounding. The result,
    at ``count`` radii, is kept for the next call: it must not be written to.
    """
    r_um = np.arange(count) * step
    far = float(r_um[-1])
    inner = radii(far + max(ring.radius_um for ring in rings), step)
    total = np.zeros(len(inner) * count)
    for ring in rings:
        angles = 1 if ring.radius_um == 0 else math.ceil(math.pi * cutoff * min(ring.radius_um, far)) + 8
        angle = (np.arange(angles) + 0.5) * math.pi / angles  # the other half circle is the mirror image
        y, x = ring.radius_um * np.sin(angle), r_um[:, None] + ring.radius_um * np.cos(angle)
        start, weights = _windows(np.broadcast_to(y, x.shape).ravel(), x.ravel(), (0.0, 0.0), step, POINT)
        node = np.abs(start.numpy()[:, None] + np.arange(_TAPS) - (_TAPS - 1))
        column = np.repeat(np.arange(count), angles)[:, None]
        share = weights.numpy() * (ring.share / angles)
        total += np.bincount((node * count + column).ravel(), share.ravel(), minlength=len(total))
    return inner, torch.from_numpy(total.reshape(len(inner), count))


@dataclass(frozen=True)
class Ring:
    """A circle over which light is spread evenly."""

    radius_um: float
    share: float


def disc(radius_um: float, cutoff: float) -> tuple[Ring, ...]:
    """Rings that integrate over a disc of unit light, for :func:`averaging`."""
    if radius_um == 0:
        return (Ring(0.0, 1.0),)
    points, weights = np.polynomial.legendre.leggauss(math.ceil(math.pi * cutoff * radius_um / 2) + 6)
    s, w = (points + 1) / 2, weights / 2
    return tuple(Ring(radius_um * float(a), float(b * 2 * a)) for a, b in zip(s, w, strict=True))


def _gather(profile: Tensor, start: Tensor, weights: Tensor) -> Tensor:
    table = torch.cat([profile[:, 1:_TAPS].flip(1), profile], dim=1).T.contiguous()  # I(-r) = I(r)
    window = start[:, None] + torch.arange(weights.shape[1])
    return torch.nn.functional.embedding_bag(window, table, per_sample_weights=weights, mode="sum").T


def _windows(
    y: Array, x: Array, pixel_um: tuple[float, float], step: float, cell: Cell, twofold: bool = False
) -> tuple[Tensor, Tensor]:
    """First entry and weights of each pixel's window into the profile extended by its mirror image."""
    dy, dx = (side.ravel() for side in np.meshgrid(cell.points * pixel_um[0], cell.points * pixel_um[1]))
    area = np.outer(cell.weights, cell.weights).ravel()
    starts, parts = [], []
    for first in range(0, len(y), max(1, _CHUNK // len(dy))):
        chosen = slice(first, first + max(1, _CHUNK // len(dy)))
        down, right = y[chosen, None] + dy, x[chosen, None] + dx
        radius = np.hypot(down, right)
        position = radius / step
        base = position.astype(np.int64)  # Lagrange nodes: base - TAPS/2 + 1 ... base + TAPS/2
        start = base.min(1)
        share = area * (right**2 - down**2) / np.where(radius > 0, radius, 1.0) ** 2 if twofold else area
        parts.append(_fold(position - base, base - start[:, None], share))
        starts.append(start + _TAPS // 2)  # the mirror image adds TAPS - 1 entries before r = 0
    width = max(part.shape[1] for part in parts)
    weights = np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])
    return torch.from_numpy(np.concatenate(starts)), torch.from_numpy(weights)


def _fold(fraction: Array, shift: NDArray[np.int64], share: Array) -> Array:
    pixels, width = len(fraction), int(shift.max()) + _TAPS
    folded = np.zeros(pixels * width)
    where = shift + (np.arange(pixels) * width)[:, None]
    for tap, weight in enumerate(_lagrange(fraction)):
        folded += np.bincount((where + tap).ravel(), (weight * share).ravel(), minlength=pixels * width)
    return folded.reshape(pixels, width)


def _lagrange(fraction: Array) -> list[Array]:
    """Weights of the nodes -TAPS/2 + 1 ... TAPS/2 at ``fraction`` in [0, 1)."""
    nodes = np.arange(_TAPS) - _TAPS // 2 + 1
    away = [fraction - node for node in nodes]
    before, after = [np.ones_like(fraction)], [np.ones_like(fraction)]
    for distance in away[:-1]:
        before.append(before[-1] * distance)
    for distance in away[:0:-1]:
        after.append(after[-1] * distance)
    scale = [math.prod(int(node - other) for other in nodes if other != node) for node in nodes]
    return [low * high / divisor for low, high, divisor in zip(before, reversed(after), scale, strict=True)]
