"""Point sources over decades of brightness: a field of stars, or of single molecules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt


@dataclass(frozen=True)
class PointSources(Phantom):
    """Points whose light is spread evenly in its logarithm over ``decades``."""

    dimensions = (2,)

    count: Annotated[int, Gt(0), Doc("number of sources in the field of view")] = 100
    decades: Annotated[float, Ge(0), Doc("log10 of the ratio of the brightest to the faintest source")] = 4.0

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        positions = scatter(rng, canvas.grid, self.count)
        canvas.points(positions, 10 ** (-self.decades * rng.random(len(positions))))
