"""Checks of iterative methods: going on after a break, and what their steps claim to cost and to do."""

from __future__ import annotations

import io
import math
import os
import signal
from typing import Any

from deconlab import engine, fourier
from deconlab.functionals import Prior
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import IterativeMethod, Method, State, claims
from deconlab.solve import Checkpoint, Iteration, Record, Rule, solve
from deconlab.testing._examples import advance, default_prior, example, weighted
from deconlab.testing._numbers import require_same

STEPS = 9
MONOTONE_STEPS = 50


def check_resume(method: IterativeMethod[Any, Any, Any], prior: Prior | None = None) -> None:
    """A run that goes on from a checkpoint is the uninterrupted run, bit by bit, and stops at the same place.

    The checkpoint goes through ``torch.save`` and ``torch.load(weights_only=True)``.
    """
    for dtype in (torch.float32, torch.float64):
        problem = example(method, prior=prior, dtype=dtype)
        whole = solve(method, problem, stop=_after(STEPS))
        half = solve(method, problem, stop=_after(STEPS // 2))
        resumed = solve(method, problem, stop=_after(STEPS), resume=_through_file(method, half.state, half.history))
        require_same(resumed.state, whole.state, f"{_of(method)} resumed after {STEPS // 2} of {STEPS} steps")
        if (resumed.iterations, resumed.reason, len(resumed.history)) != (
            whole.iterations,
            whole.reason,
            len(whole.history),
        ):
            raise AssertionError(
                f"{_of(method)}: resumed it stops after {resumed.iterations} iterations ({resumed.reason}), uninterrupted "
                f"after {whole.iterations} ({whole.reason})."
            )
    calm = solve(method, problem, stop=_settled)
    half = solve(method, problem, stop=_after(max(1, calm.iterations // 2)))
    # A rule that looks at the past finds there what it would have found without the break.
    resumed = solve(method, problem, stop=_settled, resume=_through_file(method, half.state, half.history))
    if (resumed.iterations, resumed.reason) != (calm.iterations, calm.reason):
        raise AssertionError(
            f"{_of(method)}: resumed it settles after {resumed.iterations} iterations, uninterrupted after {calm.iterations}."
        )


def _settled(iteration: Iteration) -> str | None:
    """Stops when the change is a third of the first one's scale, or after 40 iterations."""
    return "settled" if iteration.change < 0.02 or iteration.index >= 40 else None


def _through_file(method: Method, state: State, records: tuple[Record, ...]) -> Checkpoint:
    file = io.BytesIO()
    torch.save({"state": dict(vars(state)), "records": [vars(record) for record in records]}, file)
    file.seek(0)
    read = torch.load(file, weights_only=True)
    return Checkpoint(
        claims(type(method)).state(**read["state"]), tuple(Record(**record) for record in read["records"])
    )


def check_interrupt(method: IterativeMethod[Any, Any, Any], prior: Prior | None = None, *, at: int = 3) -> None:
    """Ctrl-C within a step ends the run after that step, with its state and the reason "interrupted"."""
    problem = example(method, prior=prior)
    expected = advance(method, problem, at)
    done, armed = 0, False
    plain = type(method).step

    def press() -> None:
        nonlocal armed
        if armed:
            armed = False
            os.kill(os.getpid(), signal.SIGINT)

    def pressing(call: Any) -> Any:
        def first_pressed(*arguments: Any, **options: Any) -> Any:
            press()
            return call(*arguments, **options)

        return first_pressed

    def interrupted(self: Any, problem: Any, state: Any) -> Any:
        nonlocal done, armed
        done += 1
        armed = done == at
        try:
            return plain(self, problem, state)
        finally:
            press()  # of a step that does not apply H

    for name in ("forward", "adjoint", "normal", "sandwich"):
        setattr(problem.H, name, pressing(getattr(problem.H, name)))
    cls: Any = type(type(method).__name__, (type(method),), {"step": interrupted})
    stand_in = cls(**vars(method))
    before = signal.getsignal(signal.SIGINT)
    solution = solve(stand_in, problem, stop=_after(at + 5))
    if solution.reason != "interrupted" or solution.iterations != at:
        raise AssertionError(
            f"{_of(method)}: Ctrl-C within step {at} ended the run after {solution.iterations} ({solution.reason!r})."
        )
    require_same(solution.state, expected, f"{_of(method)} after Ctrl-C within step {at}")
    if signal.getsignal(signal.SIGINT) is not before:
        raise AssertionError(f"{_of(method)}: the handler of Ctrl-C is not what it was before the run.")


def check_transforms(method: Method, prior: Prior | None = None) -> None:
    """A step on a periodic problem costs as many real transforms as ``transforms`` claims.

    Counted on the plain path: the compiled engine's transforms are never whole.
    """
    with engine.using("plain"):
        _count_transforms(method, prior)


def _count_transforms(method: Method, prior: Prior | None) -> None:
    problem = example(method, prior=prior, boundary="periodic", dtype=torch.float32)
    state = advance(method, problem, 2)  # what is computed once has been computed
    calls: list[str] = []
    forward, inverse = fourier.rfftn, fourier.irfftn

    def counted_rfftn(x: Tensor, ndim: int) -> Tensor:
        calls.extend(["rfftn"] * math.prod(x.shape[: x.ndim - ndim]))
        return forward(x, ndim)

    def counted_irfftn(spectrum: Tensor, shape: Any, **options: Any) -> Tensor:
        calls.extend(["irfftn"] * math.prod(spectrum.shape[: spectrum.ndim - len(shape)]))
        return inverse(spectrum, shape, **options)

    fourier.rfftn, fourier.irfftn = counted_rfftn, counted_irfftn
    try:
        with torch.no_grad():
            if isinstance(method, IterativeMethod):
                method.step(problem, state)
            else:
                advance(method, problem, 0)
    finally:
        fourier.rfftn, fourier.irfftn = forward, inverse
    if len(calls) != method.transforms:
        raise AssertionError(
            f"{_of(method)} claims {method.transforms} transforms, a step takes {len(calls)}: {', '.join(calls)}."
        )


def check_monotone(method: IterativeMethod[Any, Any, Any], prior: Prior | None = None) -> None:
    """No step raises the objective: 50 float64 steps on periodic and open problems, with weights where they are honoured."""
    for boundary in ("periodic", "open"):
        for shape in ((16,), (9, 10)):
            weights = 0.5 + torch.arange(math.prod(shape)).reshape(shape) % 3 if method.honours_weights else None
            problem = example(method, prior=prior, boundary=boundary, shape=shape, weights=weights)
            with torch.no_grad():
                state = method.init(problem)
                before = float(problem.objective(state.x))
                for step in range(1, MONOTONE_STEPS + 1):
                    state = method.step(problem, state)
                    objective = float(problem.objective(state.x))
                    if not objective <= before + 1e-12 * abs(before):
                        raise AssertionError(
                            f"{_of(method)} claims to be monotone; {boundary}, step {step} raises the objective from "
                            f"{before:.15g} to {objective:.15g}."
                        )
                    before = objective


def check_order(method: IterativeMethod[Any, Any, Any], prior: Prior | None = None) -> None:
    """An objective gap of O(1/kᵒʳᵈᵉʳ), measured: its slope over k = 10 … 1000 on a noise-free Gaussian blur, λ = 0, minimum 0.

    0.2 less than claimed passes: 1.8 for an order of 2.
    """
    position = torch.arange(-12, 13, dtype=torch.float64)
    psf = torch.exp(-0.5 * (position / 2.5).square())
    problem = example(
        method,
        prior=weighted(default_prior(type(method), prior), 0.0),
        boundary="periodic",
        shape=(64,),
        psf=psf / psf.sum(),
        background=0.0,
        noisy=False,
    )
    gaps = {}
    with torch.no_grad():
        state = method.init(problem)
        for k in range(1, 1001):
            state = method.step(problem, state)
            if k in (10, 1000):
                gaps[k] = float(problem.objective(state.x))
    if gaps[10] > 0 and gaps[1000] > 0:
        slope = math.log(gaps[10] / gaps[1000]) / math.log(100)
        if method.order is None or not slope >= method.order - 0.2:
            raise AssertionError(
                f"{_of(method)} claims O(1/k^{method.order}); from k = 10 to 1000 the objective falls from {gaps[10]:.4g} to "
                f"{gaps[1000]:.4g}, as 1/k^{slope:.2f}."
            )


def _after(iterations: int) -> Rule:
    def rule(iteration: Iteration) -> str | None:
        return f"reached {iterations}" if iteration.index >= iterations else None

    return rule


def _of(method: Any) -> str:
    return type(method).__name__
