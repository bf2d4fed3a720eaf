"""Hollow bars: parallel square tubes, the classical phantom of deconvolution microscopy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats, overlap
from deconlab.formation.phantom import Phantom
from deconlab.units import Doc, Ge, Gt, Um


@dataclass(frozen=True)
class HollowBars(Phantom):
    """Square tubes along y, side by side along x, alternately higher and lower, of constant light per volume of wall.

    Drawn by exact overlaps of boxes and voxels. By default the bars run on beyond the field on both sides.
    """

    dimensions = (3,)

    count: Annotated[int, Gt(0), Doc("number of bars")] = 6
    width_um: Annotated[Um, Gt(0), Doc("outer width and height of a bar")] = 1.0
    wall_um: Annotated[Um, Gt(0), Doc("thickness of the wall")] = 0.2
    gap_um: Annotated[Um, Ge(0), Doc("space between neighbouring bars")] = 0.6
    step_um: Annotated[Um, Ge(0), Doc("difference in height between neighbouring bars")] = 0.6
    length_um: Annotated[Um | None, Gt(0), Doc("length of the bars; none: three fields of view")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if 2 * self.wall_um >= self.width_um:
            raise ValueError(
                f"HollowBars: two walls of wall_um = {self.wall_um:g} fill a bar of width_um = {self.width_um:g}; "
                "a bar is hollow. Make the wall thinner than half of the width."
            )

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:  # noqa: ARG002
        grid = canvas.grid
        pitch = self.width_um + self.gap_um
        extent = np.array([self.width_um + self.step_um, self.length_um or 0.0, self.count * pitch - self.gap_um])
        self.must_fit(extent, grid, "the block of bars")
        length = self.length_um or 3 * float(grid.field_um[1])
        outer, inner = self.width_um / 2, self.width_um / 2 - self.wall_um

        def wall(x: Sequence[Floats], voxel: Floats) -> Floats:
            across = [
                overlap(x[0], half, voxel[0]) * overlap(x[2], half, voxel[2]) for half in (outer, inner)
            ]  # fmt: skip
            return overlap(x[1], length / 2, voxel[1]) * (across[0] - across[1])

        volume = length * (self.width_um**2 - (2 * inner) ** 2)
        for i in range(self.count):
            centre = grid.field_um / 2
            centre[0] += self.step_um * (0.5 if i % 2 else -0.5)
            centre[2] += (i - (self.count - 1) / 2) * pitch
            canvas.solid(centre, (outer, length / 2, outer), wall, volume)
