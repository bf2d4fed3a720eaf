"""How much memory a restoration takes, before it starts: found by a rehearsal (:mod:`deconlab.rehearsal`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab import api, engine
from deconlab.lazytorch import torch
from deconlab.operators import blur
from deconlab.psf import PSF
from deconlab.rehearsal import (
    Meter,
    real_blur,
    rehearse,
    small_data,
    small_kernel,
    small_limits,
    small_problem,
    small_shapes,
)
from deconlab.stored import Stored
from deconlab.volume import choose_device

if TYPE_CHECKING:
    from deconlab.image import Image

PROGRAM = 90_000_000  # bytes: SciPy, readers and what allocators keep, beyond torch
_PSF_MODEL = 12  # bytes per voxel of a PSF while a model is rendered: two volumes and an octant in double precision
_PSF_FILE = 42  # bytes per voxel of a file that a PSF is taken in from: it is made ready in double precision


@dataclass(frozen=True)
class Estimate:
    """Bytes at the peak, above what the program holds once torch is imported.

    ``held`` is there all along (the image as its file has it, the results of a series), ``psf`` while the PSF is made,
    ``solving`` while the method runs; ``domain`` is the grid on which the object is estimated and ``device`` where.
    """

    held: int
    psf: int
    solving: int
    domain: tuple[int, ...]
    device: str = "cpu"

    @property
    def total(self) -> int:
        """The peak; on another device than the processor, that device's."""
        return self.solving if self.device != "cpu" else PROGRAM + self.held + max(self.psf, self.solving)

    @property
    def per_voxel(self) -> float:
        """Bytes per voxel of the domain while the method runs."""
        return self.solving / math.prod(self.domain)

    def __str__(self) -> str:
        where = "" if self.device == "cpu" else f" on {self.device}"
        shape = " × ".join(map(str, self.domain))
        return f"{readable(self.total)} at the peak{where} ({self.per_voxel:.0f} bytes for each of {shape} voxels)"


def estimate(
    shape: Sequence[int],
    psf_shape: Sequence[int],
    method: Any = "richardson-lucy",
    *,
    image_dtype: Any = "float32",
    weighted: bool = False,
    watched: bool = False,
    volumes: int = 1,
    in_file: bool = False,
    psf_file_voxels: int = 0,
    device: str | None = None,
    **settings: Any,
) -> Estimate:
    """What the restoration of one volume of ``shape`` by a PSF of ``psf_shape`` takes.

    image_dtype: of the file's numbers; what is not of the precision that is computed in is held beside its conversion.
    weighted: whether there are weights. watched: whether each step's change is asked for, as a history does.
    volumes: how many of this shape the image has; they and their results are held together.
    in_file: whether the image stays in its file until a volume is asked for, so that one volume of it is held.
    psf_file_voxels: how many a measured PSF has as its file holds it; 0 for a PSF that a model renders.
    settings: those of :func:`deconlab.api.prepare` (boundary, extension_px, prior, dtype, …).

    Takes tens of milliseconds and no memory to speak of. Raises what :func:`deconlab.api.prepare` raises for the same settings.
    """
    settings = {name: value for name, value in settings.items() if name not in ("iterations", "stop")}
    start = settings.pop("start", "flat")
    settings["start"] = start if isinstance(start, str) else "flat"
    extension_px = settings.pop("extension_px", None)
    double = "float64" in str(settings.pop("dtype", None) or image_dtype)
    kind = torch.float64 if double else torch.float32
    where = choose_device(device or "auto")
    image_shape, kernel_shape = small_shapes(shape, psf_shape)
    limits = small_limits(extension_px, psf_shape)
    boundary = settings.get("boundary", "open")
    real = real_blur(shape, psf_shape, boundary, extension_px)
    small = blur(small_kernel(kernel_shape, kind), image_shape, boundary, extension_px=limits)
    meter = Meter(small, real)
    with _on(where), meter.running():
        y = small_data(image_shape, kind)
        psf = PSF(small_kernel(kernel_shape, kind))
        weights = torch.ones_like(y) if weighted else None
        ready = api.prepare(
            y, psf, method, 1, weights=weights, extension_px=limits, dtype=kind, device="cpu", **settings
        )
        rehearse(ready, watched=watched)
    count = math.prod(shape) * volumes
    held = _held(np.dtype(image_dtype), kind, math.prod(shape) if in_file else count, count if volumes > 1 else 0)
    made = _PSF_FILE * psf_file_voxels or _PSF_MODEL * math.prod(psf_shape)
    return Estimate(held, made, meter.peak, real.in_shape, where)


def of_image(
    image: Image,
    *,
    psf: Any = None,
    psf_voxel_um: Sequence[float] | None = None,
    psf_model: str | None = None,
    preset: str | None = None,
    modality: str | None = None,
    voxel_um: Sequence[float] | None = None,
    method: Any = "richardson-lucy",
    weights: Any = None,
    watched: bool = False,
    **settings: Any,
) -> Estimate:
    """What ``restore_volumes(image, …)`` takes with the same settings, without doing it.

    A PSF model is not rendered; a measured PSF is made ready, because what it is cropped to depends on its light. ``watched``
    as in :func:`estimate`. Raises what :func:`deconlab.restore.restore_volumes` raises for settings that cannot be.
    """
    from deconlab.channel_psf import ChannelPSF
    from deconlab.image import SPATIAL
    from deconlab.restore import split, with_voxel_um

    if voxel_um is not None:
        image = with_voxel_um(image, voxel_um)
    source = ChannelPSF.of(image, psf, psf_voxel_um, psf_model, modality, settings, preset)
    settings = {name: value for name, value in settings.items() if name not in source.parameters}
    volumes = list(split(image))
    sizes = zip(image.axes, image.data.shape, strict=True)
    shape = tuple(size for axis, size in sizes if axis in SPATIAL and size > 1) or (1,)
    found: list[tuple[tuple[int, ...], int]] = []
    for channel, given in enumerate(source.sources):
        if hasattr(given, "extent"):
            planes = shape[0] if len(shape) == 3 else 1
            found.append((given.extent(planes, source.voxel_um, ndim=len(shape)), 0))
        else:
            made = source.psf(channel, shape)
            found.append((tuple(made.data.shape), math.prod(getattr(given, "shape", made.data.shape))))
    psf_shape, file_voxels = max(found, key=lambda each: math.prod(each[0]))
    return estimate(
        shape,
        psf_shape,
        method,
        image_dtype=image.data.dtype,
        weighted=weights is not None,
        watched=watched,
        volumes=len(volumes),
        in_file=_in_file(image),
        psf_file_voxels=file_voxels,
        voxel_um=source.voxel_um,
        **settings,
    )


def of_prepared(ready: api.Prepared, image: Image | None = None, *, watched: bool = False) -> Estimate:
    """What a run takes that is about to start; ``image`` is the one that its volume is from."""
    fidelity, real = ready.problem.fidelity, ready.blur
    psf, y = real.convolution.psf, fidelity.y
    image_shape, psf_shape = small_shapes(real.shape, psf.shape)
    limits = tuple(t - n for t, n in zip(real.convolution.in_shape, real.shape, strict=True))
    small = blur(
        small_kernel(psf_shape, psf.dtype),
        image_shape,
        real.boundary,
        extension_px=small_limits(limits, psf.shape) if real.boundary == "open" else None,
    )
    meter = Meter(small, real)
    with _on(y.device.type), meter.running():
        problem = small_problem(ready.problem, small)
        start = None if ready.start is None else small_data(small.in_shape, y.dtype)
        rehearse(replace(ready, problem=problem, start=start), watched=watched)
    held = 0
    if image is not None:
        several = image.data.size > math.prod(real.shape)
        raw = math.prod(real.shape) if _in_file(image) else image.data.size
        held = _held(image.data.dtype, y.dtype, raw, image.data.size if several else 0)
    return Estimate(held, _PSF_MODEL * psf.numel(), meter.peak, real.in_shape, str(y.device))


def readable(size: float) -> str:
    """``1.23 GB``."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _in_file(image: Image) -> bool:
    data: Any = image.data
    return isinstance(data, Stored)


def _held(dtype: Any, kind: Any, raw: int, results: int) -> int:
    """Bytes of so many numbers as they came, unless they are computed with as they are, and of so many results."""
    size = torch.empty((), dtype=kind).element_size()
    same = str(dtype) == str(kind).removeprefix("torch.") and not results
    return (0 if same else raw * dtype.itemsize) + results * size


def _on(device: str) -> AbstractContextManager[object]:
    """The copy lives on the processor; the compiled engine takes part where it will."""
    return nullcontext() if device == "cpu" else engine.using("plain")
