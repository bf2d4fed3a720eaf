"""The base of all phantoms: a scene of known truth in physical units, drawn on any grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from deconlab import schema
from deconlab.formation.canvas import Canvas, Floats
from deconlab.formation.grid import Grid


class Phantom(ABC):
    """A frozen dataclass of sizes and counts whose ``render`` draws light on a grid.

    The scene is a function of (parameters, field of view, seed) alone: drawn on a finer grid or with a wider margin it
    is the same scene, better resolved or seen further. Scattered phantoms go on for one field of view beyond each
    side, at the same density, so that light from outside the field reaches the measurement.

    Lengths are µm in the object; in 2-D astronomical phantoms, µm on the detector.
    """

    dimensions: ClassVar[tuple[int, ...]] = (3,)

    def __post_init__(self) -> None:
        schema.check(self)

    def render(self, grid: Grid, seed: int = 0) -> NDArray[np.float32]:
        """The light of each fine voxel, margins included: float32, ≥ 0, in relative units, shape ``grid.fine_shape``.

        ValueError if the phantom is not made for the grid's dimension, or does not fit into its field of view.
        """
        name = type(self).__name__
        if grid.ndim not in self.dimensions:
            made = " or ".join(f"{d}-D" for d in self.dimensions)
            raise ValueError(f"{name} is made for {made}, not for the {grid.ndim}-D shape {grid.shape}.")
        canvas = Canvas(grid)
        self.draw(canvas, np.random.default_rng(seed))
        np.maximum(canvas.image, 0, out=canvas.image)
        return canvas.image

    @abstractmethod
    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        """Add the phantom's light to ``canvas``; randomness from ``rng``, never dependent on the grid's fineness."""

    def must_fit(self, size_um: float | Floats, grid: Grid, what: str) -> None:
        """ValueError if something of ``size_um`` is larger than the field of view."""
        size = np.broadcast_to(np.asarray(size_um, np.float64), (grid.ndim,))
        if np.any(size > grid.field_um):
            raise ValueError(
                f"{type(self).__name__}: {what} of {_sizes(size)} µm lies outside the field of view of "
                f"{_sizes(grid.field_um)} µm. Enlarge shape or voxel_um, or make it smaller."
            )


def scatter(rng: np.random.Generator, grid: Grid, count: int) -> Floats:
    """Random positions (N, d): ``count`` in the field of view, then those of its surroundings, at the same density."""
    field = grid.field_um
    inside = rng.random((count, grid.ndim)) * field
    around = (3 * rng.random((count * 3**grid.ndim, grid.ndim)) - 1) * field
    outside = np.any((around < 0) | (around > field), axis=1)
    return np.concatenate([inside, around[outside]])


def _sizes(values: Floats) -> str:
    return " × ".join(f"{value:g}" for value in values)
