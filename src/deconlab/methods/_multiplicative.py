"""The multiplicative Richardson-Lucy correction, which its accelerations take from another point."""

from __future__ import annotations

from deconlab.engine import empty_like
from deconlab.fourier import differentiated
from deconlab.functionals import PoissonLikelihood, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Pointwise
from deconlab.problem import Problem


def correct(problem: Problem[PoissonLikelihood, Zero], point: Tensor) -> tuple[Tensor, Tensor | None]:
    """point · Hᵀ(w·y/(H point + b)) / Hᵀw, and the objective at ``point``."""
    fidelity = problem.fidelity
    update = Pointwise(corrected, point, fidelity.sensitivity)
    x, value = problem.H.sandwich(point, fidelity.ratio, update, fidelity.loss)
    assert isinstance(x, torch.Tensor)
    return x, value


def corrected(correction: Tensor, point: Tensor, sensitivity: Tensor) -> Tensor:
    """point · correction / sensitivity; rounding below 0 in the back projection counts as 0."""
    if differentiated(correction, point, sensitivity):
        return point * correction.clamp(min=0) / sensitivity
    return correction.clamp_(min=0).mul_(point).div_(sensitivity)


def ahead(x: Tensor, previous: Tensor, momentum: Tensor | float) -> Tensor:
    """max(x + momentum (x − previous), 0)."""
    if differentiated(x, previous, momentum):
        return (x + momentum * (x - previous)).clamp(min=0)
    return torch.sub(x, previous, out=empty_like(x)).mul_(momentum).add_(x).clamp_(min=0)
