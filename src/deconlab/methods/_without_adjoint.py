"""Iterations that add the residual to the object where it was measured, without projecting it back through the optics."""

from __future__ import annotations

from typing import Any

from deconlab.functionals import LeastSquares
from deconlab.lazytorch import Tensor
from deconlab.problem import Problem


def misfit(problem: Problem[LeastSquares, Any], x: Tensor) -> Tensor:
    """Sᵀ(w/max w · (y − b − Hx)) on the object's grid: 0 beyond the field of view and under a mask."""
    fidelity = problem.fidelity
    seen, _ = problem.H.split()
    residual = fidelity.y - fidelity.background - problem.H.forward(x)
    if fidelity.weights is not None:
        residual = residual * (fidelity.weights / fidelity.weights.max())
    return seen.adjoint(residual)
