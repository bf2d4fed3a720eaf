"""A spike train: a sparse 1-D signal, as of a seismic trace or a spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt


@dataclass(frozen=True)
class Spikes(Phantom):
    """Points on a line with log-normal heights."""

    dimensions = (1,)

    count: Annotated[int, Gt(0), Doc("number of spikes in the field of view")] = 12
    height_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of the height")] = 0.7

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        positions = scatter(rng, canvas.grid, self.count)
        canvas.points(positions, np.exp(self.height_spread * rng.standard_normal(len(positions))))
