"""What may watch a run, and what it leaves behind."""

import csv
import logging

import numpy as np
import pytest
import torch

from deconlab.api import prepare
from deconlab.errors import DeconvolutionError
from deconlab.functionals import PoissonLikelihood
from deconlab.methods import IterativeMethod, registry
from deconlab.observers import (
    Checkpoints,
    History,
    Progress,
    Snapshots,
    ToReference,
    load_checkpoint,
    peak_memory,
    progress_line,
)
from deconlab.operators import blur
from deconlab.problem import NonNegative, Problem
from deconlab.solve import iterate, solve
from deconlab.stopping import MaxIterations, RelativeChange


@pytest.fixture
def problem():
    torch.manual_seed(3)
    psf = torch.rand(3, 5)
    H = blur(psf / psf.sum(), (9, 12))
    return Problem(PoissonLikelihood(H, torch.poisson(torch.rand(9, 12) * 40)), constraint=NonNegative())


@pytest.fixture
def method():
    return registry.get("scaled-heavy-ball")()


def test_history_has_a_row_for_each_iteration(problem, method, tmp_path):
    path = tmp_path / "history.csv"
    frame = problem.H.frame.forward
    reference = torch.zeros(9, 12)
    sums = {"sum": ToReference(lambda x, _: float(x.sum()), reference, frame)}
    with History(path, sums) as history:
        solution = solve(method, problem, stop=MaxIterations(4), observers=[history])
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["iteration"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["sum"]) == pytest.approx(float(frame(solution.x).sum()))
    states = [iteration.state for iteration, _ in zip(iterate(method, problem), range(4), strict=False)]
    # The objective is the by-product of the step's own Hx: that of the point where the step began.
    assert float(rows[0]["objective_before"]) == pytest.approx(float(problem.objective(problem.flat())), rel=1e-5)
    assert [float(row["objective_before"]) for row in rows] == [float(state.objective) for state in states]
    assert all(float(row["change"]) > 0 and int(row["memory_bytes"]) > 0 for row in rows)
    assert [record.change for record in solution.history] == [float(row["change"]) for row in rows]


def test_history_wants_its_file_open(problem, method, tmp_path):
    with pytest.raises(RuntimeError, match="use it as a context manager"):
        solve(method, problem, stop=MaxIterations(1), observers=[History(tmp_path / "h.csv")])


def test_snapshots_come_every_so_often(problem, method):
    taken = {}
    solve(method, problem, stop=MaxIterations(7), observers=[Snapshots(3, lambda index, x: taken.update({index: x}))])
    assert sorted(taken) == [3, 6]
    direct = [iteration.x for iteration, _ in zip(iterate(method, problem), range(6), strict=False)]
    assert torch.equal(taken[6], direct[5])


@pytest.mark.parametrize("observer", [lambda: Snapshots(0, print), lambda: Checkpoints("x", 0)])
def test_every_zeroth_is_no_rhythm(observer):
    with pytest.raises(ValueError, match="every must be >= 1, not 0"):
        observer()


@pytest.mark.parametrize("name", [name for name, cls in registry.all().items() if issubclass(cls, IterativeMethod)])
def test_a_resumed_run_is_bit_equal_and_stops_at_the_same_place(name, tmp_path):
    rng = np.random.default_rng(1)
    ready = prepare(rng.poisson(30, (10, 11)).astype(np.float32), np.outer([1, 2, 1], [1, 2, 1]), name)
    problem, method = ready.problem, ready.method
    stop = RelativeChange(0.02) | MaxIterations(12)
    whole = solve(method, problem, stop=stop)
    with Checkpoints(tmp_path / "state.pt", every=100) as checkpoints:
        solve(method, problem, stop=MaxIterations(min(5, whole.iterations)), observers=[checkpoints])
    checkpoint = load_checkpoint(tmp_path / "state.pt", method, problem)
    assert len(checkpoint.records) == min(5, whole.iterations)
    if whole.iterations > 5:
        resumed = solve(method, problem, stop=stop, resume=checkpoint)
        assert torch.equal(resumed.x, whole.x)
        assert (resumed.iterations, resumed.reason) == (whole.iterations, whole.reason)


def test_checkpoints_of_other_work_are_refused(problem, method, tmp_path):
    path = tmp_path / "state.pt"
    with Checkpoints(path) as checkpoints:
        solve(method, problem, stop=MaxIterations(2), observers=[checkpoints])
    with pytest.raises(ValueError, match="belongs to ScaledHeavyBall"):
        load_checkpoint(path, registry.get("richardson-lucy")(), problem)
    with pytest.raises(ValueError, match="belongs to other data"):
        load_checkpoint(path, method, problem.with_data(y=problem.fidelity.y + 1))
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load_checkpoint(tmp_path / "none.pt", method, problem)
    path.write_bytes(b"half a file")
    with pytest.raises(DeconvolutionError, match="cannot be read"):
        load_checkpoint(path, method, problem)


def test_progress_without_a_terminal_is_a_line_in_the_log(problem, method, caplog):
    with caplog.at_level(logging.INFO, logger="deconlab"), Progress(3, every_seconds=0) as progress:
        solve(method, problem, stop=MaxIterations(3), observers=[progress])
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert lines[-1].startswith("deconvolving: iteration 3 of 3, ")
    assert lines[-1].endswith("0.0 s left")


def test_the_line_without_an_end(problem, method):
    first = next(iterate(method, problem))
    assert progress_line(first, None).startswith("iteration 1, ")
    assert peak_memory(first.x) > 10**7
