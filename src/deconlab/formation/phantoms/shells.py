"""Hollow balls: stained envelopes, the classical test of axial restoration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Gt, Um


@dataclass(frozen=True)
class Shells(Phantom):
    """Spherical shells (rings in 2-D) of constant light per volume of the wall; the top and the bottom of a shell are
    what the missing cone of a widefield microscope takes away."""

    dimensions = (2, 3)

    count: Annotated[int, Gt(0), Doc("number of shells in the field of view")] = 6
    diameter_um: Annotated[Um, Gt(0), Doc("outer diameter of a shell")] = 2.0
    thickness_um: Annotated[Um, Gt(0), Doc("thickness of the wall")] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thickness_um > self.diameter_um / 2:
            raise ValueError(
                f"Shells: thickness_um = {self.thickness_um:g} exceeds the radius {self.diameter_um / 2:g} µm; "
                "a shell is hollow. Use beads for full balls."
            )

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self.must_fit(self.diameter_um, canvas.grid, "a shell")
        for centre in scatter(rng, canvas.grid, self.count):
            canvas.shell(centre, self.diameter_um, self.thickness_um, 1.0)
