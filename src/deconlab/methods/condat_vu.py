"""Primal-dual steps: gradient-like in x, proximal in a dual variable for each term; no equation is solved.

    x₊ ← P[x − τ Σ Kᵢᵀpᵢ],   qᵢ = pᵢ + σᵢKᵢ(2x₊ − x),   pᵢ ← qᵢ − σᵢ prox_{gᵢ/σᵢ}(qᵢ/σᵢ),   τ Σ σᵢ‖Kᵢ‖² <= 1

over the data term (K = H, whatever its boundary) and the prior's terms: Condat's and Vũ's splitting with the data term on the
dual side, where it needs no Lipschitz constant, so that the exact Poisson likelihood serves as well as least squares. The σᵢ
begin at the data term's curvature and are balanced one by one by relative residuals, independent of the unit of intensity.

Guarantee: converges to the minimum for convex priors (the balancing dies out). More steps than ADMM, each cheaper; it takes any
blur, "reflect" and "zero" too. Cost per step: four transforms; one copy for each component of each Kᵢx.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from deconlab.functionals import Fidelity, Splittable
from deconlab.lazytorch import Tensor
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._splitting import SplitProblem, Term, balanced, prior_terms, size_of, typical_penalty
from deconlab.problem import Constraint
from deconlab.units import Doc, Gt


@dataclass(frozen=True, eq=False)
class PrimalDualState(State):
    """The estimate, dual variables pᵢ, step sizes σᵢ, the bounds ‖Kᵢ‖², and the number of steps done."""

    duals: tuple[Tensor, ...] = ()
    sigmas: tuple[Tensor, ...] = ()
    norms: tuple[float, ...] = ()
    k: int = 0


@dataclass(frozen=True)
class CondatVu(IterativeMethod[PrimalDualState, Fidelity, Splittable]):
    """Condat-Vũ primal-dual splitting (Chambolle-Pock type), with automatic step sizes."""

    dual_step: Annotated[float, Gt(0), Doc("multiplies the dual step sizes that the run begins with")] = 0.3

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "total-variation"
    references: ClassVar[tuple[str, ...]] = (
        "10.1007/s10957-012-0245-9",
        "10.1007/s10444-011-9254-8",
        "10.1007/s10851-010-0251-1",
    )

    def init(self, problem: SplitProblem, x0: Tensor | None = None) -> PrimalDualState:
        x = problem.start(x0)
        terms = terms_of(problem)
        start = self.dual_step * typical_penalty(problem)
        images = [term.operator.forward(x) for term in terms]
        duals = tuple(start * (u - term.prox(u, 1 / start)) for u, term in zip(images, terms, strict=True))
        norms = tuple(term.operator.norm_squared for term in terms)
        return PrimalDualState(x, None, duals, (start,) * len(terms), norms)

    def step(self, problem: SplitProblem, state: PrimalDualState) -> PrimalDualState:
        terms = terms_of(problem)
        pull: Any = 0.0
        size: Any = 0.0
        for (K, _), p, sigma, norm in zip(terms, state.duals, state.sigmas, state.norms, strict=True):
            pull = pull + K.adjoint(p)
            size = size + sigma * norm
        x = problem.project(state.x - pull / size)
        change = size_of(x - state.x)
        ahead = 2 * x - state.x
        duals, sigmas = [], []
        for (K, prox), p, sigma, norm in zip(terms, state.duals, state.sigmas, state.norms, strict=True):
            image = K.forward(ahead)
            q = image + p / sigma
            dual = sigma * (q - prox(q, 1 / sigma))
            primal = size_of(dual - p) / (sigma * size_of(image))
            factor = balanced(primal, sigma * norm**0.5 * change / size_of(dual), state.k).to(sigma.dtype)
            duals.append(dual)
            sigmas.append(sigma * factor)
        return PrimalDualState(x, None, tuple(duals), tuple(sigmas), state.norms, state.k + 1)


def terms_of(problem: SplitProblem) -> list[Term]:
    return [Term(problem.H, problem.fidelity.prox_prediction), *prior_terms(problem)]
