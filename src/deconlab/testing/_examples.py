"""Small problems made to a method's claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from deconlab import functionals
from deconlab.functionals import Fidelity, LeastSquares, Prior
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import DirectMethod, IterativeMethod, Method, State, claims
from deconlab.operators import Blur, blur
from deconlab.problem import Box, Constraint, Free, NonNegative, Problem

SHAPE = (9, 10)


def example(
    method: Method | type[Method],
    *,
    prior: Prior | None = None,
    boundary: str = "open",
    shape: Sequence[int] = SHAPE,
    dtype: torch.dtype | None = None,
    device: str = "cpu",
    psf: Tensor | None = None,
    background: float = 2.0,
    noisy: bool = True,
    weights: Tensor | None = None,
    scale: float = 1.0,
    seed: int = 0,
) -> Problem[Any, Any]:
    """A problem that ``method`` claims to solve: a few blobs of some tens of photons, blurred by a skewed PSF.

    Its data term, prior and constraint are what the class declares (``prior`` if given); ``scale`` multiplies data and
    background, and λ by scale to the power of the data term's degree less the prior's.
    """
    dtype = torch.float64 if dtype is None else dtype
    kernel = (skewed_psf(len(shape)) if psf is None else psf).to(torch.float64)
    truth = blobs(shape, seed)
    H = blur(kernel, shape, boundary)  # type: ignore[arg-type]
    clean = H.forward(H.frame.extend(truth)).clamp(min=0) + background
    y = torch.poisson(clean, torch.Generator().manual_seed(seed)) if noisy else clean
    cls = method if isinstance(method, type) else type(method)
    claim = claims(cls)
    data_term = LeastSquares if issubclass(LeastSquares, claim.fidelity) else claim.fidelity
    moved = blur(kernel.to(dtype).to(device), shape, boundary)  # type: ignore[arg-type]
    y = (y * scale).to(dtype).to(device)
    seen = None if weights is None else moved.weights(weights.to(dtype).to(device))
    fidelity: Fidelity = data_term(moved, y, background * scale, seen)
    return Problem(fidelity, scaled_prior(default_prior(cls, prior), fidelity, scale), example_constraint(cls))


def default_prior(cls: type[Method], prior: Prior | None = None) -> Prior:
    """``prior``, or the one that a user of ``cls`` gets who names none."""
    if prior is not None:
        return prior
    made = functionals.registry.get(cls.default_prior)()
    if not isinstance(made, Prior):
        raise AssertionError(f"{cls.__name__}: default_prior {cls.default_prior!r} is no prior but {made!r}.")
    return made


def scaled_prior(prior: Prior, fidelity: Fidelity, scale: float) -> Prior:
    """``prior`` with λ, and what else of it is an intensity, for intensities that are ``scale`` times as large."""
    if scale == 1.0:
        return prior
    if prior.intensities:
        declared: Any = prior
        prior = replace(declared, **{name: scale * getattr(prior, name) for name in prior.intensities})
    return weighted(prior, lambda_of(prior) * scale ** (fidelity.degree - prior.degree))


def lambda_of(prior: Prior) -> float:
    """λ, 0 where the prior has none."""
    return float(getattr(prior, "weight", 0.0))


def weighted(prior: Prior, weight: float) -> Prior:
    """``prior`` with another λ, itself if it has none."""
    declared: Any = prior
    names = {field.name for field in fields(declared)} if hasattr(prior, "__dataclass_fields__") else set()
    changed: Prior = replace(declared, weight=weight) if "weight" in names else prior
    return changed


def example_constraint(cls: type[Method]) -> Constraint:
    """x >= 0 where the method honours it, else whatever it does."""
    if issubclass(NonNegative, cls.constraint):
        return NonNegative()
    return Free() if issubclass(Free, cls.constraint) else Box(0.0, 1e4)


def advance(method: Method, problem: Problem[Any, Any], steps: int, x0: Tensor | None = None) -> State:
    """The state after ``steps`` steps from ``x0``, or a direct method's."""
    with torch.no_grad():
        if isinstance(method, DirectMethod):
            state: State = method.apply(problem)
            return state
        assert isinstance(method, IterativeMethod)
        state = method.init(problem, x0)
        for _ in range(steps):
            state = method.step(problem, state)
        return state


def settle(method: Method, problem: Problem[Any, Any], steps: int) -> State:
    """The state after ``steps`` steps, or as soon as one changes x by less than 1e-12 of it."""
    state = advance(method, problem, 0)
    with torch.no_grad():
        for _ in range(steps if isinstance(method, IterativeMethod) else 0):
            assert isinstance(method, IterativeMethod)
            previous, state = state, method.step(problem, state)
            if float((state.x - previous.x).norm()) <= 1e-12 * float(state.x.norm()):
                break
    return state


def in_frame(problem: Problem[Any, Any], x: Tensor) -> Tensor:
    """The part of an object that lies within the field of view."""
    H = problem.H
    return H.frame.forward(x) if isinstance(H, Blur) else x


def blobs(shape: Sequence[int], seed: int = 0) -> Tensor:
    """A non-negative object of some tens of photons per voxel with dark voxels, in float64."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(tuple(shape), generator=generator, dtype=torch.float64)
    return 60 * values * (values > 0.4)


def skewed_psf(ndim: int, size: int = 5) -> Tensor:
    """A PSF of sum 1 without any symmetry, so that no method can mix up H and Hᵀ unseen."""
    profile = torch.tensor([1.0, 3.0, 8.0, 4.0, 2.0], dtype=torch.float64)[:size]
    psf = profile
    for _ in range(ndim - 1):
        psf = psf[..., None] * profile.roll(1) if psf.ndim % 2 else psf[..., None] * profile
    return psf / psf.sum()


def delta_psf(ndim: int, size: int = 3) -> Tensor:
    """All light in the centre, voxel n // 2."""
    psf = torch.zeros((size,) * ndim, dtype=torch.float64)
    psf[(size // 2,) * ndim] = 1
    return psf
