"""What may watch a run: progress, history, snapshots, checkpoints. All optional, all outside the methods.

One that holds a resource is a context manager of the caller's.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from deconlab.errors import DeconvolutionError
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import Method, claims
from deconlab.problem import Problem
from deconlab.solve import Checkpoint, Iteration, Record

log = logging.getLogger("deconlab")


class Progress:
    """A progress bar with the time left; without a terminal, a plain line in the log about every ten seconds.

    ``total`` is the number of iterations at most, None where only another rule ends the run; ``more`` how many volumes
    follow that will take as long.
    """

    def __init__(
        self, total: int | None, label: str = "deconvolving", *, every_seconds: float = 10.0, more: int = 0
    ) -> None:
        self.total, self.label, self.every_seconds, self.more = total, label, every_seconds, more
        self._bar: Any = None
        self._task: Any = None
        self._spoken = time.perf_counter()

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        if console.is_terminal:
            counted = TextColumn("{task.completed}") if self.total is None else MofNCompleteColumn()
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), counted, TimeElapsedColumn(), TimeRemainingColumn(),
                console=console,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total)
        return self

    def __call__(self, iteration: Iteration) -> None:
        if self._bar is not None:
            to_come = ""
            if self.more and self.total:
                left = iteration.seconds / iteration.index * (self.total * (self.more + 1) - iteration.index)
                to_come = f", {left:.0f} s with the volumes to come"
            self._bar.update(self._task, completed=iteration.index, description=self.label + to_come)
            return
        now = time.perf_counter()
        if now - self._spoken >= self.every_seconds or iteration.index == 1:
            self._spoken = now
            log.info("%s: %s", self.label, progress_line(iteration, self.total, self.more))

    def __exit__(self, *details: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def progress_line(iteration: Iteration, total: int | None, more: int = 0) -> str:
    """``iteration 12 of 30, 4.1 s, 6.2 s left, 26.7 s with the volumes to come``."""
    done = f"iteration {iteration.index}" + (f" of {total}" if total else "") + f", {iteration.seconds:.1f} s"
    if total is None:
        return done
    left = iteration.seconds / iteration.index * (total - iteration.index)
    rest = (
        f", {left + more * iteration.seconds / iteration.index * total:.1f} s with the volumes to come" if more else ""
    )
    return f"{done}, {left:.1f} s left{rest}"


class History:
    """A CSV file with a row for each iteration.

    Columns: iteration, seconds, objective_before (where the step began: a by-product of its own Hx, which costs nothing),
    change (‖x − x₋‖/‖x‖), memory_bytes (the process's or the GPU's peak), and one for each of ``metrics``, which are given
    the estimate. A resumed run keeps the file's rows up to iteration ``after``, from which it goes on.
    """

    def __init__(
        self, path: Path | str, metrics: Mapping[str, Callable[[Tensor], float]] | None = None, *, after: int = 0
    ) -> None:
        self.path, self.metrics, self.after = Path(path), dict(metrics or {}), after
        self._file: TextIO | None = None
        self._writer: Any = None

    def __enter__(self) -> History:
        kept = []
        if self.after and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as former:
                kept = [row for row in csv.reader(former) if row and row[0].isdigit() and int(row[0]) <= self.after]
        self._file = self.path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["iteration", "seconds", "objective_before", "change", "memory_bytes", *self.metrics])
        self._writer.writerows(kept)
        return self

    def __call__(self, iteration: Iteration) -> None:
        if self._writer is None or self._file is None:
            raise RuntimeError("History writes a file: use it as a context manager, `with History(path) as history`.")
        objective = iteration.state.objective
        before = "" if objective is None else repr(float(objective))
        values = [metric(iteration.x) for metric in self.metrics.values()]
        row = [
            iteration.index,
            f"{iteration.seconds:.6f}",
            before,
            repr(iteration.change),
            peak_memory(iteration.x),
            *values,
        ]
        self._writer.writerow(row)
        self._file.flush()

    def __exit__(self, *details: object) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


class Snapshots:
    """Calls ``write(index, x)`` at every ``every``-th iteration."""

    def __init__(self, every: int, write: Callable[[int, Tensor], None]) -> None:
        if every < 1:
            raise ValueError(f"Snapshots: every must be >= 1, not {every}.")
        self.every, self.write = every, write

    def __call__(self, iteration: Iteration) -> None:
        if iteration.index % self.every == 0:
            self.write(iteration.index, iteration.x)


class Checkpoints:
    """Saves the state at every ``every``-th iteration, and by itself when the block is left early.

    The file is replaced in one go, so that a killed run leaves the last whole checkpoint. See :func:`load_checkpoint`.
    """

    def __init__(self, path: Path | str, every: int = 10) -> None:
        if every < 1:
            raise ValueError(f"Checkpoints: every must be >= 1, not {every}.")
        self.path, self.every = Path(path), every
        self._unsaved: dict[str, Any] | None = None
        self._belongs: tuple[Problem[Any, Any], str] | None = None

    def __enter__(self) -> Checkpoints:
        return self

    def __call__(self, iteration: Iteration) -> None:
        if self._belongs is None or self._belongs[0] is not iteration.problem:
            self._belongs = iteration.problem, fingerprint(iteration.problem)
        self._unsaved = {
            "method": repr(iteration.method),
            "problem": self._belongs[1],
            "state": {field.name: getattr(iteration.state, field.name) for field in fields(iteration.state)},
            "records": [astuple(record) for record in (*iteration.records, iteration.record)],
        }
        if iteration.index % self.every == 0:
            self.save()

    def __exit__(self, *details: object) -> None:
        self.save()

    def save(self) -> None:
        """Write the last iteration seen, unless it is written already."""
        if self._unsaved is None:
            return
        partial = self.path.with_name(self.path.name + ".partial")
        torch.save(self._unsaved, partial)
        os.replace(partial, self.path)
        self._unsaved = None


def load_checkpoint(path: Path | str, method: Method, problem: Problem[Any, Any]) -> Checkpoint:
    """The checkpoint in a file, for the same method and problem; a run that resumes from it is bit-equal to one in a go.

    Raises FileNotFoundError, ValueError if the checkpoint belongs to another method or other data, and
    DeconvolutionError if the file cannot be read.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"There is no checkpoint {path}.")
    device = problem.fidelity.y.device
    try:
        content = torch.load(path, weights_only=True, map_location=device)
        found, data = content["method"], content["problem"]
    except Exception as error:
        raise DeconvolutionError(f"The checkpoint {path} cannot be read ({error}); delete it to begin anew.") from error
    if found != repr(method):
        raise ValueError(f"The checkpoint {path} belongs to {found}, not to {method!r}; use its settings or delete it.")
    if data != fingerprint(problem):
        raise ValueError(f"The checkpoint {path} belongs to other data, background or PSF; delete it to begin anew.")
    state = claims(type(method)).state(**content["state"])
    return Checkpoint(state, tuple(Record(*record) for record in content["records"]))


def fingerprint(problem: Problem[Any, Any]) -> str:
    """A digest of what defines a problem: data, background, weights, the blur's answer to a fixed object, prior, bounds."""
    digest = hashlib.sha256()
    fidelity = problem.fidelity
    probe = torch.linspace(0, 1, math.prod(fidelity.H.in_shape), dtype=fidelity.y.dtype, device=fidelity.y.device)
    parts = [getattr(fidelity, field.name) for field in fields(fidelity) if field.name != "H"]
    parts.append(fidelity.H.forward(probe.reshape(fidelity.H.in_shape)))
    for part in parts:
        if isinstance(part, torch.Tensor):
            digest.update(part.detach().cpu().contiguous().numpy().tobytes())
        else:
            digest.update(repr(part).encode())
    digest.update(repr((problem.prior, problem.constraint)).encode())
    return digest.hexdigest()


def peak_memory(x: Tensor) -> int:
    """Bytes: the peak of the GPU's allocations where x lies on one, else of the process."""
    if x.device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(x.device))
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage it does not count the parent that started this process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass(frozen=True)
class ToReference:
    """Makes a metric of the estimate out of one of two images: compared with ``reference`` after ``frame``, the crop."""

    metric: Callable[[Tensor, Tensor], float]
    reference: Tensor
    frame: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> float:
        return float(self.metric(self.frame(x), self.reference))
