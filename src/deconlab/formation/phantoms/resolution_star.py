"""Siemens star: spokes whose spacing shrinks towards the centre, for reading off the resolution in every direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats, covered, overlap
from deconlab.formation.phantom import Phantom
from deconlab.units import Doc, Ge, Gt, Um

_PARTS = 4  # sub-voxels per axis: the spokes get finer than any voxel


@dataclass(frozen=True)
class ResolutionStar(Phantom):
    """A star of ``spokes`` bright sectors in the centre of the field; at radius r its period is 2πr/spokes.

    In 3-D a disc of ``thickness_um`` that lies in the plane. Its centre, finer than a voxel, is grey.
    """

    dimensions = (2, 3)

    spokes: Annotated[int, Ge(2), Doc("number of bright sectors")] = 36
    diameter_um: Annotated[Um, Gt(0), Doc("diameter of the star")] = 6.0
    thickness_um: Annotated[Um, Gt(0), Doc("thickness of the disc in 3-D")] = 0.2

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:  # noqa: ARG002
        grid = canvas.grid
        radius = self.diameter_um / 2
        half = np.array([self.thickness_um / 2, radius, radius])[-grid.ndim :]
        self.must_fit(2 * half, grid, "the star")

        def outline(x: Sequence[Floats]) -> Floats:
            r = np.hypot(x[0], x[1])
            spokes = -r / self.spokes * np.cos(self.spokes * np.arctan2(x[0], x[1]))
            edge: Floats = np.maximum(r - radius, spokes)
            return edge

        def density(x: Sequence[Floats], voxel: Floats) -> Floats:
            y, x_ = x[-2].reshape(-1, 1), x[-1].reshape(1, -1)
            star = np.zeros((y.size, x_.size))
            shifts = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
            for dy in shifts * voxel[-2]:
                for dx in shifts * voxel[-1]:
                    star += covered(outline, (y + dy, x_ + dx), voxel[-2:] / _PARTS)
            if len(x) == 2:
                return star
            solid: Floats = overlap(x[0], self.thickness_um / 2, float(voxel[0])) * star
            return solid

        canvas.solid(grid.field_um / 2, half, density, np.pi * radius**2 / 2)
