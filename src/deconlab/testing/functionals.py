"""Contract of data terms and priors: what methods rely on, checked with numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deconlab.functionals import Fidelity, Functional, HasGradient, HasProx, Prior, Smooth, Splittable
from deconlab.lazytorch import Tensor, torch
from deconlab.testing._data_terms import check_fidelity
from deconlab.testing._gradients import (
    STRENGTHS,
    check_gradient,
    check_lipschitz,
    name_of,
    random_like,
    require_degree,
    require_like,
)
from deconlab.testing._numbers import require_close

ATTEMPTS = 200


def check_functional(
    functional: Functional,
    shape: tuple[int, ...] = (4, 3),
    *,
    scaled: Sequence[str] = ("y", "background"),
    least_prediction: float | Tensor | None = None,
    tolerance: float = 1e-8,
    seed: int = 0,
) -> None:
    """Raise AssertionError unless ``functional``, a data term or a prior in float64, keeps its contract.

    Both: the gradient equals autograd's, proximal maps are not beaten by random perturbations nor by SciPy's minimiser, the
    value is homogeneous of the declared ``degree``, Lipschitz constants bound the gradient's differences, dtype is kept.
    Data terms besides: ``slope`` is the derivative of ``loss``, the sensitivity is Hᵀw with its floor, weights multiply the
    loss, and under weight 0 nothing has influence, NaN included.
    Priors besides: λ, if it is a field ``weight``, multiplies the value; Σ gᵢ(Kᵢx) of a split prior is its value.

    ``shape`` is that of the object that a prior is tried on (keep it tiny: SciPy minimises over all of it); ``scaled`` names
    the fields of a data term that scale with the intensity, and ``least_prediction`` where its loss ends (−b for Poisson).
    """
    generator = torch.Generator().manual_seed(seed)
    if isinstance(functional, Fidelity):
        check_fidelity(functional, generator, scaled, least_prediction, tolerance)
    elif isinstance(functional, Prior):
        _check_prior(functional, shape, generator, tolerance)
    else:
        raise AssertionError(f"{functional!r} is neither a data term nor a prior.")


def _check_prior(prior: Prior, shape: tuple[int, ...], generator: torch.Generator, tolerance: float) -> None:
    like = torch.zeros((), dtype=torch.float64)
    x = random_like(shape, like, generator)
    if isinstance(prior, HasGradient):
        check_gradient(prior, x, tolerance)
    if isinstance(prior, Smooth):
        check_lipschitz(prior, x, random_like(shape, like, generator), prior.lipschitz)
    if isinstance(prior, HasProx):
        check_prox(prior, 2 * x, generator)
    if hasattr(prior, "value"):
        check_prior_value(prior, x, tolerance)
    if isinstance(prior, Splittable) and hasattr(prior, "value"):
        check_terms(prior, x, tolerance)


def check_prox(prior: HasProx, v: Tensor, generator: torch.Generator) -> None:
    """``prox(v, t)`` minimises ½‖x − v‖² + t·value(x), if the prior has a value; deterministic, in v's dtype."""
    for t in STRENGTHS:
        before = v.clone()
        x = prior.prox(v, t)
        require_like(prior, "prox", x, v)
        again = prior.prox(v, t)
        if not torch.equal(x, again) or not torch.equal(v, before):
            raise AssertionError(
                f"{name_of(prior)}: prox(v, {t:g}) changes v, or gives another result the second time."
            )
        require_like(prior, "prox", prior.prox(v.float(), t), v.float())
        require_close(
            prior.prox(v, torch.tensor(t, dtype=v.dtype)), x, 1e-12, f"{name_of(prior)}: prox with t as a tensor"
        )
        if hasattr(prior, "value"):
            _require_minimum(prior, v, t, x, generator)


def _require_minimum(prior: Any, v: Tensor, t: float, x: Tensor, generator: torch.Generator) -> None:
    from scipy.optimize import minimize

    def cost(z: Tensor) -> float:
        return float(0.5 * (z - v).square().sum() + t * prior.value(z))

    def cost_of_array(z: Any) -> float:
        return cost(torch.as_tensor(z, dtype=v.dtype).reshape(v.shape))

    found = cost(x)
    size = float(v.std()) + 1e-12
    candidates = [x + size * 10.0 ** -(i % 6) * random_like(v.shape, v, generator) for i in range(ATTEMPTS)]
    starts = (v, torch.zeros_like(v), x)
    fits = [minimize(cost_of_array, start.flatten().numpy(), method="L-BFGS-B") for start in starts]
    others = [cost(candidate) for candidate in candidates] + [float(fit.fun) for fit in fits]
    best = min(others)
    if not found <= best + 1e-7 * (1 + abs(best)):
        raise AssertionError(
            f"{name_of(prior)}: ½‖x − v‖² + t·value(x) is {found:.9g} at prox(v, {t:g}), but {best:.9g} elsewhere."
        )


def check_prior_value(prior: Any, x: Tensor, tolerance: float = 1e-8) -> None:
    """value(s x) = sᵈ value(x) for the declared degree d, and λ multiplies the value."""
    value = float(prior.value(x))
    for s in (2.0, 1024.0):
        scaled = {name: s * getattr(prior, name) for name in prior.intensities}
        larger = replace(prior, **scaled) if scaled else prior
        require_degree(prior, float(larger.value(s * x)), value, s, tolerance)
    weight = getattr(prior, "weight", None)
    if hasattr(prior, "__dataclass_fields__") and isinstance(weight, float) and weight > 0:
        double = float(replace(prior, weight=2 * weight).value(x))
        if not abs(double - 2 * value) <= tolerance * (1 + abs(value)):
            raise AssertionError(f"{name_of(prior)}: twice the weight gives {double!r}, not twice {value!r}.")
        none = float(replace(prior, weight=0.0).value(x))
        if none != 0:
            raise AssertionError(f"{name_of(prior)}: a weight of 0 leaves the value {none!r}.")


def check_terms(prior: Any, x: Tensor, tolerance: float = 1e-8) -> None:
    """Σ gᵢ(Kᵢx) over ``terms`` is the prior's value."""
    total = math.fsum(float(g.value(K.forward(x))) for g, K in prior.terms(tuple(x.shape)))
    value = float(prior.value(x))
    if not abs(total - value) <= tolerance * (1 + abs(value)):
        raise AssertionError(f"{name_of(prior)}: its terms sum to {total!r}, its value is {value!r}.")
