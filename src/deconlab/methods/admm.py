"""Alternating directions: every term of the problem gets its own copy, and x is one Fourier solve.

    x ← (Σ ρᵢ KᵢᵀKᵢ)⁻¹ Σ ρᵢ Kᵢᵀ(uᵢ − dᵢ),   uᵢ ← prox_{gᵢ/ρᵢ}(Kᵢx + dᵢ),   dᵢ ← dᵢ + Kᵢx − uᵢ   (over-relaxed: αKᵢx + (1 − α)uᵢ)

over the data term φ (K = A, with H = S A: the unknown boundary is S, dealt with in the prox), the prior's terms, and the
constraint (K = 1). Least squares and the exact Poisson likelihood alike. Penalties ρᵢ begin at the data term's curvature and
are balanced one by one, by their relative primal and dual residuals; nothing depends on the unit of intensity.

Guarantee: converges to the minimum for convex priors (Eckstein & Bertsekas 1992; the balancing dies out). The method of choice
for total variation and second-order priors under photon noise (PIDAL, PIDSplit+). Needs a blur that is diagonal in the Fourier
basis behind its selection: "open" or "periodic". Cost per step: six transforms; two copies for each component of each Kᵢx.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from deconlab import fourier
from deconlab.functionals import Fidelity, Splittable
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._splitting import SplitProblem, Term, balanced, prior_terms, size_of, typical_penalty
from deconlab.operators import Circulant, Identity
from deconlab.problem import Constraint
from deconlab.units import Doc, Ge, Gt, Le


@dataclass(frozen=True, eq=False)
class SplitState(State):
    """The admissible estimate, copies uᵢ, scaled multipliers dᵢ, penalties ρᵢ, and the number of steps done."""

    copies: tuple[Tensor, ...] = ()
    multipliers: tuple[Tensor, ...] = ()
    penalties: tuple[Tensor, ...] = ()
    k: int = 0


@dataclass(frozen=True)
class ADMM(IterativeMethod[SplitState, Fidelity, Splittable]):
    """Alternating direction method of multipliers (ADMM), with automatic penalties."""

    relaxation: Annotated[float, Ge(1), Le(1.9), Doc("over-relaxation α; 1 is none")] = 1.6
    penalty: Annotated[float, Gt(0), Doc("multiplies the penalties that the run begins with")] = 0.3

    blur: ClassVar[type] = Circulant
    constraint: ClassVar[type] = Constraint
    dial: ClassVar[str] = "weight"
    default_prior: ClassVar[str] = "total-variation"
    buffers: ClassVar[int] = 30
    references: ClassVar[tuple[str, ...]] = (
        "10.1561/2200000016",
        "10.1109/TIP.2010.2053941",
        "10.1109/TIP.2013.2258354",
    )

    def init(self, problem: SplitProblem, x0: Tensor | None = None) -> SplitState:
        x = problem.start(x0)
        start = self.penalty * typical_penalty(problem)
        copies, multipliers = [], []
        for K, prox in terms_of(problem):
            image = K.forward(x)
            copies.append(prox(image, 1 / start))
            multipliers.append(image - copies[-1])
        return SplitState(x, None, tuple(copies), tuple(multipliers), (start,) * len(copies))

    def step(self, problem: SplitProblem, state: SplitState) -> SplitState:
        terms, shape = terms_of(problem), problem.H.in_shape
        right: Any = 0.0
        symbol: Any = 0.0
        for (K, _), u, d, rho in zip(terms, state.copies, state.multipliers, state.penalties, strict=True):
            assert isinstance(K, Circulant)
            right = right + rho * K.adjoint(u - d)
            symbol = symbol + rho * K.normal_symbol(state.x)
        x = fourier.solve(symbol, right, shape)
        copies, multipliers, penalties = [], [], []
        recorded = fourier.differentiated(x, self.relaxation)
        for (K, prox), u, d, rho in zip(terms, state.copies, state.multipliers, state.penalties, strict=True):
            image = K.forward(x)
            moved = u + self.relaxation * (image - u) + d if recorded else torch.lerp(u, image, self.relaxation).add_(d)
            copy = prox(moved, 1 / rho)
            multiplier = moved - copy
            primal = size_of(image - copy) / size_of(copy)
            dual = size_of(copy - u) / size_of(multiplier)
            following = balanced(rho, primal, dual, state.k, state.penalties[0])
            copies.append(copy)
            multipliers.append(multiplier * (rho / following) if recorded else multiplier.mul_(rho / following))
            penalties.append(following)
        return SplitState(copies[-1], None, tuple(copies), tuple(multipliers), tuple(penalties), state.k + 1)


def terms_of(problem: SplitProblem) -> list[Term]:
    """The data term on the blurred domain, the prior's terms, the constraint."""
    fidelity, (seen, blurred) = problem.fidelity, problem.H.split()

    def data_prox(v: Tensor, t: Any) -> Tensor:
        visible = seen.forward(v)
        return v + seen.adjoint(fidelity.prox_prediction(visible, t) - visible)

    def admissible(v: Tensor, t: Any) -> Tensor:  # noqa: ARG001
        return problem.admissible(v)

    return [Term(blurred, data_prox), *prior_terms(problem), Term(Identity(problem.H.in_shape), admissible)]
