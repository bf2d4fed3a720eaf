"""Gradient descent on least squares with a quadratic prior, made admissible at every step.

    x ← P[x + γ (Hᵀw(y − b) − (HᵀwH + λLᵀL) x)],  0 < γ < 2/‖HᵀwH + λLᵀL‖, P the projection on x >= 0 (or on a box)

Guarantee: converges to the constrained minimum of ½‖Hx + b − y‖² + ½λ‖Lx‖². The conjugate form needs far fewer steps.
Cost per step: four transforms and the prior's stencil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import QuadraticPrior
from deconlab.methods._gradient import GradientMethod
from deconlab.problem import Constraint


@dataclass(frozen=True)
class IterativeConstrainedTikhonovMiller(GradientMethod[QuadraticPrior]):
    """Iterative constrained Tikhonov-Miller restoration (ICTM) with a fixed step; λ is the prior's weight."""

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "laplacian"
    local: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 7
    references: ClassVar[tuple[str, ...]] = ("10.1046/j.1365-2818.1997.d01-629.x",)
