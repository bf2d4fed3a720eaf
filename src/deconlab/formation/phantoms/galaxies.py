"""Galaxies with Sérsic profiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Ge, Gt, Le, Um

_CORE_PX = 6.0  # radius within which a profile is drawn by points, since its cusp is narrower than a voxel
_CORE_POINTS = 20_000


@dataclass(frozen=True)
class Galaxies(Phantom):
    """Elliptical Sérsic profiles exp(−bₙ((r/Rₑ)^(1/n) − 1)), with γ(2n, bₙ) = ½ (Sérsic 1963; Graham & Driver 2005,
    doi:10.1071/AS05001), randomly turned and inclined; radii and brightness vary. Lengths are µm on the detector.

    The core is drawn by points of equal light, the rest by its value at the voxel's centre, with a smooth transition.
    """

    dimensions = (2,)

    count: Annotated[int, Gt(0), Doc("number of galaxies in the field of view")] = 8
    half_light_radius_um: Annotated[Um, Gt(0), Doc("median radius of half the light")] = 0.5
    radius_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of the radius")] = 0.4
    index: Annotated[float, Ge(0.5), Le(6), Doc("Sérsic index: 1 for discs, 4 for ellipticals")] = 1.0
    least_axis_ratio: Annotated[float, Gt(0), Le(1), Doc("axis ratios are uniform from here to 1")] = 0.4
    decades: Annotated[float, Ge(0), Doc("log10 of the ratio of the brightest to the faintest galaxy")] = 1.0

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self.must_fit(2 * self.half_light_radius_um, canvas.grid, "a galaxy")
        positions = scatter(rng, canvas.grid, self.count)
        n = len(positions)
        radii = self.half_light_radius_um * np.exp(self.radius_spread * rng.standard_normal(n))
        ratios = self.least_axis_ratio + (1 - self.least_axis_ratio) * rng.random(n)
        angles = np.pi * rng.random(n)
        lights = 10 ** (-self.decades * rng.random(n))
        for place, radius, ratio, angle, light in zip(positions, radii, ratios, angles, lights, strict=True):
            self._galaxy(canvas, place, float(radius), float(ratio), float(angle), float(light))

    def _galaxy(self, canvas: Canvas, place: Floats, radius: float, ratio: float, angle: float, light: float) -> None:
        from scipy import special

        n = self.index
        b = float(special.gammaincinv(2 * n, 0.5))
        cut = _CORE_PX * float(canvas.voxel.max()) / ratio
        # points of equal light within the core, on a golden spiral
        inside = float(special.gammainc(2 * n, b * (cut / radius) ** (1 / n)))
        u = (np.arange(_CORE_POINTS) + 0.5) / _CORE_POINTS * inside
        a = radius * (special.gammaincinv(2 * n, u) / b) ** n
        turn = np.arange(_CORE_POINTS) * np.pi * (3 - np.sqrt(5))
        major, minor = a * np.cos(turn), a * ratio * np.sin(turn)
        sine, cosine = np.sin(angle), np.cos(angle)
        points = np.stack([major * sine + minor * cosine, major * cosine - minor * sine], axis=1)
        canvas.points(place + points, light * inside / _CORE_POINTS * (1 - _rise(a / cut)))
        # the wings, at the voxels' centres
        y, x = np.ix_(
            *(
                (np.arange(size) + 0.5) * v + o - p
                for size, v, o, p in zip(canvas.image.shape, canvas.voxel, canvas.grid.origin_um, place, strict=True)
            )
        )
        r = np.hypot(y * sine + x * cosine, (y * cosine - x * sine) / ratio)
        total = (
            2 * np.pi * ratio * radius**2 * n * b ** (-2 * n) * float(special.gamma(2 * n))
        )  # of exp(-b(r/Re)^(1/n))
        wings = np.exp(-b * (r / radius) ** (1 / n)) * _rise(r / cut)
        canvas.image += (light / total * float(np.prod(canvas.voxel)) * wings).astype(np.float32)


def _rise(t: Floats) -> Floats:
    """0 below ½, 1 above 1, smooth between."""
    s = np.clip(2 * t - 1, 0, 1)
    return s**3 * (10 - 15 * s + 6 * s**2)
