"""What watches each volume of a job: progress, history, snapshots and checkpoints."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconlab import io
from deconlab.cli._files import beside, stem

if TYPE_CHECKING:
    from deconlab.api import Prepared
    from deconlab.cli._job import Job
    from deconlab.image import Image
    from deconlab.restore import Volume, Watch
    from deconlab.scratch import Scratch
    from deconlab.solve import Iteration, Observer

log = logging.getLogger("deconlab")


class Watching:
    """Makes the observers of each volume: progress, history, snapshots and checkpoints."""

    def __init__(self, job: Job, image: Image, reference: NDArray[Any] | None, out: Scratch | None) -> None:
        self.job, self.image, self.reference, self.out = job, image, reference, out

    def __call__(self, volume: Volume, ready: Prepared) -> Watch:
        from deconlab import observers
        from deconlab.methods import DirectMethod
        from deconlab.observers import load_checkpoint
        from deconlab.restore import Watch

        self.tell(ready)
        job = self.job
        if isinstance(ready.method, DirectMethod):
            return Watch()
        more = volume.of - volume.number
        watching: list[Observer] = [observers.Progress(self._total(volume), self._label(volume), more=more)]
        if job.verbose:
            watching.append(tell_iteration)
        resume, done = None, 0
        checkpoint = beside(job.checkpoint, volume)
        if checkpoint is None and job.resume and self.out is not None:
            checkpoint = self.out.state(volume)
        if checkpoint is not None:
            if job.resume and checkpoint.exists():
                resume = load_checkpoint(checkpoint, ready.method, ready.problem)
                done = len(resume.records)
                log.info("going on from %s, iteration %d", checkpoint, done)
            watching.append(observers.Checkpoints(checkpoint))
        history = beside(job.history, volume)
        if history is not None:
            watching.append(observers.History(history, self._metrics(volume, ready), after=done))
        if job.snapshots is not None:
            watching.append(observers.Snapshots(job.snapshots, self._snapshot(volume, ready)))
        return Watch(watching, resume)

    def tell(self, ready: Prepared) -> None:
        """Say what was assumed and done, what is about to be solved, and how much memory that takes."""
        from deconlab.memory import of_prepared

        job = self.job
        for note in ready.notes:
            if note not in job.said:
                log.info("%s", note)
                job.said.add(note)
        log.info(
            "%s on %s voxels of %s, on %s", ready.method, " × ".join(map(str, ready.blur.in_shape)),
            " × ".join(map(str, ready.blur.shape)), ready.problem.fidelity.y.device,
        )  # fmt: skip
        log.info("memory: %s", of_prepared(ready, self.image, watched=job.history is not None))

    def _total(self, volume: Volume) -> int | None:
        settings = self.job.settings
        if callable(settings.get("iterations")):
            return int(settings["iterations"](volume))
        others = {"max_seconds", "relative_change", "discrepancy"} & set(settings)
        return settings.get("iterations", None if others else 30)

    def _label(self, volume: Volume) -> str:
        what = "restoring" if volume.of == 1 else f"volume {volume.number} of {volume.of} ({volume.label})"
        return self.job.place + what

    def _metrics(self, volume: Volume, ready: Prepared) -> dict[str, Any]:
        if self.reference is None:
            return {}
        import torch

        from deconlab.assess import metrics
        from deconlab.observers import ToReference

        truth = self.image.replace_data(self.reference).volume(volume.where).data.squeeze()
        wanted = torch.as_tensor(np.ascontiguousarray(truth))
        return {
            name: ToReference(metric, wanted, ready.in_image)
            for name, metric in (("psnr_db", metrics.psnr), ("snr_db", metrics.snr))
        }

    def _snapshot(self, volume: Volume, ready: Prepared) -> Any:
        job, part = self.job, self.image.volume(volume.where)

        def write(index: int, x: Any) -> None:
            path = job.output.with_name(f"{stem(job.output)}{volume.suffix}_k{index:04d}.ome.tif")
            array = ready.in_image(x).cpu().numpy().reshape(part.data.shape)
            io.write(path, part.replace_data(array), overwrite=job.overwrite or job.resume)

        return write


def tell_iteration(iteration: Iteration) -> None:
    """A line for each, with what it knows of itself."""
    before = iteration.state.objective
    objective = "" if before is None else f"objective before it {float(before):.6g}, "
    log.info("iteration %d: %schange %.2g, %.2f s", iteration.index, objective, iteration.change, iteration.seconds)
