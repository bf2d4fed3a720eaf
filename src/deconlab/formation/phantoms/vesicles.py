"""Vesicles: many small hollow balls of different sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt, Um


@dataclass(frozen=True)
class Vesicles(Phantom):
    """Stained spherical membranes (circles in 2-D) with log-normal diameters, of constant light per area."""

    dimensions = (2, 3)

    count: Annotated[int, Gt(0), Doc("number of vesicles in the field of view")] = 60
    diameter_um: Annotated[Um, Gt(0), Doc("median diameter")] = 0.4
    diameter_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of the diameter")] = 0.3

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        grid = canvas.grid
        self.must_fit(self.diameter_um, grid, "a vesicle")
        positions = scatter(rng, grid, self.count)
        radii = self.diameter_um / 2 * np.exp(self.diameter_spread * rng.standard_normal(len(positions)))
        pitch = float(canvas.voxel.min()) / 3
        for centre, radius in zip(positions, radii, strict=True):
            area = 4 * np.pi * radius**2 if grid.ndim == 3 else 2 * np.pi * radius
            points = max(128, round(area / pitch ** (grid.ndim - 1)))
            k = np.arange(points) + 0.5
            if grid.ndim == 2:
                angle = 2 * np.pi * k / points
                unit = np.stack([np.sin(angle), np.cos(angle)], axis=1)
            else:  # the golden spiral spreads points evenly over a sphere
                z, angle = 1 - 2 * k / points, k * np.pi * (3 - np.sqrt(5))
                unit = np.stack([z, *(np.sqrt(1 - z * z) * turn for turn in (np.sin(angle), np.cos(angle)))], axis=1)
            canvas.points(centre + radius * unit, area / points)
