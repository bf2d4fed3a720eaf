"""Contract of a data term."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deconlab.functionals import SENSITIVITY_FLOOR, Fidelity
from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import total_of
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


def check_fidelity(
    fidelity: Fidelity,
    generator: torch.Generator,
    scaled: Sequence[str],
    least_prediction: float | Tensor | None,
    tolerance: float,
) -> None:
    x = random_like(fidelity.H.in_shape, fidelity.y, generator).abs() + 0.1
    check_gradient(fidelity, x, tolerance)
    check_slope(fidelity, fidelity.H.forward(x), tolerance)
    check_lipschitz(fidelity, x, x + random_like(x.shape, x, generator).abs(), fidelity.lipschitz)
    check_fidelity_degree(fidelity, x, scaled, tolerance)
    check_prox_prediction(fidelity, generator, least_prediction)
    check_sensitivity(fidelity, tolerance)
    check_weights(fidelity, x, generator, tolerance)
    check_mask(fidelity, x, generator)


def check_slope(fidelity: Fidelity, prediction: Tensor, tolerance: float = 1e-8) -> None:
    """``slope`` is the derivative of ``loss``, which is safe for autograd and >= 0; both have the prediction's shape."""
    point = prediction.detach().clone().requires_grad_()
    with torch.enable_grad():
        loss = fidelity.loss(point)
        (expected,) = torch.autograd.grad(loss.sum(), point)
    loss = loss.detach()
    require_like(fidelity, "loss", loss, prediction)
    if not float(loss.min()) >= -tolerance:
        raise AssertionError(f"{name_of(fidelity)}: the loss goes down to {float(loss.min()):.6g}; it must be >= 0.")
    with torch.no_grad():
        slope = fidelity.slope(prediction.clone())
        quiet = fidelity.loss(prediction.clone())
    require_close(slope, expected, tolerance, f"{name_of(fidelity)}: slope differs from autograd's derivative of loss")
    require_close(quiet, loss, tolerance, f"{name_of(fidelity)}: loss differs with and without autograd")
    expectation = fidelity.expected_loss(prediction)
    require_like(fidelity, "expected_loss", expectation, prediction)
    if not bool((torch.isfinite(expectation) & (expectation >= 0)).all()):
        worst = float(expectation.min())
        raise AssertionError(f"{name_of(fidelity)}: expected_loss is {worst:.6g} somewhere; it must be >= 0.")


def check_fidelity_degree(
    fidelity: Fidelity, x: Tensor, scaled: Sequence[str] = ("y", "background"), tolerance: float = 1e-8
) -> None:
    """F(s x) = sᵈ F(x) for data and background scaled alike, d the declared ``degree``."""
    for s in (2.0, 1024.0):
        larger = replace(fidelity, **{name: getattr(fidelity, name) * s for name in scaled})
        require_degree(fidelity, float(larger.value(s * x)), float(fidelity.value(x)), s, tolerance)


def check_prox_prediction(
    fidelity: Fidelity, generator: torch.Generator, least_prediction: float | Tensor | None = None
) -> None:
    """``prox_prediction(v, t)`` minimises ½‖u − v‖² + t Σ loss(u) over predictions u >= ``least_prediction``."""
    least = -torch.inf if least_prediction is None else least_prediction
    spread = float(fidelity.y.std()) + 1
    for t in STRENGTHS:
        v = fidelity.y + spread * random_like(fidelity.y.shape, fidelity.y, generator)
        u = fidelity.prox_prediction(v, t)
        require_like(fidelity, "prox_prediction", u, v)
        if not bool((u >= least - 1e-9 * spread).all()):
            raise AssertionError(
                f"{name_of(fidelity)}: prox_prediction gives {float(u.min()):.6g}, outside the loss's domain."
            )

        def voxelwise(w: Tensor, v: Tensor = v, t: float = t) -> Tensor:
            loss: Tensor = fidelity.loss(w.clone())
            return 0.5 * (w - v).square() + t * loss

        found = voxelwise(u)
        for scale in (spread, 0.1 * spread, 1e-3 * spread):
            for _ in range(20):
                other = torch.maximum(
                    u + scale * random_like(u.shape, u, generator), torch.as_tensor(least, dtype=u.dtype)
                )
                better = found - voxelwise(other)
                worst = int(better.argmax())
                if float(better.max()) > 1e-9 * (1 + float(found.flatten()[worst].abs())):
                    raise AssertionError(
                        f"{name_of(fidelity)}: prox_prediction at t = {t:g}, v = {float(v.flatten()[worst]):.6g} gives "
                        f"u = {float(u.flatten()[worst]):.9g}, yet u = {float(other.flatten()[worst]):.9g} is lower by "
                        f"{float(better.max()):.3g}."
                    )
        require_like(fidelity, "prox_prediction", fidelity.prox_prediction(v, torch.tensor(t, dtype=v.dtype)), v)


def check_sensitivity(fidelity: Fidelity, tolerance: float = 1e-8) -> None:
    """Hᵀw, infinite where hardly any light is measured; ``support`` is where not; ``mean_signal`` explains the data's sum."""
    weights = torch.ones_like(fidelity.y) if fidelity.weights is None else fidelity.weights
    back = fidelity.H.adjoint(weights)
    light = fidelity.H.adjoint((weights > 0).to(weights))
    seen = light >= SENSITIVITY_FLOOR * light.max()
    sensitivity = fidelity.sensitivity
    if not torch.equal(torch.isfinite(sensitivity), seen):
        raise AssertionError(
            f"{name_of(fidelity)}: the sensitivity is finite at {int(torch.isfinite(sensitivity).sum())} voxels; the "
            f"light that is measured exceeds {SENSITIVITY_FLOOR:g} of its maximum at {int(seen.sum())}."
        )
    require_close(sensitivity[seen], back[seen], tolerance, f"{name_of(fidelity)}: sensitivity differs from Hᵀw")
    support = torch.ones_like(back) if fidelity.support is None else fidelity.support
    require_close(support, seen.to(back), 0.0, f"{name_of(fidelity)}: support is not where the sensitivity is finite")
    flat = fidelity.mean_signal * support
    explained = float((weights * (fidelity.H.forward(flat) + fidelity.background)).sum())
    measured = float((weights * fidelity.y).sum())
    if not abs(explained - measured) <= tolerance * float((weights * fidelity.y.abs()).sum()):
        raise AssertionError(
            f"{name_of(fidelity)}: Σw(Hc + b) = {explained:.12g} for mean_signal c, Σwy = {measured:.12g}."
        )


def check_weights(fidelity: Fidelity, x: Tensor, generator: torch.Generator, tolerance: float = 1e-8) -> None:
    """The value with weights w is Σ w·loss, and a weight of 1 everywhere is no weight."""
    plain = replace(fidelity, weights=None)
    ones = replace(fidelity, weights=torch.ones_like(fidelity.y))
    without, trusted = float(plain.value(x)), float(ones.value(x))
    if not abs(without - trusted) <= tolerance * (1 + abs(without)):
        raise AssertionError(f"{name_of(fidelity)}: {without!r} without weights, {trusted!r} with 1 everywhere.")
    weights = random_like(fidelity.y.shape, fidelity.y, generator).abs() + 0.01
    weighted = replace(fidelity, weights=weights)
    expected = float(total_of(weights * plain.loss(fidelity.H.forward(x))))
    if not abs(float(weighted.value(x)) - expected) <= tolerance * (1 + abs(expected)):
        raise AssertionError(
            f"{name_of(fidelity)}: weighted value {float(weighted.value(x))!r}, but Σ w·loss is {expected!r}."
        )
    check_gradient(weighted, x, tolerance)
    check_lipschitz(weighted, x, x + 1, weighted.lipschitz)


def check_mask(fidelity: Fidelity, x: Tensor, generator: torch.Generator) -> None:
    """Where the weight is 0, NaN in the data and in its maps changes nothing, bit by bit."""
    weights = (random_like(fidelity.y.shape, fidelity.y, generator) > -0.5).to(fidelity.y)
    weights.flatten()[0], weights.flatten()[-1] = 0, 1
    v = fidelity.H.forward(x)
    results = []
    for junk in (float("nan"), -1e30, float("inf")):
        changed: dict[str, Any] = {"y": torch.where(weights > 0, fidelity.y, junk)}
        for name in fidelity.maps:
            value = getattr(fidelity, name)
            if isinstance(value, torch.Tensor) and value.ndim:
                changed[name] = torch.where(weights > 0, value, junk)
        masked = replace(fidelity, weights=weights, **changed)
        parts = (
            masked.value(x),
            masked.grad(x),
            masked.sensitivity,
            masked.mean_signal,
            masked.expected_loss(v.clone()),
        )
        results.append((junk, (*parts, masked.prox_prediction(v, 1.0))))
    names = ("value", "grad", "sensitivity", "mean_signal", "expected_loss", "prox_prediction")
    for junk, found in results:
        for name, value, reference in zip(names, found, results[0][1], strict=True):
            if bool(value.isnan().any()) or not torch.equal(value, reference):
                raise AssertionError(
                    f"{name_of(fidelity)}: {name} feels {junk:g} under a weight of 0 (or is NaN there)."
                )
