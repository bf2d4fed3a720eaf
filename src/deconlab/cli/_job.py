"""One file from input to output: what ``deconlab run`` does once its flags are read."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from deconlab import __version__, io, scratch
from deconlab.cli._command import INTERRUPTED
from deconlab.cli._files import check_beside, default_output, described, is_done, same_shape, stem, told
from deconlab.cli._plan import plan
from deconlab.cli._preview import preview
from deconlab.cli._watching import Watching
from deconlab.optics import extended_axes
from deconlab.selection import select
from deconlab.volumes import split

if TYPE_CHECKING:
    from deconlab.cli._repeat import Repeat
    from deconlab.image import Image
    from deconlab.restore import Outcome, Restored
    from deconlab.scratch import Scratch

log = logging.getLogger("deconlab")
PARTS = ("channel", "time", "crop")


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
    channel: str | None = None
    time: str | None = None
    crop: str | None = None
    preview: str | None = None
    dry_run: bool = False
    json: bool = False
    verbose: bool = False
    said: set[str] = field(default_factory=set)
    repeat: Repeat | None = None
    flags: Mapping[str, Any] = field(default_factory=dict)  # those that matter to the result, for the recipe
    place: str = ""  # "file 2 of 5, ", where there are several
    outcomes: tuple[Outcome, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)  # against the reference
    failed: str = ""

    @classmethod
    def from_flags(cls, source: Path, given: Mapping[str, Any]) -> Job:
        """The job that flags describe; those that are not the job's own are settings of the restoration."""
        own = {name: given[name] for name in cls.__dataclass_fields__ if name in given and name != "output"}
        settings = {name: value for name, value in given.items() if name not in own and name != "output"}
        return cls(source, given.get("output") or default_output(source), settings, **own)

    def check(self) -> None:
        """Raise now for everything that can be known before the computation."""
        if "psf" in self.settings:
            self._refuse_optics()
        self._refuse_watching()
        if not self.source.exists():
            raise FileNotFoundError(f"There is no file {self.source}.")
        if self.output.resolve() == self.source.resolve():
            raise ValueError(f"The output is the input, {self.source}: name another file with --output.")
        io.check_writable(self.output, dtype=self.dtype, overwrite=self.replaces)
        finished = scratch.finished(self.unfinished)
        if finished and not self.replaces:
            raise FileExistsError(
                f"{self.unfinished} holds {finished} finished volume{'s' if finished > 1 else ''} of a run that was ended: say "
                f"--resume to go on from there, or --overwrite to begin anew."
            )
        check_beside(self.recipe, self.recipe.name, replace=self.replaces)
        if self.preview is not None:
            check_beside(self.picture, self.picture.name, replace=self.replaces)
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

    @property
    def unfinished(self) -> Path:
        """Where volumes are kept until all are there: a folder beside the output."""
        return scratch.beside(self.output)

    @property
    def picture(self) -> Path:
        """Where the preview goes: ``cells_deconvolved_preview.png`` beside ``cells_deconvolved.ome.tif``."""
        return self.output.with_name(f"{stem(self.output)}_preview.png")

    def run(self) -> int:
        """Read, restore, write; the exit code."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        whole = io.read(self.source, axes=self.file_axes, series=self.series, lazy=True)
        image = self._selected(whole, whole)
        io.check_writable(self.output, image, dtype=self.dtype, overwrite=self.replaces)
        for note in image.notes:
            log.info("%s: %s", self.source.name, note)
        log.info("%s: %s, %s", self.source, described(image), image.data.dtype)
        settings = self._settings(image, whole)
        if self.repeat is not None:
            image, settings = self.repeat.on(image, settings, self.source)
            self.settings |= {"iterations": settings["iterations"]} if "iterations" in settings else {}
        self._refuse_positions(image)
        if self.resume and not self.unfinished.exists() and is_done(self, settings):
            log.info("%s is done already. Say --overwrite without --resume to restore it anew.", self.output)
            self._name_output()
            return 0
        if self.preview is not None and len(image.spatial_axes) < 2:
            raise click.UsageError(
                f"--preview draws planes and stacks; the image has the axes {image.axes}: leave it out."
            )
        if self.dry_run:
            plan(self, image, settings)
            return 0
        reference = None
        if self.reference is not None:
            reference = same_shape(self._selected(io.read(self.reference), whole), image, self.reference)
        out = self._scratch(image, settings)
        try:
            restored = self._restore(image, settings, out, reference)
        except BaseException:
            self._clear(out)
            raise
        if restored.interrupted:
            self._clear(out)
        else:
            scratch.clear(self.unfinished)
        return INTERRUPTED if restored.interrupted else 0

    def _restore(
        self, image: Image, settings: Mapping[str, Any], out: Scratch | None, reference: NDArray[Any] | None
    ) -> Restored:
        from deconlab.recipe import Recipe
        from deconlab.restore import restore_volumes

        restored = restore_volumes(image, watch=Watching(self, image, reference, out), out=out, **settings)
        recipe = Recipe.of(restored.image).with_run(self.source, self.flags)
        partial = None if out is None else out.folder / "output.partial"
        self._write(recipe.carried_by(restored.image), partial)
        recipe.save(self.recipe, partial)
        self.outcomes = restored.outcomes
        for outcome in restored.outcomes:
            label = "" if outcome.volume.of == 1 else f"{outcome.volume.label}: "
            count = f"{outcome.iterations} iterations, " if outcome.iterations else ""
            log.info("%s%s%s, %.1f s", label, count, outcome.reason, outcome.seconds)
        if reference is not None:
            self._compare(image, restored, reference)
        if self.preview is not None:
            which = preview(image, restored, self.preview, float(self.settings.get("offset", 0.0)), self.picture)
            log.info("%s%s", self.picture, which and f" shows {which}")
        self._name_output()
        return restored

    def _name_output(self) -> None:
        """On standard output, for pipes; with --json that is where the JSON goes."""
        if not self.json:
            click.echo(str(self.output))

    def _scratch(self, image: Image, settings: Mapping[str, Any]) -> Scratch | None:
        """Where finished volumes go, if there are several, or if what an earlier run has left is to be gone on with."""
        axes = self.settings.get("axes")
        if sum(1 for _ in split(image, axes)) == 1 and not self.resume:
            scratch.clear(self.unfinished)
            return None
        numbers = np.float64 if self.dtype == "float64" else np.float32
        identity = self._identity(settings)
        out = scratch.Scratch(self.unfinished, image, numbers, identity, axes=axes, resume=self.resume)
        if out.differs:
            log.warning(
                "Begun anew: what lay in %s was of other %s.", self.unfinished, ", ".join(out.differs).replace("_", " ")
            )
        elif len(out):
            log.info("going on from %s: %d volumes are finished", self.unfinished, len(out))
        return out

    def _clear(self, out: Scratch | None) -> None:
        """Leave what a later run with --resume can go on from, and nothing else."""
        if out is not None and not len(out) and not self.resume:
            scratch.clear(out.folder)

    def _identity(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What is restored and how, as plain data."""
        about = self.source.stat()
        return {
            "deconlab": __version__,
            "input": [str(self.source.resolve()), about.st_size, about.st_mtime_ns, self.file_axes, self.series],
            "settings": told(settings),
            "part": {name: getattr(self, name) for name in PARTS},
            "recipe": None if self.repeat is None else self.repeat.recipe.text(),
        }

    def _selected(self, image: Image, whole: Image) -> Image:
        """The part of an image that was asked for; the image itself, if it is not of the shape of the ``whole`` one."""
        if image.data.shape != whole.data.shape or image.axes != whole.axes:
            return image
        return select(image, self.channel, self.time, self.crop)

    def _write(self, image: Image, partial: Path | None) -> None:
        try:
            io.write(self.output, image, dtype=self.dtype, overwrite=self.replaces, partial=partial)
        except ValueError as error:
            rescue = self.output.with_name(f"{stem(self.output)}_float32.ome.tif")
            io.write(rescue, image, dtype="float32", overwrite=True)
            raise ValueError(f"{error} So as not to lose the restoration, it is in {rescue}.") from error

    def _settings(self, image: Image, whole: Image) -> dict[str, Any]:
        import torch

        settings = dict(self.settings)
        settings["dtype"] = torch.float64 if self.dtype == "float64" else torch.float32
        if self.extension_px is not None:
            count = len(self.settings.get("axes") or extended_axes(image))
            limits = self.extension_px * count if len(self.extension_px) == 1 else self.extension_px
            if len(limits) != count:
                raise ValueError(f"--limit-extension takes one number, or {count} for this image, not {len(limits)}.")
            settings["extension_px"] = limits
        if self.weights is not None:
            settings["weights"] = self.weights
            weights = io.read(self.weights, lazy=True)
            if image is not whole and weights.data.shape == whole.data.shape:
                settings["weights"] = np.asarray(self._selected(weights, whole).data)
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

    def _refuse_positions(self, image: Image) -> None:
        from deconlab.positions import along, own_axes

        axes = along(image, self.settings.get("axes"))
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        places = [axis for axis in own_axes(image, axes) if axis not in axes and sizes[axis] > 1]
        given = [f"--{flag}" for flag in ("history", "snapshots", "checkpoint") if getattr(self, flag) is not None]
        if places and given:
            raise click.UsageError(
                f"The positions on {', '.join(places)} are restored one by one, so that there are no iterations to watch: "
                f"leave out {', '.join(given)}."
            )

    def _compare(self, image: Image, restored: Restored, reference: NDArray[Any]) -> None:
        from deconlab.assess import metrics

        offset = float(self.settings.get("offset", 0.0))
        background = restored.outcomes[0].background
        before = metrics.psnr(np.asarray(image.data, np.float64) - offset - background, reference)
        after = metrics.psnr(np.asarray(restored.image.data), reference)
        self.scores = {"psnr_before_db": float(before), "psnr_after_db": float(after)}
        log.info(
            "PSNR against %s: %.2f dB before (less offset and background), %.2f dB after", self.reference, before, after
        )
