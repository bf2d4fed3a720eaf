"""Gradient descent on the least-squares data term.

    x ← x + γ Hᵀw(y − b − Hx),  0 < γ < 2/‖H‖²

Guarantee: converges to a least-squares solution; stopped early it is a filter that damps what the blur hardly passes. Simple
and slow: a reference for others, and the basis that they build on. Cost per step: four transforms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import Zero
from deconlab.methods._gradient import GradientMethod


@dataclass(frozen=True)
class Landweber(GradientMethod[Zero]):
    """Landweber's iteration (LW)."""

    local: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 5
    references: ClassVar[tuple[str, ...]] = ("10.2307/2372313",)
