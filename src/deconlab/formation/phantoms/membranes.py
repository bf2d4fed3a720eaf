"""Membranes: thin undulating sheets that cross the field."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom
from deconlab.formation.texture import Waves
from deconlab.units import Doc, Ge, Gt, Um


@dataclass(frozen=True)
class Membranes(Phantom):
    """Sheets far thinner than a voxel (lines in 2-D), randomly turned, of constant light per area, running on
    beyond the field: height g over a plane, with g a smooth Gaussian field."""

    dimensions = (2, 3)

    count: Annotated[int, Gt(0), Doc("number of membranes that cross the field of view")] = 4
    amplitude_um: Annotated[Um, Ge(0), Doc("standard deviation of a membrane's height over its plane")] = 0.3
    bend_um: Annotated[Um, Gt(0), Doc("length over which a membrane bends")] = 2.0

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        grid = canvas.grid
        self.must_fit(self.amplitude_um, grid, "a membrane's undulation")
        pitch = float(canvas.voxel.min()) / 2
        for _ in range(self.count):
            anchor = rng.random(grid.ndim) * grid.field_um
            frame = np.linalg.qr(rng.standard_normal((grid.ndim, grid.ndim)))[0]
            normal, plane = frame[0], frame[1:]
            waves = Waves.draw(rng, 24, grid.ndim - 1, self.bend_um)
            # the part of the lattice whose sheet can lie in the grid: the grid's corners seen from the plane
            corners = np.array(list(product(*zip(grid.origin_um, grid.end_um, strict=True)))) - anchor
            seen, reach = corners @ plane.T, float(np.linalg.norm(canvas.voxel))  # a point lights its neighbours
            steps = [
                np.arange(np.floor((low - reach) / pitch), np.ceil((high + reach) / pitch) + 1) * pitch
                for low, high in zip(seen.min(axis=0), seen.max(axis=0), strict=True)
            ]
            height = self.amplitude_um * waves.on_grid(steps)
            slope = [self.amplitude_um * waves.on_grid(steps, axis) for axis in range(len(steps))]
            stretch = np.sqrt(1 + sum(part**2 for part in slope))
            points = anchor + height.reshape(-1, 1) * normal
            for axis, (step, direction) in enumerate(zip(steps, plane, strict=True)):
                along = step.reshape([-1 if i == axis else 1 for i in range(len(steps))])
                points += np.broadcast_to(along, height.shape).reshape(-1, 1) * direction
            canvas.points(points, stretch.reshape(-1) * pitch ** len(steps))
