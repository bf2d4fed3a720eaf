"""Curved filaments, such as microtubules or actin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from deconlab.formation.canvas import Canvas, Floats
from deconlab.formation.phantom import Phantom, scatter
from deconlab.units import Doc, Gt, Um

_BEND_UM = 0.05  # step of the random walk of directions: part of the scene, hence not of the grid


@dataclass(frozen=True)
class Filaments(Phantom):
    """Worm-like chains of constant light per length: ⟨cos of the angle between tangents⟩ = exp(−s/persistence) in 2-D
    and 3-D (Kratky & Porod 1949, doi:10.1002/recl.19490681203), starting in the field and around it."""

    dimensions = (2, 3)

    count: Annotated[int, Gt(0), Doc("number of filaments that start in the field of view")] = 12
    length_um: Annotated[Um, Gt(0), Doc("length of a filament along itself")] = 8.0
    diameter_um: Annotated[Um, Gt(0), Doc("diameter of a filament")] = 0.025
    persistence_um: Annotated[Um, Gt(0), Doc("persistence length: the larger, the straighter")] = 10.0

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:
        grid = canvas.grid
        self.must_fit(self.diameter_um, grid, "a filament's diameter")
        steps = max(2, round(self.length_um / _BEND_UM))
        step_um = self.length_um / steps
        pitch = float(canvas.voxel.min()) / 4
        for start in scatter(rng, grid, self.count):
            tangents = self._tangents(rng, grid.ndim, steps, step_um)
            nodes = start + step_um * np.concatenate([np.zeros((1, grid.ndim)), np.cumsum(tangents, axis=0)])
            reach = self.diameter_um + canvas.voxel
            if np.any(nodes.max(axis=0) < grid.origin_um - reach) or np.any(nodes.min(axis=0) > grid.end_um + reach):
                continue
            along = (np.arange(max(1, round(self.length_um / pitch))) + 0.5) / max(1, round(self.length_um / pitch))
            curve = np.stack(
                [np.interp(along * steps, np.arange(steps + 1), nodes[:, axis]) for axis in range(grid.ndim)], axis=1
            )
            segment = np.minimum((along * steps).astype(np.intp), steps - 1)
            offsets = _cross_section(self.diameter_um, pitch, grid.ndim)
            sides = _normals(tangents[segment])
            for offset in offsets:
                shifted = curve + sum(side * amount for side, amount in zip(sides, offset, strict=True))
                canvas.points(shifted, self.length_um / len(curve) / len(offsets))

    def _tangents(self, rng: np.random.Generator, ndim: int, steps: int, step_um: float) -> Floats:
        # the tangent's diffusion constant that makes <t·t'> fall as exp(-s/P): 1/P per dimension of turning
        kick = rng.standard_normal((steps, ndim)) * np.sqrt(2 * step_um / self.persistence_um / (ndim - 1))
        tangent = rng.standard_normal(ndim)
        tangent /= np.linalg.norm(tangent)
        found = np.empty((steps, ndim))
        for i in range(steps):
            found[i] = tangent
            turned = tangent + kick[i] - tangent * (kick[i] @ tangent)
            tangent = turned / np.linalg.norm(turned)
        return found


def _cross_section(diameter_um: float, pitch_um: float, ndim: int) -> Floats:
    """Points that fill the filament's cross-section evenly: one if it is far below a voxel."""
    count = max(1, round(diameter_um / pitch_um))
    if ndim == 2:
        return ((np.arange(count) + 0.5) / count - 0.5)[:, None] * diameter_um
    count = count**2
    radius = np.sqrt((np.arange(count) + 0.5) / count) * diameter_um / 2 if count > 1 else np.zeros(1)
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _normals(tangents: Floats) -> list[Floats]:
    """Unit vectors across the filament: one in 2-D, two in 3-D."""
    if tangents.shape[1] == 2:
        return [np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)]
    axis = np.eye(3)[np.argmin(np.abs(tangents), axis=1)]
    first = np.cross(tangents, axis)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return [first, np.cross(tangents, first)]
