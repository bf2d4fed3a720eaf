"""The grids of a simulation: the measurement's, and a finer and larger one on which light is drawn and blurred."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """A field of view of ``shape`` voxels, each cut in ``oversampling`` parts, with ``margin`` voxels around it.

    Coordinates are in µm from the outer corner of the first voxel of the field of view, so that voxel ``i`` spans
    ``i·voxel_um`` to ``(i+1)·voxel_um`` and a scene does not move when it is drawn on a finer or larger grid.

    Args:
        shape: voxels of the field of view, 1 to 3 axes (z, y, x).
        voxel_um: their size in µm, one number per axis.
        oversampling: fine voxels per voxel and axis.
        margin: voxels (of the field's size) on each side, from which light enters the field.
    """

    shape: tuple[int, ...]
    voxel_um: tuple[float, ...]
    oversampling: tuple[int, ...] = ()
    margin: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.shape)
        if n not in (1, 2, 3):
            raise ValueError(f"shape has {n} axes: {self.shape}. A scene is drawn in 1, 2 or 3 dimensions.")
        for name, default in (("oversampling", (1,) * n), ("margin", (0,) * n)):
            if getattr(self, name) == ():
                object.__setattr__(self, name, default)
        for name, least in (("shape", 1), ("oversampling", 1), ("margin", 0)):
            values = tuple(getattr(self, name))
            if len(values) != n or any(int(v) != v or v < least for v in values):
                raise ValueError(f"{name} must be {n} whole numbers >= {least}, one per axis, not {values}.")
            object.__setattr__(self, name, tuple(int(v) for v in values))
        voxel = tuple(float(v) for v in self.voxel_um)
        if len(voxel) != n or any(not math.isfinite(v) or v <= 0 for v in voxel):
            raise ValueError(f"voxel_um must be {n} finite sizes > 0 µm, one per axis, not {voxel}.")
        object.__setattr__(self, "voxel_um", voxel)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def field_um(self) -> NDArray[np.float64]:
        """Size of the field of view."""
        return np.multiply(self.shape, self.voxel_um, dtype=np.float64)

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """Voxels of the fine grid, margins included."""
        return tuple((n + 2 * m) * s for n, m, s in zip(self.shape, self.margin, self.oversampling, strict=True))

    @property
    def fine_voxel_um(self) -> tuple[float, ...]:
        return tuple(v / s for v, s in zip(self.voxel_um, self.oversampling, strict=True))

    @property
    def origin_um(self) -> NDArray[np.float64]:
        """Where the fine grid begins: the outer corner of its first voxel."""
        return np.multiply(self.margin, self.voxel_um, dtype=np.float64) * -1.0

    @property
    def end_um(self) -> NDArray[np.float64]:
        """Where the fine grid ends."""
        end: NDArray[np.float64] = self.field_um - self.origin_um
        return end

    def measure(self, fine: NDArray[Any]) -> NDArray[Any]:
        """The field of view of a fine array on the measurement's voxels: margins cut off, parts summed."""
        inner = tuple(
            slice(m * s, (m + n) * s) for n, m, s in zip(self.shape, self.margin, self.oversampling, strict=True)
        )
        return bin_sum(fine[inner], self.oversampling)


def bin_sum(array: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """Sum blocks of ``factors`` voxels. The sum over the array is kept."""
    shape = [length for n, f in zip(array.shape, factors, strict=True) for length in (n // f, f)]
    summed: NDArray[Any] = array.reshape(shape).sum(axis=tuple(range(1, 2 * array.ndim, 2)))
    return summed
