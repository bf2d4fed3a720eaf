"""Several files, one after another: one that fails does not stop the rest, and at the end stands what became of each."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._command import INTERRUPTED, sentence

if TYPE_CHECKING:
    from deconlab.cli._job import Job

log = logging.getLogger("deconlab")
FAILED = 1


@dataclass(frozen=True)
class Row:
    """What became of one volume, or of a file of which there is none."""

    file: str
    volume: str
    seconds: float | None
    iterations: int | None
    reason: str

    def cells(self) -> tuple[str, ...]:
        seconds = "" if self.seconds is None else f"{self.seconds:.1f}"
        return self.file, self.volume, seconds, "" if self.iterations is None else str(self.iterations), self.reason


def run(jobs: Sequence[Job], *, debug: bool = False) -> int:
    """Check all of them, then run those that can be; the exit code."""
    if len(jobs) == 1 and not jobs[0].json:
        jobs[0].check()
        return jobs[0].run()
    refused: dict[int, str] = {}
    for number, job in enumerate(jobs):
        try:
            job.check()
        except click.ClickException:  # of the flags, hence of all
            raise
        except Exception as error:
            refused[number] = _said(job, error, debug)
    rows: list[Row] = []
    code = 0
    try:
        for number, job in enumerate(jobs):
            job.place = f"file {number + 1} of {len(jobs)} ({job.source.name}), "
            if number not in refused:
                code = max(code, _one(job, rows, debug))
            else:
                rows.append(Row(str(job.source), "", None, None, f"failed: {refused[number]}"))
                code = max(code, FAILED)
            if code == INTERRUPTED:
                break
    finally:
        begun = {row.file for row in rows}
        rows += [Row(str(job.source), "", None, None, "not begun") for job in jobs if str(job.source) not in begun]
        for line in table(rows):
            log.info("%s", line)
    return code


def _one(job: Job, rows: list[Row], debug: bool) -> int:
    name = str(job.source)
    try:
        code = job.run()
    except Exception as error:
        rows.append(Row(name, "", None, None, f"failed: {_said(job, error, debug)}"))
        return FAILED
    except KeyboardInterrupt:
        rows.append(Row(name, "", None, None, "interrupted"))
        raise
    if not job.outcomes:
        rows.append(Row(name, "", None, None, "done already"))
    for outcome in job.outcomes:
        label = "" if outcome.volume.of == 1 else outcome.volume.label
        rows.append(Row(name, label, outcome.seconds, outcome.iterations, outcome.reason))
    return code


def _said(job: Job, error: Exception, debug: bool) -> str:
    words = error.format_message() if isinstance(error, click.ClickException) else sentence(error)
    log.error("Error: %s: %s", job.source, words, exc_info=debug)
    job.failed = words
    return words


def as_json(jobs: Sequence[Job], code: int) -> str:
    """What became of all of them, for programs."""
    return json.dumps({"exit_code": code, "files": [_as_data(job) for job in jobs]}, indent=2, ensure_ascii=False)


def _as_data(job: Job) -> dict[str, Any]:
    volumes = [
        {
            "where": dict(outcome.volume.where),
            "method": outcome.method,
            "iterations": outcome.iterations,
            "reason": outcome.reason,
            "seconds": outcome.seconds,
            "background": float(outcome.background),
            "notes": list(outcome.notes),
        }
        for outcome in job.outcomes
    ]
    written = {"output": str(job.output), "recipe": str(job.recipe)} if job.outcomes else {}
    return {
        "input": str(job.source), **written, "error": job.failed or None, "scores": job.scores, "volumes": volumes,
    }  # fmt: skip


def table(rows: Sequence[Row]) -> list[str]:
    """The rows as lines of text, in columns."""
    head = ("file", "volume", "seconds", "iterations", "reason")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    aligned = (str.ljust, str.ljust, str.rjust, str.rjust, str.ljust)
    return [
        "  ".join(align(text, width) for align, text, width in zip(aligned, line, widths, strict=True)).rstrip()
        for line in cells
    ]
