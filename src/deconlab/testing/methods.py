"""Contract of a method: each check is a function of a method instance; :func:`check_method` runs those that apply."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from deconlab import functionals, schema
from deconlab.functionals import HasProx, LeastSquares, Prior
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import DirectMethod, IterativeMethod, Method, claims, refusals
from deconlab.testing._buffers import check_buffers
from deconlab.testing._examples import (
    SHAPE,
    advance,
    default_prior,
    delta_psf,
    example,
    in_frame,
    lambda_of,
    settle,
    weighted,
)
from deconlab.testing._numbers import map_tensors, require_close, require_same, tensors_of
from deconlab.testing._steps import (
    check_interrupt,
    check_monotone,
    check_order,
    check_resume,
    check_transforms,
)

Check = Callable[..., None]


def check_method(
    method: Method | type[Method],
    *,
    prior: Prior | None = None,
    undamped: Method | None = None,
    scale_tolerance: float = 0.0,
) -> None:
    """Raise AssertionError unless ``method``, an instance or a class with its defaults, keeps its contract.

    Runs every function that :func:`checks_of` lists for it, on tiny problems made to its claims. ``prior`` is used instead of
    its default prior. ``undamped`` is the instance that a δ PSF should leave the data alone with (by default with its dial,
    if that is a number >= 0 of its own, turned to next to nothing). ``scale_tolerance`` is relative; above 0 it is meant for
    methods that accept or reject steps on a comparison, for which 1e-6 is customary.
    """
    instance = method() if isinstance(method, type) else method
    for check in checks_of(instance):
        if check is check_delta:
            check(instance, prior, undamped=undamped)
        elif check is check_scale:
            check(instance, prior, tolerance=scale_tolerance)
        else:
            check(instance, prior)


def checks_of(method: Method) -> tuple[Check, ...]:
    """The checks that apply to ``method``, by what it is and claims."""
    checks: list[Check] = [
        check_claims,
        check_repr,
        check_precision,
        check_delta,
        check_purity,
        check_scale,
        check_mask,
        check_chosen,
        check_meta,
    ]
    if isinstance(method, IterativeMethod):
        checks += [check_resume, check_interrupt]
        checks += [check_monotone] if method.monotone else []
        checks += [check_order] if method.order is not None else []
    if method.transforms is not None:
        checks.append(check_transforms)
    if method.buffers is not None:
        checks.append(check_buffers)
    return tuple(checks)


def check_claims(method: Method, prior: Prior | None = None) -> None:
    """The declarations fit each other: it accepts what it claims, refuses the rest by name, and cites where it is from."""
    cls, claim = type(method), claims(type(method))
    if not issubclass(functionals.registry.get(cls.default_prior), claim.prior):
        raise AssertionError(f"{cls.__name__}: its default prior {cls.default_prior!r} is no {claim.prior.__name__}.")
    problem = example(method, prior=prior)
    if refusals(method, problem):
        raise AssertionError(f"{cls.__name__} refuses what it claims to solve: {refusals(method, problem)}")
    if not isinstance(method, IterativeMethod | DirectMethod):
        raise AssertionError(f"{cls.__name__} is neither an iterative nor a direct method.")
    if not cls.references or not all(reference.startswith("10.") for reference in cls.references):
        raise AssertionError(f"{cls.__name__}: references must be the DOIs of its sources, not {cls.references!r}.")
    own = {parameter.name for parameter in schema.parameters(cls)}
    if cls.dial not in own | {"iterations", "weight"}:
        raise AssertionError(f"{cls.__name__}: its dial {cls.dial!r} is no parameter of it; there are {sorted(own)}.")
    if cls.dial == "weight" and "weight" not in own and not hasattr(default_prior(cls, prior), "weight"):
        raise AssertionError(f"{cls.__name__}: its dial is λ, yet {type(problem.prior).__name__} has no weight.")
    state = advance(method, problem, 1)
    if type(state) is not claim.state:
        raise AssertionError(
            f"{cls.__name__} claims {claim.state.__name__} as its state and gives {type(state).__name__}."
        )


def check_repr(method: Method, prior: Prior | None = None) -> None:  # noqa: ARG001
    """``eval(repr(method)) == method``: what is printed is what can be run again."""
    cls = type(method)
    again = eval(repr(method), {cls.__name__: cls})
    if again != method or hash(again) != hash(method):
        raise AssertionError(f"{cls.__name__}: eval(repr(method)) gives {again!r}, not {method!r}.")


def check_precision(method: Method, prior: Prior | None = None) -> None:
    """In one to three dimensions and in both precisions, x has the object's shape and the data's dtype, and is finite."""
    for shape in ((11,), (6, 7), (4, 5, 6)):
        for dtype in (torch.float32, torch.float64):
            problem = example(method, prior=prior, shape=shape, dtype=dtype)
            x = advance(method, problem, 3).x
            if tuple(x.shape) != problem.H.in_shape or x.dtype != dtype:
                raise AssertionError(
                    f"{_of(method)}: x is {x.dtype} of shape {tuple(x.shape)} for {dtype} data and an object of "
                    f"{problem.H.in_shape}."
                )
            if not bool(torch.isfinite(x).all()):
                raise AssertionError(f"{_of(method)}: {int((~torch.isfinite(x)).sum())} non-finite values in {dtype}.")


def check_delta(
    method: Method,
    prior: Prior | None = None,
    *,
    undamped: Method | None = None,
    steps: int = 300,
    tolerance: float = 1e-6,
) -> None:
    """A δ PSF, b = 0, y >= 0: x is y where λ = 0; else, for a least-squares data term, the prior's prox of y."""
    usual = default_prior(type(method), prior)
    for shape in ((11,), (6, 7), (4, 3, 5)):
        psf = delta_psf(len(shape))
        for boundary in ("periodic", "open"):
            problem = example(
                method, prior=weighted(usual, 0.0), shape=shape, boundary=boundary, psf=psf, background=0.0
            )
            if lambda_of(problem.prior) != 0:
                raise AssertionError(f"{_of(method)}: λ of {problem.prior!r} cannot be set to 0.")
            x = settle(undamped or _undamped(method), problem, steps).x
            what = f"{_of(method)} with a δ PSF, {boundary}, {len(shape)}-D, λ = 0: x differs from y"
            require_close(in_frame(problem, x), problem.fidelity.y, tolerance, what)
        problem = example(
            method, prior=weighted(usual, 0.02), shape=shape, boundary="periodic", psf=psf, background=0.0
        )
        if lambda_of(problem.prior) == 0 or not isinstance(problem.prior, HasProx):
            continue
        if isinstance(problem.fidelity, LeastSquares):
            # A level well above 0, so that a constraint x >= 0 does not bind.
            problem = problem.with_data(y=problem.fidelity.y + 500)
            x = settle(method, problem, steps).x
            expected = problem.prior.prox(problem.fidelity.y, 1.0)
            what = f"{_of(method)} with a δ PSF, {len(shape)}-D: x differs from the prior's prox of y"
            require_close(x, expected, tolerance, what)


def _undamped(method: Method) -> Method:
    """``method`` with its dial, where that is a number of its own that may be next to 0, turned there."""
    for parameter in schema.parameters(type(method)):
        if parameter.name == method.dial and parameter.kind is float and 0 in (parameter.above, parameter.at_least):
            return replace(method, **{parameter.name: 1e-12})
    return method


def check_purity(method: Method, prior: Prior | None = None) -> None:
    """Neither a step nor a direct method writes into what it is given, and the same input gives the same output."""
    for boundary in ("open", "periodic"):
        problem = example(method, prior=prior, boundary=boundary, dtype=torch.float32)
        state = advance(method, problem, 2)  # caches are filled
        held = tensors_of(problem.fidelity.__dict__) + tensors_of(state)
        before = [tensor.clone() for tensor in held]
        kept = map_tensors(state, torch.clone)
        with torch.no_grad():
            if isinstance(method, IterativeMethod):
                first, second = method.step(problem, state), method.step(problem, kept)
            else:
                first, second = advance(method, problem, 0), advance(method, problem, 0)
        changed = [
            index for index, (now, then) in enumerate(zip(held, before, strict=True)) if not _identical(now, then)
        ]
        if changed:
            raise AssertionError(f"{_of(method)} writes into {len(changed)} of the {len(held)} tensors it is given.")
        require_same(first, second, f"{_of(method)} gives two results for the same input")


def check_scale(method: Method, prior: Prior | None = None, *, tolerance: float = 0.0, steps: int = 12) -> None:
    """Data and background × 1024, λ × 1024^(degrees' difference): x / 1024 is the same, bit by bit unless a tolerance is given.

    A larger difference is a hidden absolute number: an ε in a quotient, a floor, a clip.
    """
    for dtype in (torch.float32, torch.float64):
        for boundary in ("open", "periodic"):
            one, large = (
                advance(method, example(method, prior=prior, boundary=boundary, dtype=dtype, scale=scale), steps).x
                for scale in (1.0, 1024.0)
            )
            what = f"{_of(method)}, {boundary}, {dtype}: 1024 × the data does not give 1024 × the result"
            require_close(large / 1024, one, tolerance, what)


def check_mask(method: Method, prior: Prior | None = None) -> None:
    """Under a weight of 0 nothing has influence, NaN included; a method that does not honour weights refuses them."""
    mask = torch.ones(SHAPE, dtype=torch.float64)
    mask[2:4, 5:7] = 0
    problem = example(method, prior=prior, weights=mask)
    if not method.honours_weights:
        if not any("cannot honour weights" in reason for reason in refusals(method, problem)):
            raise AssertionError(f"{_of(method)} does not honour weights and yet accepts a problem with weights.")
        return
    results = []
    for junk in (0.0, float("nan"), 1e20):
        y = torch.where(mask > 0, problem.fidelity.y, junk)
        results.append(advance(method, problem.with_data(y=y), 5).x)
        if not torch.equal(results[0], results[-1]):
            raise AssertionError(f"{_of(method)}: {junk:g} under a weight of 0 changes x.")
    same_start = problem.start(None)
    reading, trusting = (advance(method, p, 5, same_start).x for p in (problem, problem.with_data(weights=None)))
    if torch.equal(reading, trusting):
        raise AssertionError(
            f"{_of(method)}: a mask over {int((mask == 0).sum())} voxels changes nothing; it is not read."
        )


def check_chosen(method: Method, prior: Prior | None = None) -> None:
    """``replace(method, **chosen)`` repeats the run, and says the same numbers again."""
    problem = example(method, prior=prior, dtype=torch.float32)
    state = advance(method, problem, 5)
    chosen = method.chosen(state)
    own = {field.name for field in dataclasses.fields(method)}
    if not set(chosen) <= own or not all(type(value) in (int, float) for value in chosen.values()):
        raise AssertionError(f"{_of(method)}: chosen gives {chosen!r}; it must be plain numbers by the names of {own}.")
    fixed = replace(method, **chosen)
    again = advance(fixed, problem, 5)
    require_close(again.x, state.x, 0.0, f"{_of(method)}: with its chosen numbers {chosen} the run is another")
    if fixed.chosen(again) != chosen:
        raise AssertionError(f"{_of(method)}: with its chosen numbers it chooses {fixed.chosen(again)}, not {chosen}.")


def check_meta(method: Method, prior: Prior | None = None) -> None:
    """One step on tensors without data: no value is read (a host synchronisation) and nothing leaves the device."""
    real = example(method, prior=prior, dtype=torch.float32)
    problem = example(method, prior=prior, dtype=torch.float32, device="meta")
    state = map_tensors(advance(method, real, 2), lambda tensor: tensor.to("meta"))
    try:
        with torch.no_grad():
            following = (
                method.step(problem, state) if isinstance(method, IterativeMethod) else advance(method, problem, 0)
            )
    except (RuntimeError, NotImplementedError) as error:
        raise AssertionError(f"{_of(method)} reads a value or leaves the device within a step: {error}") from error
    strays = [tensor.device for tensor in tensors_of(following) if tensor.device.type != "meta"]
    if strays:
        raise AssertionError(
            f"{_of(method)}: {len(strays)} tensors of the new state are on {strays[0]}, not on the data's."
        )


def _identical(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(nan=-1.0), b.nan_to_num(nan=-1.0))


def _of(method: Any) -> str:
    return type(method).__name__
