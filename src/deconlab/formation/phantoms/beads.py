"""Fluorescent beads, of a given diameter or point-like, scattered or at given places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt, Um


@dataclass(frozen=True)
class Beads(Phantom):
    """Homogeneous balls (discs in 2-D), each with the same total light, up to ``brightness_spread``.

    ``positions_um`` puts them at given places of the field (one tuple per bead, in the order of the axes) instead of
    random ones; ValueError if one of them, or a bead itself, lies outside the field of view.
    """

    dimensions = (1, 2, 3)

    count: Annotated[int, Gt(0), Doc("number of beads in the field of view")] = 20
    diameter_um: Annotated[Um, Ge(0), Doc("diameter of a bead; 0 for points")] = 0.1
    brightness_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of a bead's brightness")] = 0.0
    positions_um: tuple[tuple[float, ...], ...] = ()

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        grid = canvas.grid
        self.must_fit(self.diameter_um, grid, "a bead")
        if self.positions_um:
            positions = np.array(self.positions_um, np.float64)
            for place in positions:
                if len(place) != grid.ndim or np.any(place < 0) or np.any(place > grid.field_um):
                    raise ValueError(
                        f"Beads: the position {tuple(place.tolist())} µm lies outside the field of view of "
                        f"{tuple(grid.field_um.tolist())} µm. Each coordinate must be between 0 and the field's size."
                    )
        else:
            positions = scatter(rng, grid, self.count)
        brightness = np.exp(self.brightness_spread * rng.standard_normal(len(positions)))
        if self.diameter_um == 0:
            canvas.points(positions, brightness)
        else:
            for place, light in zip(positions, brightness, strict=True):
                canvas.ball(place, self.diameter_um, float(light))
