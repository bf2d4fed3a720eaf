"""Primal-dual steps: gradient-like in x, proximal in a dual variable for each term; no equation is solved.

    x ← P[v − τ Σ Kᵢᵀpᵢ],   qᵢ = pᵢ + σᵢKᵢ(2x − v),   rᵢ = qᵢ − σᵢ prox_{gᵢ/σᵢ}(qᵢ/σᵢ),   τ Σ σᵢ‖Kᵢ‖² <= 1
    v ← v + α(x − v),   pᵢ ← pᵢ + α(rᵢ − pᵢ)

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
from deconlab.units import Doc, Ge, Gt, Le


@dataclass(frozen=True, eq=False)
class PrimalDualState(State):
    """The admissible estimate, the point v, dual variables pᵢ, step sizes σᵢ, the bounds ‖Kᵢ‖², and the steps done."""

    point: Tensor | None = None
    duals: tuple[Tensor, ...] = ()
    sigmas: tuple[Tensor, ...] = ()
    norms: tuple[float, ...] = ()
    k: int = 0


@dataclass(frozen=True)
class CondatVu(IterativeMethod[PrimalDualState, Fidelity, Splittable]):
    """Condat-Vũ primal-dual splitting (Chambolle-Pock type), with automatic step sizes."""

    relaxation: Annotated[float, Ge(1), Le(1.9), Doc("over-relaxation α; 1 is none")] = 1.6
    dual_step: Annotated[float, Gt(0), Doc("multiplies the dual step sizes that the run begins with")] = 0.1

    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "total-variation"
    buffers: ClassVar[int] = 26
    references: ClassVar[tuple[str, ...]] = (
        "10.1007/s10957-012-0245-9",
        "10.1007/s10444-011-9254-8",
        "10.1007/s10851-010-0251-1",
    )

    def init(self, problem: SplitProblem, x0: Tensor | None = None) -> PrimalDualState:
        x = problem.start(x0)
        terms = terms_of(problem)
        start = self.dual_step * typical_penalty(problem)
        # The data term's dual variable begins as its gradient in the prediction, so that the first step is a gradient step.
        data = problem.fidelity.slope(problem.H.forward(x))
        duals = (data, *(term.operator.forward(x) * 0 for term in terms[1:]))
        norms = tuple(term.operator.norm_squared for term in terms)
        return PrimalDualState(x, None, x, duals, (start,) * len(terms), norms)

    def step(self, problem: SplitProblem, state: PrimalDualState) -> PrimalDualState:
        terms = terms_of(problem)
        pull: Any = 0.0
        size: Any = 0.0
        for (K, _), p, sigma, norm in zip(terms, state.duals, state.sigmas, state.norms, strict=True):
            pull = pull + K.adjoint(p)
            size = size + sigma * norm
        assert state.point is not None
        x = problem.admissible(state.point - pull / size)
        move = x - state.point
        change, ahead = size_of(move), x + move
        duals, sigmas = [], []
        for (K, prox), p, sigma, norm in zip(terms, state.duals, state.sigmas, state.norms, strict=True):
            image = K.forward(ahead)
            q = image + p / sigma
            rise = sigma * (q - prox(q, 1 / sigma)) - p
            dual = p + self.relaxation * rise
            primal = size_of(rise) / (sigma * size_of(image))
            relative = sigma * norm**0.5 * change / size_of(dual)
            duals.append(dual)
            sigmas.append(balanced(sigma, primal, relative, state.k, state.sigmas[0]))
        point = state.point + self.relaxation * move
        return PrimalDualState(x, None, point, tuple(duals), tuple(sigmas), state.norms, state.k + 1)


def terms_of(problem: SplitProblem) -> list[Term]:
    return [Term(problem.H, problem.fidelity.prox_prediction), *prior_terms(problem)]
