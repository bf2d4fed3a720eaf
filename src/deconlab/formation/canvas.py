"""Anti-aliased drawing in physical units: every object adds exactly its own total, wherever it lies between voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deconlab.formation.grid import Grid

Floats: TypeAlias = NDArray[np.float64]

_RESOLVED = 8  # fine voxels across, from which on a ball is drawn by its surface rather than by points within
_BALL_POINTS = 16_384


class Canvas:
    """An empty fine grid to draw on. ``image`` is the light drawn so far, per fine voxel.

    Points are shared among the 2ᵈ nearest voxels by linear weights: sum and centroid are exact. Solids are drawn by
    the part of each voxel that they cover, estimated from the implicit function and its differences, then scaled to
    the total that was asked for, before what lies outside the grid is cut away.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.image: NDArray[np.float32] = np.zeros(grid.fine_shape, np.float32)
        self.voxel: Floats = np.array(grid.fine_voxel_um)

    def points(self, positions_um: ArrayLike, weights: ArrayLike) -> None:
        """Add point emitters: ``positions_um`` (N, d) in the field's coordinates, ``weights`` (N,) or one number."""
        positions = np.atleast_2d(np.asarray(positions_um, np.float64))
        weight = np.broadcast_to(np.asarray(weights, np.float64), positions.shape[:1])
        index = (positions - self.grid.origin_um) / self.voxel - 0.5
        near = np.all((index > -1) & (index < np.array(self.image.shape)), axis=1)
        index, weight = index[near], weight[near]
        if len(index) == 0:
            return
        low = np.floor(index).astype(np.intp)
        fraction = index - low
        first = low.min(axis=0)
        box = tuple(int(n) for n in low.max(axis=0) - first + 2)
        dense = np.prod(box) <= 4 * len(low)  # counting in a small box, or adding one by one in a large one
        patch = np.zeros(int(np.prod(box)) if dense else 0)
        for corner in product((0, 1), repeat=self.grid.ndim):
            share = weight.copy()
            for axis, side in enumerate(corner):
                share *= fraction[:, axis] if side else 1 - fraction[:, axis]
            place = low + corner
            if dense:
                flat = np.ravel_multi_index(tuple((place - first).T), box)
                patch += np.bincount(flat, share, minlength=patch.size)
            else:
                inside = np.all((place >= 0) & (place < np.array(self.image.shape)), axis=1)
                np.add.at(self.image, tuple(place[inside].T), share[inside].astype(np.float32))
        if dense:
            self._add(patch.reshape(box), first)

    def solid(
        self,
        centre_um: ArrayLike,
        half_size_um: ArrayLike,
        density: Callable[[Sequence[Floats], Floats], Floats],
        total: float,
    ) -> None:
        """Add a body within ``centre ± half_size``: ``density(coordinates, voxel)``, scaled to ``total``.

        ``coordinates`` are the voxel centres relative to ``centre_um``, one broadcastable array per axis.
        """
        centre = np.asarray(centre_um, np.float64)
        half = np.broadcast_to(np.asarray(half_size_um, np.float64), centre.shape)
        first = np.floor((centre - half - self.grid.origin_um) / self.voxel).astype(np.intp) - 1
        last = np.ceil((centre + half - self.grid.origin_um) / self.voxel).astype(np.intp) + 1
        if np.any(last <= 0) or np.any(first >= np.array(self.image.shape)):
            return
        coordinates = np.ix_(
            *(
                (np.arange(a, b) + 0.5) * v + o - c
                for a, b, v, o, c in zip(first, last, self.voxel, self.grid.origin_um, centre, strict=True)
            )
        )
        patch = density(coordinates, self.voxel)
        patch = np.broadcast_to(patch, tuple(int(n) for n in last - first))
        self._add(patch * (total / patch.sum()), first)

    def ball(self, centre_um: ArrayLike, diameter_um: float, total: float) -> None:
        """Add a homogeneous ball (a disc in 2-D, an interval in 1-D)."""
        centre = np.asarray(centre_um, np.float64)
        if diameter_um >= _RESOLVED * self.voxel.max():
            radius = diameter_um / 2
            self.solid(centre, radius, lambda x, voxel: covered(lambda p: distance(p) - radius, x, voxel), total)
            return
        reach = diameter_um / 2 + self.voxel
        if np.any(centre < self.grid.origin_um - reach) or np.any(centre > self.grid.end_um + reach):
            return
        pairs = int(np.clip(200 * (diameter_um / self.voxel.min()) ** 3, 1000, _BALL_POINTS // 2))
        cloud = (
            _ball_points(self.grid.ndim, pairs) * (diameter_um / 2) if diameter_um > 0 else np.zeros((1, len(centre)))
        )
        self.points(centre + cloud, total / len(cloud))

    def shell(self, centre_um: ArrayLike, diameter_um: float, thickness_um: float, total: float) -> None:
        """Add a hollow ball of outer ``diameter_um`` whose wall is ``thickness_um`` thick, even far below a voxel."""
        outer, inner = diameter_um / 2, max(diameter_um / 2 - thickness_um, 0.0)

        def wall(x: Sequence[Floats], voxel: Floats) -> Floats:
            whole = covered(lambda p: distance(p) - outer, x, voxel)
            return whole - covered(lambda p: distance(p) - inner, x, voxel)

        self.solid(centre_um, outer, wall, total)

    def _add(self, patch: Floats, first: NDArray[np.intp]) -> None:
        into, part = [], []
        for start, length, size in zip(first, patch.shape, self.image.shape, strict=True):
            a, b = max(int(start), 0), min(int(start) + length, size)
            if a >= b:
                return
            into.append(slice(a, b))
            part.append(slice(a - int(start), b - int(start)))
        self.image[tuple(into)] += patch[tuple(part)]


def distance(coordinates: Sequence[Floats]) -> Floats:
    """Distance from the origin."""
    return np.sqrt(sum((x * x for x in coordinates), start=np.zeros(())))


def covered(implicit: Callable[[Sequence[Floats]], Floats], coordinates: Sequence[Floats], voxel: Floats) -> Floats:
    """The part of each voxel that lies where ``implicit`` < 0, to second order in the voxel's size.

    covered = ½ − f/w, within 0 and 1, where w² = Σᵢ(f(x + hᵢ/2) − f(x − hᵢ/2))²: exact where the surface is parallel to
    a face; in other directions the edge has the same second moment as that of the exact covering.
    """
    value = implicit(coordinates)
    width = np.zeros(())
    for axis, h in enumerate(voxel):
        up = [x + h / 2 if i == axis else x for i, x in enumerate(coordinates)]
        down = [x - h / 2 if i == axis else x for i, x in enumerate(coordinates)]
        width = width + (implicit(up) - implicit(down)) ** 2
    return np.clip(0.5 - value / np.maximum(np.sqrt(width), 1e-12), 0.0, 1.0)


def overlap(x: Floats, half: float, voxel: float) -> Floats:
    """The part of each voxel (centred at ``x``, ``voxel`` wide) that lies within ±``half``: exact."""
    inside: Floats = np.minimum(x + voxel / 2, half) - np.maximum(x - voxel / 2, -half)
    return np.clip(inside / voxel, 0.0, 1.0)


@cache
def _ball_points(ndim: int, pairs: int) -> Floats:
    """Evenly spread pairs of opposite points of the unit ball: the R-sequence (Roberts 2018) as radius and angles."""
    generator = 1.0
    for _ in range(64):  # the root of g^(d+1) = g + 1
        generator = (1 + generator) ** (1 / (ndim + 1))
    u = (0.5 + np.outer(np.arange(1, pairs + 1), generator ** -np.arange(1.0, ndim + 1))) % 1.0
    if ndim == 1:
        points = 2 * u - 1
    elif ndim == 2:
        angle = 2 * np.pi * u[:, 1]
        points = np.sqrt(u[:, :1]) * np.stack([np.sin(angle), np.cos(angle)], 1)
    else:
        angle, z = 2 * np.pi * u[:, 1], 2 * u[:, 2] - 1
        rho = np.sqrt(1 - z * z)
        points = np.cbrt(u[:, :1]) * np.stack([z, rho * np.sin(angle), rho * np.cos(angle)], 1)
    return np.concatenate([points, -points])
