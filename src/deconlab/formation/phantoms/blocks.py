"""A train of blocks: a piecewise constant 1-D signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats, overlap
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt, Um


@dataclass(frozen=True)
class Blocks(Phantom):
    """Intervals of random width with log-normal heights; where they overlap they add up. Drawn by exact overlaps."""

    dimensions = (1,)

    count: Annotated[int, Gt(0), Doc("number of blocks in the field of view")] = 6
    width_um: Annotated[Um, Gt(0), Doc("mean width of a block; widths are uniform from 0.5 to 1.5 of it")] = 1.0
    height_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of the height")] = 0.5

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self.must_fit(1.5 * self.width_um, canvas.grid, "a block")
        positions = scatter(rng, canvas.grid, self.count)
        widths = self.width_um * (0.5 + rng.random(len(positions)))
        heights = np.exp(self.height_spread * rng.standard_normal(len(positions)))
        for centre, width, height in zip(positions, widths, heights, strict=True):

            def block(x: Sequence[Floats], voxel: Floats, half: float = width / 2) -> Floats:
                return overlap(x[0], half, float(voxel[0]))

            canvas.solid(centre, width / 2, block, float(height * width))
