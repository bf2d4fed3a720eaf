"""The driver: what it yields, keeps, ends with and refuses."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from deconlab.errors import DeconvolutionError
from deconlab.functionals import LeastSquares, PoissonLikelihood, Tikhonov, Zero
from deconlab.methods import DirectMethod, IterativeMethod, Method, State, registry
from deconlab.methods.landweber import Landweber
from deconlab.methods.richardson_lucy import RichardsonLucy
from deconlab.operators import Identity, blur
from deconlab.problem import Free, NonNegative, Problem
from deconlab.solve import Checkpoint, Iteration, Record, interrupt_as_flag, iterate, solve
from deconlab.stopping import MaxIterations, RelativeChange
from deconlab.testing._examples import example

PSF = torch.tensor([[1.0, 2.0, 0.5], [3.0, 4.0, 1.0]], dtype=torch.float64) / 11.5


@pytest.fixture
def problem() -> Problem[Any, Any]:
    H = blur(PSF, (6, 7))
    y = 20 * torch.rand(6, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return Problem(PoissonLikelihood(H, y, 1.0), constraint=NonNegative())


@pytest.fixture
def least_squares(problem: Problem[Any, Any]) -> Problem[Any, Any]:
    return Problem(LeastSquares(problem.H, problem.fidelity.y, 1.0))


@dataclass(frozen=True)
class Counting(IterativeMethod[State, LeastSquares, Zero]):
    """x counts the steps: 1, 2, 3, …; done at ``last``, not a number at ``bad``."""

    last: int = 10**9
    bad: int = 10**9

    def init(self, problem: Problem[Any, Any], x0: torch.Tensor | None = None) -> State:
        return State(torch.zeros(problem.H.in_shape) if x0 is None else x0)

    def step(self, problem: Problem[Any, Any], state: State) -> State:  # noqa: ARG002
        following = state.x + 1
        return State(torch.where(following >= self.bad, torch.nan, following))

    def finished(self, problem: Problem[Any, Any], state: State) -> str | None:  # noqa: ARG002
        return "there" if float(state.x.max()) >= self.last else None


@dataclass(frozen=True)
class Dividing(DirectMethod[State, LeastSquares, Zero]):
    """y/0."""

    def apply(self, problem: Problem[Any, Any]) -> State:
        return State(problem.fidelity.y / 0)


@dataclass(frozen=True)
class Neither(Method):
    """No method at all."""

    __orig_bases__: ClassVar[Any] = ()


@pytest.fixture
def counting() -> Problem[Any, Any]:
    return Problem(LeastSquares(Identity((2,)), torch.ones(2)))


def test_iterations_come_one_by_one(counting: Problem[Any, Any]) -> None:
    found = []
    for iteration in iterate(Counting(), counting):
        found.append((iteration.index, iteration.x.tolist(), iteration.previous.x.tolist(), iteration.change))
        assert iteration.seconds >= 0
        assert len(iteration.records) == iteration.index - 1
        if iteration.index == 3:
            break
    assert found == [
        (1, [1.0, 1.0], [0.0, 0.0], 1.0),
        (2, [2.0, 2.0], [1.0, 1.0], pytest.approx(0.5)),
        (3, [3.0, 3.0], [2.0, 2.0], pytest.approx(1 / 3)),
    ]


def test_the_change_of_nothing_is_nothing(counting: Problem[Any, Any]) -> None:
    (first, *_) = iterations(Counting(), counting, 1, x0=torch.tensor([-1.0, -1.0]))
    assert first.change == 0.0


def iterations(method: Any, problem: Problem[Any, Any], count: int, **options: Any) -> list[Iteration]:
    return [iteration for iteration, _ in zip(iterate(method, problem, **options), range(count), strict=False)]


def test_only_what_was_asked_for_is_kept(problem: Problem[Any, Any]) -> None:
    """Objective and change cost an application or a pass; a record keeps them if somebody asked, else None."""
    asked: list[float] = []

    def observer(iteration: Iteration) -> None:
        if iteration.index == 2:
            asked.extend([iteration.objective, iteration.change])

    solution = solve(RichardsonLucy(), problem, stop=MaxIterations(3), observers=[observer])
    first, second, third = solution.history
    assert (first.objective, first.change, third.objective, third.change) == (None, None, None, None)
    assert [second.objective, second.change] == asked
    assert [record.index for record in solution.history] == [1, 2, 3]
    assert first.seconds <= second.seconds <= third.seconds
    states = iterations(RichardsonLucy(), problem, 2)
    assert asked[0] == pytest.approx(float(problem.objective(states[1].x)))
    difference = (states[1].x - states[0].x).norm() / states[1].x.norm()
    assert asked[1] == pytest.approx(float(difference))


def test_the_steps_by_product_is_the_objective_before_it(problem: Problem[Any, Any]) -> None:
    for iteration in iterations(RichardsonLucy(), problem, 3):
        assert iteration.state.objective is not None
        assert float(iteration.state.objective) == pytest.approx(
            float(problem.objective(iteration.previous.x)), rel=1e-12
        )


def test_the_method_itself_comes_before_the_rule(counting: Problem[Any, Any]) -> None:
    both = solve(Counting(last=4), counting, stop=MaxIterations(4))
    assert (both.reason, both.iterations) == ("there", 4)
    assert solve(Counting(last=9), counting, stop=MaxIterations(4)).reason == "reached 4 iterations"


def test_observers_see_every_iteration_in_turn(counting: Problem[Any, Any]) -> None:
    seen: list[tuple[str, int]] = []
    observers = [lambda i: seen.append(("a", i.index)), lambda i: seen.append(("b", i.index))]
    solve(Counting(), counting, stop=MaxIterations(2), observers=observers)
    assert seen == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_an_observers_error_is_its_own(counting: Problem[Any, Any]) -> None:
    def failing(_: Iteration) -> None:
        raise OSError("disk full")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="disk full"):
        solve(Counting(), counting, stop=MaxIterations(2), observers=[failing])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_start_is_made_admissible(problem: Problem[Any, Any]) -> None:
    x0 = torch.full(problem.H.in_shape, -1.0, dtype=torch.float64)
    x0[2:, 2:] = 5.0
    kept = x0.clone()
    (first,) = iterations(RichardsonLucy(), problem, 1, x0=x0)
    assert float(first.previous.x.min()) == 0
    assert torch.equal(x0, kept)
    single = solve(RichardsonLucy(), problem, stop=MaxIterations(2), x0=x0.float())
    assert single.x.dtype == torch.float64, "the data's dtype, not the start's"
    with pytest.raises(ValueError, match=r"The start has shape \(6, 7\), the object \(7, 10\); they must be equal"):
        solve(RichardsonLucy(), problem, stop=MaxIterations(2), x0=torch.ones(6, 7))


def test_direct_methods_are_applied_once(least_squares: Problem[Any, Any]) -> None:
    problem = Problem(least_squares.fidelity, Tikhonov(0.1))
    solution = solve(registry.get("tikhonov-inverse")(), problem, stop=MaxIterations(5))
    assert (solution.reason, solution.iterations, solution.history) == ("closed form", 0, ())


def test_the_solutions_method_has_the_numbers_that_were_chosen(least_squares: Problem[Any, Any]) -> None:
    solution = solve(Landweber(), least_squares, stop=MaxIterations(5))
    assert solution.method == Landweber(step_size=1 / least_squares.H.norm_squared)
    again = solve(solution.method, least_squares, stop=MaxIterations(5))
    assert torch.equal(again.x, solution.x)
    assert solution.x is solution.state.x


def test_going_on_counts_on(problem: Problem[Any, Any]) -> None:
    """Indices, seconds and records continue; nothing of the checkpoint is changed."""
    half = solve(RichardsonLucy(), problem, stop=MaxIterations(3))
    records = tuple(Record(r.index, r.seconds + 100, r.objective, r.change) for r in half.history)
    checkpoint = Checkpoint(half.state, records)
    whole = solve(RichardsonLucy(), problem, stop=MaxIterations(5), resume=checkpoint)
    assert whole.iterations == 5
    assert [record.index for record in whole.history] == [1, 2, 3, 4, 5]
    assert whole.history[-1].seconds >= 100
    assert checkpoint.records == records
    assert torch.equal(whole.x, solve(RichardsonLucy(), problem, stop=MaxIterations(5)).x)


def test_values_that_are_not_finite_are_trouble_at_run_time(counting: Problem[Any, Any]) -> None:
    for bad in (1, 2, 5):
        with pytest.raises(
            DeconvolutionError, match=r"Counting gave non-finite values by iteration \d+\. Check the PSF"
        ):
            solve(Counting(bad=bad), counting, stop=MaxIterations(6))
    assert solve(Counting(bad=7), counting, stop=MaxIterations(6)).iterations == 6
    with pytest.raises(DeconvolutionError, match=r"Dividing gave non-finite values by iteration 0"):
        solve(Dividing(), counting, stop=MaxIterations(6))


def test_runs_are_without_autograd(least_squares: Problem[Any, Any]) -> None:
    step_size = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    solution = solve(Landweber(step_size=step_size), least_squares, stop=MaxIterations(2))  # type: ignore[arg-type]
    assert not solution.x.requires_grad


def test_what_cannot_be_solved_is_refused_before_anything_runs(least_squares: Problem[Any, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"its data term must be PoissonLikelihood.* its constraint must be NonNegative"
    ):
        solve(RichardsonLucy(), least_squares, stop=MaxIterations(2))
    with pytest.raises(ValueError, match="its data term must be PoissonLikelihood"):
        next(iterate(RichardsonLucy(), least_squares))


def test_what_is_no_method_is_said(counting: Problem[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    import deconlab.solve

    monkeypatch.setattr(deconlab.solve, "refuse", lambda *_: None)
    with pytest.raises(TypeError, match=r"Neither\(\) is neither an iterative nor a direct method"):
        solve(Neither(), counting, stop=MaxIterations(2))


# Ctrl-C


def press(_: Iteration) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_ctrl_c_ends_the_run_and_keeps_its_state(counting: Problem[Any, Any]) -> None:
    solution = solve(Counting(), counting, stop=MaxIterations(9), observers=[press])
    assert (solution.reason, solution.iterations, solution.x.tolist()) == ("interrupted", 1, [1.0, 1.0])


def test_a_rule_that_is_met_all_the_same_comes_first(counting: Problem[Any, Any]) -> None:
    assert solve(Counting(), counting, stop=MaxIterations(1), observers=[press]).reason == "reached 1 iterations"


def test_the_second_ctrl_c_is_an_interrupt_as_usual(counting: Problem[Any, Any]) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        solve(Counting(), counting, stop=MaxIterations(9), observers=[press, press])
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_the_flag_stays_down(counting: Problem[Any, Any]) -> None:
    results: list[Any] = []

    def work() -> None:
        with interrupt_as_flag() as interrupted:
            results.append(interrupted())
        results.append(solve(Counting(), counting, stop=MaxIterations(2)).reason)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [False, "reached 2 iterations"]


# Purity pays: unrolling


def iterative() -> Iterator[str]:
    return (name for name, cls in registry.all().items() if issubclass(cls, IterativeMethod))


@pytest.mark.parametrize("name", list(iterative()))
def test_steps_can_be_unrolled_under_autograd(name: str) -> None:
    """Three steps as a function of start, data and PSF: autograd's derivatives are those of finite differences."""
    cls = registry.get(name)
    assert issubclass(cls, IterativeMethod)
    method = cls()
    start = example(cls, shape=(4, 5), boundary="periodic")
    x0 = start.start(None) + torch.rand(4, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def three_steps(x0: torch.Tensor, y: torch.Tensor, psf: torch.Tensor) -> torch.Tensor:
        fidelity = type(start.fidelity)(blur(psf, (4, 5), "periodic"), y, 2.0)
        problem = Problem(fidelity, start.prior, start.constraint)
        return iterations(method, problem, 3, x0=x0)[-1].x

    y, psf = start.fidelity.y + 0.5, start.H.convolution.psf
    inputs = [tensor.detach().clone().requires_grad_() for tensor in (x0, y, psf)]
    if "step_size" in vars(method) or name == "condat-vu":
        inputs[2].requires_grad_(False)  # the step size was made from ‖H‖² as a plain number
    assert torch.autograd.gradcheck(three_steps, inputs, eps=1e-6, atol=1e-5, rtol=1e-4)


def test_a_step_size_can_be_learned(least_squares: Problem[Any, Any]) -> None:
    step_size = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)

    def loss(step_size: torch.Tensor) -> torch.Tensor:
        method = Landweber(step_size=step_size)  # type: ignore[arg-type]
        return iterations(method, least_squares, 3)[-1].x.square().sum()

    assert torch.autograd.gradcheck(loss, [step_size])


def test_an_endless_run_needs_no_memory_for_its_past(counting: Problem[Any, Any]) -> None:
    """A thousand iterations keep a thousand records, and no tensors but the last two states."""
    import gc

    last = None
    for iteration in iterate(Counting(), counting):
        if iteration.index == 1000:
            last = iteration
            break
    gc.collect()
    states = [item for item in gc.get_objects() if type(item) is State]
    assert last is not None
    assert len(states) <= 3
    assert len(last.records) == 999


def test_a_rule_that_needs_the_past_finds_it(problem: Problem[Any, Any]) -> None:
    """RelativeChange asks, hence every record has the change; the run stops where they say."""
    solution = solve(RichardsonLucy(), problem, stop=MaxIterations(200) | RelativeChange(5e-3))
    changes = [record.change for record in solution.history]
    assert solution.iterations < 200
    assert all(change is not None for change in changes)
    assert np.argmax([change is not None and change < 5e-3 for change in changes]) == solution.iterations - 1


def test_a_free_constraint_leaves_the_start_alone() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.equal(Problem(LeastSquares(Identity((2,)), torch.ones(2)), Zero(), Free()).start(x), x)
