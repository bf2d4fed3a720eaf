"""The only loop in the package: a generator of iterations, and a driver that runs it until a rule says why to stop."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from types import FrameType
from typing import Any

from deconlab.errors import DeconvolutionError
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import DirectMethod, IterativeMethod, Method, State, refusals
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Problem


@dataclass(frozen=True)
class Record:
    """What is kept of a past iteration: numbers that were asked for while it was the present one, else None."""

    index: int
    seconds: float
    objective: float | None = None
    change: float | None = None


@dataclass(frozen=True, eq=False)
class Iteration:
    """One finished step. ``index`` counts from 1; ``seconds`` since the run began, resumed time included."""

    index: int
    seconds: float
    state: State
    previous: State
    method: IterativeMethod[Any, Any, Any]
    problem: Problem[Any, Any]
    records: Sequence[Record]

    @property
    def x(self) -> Tensor:
        """The object as it is now, on the domain on which it is estimated."""
        return self.state.x

    @cached_property
    def objective(self) -> float:
        """The objective at x, computed when first asked for: a forward application."""
        return float(self.problem.objective(self.x))

    @cached_property
    def change(self) -> float:
        """‖x − x₋‖/‖x‖, computed when first asked for."""
        size = float(self.x.norm())
        return float((self.x - self.previous.x).norm()) / size if size > 0 else 0.0

    @property
    def record(self) -> Record:
        """What will be kept of this iteration; nothing is computed for it."""
        known = self.__dict__
        return Record(self.index, self.seconds, known.get("objective"), known.get("change"))


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A state to go on from, and the records of what led to it."""

    state: State
    records: tuple[Record, ...]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a run gives back. ``x`` is on the domain of the object; ``method`` has the numbers that it chose itself."""

    state: State
    iterations: int
    reason: str
    history: tuple[Record, ...]
    method: Method

    @property
    def x(self) -> Tensor:
        return self.state.x


Observer = Callable[[Iteration], None]
Rule = Callable[[Iteration], str | None]


def iterate(
    method: IterativeMethod[Any, Any, Any],
    problem: Problem[Any, Any],
    x0: Tensor | None = None,
    *,
    state: State | None = None,
    records: Sequence[Record] | None = None,
) -> Iterator[Iteration]:
    """Endless iterations of ``method`` on ``problem``, from ``x0``, or onwards from ``state`` and ``records``.

    Raises ValueError with every reason if the method cannot solve the problem.
    """
    refuse(method, problem)
    past = list(records or ())
    before = past[-1].seconds if past else 0.0
    start = time.perf_counter()
    current = method.init(problem, x0) if state is None else state
    for index in range(len(past) + 1, 1 << 62):
        following = method.step(problem, current)
        iteration = Iteration(index, before + time.perf_counter() - start, following, current, method, problem, past)
        yield iteration
        past.append(iteration.record)
        del iteration  # with it the previous estimate goes, before the next step needs its memory
        current = following


def solve(
    method: Method,
    problem: Problem[Any, Any],
    *,
    stop: Rule,
    observers: Sequence[Observer] = (),
    x0: Tensor | None = None,
    resume: Checkpoint | None = None,
) -> Solution:
    """Run ``method`` until ``stop`` (or the method itself) gives a reason.

    The first Ctrl-C ends the run after the present step with the reason "interrupted", keeping its state; a second one is a
    KeyboardInterrupt as usual. Direct methods are applied once, with the reason "closed form". Runs without autograd.

    Raises ValueError if the method cannot solve the problem and DeconvolutionError if the estimate stops being finite.
    """
    refuse(method, problem)
    with torch.no_grad():
        if isinstance(method, DirectMethod):
            state = method.apply(problem)
            _require_finite(state, method, 0)
            return Solution(state, 0, "closed form", (), _with_chosen(method, state))
        if not isinstance(method, IterativeMethod):
            raise TypeError(f"{method!r} is neither an iterative nor a direct method.")
        begin: dict[str, Any] = {"x0": x0} if resume is None else {"state": resume.state, "records": resume.records}
        if resume is not None and resume.records:
            ended = method.finished(problem, resume.state) or stop(_last_of(resume, method, problem))
            if ended:  # it was saved when all was done
                return Solution(
                    resume.state, len(resume.records), ended, resume.records, _with_chosen(method, resume.state)
                )
        with interrupt_as_flag() as interrupted:
            for iteration in iterate(method, problem, **begin):
                if iteration.index & (iteration.index - 1) == 0:
                    _require_finite(iteration.state, method, iteration.index)
                for observer in observers:
                    observer(iteration)
                reason = method.finished(problem, iteration.state) or stop(iteration)
                if reason is None and interrupted():
                    reason = "interrupted"
                if reason is not None:
                    _require_finite(iteration.state, method, iteration.index)
                    history = (*iteration.records, iteration.record)
                    final = _with_chosen(method, iteration.state)
                    return Solution(iteration.state, iteration.index, reason, history, final)
                del iteration  # it holds the estimate before; the next step needs that memory
    raise AssertionError("iterate() is endless")


def refuse(method: Method, problem: Problem[Any, Any]) -> None:
    """Raise ValueError with every reason why ``method`` cannot solve ``problem``, if there is any."""
    reasons = refusals(method, problem)
    if reasons:
        raise ValueError(" ".join(reasons))


@contextmanager
def interrupt_as_flag() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag; it stays down outside the main thread, where signals never arrive, and where
    Ctrl-C is ignored, as in a program that a script has started in the background.
    """
    flag = threading.Event()
    deaf = threading.current_thread() is not threading.main_thread()
    if deaf or signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        yield flag.is_set
        return

    def raise_flag(number: int, frame: FrameType | None) -> None:
        if flag.is_set():
            signal.default_int_handler(number, frame)
        flag.set()

    former = signal.signal(signal.SIGINT, raise_flag)
    try:
        yield flag.is_set
    finally:
        signal.signal(signal.SIGINT, former)


def _last_of(resume: Checkpoint, method: IterativeMethod[Any, Any, Any], problem: Problem[Any, Any]) -> Iteration:
    """The iteration after which a checkpoint was saved, as a stop rule saw it."""
    *past, last = resume.records
    iteration = Iteration(last.index, last.seconds, resume.state, resume.state, method, problem, past)
    # The step before is not saved. A rule that reads the change had it recorded; to another it must not seem 0.
    iteration.__dict__["change"] = math.inf if last.change is None else last.change
    return iteration


def _with_chosen(method: Method, state: State) -> Method:
    return replace(method, **method.chosen(state)) if method.chosen(state) else method


def _require_finite(state: State, method: Method, index: int) -> None:
    if not math.isfinite(float(total_of(state.x))):  # isfinite() of every voxel would take two volumes more
        raise DeconvolutionError(
            f"{type(method).__name__} gave non-finite values by iteration {index}. Check the PSF, the background and the "
            f"step size; data with gaps need weights that mask them."
        )
