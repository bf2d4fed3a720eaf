"""``--dry-run``: what a run would do, how much memory and how long it would take; nothing is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._watching import Watching
from deconlab.volumes import split

if TYPE_CHECKING:
    from deconlab.api import Prepared
    from deconlab.cli._job import Job
    from deconlab.image import Image
    from deconlab.restore import Volume, Watch

log = logging.getLogger("deconlab")
MEASURED = 2  # iterations; the first warms up


class Planned(Exception):
    """The first volume is ready, and has been told about."""


def plan(job: Job, image: Image, settings: Mapping[str, Any]) -> None:
    """Make the first volume ready as the run would, tell of it, measure an iteration, and stop.

    Prints optics with their sources, the PSF's extent and the light that it loses, the domain, memory and time. A volume whose
    positions are restored one by one has no such first step and is refused.
    """
    from deconlab.restore import restore_volumes

    count = sum(1 for _ in split(image, job.settings.get("axes")))
    try:
        restore_volumes(image, watch=Planning(job, image, count), **settings)
    except Planned:
        log.info("nothing was written (--dry-run); the result would be %s", job.output)
    else:
        raise click.UsageError(
            "--dry-run plans volumes that are restored in one piece; this image is constant, or restored position by position."
        )


class Planning(Watching):
    """Tells what a run's own watching tells of a volume, and how long it takes, and ends there."""

    def __init__(self, job: Job, image: Image, count: int) -> None:
        super().__init__(job, image, None, None)
        self.count = count

    def __call__(self, volume: Volume, ready: Prepared) -> Watch:
        self.tell(ready)
        seconds = seconds_of(ready)
        steps = self._total(volume)
        each = f"{seconds:.2g} s for an iteration, measured just now"
        if not hasattr(ready.method, "step"):
            each, steps = f"{seconds:.2g} s, measured just now", 1
        if steps is None:
            log.info("time: %s; how many there will be is for the stop rule to say", each)
        else:
            whole = "" if self.count == 1 else f", {seconds * steps * self.count:.2g} s for {self.count} volumes"
            log.info("time: %s; about %.2g s for %d%s", each, seconds * steps, steps, whole)
        raise Planned


def seconds_of(ready: Prepared) -> float:
    """Of one iteration; of the whole, where a method has none."""
    import torch

    from deconlab.methods import IterativeMethod
    from deconlab.solve import iterate, solve

    with torch.no_grad():
        if isinstance(ready.method, IterativeMethod):
            begin = [
                time.perf_counter()
                for _ in islice(iterate(ready.method, ready.problem, x0=ready.start), MEASURED)
            ]  # fmt: skip
            return begin[-1] - begin[-2]
        start = time.perf_counter()
        solve(ready.method, ready.problem, stop=ready.stop)
        return time.perf_counter() - start
