"""One file from input to output: what ``deconlab run`` does once its flags are read."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from deconlab import io
from deconlab.cli._command import INTERRUPTED
from deconlab.optics import extended_axes

if TYPE_CHECKING:
    from deconlab.api import Prepared
    from deconlab.cli._repeat import Repeat
    from deconlab.image import Image
    from deconlab.restore import Restored, Volume, Watch
    from deconlab.solve import Observer

log = logging.getLogger("deconlab")


@dataclass
class Job:
    """A restoration to be done: ``settings`` are those of :func:`deconlab.restore.restore_volumes`, the rest is the files."""

    source: Path
    output: Path
    settings: dict[str, Any]
    file_axes: str | None = None
    series: int = 0
    overwrite: bool = False
    dtype: str = "float32"
    weights: Path | None = None
    reference: Path | None = None
    history: Path | None = None
    snapshots: int | None = None
    checkpoint: Path | None = None
    resume: bool = False
    threads: int | None = None
    extension_px: tuple[int, ...] | None = None
    said: set[str] = field(default_factory=set)
    repeat: Repeat | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)  # those that matter to the result, for the recipe

    @classmethod
    def from_flags(cls, source: Path, given: Mapping[str, Any]) -> Job:
        """The job that flags describe; those that are not the job's own are settings of the restoration."""
        own = {name: given[name] for name in cls.__dataclass_fields__ if name in given and name != "output"}
        settings = {name: value for name, value in given.items() if name not in own and name != "output"}
        return cls(source, given.get("output") or default_output(source), settings, **own)

    def check(self) -> None:
        """Raise now for everything that can be known before the computation."""
        if self.resume and self.checkpoint is None:
            raise click.UsageError("--resume goes on from a checkpoint: name its file with --checkpoint.")
        if "psf" in self.settings:
            self._refuse_optics()
        self._refuse_watching()
        if not self.source.exists():
            raise FileNotFoundError(f"There is no file {self.source}.")
        if self.output.resolve() == self.source.resolve():
            raise ValueError(f"The output is the input, {self.source}: name another file with --output.")
        io.check_writable(self.output, dtype=self.dtype, overwrite=self.replaces)
        check_beside(self.recipe, self.recipe.name, replace=self.replaces)
        for path in (self.history, self.checkpoint):
            if path is not None:
                check_beside(path, f"{path.stem}_[ct][0-9]*{path.suffix}", replace=self.replaces)
        if self.snapshots is not None:
            check_beside(self.output, f"{stem(self.output)}*_k[0-9]*.ome.tif", replace=self.replaces)

    @property
    def replaces(self) -> bool:
        """Whether files may be there already: when told so, and when going on with what an earlier run has left."""
        return self.overwrite or self.resume

    @property
    def recipe(self) -> Path:
        """Where the recipe goes: ``cells_deconvolved.yaml`` beside ``cells_deconvolved.ome.tif``."""
        return self.output.with_name(f"{stem(self.output)}.yaml")

    def run(self) -> int:
        """Read, restore, write; the exit code."""
        import torch

        from deconlab.recipe import Recipe
        from deconlab.restore import restore_volumes

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        image = io.read(self.source, axes=self.file_axes, series=self.series)
        io.check_writable(self.output, image, dtype=self.dtype, overwrite=self.replaces)
        for note in image.notes:
            log.info("%s: %s", self.source.name, note)
        log.info("%s: %s, %s", self.source, described(image), image.data.dtype)
        settings = self._settings(image)
        if self.repeat is not None:
            image, settings = self.repeat.on(image, settings, self.source)
            self.settings |= {"iterations": settings["iterations"]} if "iterations" in settings else {}
        reference = None if self.reference is None else same_shape(io.read(self.reference), image, self.reference)
        restored = restore_volumes(image, watch=Watching(self, image, reference), **settings)
        recipe = Recipe.of(restored.image).with_run(self.source, self.flags)
        self._write(recipe.carried_by(restored.image))
        recipe.save(self.recipe)
        for outcome in restored.outcomes:
            label = "" if outcome.volume.of == 1 else f"{outcome.volume.label}: "
            count = f"{outcome.iterations} iterations, " if outcome.iterations else ""
            log.info("%s%s%s, %.1f s", label, count, outcome.reason, outcome.seconds)
        if reference is not None:
            self._compare(image, restored, reference)
        click.echo(str(self.output))
        return INTERRUPTED if restored.interrupted else 0

    def _write(self, image: Image) -> None:
        try:
            io.write(self.output, image, dtype=self.dtype, overwrite=self.replaces)
        except ValueError as error:
            rescue = self.output.with_name(f"{stem(self.output)}_float32.ome.tif")
            io.write(rescue, image, dtype="float32", overwrite=True)
            raise ValueError(f"{error} So as not to lose the restoration, it is in {rescue}.") from error

    def _settings(self, image: Image) -> dict[str, Any]:
        import torch

        settings = dict(self.settings)
        settings["dtype"] = torch.float64 if self.dtype == "float64" else torch.float32
        if self.extension_px is not None:
            count = len(extended_axes(image))
            limits = self.extension_px * count if len(self.extension_px) == 1 else self.extension_px
            if len(limits) != count:
                raise ValueError(f"--limit-extension takes one number, or {count} for this image, not {len(limits)}.")
            settings["extension_px"] = limits
        if self.weights is not None:
            settings["weights"] = self.weights
        start = settings.get("start")
        if start is not None and start not in ("flat", "measured", "wiener"):
            if not Path(start).exists():
                raise FileNotFoundError(f"--start is flat, measured, wiener or a file; there is no file {start}.")
            settings["start"] = Path(start)
        return settings

    def _refuse_optics(self) -> None:
        from deconlab import psf, schema

        known = {p.name for model in psf.registry.all().values() for p in schema.parameters(model)}
        names = ["psf_model", "preset", *sorted(known), "modality"]
        given = [f"--{name.replace('_', '-')}" for name in names if name in self.settings]
        if given:
            raise click.UsageError(
                f"{', '.join(given)} would compute a PSF, but --psf gives one: leave out one or the other."
            )

    def _refuse_watching(self) -> None:
        from deconlab import methods

        name = self.settings.get("method", "richardson-lucy")
        given = [f"--{flag}" for flag in ("history", "snapshots", "checkpoint") if getattr(self, flag) is not None]
        if given and issubclass(methods.registry.get(name), methods.DirectMethod):
            raise click.UsageError(f"{name} has no iterations to watch: leave out {', '.join(given)}.")

    def _compare(self, image: Image, restored: Restored, reference: NDArray[Any]) -> None:
        from deconlab.assess import metrics

        offset = float(self.settings.get("offset", 0.0))
        background = restored.outcomes[0].background
        before = metrics.psnr(image.data.astype(np.float64) - offset - background, reference)
        after = metrics.psnr(restored.image.data, reference)
        log.info(
            "PSNR against %s: %.2f dB before (less offset and background), %.2f dB after", self.reference, before, after
        )


class Watching:
    """Makes the observers of each volume: progress, history, snapshots and checkpoints."""

    def __init__(self, job: Job, image: Image, reference: NDArray[Any] | None) -> None:
        self.job, self.image, self.reference = job, image, reference

    def __call__(self, volume: Volume, ready: Prepared) -> Watch:
        from deconlab import observers
        from deconlab.memory import of_prepared
        from deconlab.methods import DirectMethod
        from deconlab.observers import load_checkpoint
        from deconlab.restore import Watch

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
        if isinstance(ready.method, DirectMethod):
            return Watch()
        watching: list[Observer] = [observers.Progress(self._total(volume), self._label(volume))]
        resume, done = None, 0
        checkpoint = beside(job.checkpoint, volume)
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

    def _total(self, volume: Volume) -> int | None:
        settings = self.job.settings
        if callable(settings.get("iterations")):
            return int(settings["iterations"](volume))
        others = {"max_seconds", "relative_change", "discrepancy"} & set(settings)
        return settings.get("iterations", None if others else 30)

    def _label(self, volume: Volume) -> str:
        return "restoring" if volume.of == 1 else f"volume {volume.number} of {volume.of} ({volume.label})"

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


def default_output(source: Path) -> Path:
    """``cells.ome.tif`` -> ``cells_deconvolved.ome.tif``, in the same folder."""
    return source.with_name(f"{stem(source)}_deconvolved.ome.tif")


def stem(path: Path) -> str:
    """A file's name without its ending, .ome.tif being one."""
    return re.sub(r"(\.ome)?\.[^.]*$", "", path.name, flags=re.IGNORECASE) or path.name


def beside(path: Path | None, volume: Volume) -> Path | None:
    """The file that belongs to one volume: the one named, with the volume's place in its name if there are several."""
    return None if path is None else path.with_name(f"{path.stem}{volume.suffix}{path.suffix}")


def check_beside(path: Path, pattern: str, *, replace: bool) -> None:
    """Raise if a file of ours cannot be written, or would be lost: ``path``, and those beside it that match ``pattern``."""
    if not path.parent.exists():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    found = [path, *path.parent.glob(pattern)]
    exists = [each for each in found if each.exists()]
    if exists and not replace:
        raise FileExistsError(f"{exists[0]} exists already. Say --overwrite to replace it, or name another.")


def same_shape(reference: Image, image: Image, path: Path) -> NDArray[Any]:
    """The reference's numbers, if they belong to the image voxel by voxel."""
    if reference.data.shape != image.data.shape:
        raise ValueError(f"{path} has shape {reference.data.shape}, the image {image.data.shape}; they must be equal.")
    return reference.data


def described(image: Image) -> str:
    """``z 64 × y 256 × x 256, voxel 0.2 × 0.1 × 0.1 µm``."""
    sizes = " × ".join(f"{axis} {size}" for axis, size in zip(image.axes, image.data.shape, strict=True))
    known = [f"{image.voxel_um[axis]:.6g}" if axis in image.voxel_um else "?" for axis in image.spatial_axes]
    return f"{sizes}, voxel {' × '.join(known)} µm"
