"""Gradient descent on least squares with a quadratic prior.

    x ← x + γ (Hᵀw(y − b) − (HᵀwH + λLᵀL) x),  0 < γ < 2/‖HᵀwH + λLᵀL‖

Guarantee: converges to the minimum of ½‖Hx + b − y‖² + ½λ‖Lx‖², which the regularised inverse filters give in closed form
where the blur is periodic. Negative values are allowed; see iterative constrained Tikhonov-Miller for x >= 0.
Cost per step: four transforms and the prior's stencil.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.functionals import QuadraticPrior
from deconlab.methods._gradient import GradientMethod


@dataclass(frozen=True)
class TikhonovMiller(GradientMethod[QuadraticPrior]):
    """Tikhonov-Miller restoration (TM) by gradient descent; λ is the prior's weight."""

    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "laplacian"
    local: ClassVar[bool] = True
    monotone: ClassVar[bool] = True
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 7
    references: ClassVar[tuple[str, ...]] = ("10.1137/0501006", "10.1016/j.ymeth.2016.12.015")
