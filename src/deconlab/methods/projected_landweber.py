"""Gradient descent on the least-squares data term, made admissible at every step.

    x ← P[x + γ Hᵀw(y − b − Hx)],  0 < γ < 2/‖H‖², P the projection on x >= 0 (or on a box)

Guarantee: converges to a constrained least-squares solution. Positivity at *every* step is what adds resolution; clipping
only the last image does not. The choice where noise is additive. Cost per step: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import Zero
from deconlab.methods._gradient import GradientMethod
from deconlab.problem import Constraint


@dataclass(frozen=True)
class ProjectedLandweber(GradientMethod[Zero]):
    """Projected Landweber iteration (LW+), also called non-negative least squares (NNLS)."""

    constraint: ClassVar[type] = Constraint
    local: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 5
    references: ClassVar[tuple[str, ...]] = ("10.1088/0266-5611/13/2/014",)
