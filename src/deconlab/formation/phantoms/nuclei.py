"""Cell nuclei: ellipsoids with a chromatin-like texture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats, covered
from deconlab.formation.phantom import Phantom, scatter
from deconlab.formation.texture import Waves
from deconlab.units import Doc, Ge, Gt, Lt, Um


@dataclass(frozen=True)
class Nuclei(Phantom):
    """Randomly turned ellipsoids filled with exp(contrast·g), g a smooth Gaussian field of ``texture_um``; the light of
    each is its volume."""

    dimensions = (2, 3)

    count: Annotated[int, Gt(0), Doc("number of nuclei in the field of view")] = 3
    diameter_um: Annotated[Um, Gt(0), Doc("mean diameter")] = 4.0
    variation: Annotated[float, Ge(0), Lt(0.5), Doc("relative variation of the three diameters, uniform")] = 0.3
    texture_um: Annotated[Um, Gt(0), Doc("length over which the texture varies")] = 0.3
    contrast: Annotated[float, Ge(0), Doc("standard deviation of the log of the texture")] = 0.5

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        ndim = canvas.grid.ndim
        self.must_fit(self.diameter_um * (1 + self.variation), canvas.grid, "a nucleus")
        for centre in scatter(rng, canvas.grid, self.count):
            radii = self.diameter_um / 2 * (1 + self.variation * (2 * rng.random(ndim) - 1))
            axes = np.linalg.qr(rng.standard_normal((ndim, ndim)))[0] / radii[:, None]
            waves = Waves.draw(rng, 64, ndim, self.texture_um)

            def surface(x: Sequence[Floats], axes: Floats = axes) -> Floats:
                turned = [sum((a * p for a, p in zip(row, x, strict=True)), start=np.zeros(())) for row in axes]
                return np.sqrt(sum((t * t for t in turned), start=np.zeros(()))) - 1

            def density(x: Sequence[Floats], voxel: Floats, waves: Waves = waves) -> Floats:
                return covered(surface, x, voxel) * np.exp(self.contrast * waves.on_grid(x))

            canvas.solid(centre, radii.max(), density, float(np.prod(radii)))
