"""What splitting methods share: the problem as Σ gᵢ(Kᵢx), each gᵢ with an exact proximal map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from deconlab.fourier import differentiated
from deconlab.functionals import Fidelity, Splittable
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import LinearOperator
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Problem

SplitProblem = Problem[Fidelity, Splittable]


class Term(NamedTuple):
    """gᵢ∘Kᵢ, by Kᵢ and the proximal map of gᵢ."""

    operator: LinearOperator
    prox: Callable[[Tensor, Any], Tensor]


def prior_terms(problem: SplitProblem) -> list[Term]:
    return [Term(K, g.prox) for g, K in problem.prior.terms(problem.H.in_shape)]


def typical_penalty(problem: SplitProblem) -> Tensor:
    """The curvature of the data term at a prediction of average size: levelᵈ⁻², d its degree (1, or 1/mean of the data)."""
    fidelity = problem.fidelity
    y = fidelity.y if fidelity.weights is None else fidelity.weights * fidelity.y
    count = torch.ones_like(y).sum() if fidelity.weights is None else fidelity.weights.sum()
    level = (total_of(y) / count).to(y.dtype).clamp(min=torch.finfo(y.dtype).tiny)
    weight = 1.0 if fidelity.weights is None else fidelity.weights.mean()
    return weight * level ** (fidelity.degree - 2)


def size_of(values: Tensor) -> Tensor:
    """‖values‖, kept above 0 so that its derivative is finite."""
    flat = values.reshape(-1)
    # For a ratio that is rooted and clamped, single precision will do: this reads the volume once and writes nothing.
    power = total_of(values.square()) if differentiated(values) else torch.dot(flat, flat)
    return torch.sqrt(power.clamp(min=torch.finfo(power.dtype).tiny))


def balanced(penalty: Tensor, primal: Tensor, dual: Tensor, k: int, first: Tensor) -> Tensor:
    """``penalty`` made such that its two relative residuals come to be equal: × √(primal/dual), within 1/4 and 4.

    Less and less as the run goes on, exponent 60/(60 + k), so that penalties settle, on which convergence rests; and never more
    than a million times from that of the data term, ``first``, which a term of weight 0 would leave behind for ever.
    """
    ratio = torch.sqrt(primal / dual)
    factor = torch.where(torch.isnan(ratio), 1.0, ratio).clamp(0.25, 4.0) ** (60 / (60 + k))
    return torch.clamp(penalty * factor.to(penalty.dtype), 1e-6 * first, 1e6 * first)
