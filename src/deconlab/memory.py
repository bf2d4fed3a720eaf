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
    psf_file_voxels: int = 0,
    device: str | None = None,
    **settings: Any,
) -> Estimate:
    """What the restoration of one volume of ``shape`` by a PSF of ``psf_shape`` takes.

    image_dtype: of the file's numbers; what is not of the precision that is computed in is held beside its conversion.
    weighted: whether there are weights. watched: whether each step's change is asked for, as a history does.
    volumes: how many of this shape the image has; they and their results are held together.
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
    itemsize = torch.empty((), dtype=kind).element_size()
    size = math.prod(shape) * volumes
    raw = 0 if np.dtype(image_dtype) == np.dtype("float64" if double else "float32") and volumes == 1 else size
    held = raw * np.dtype(image_dtype).itemsize + (size * itemsize if volumes > 1 else 0)
    made = _PSF_FILE * psf_file_voxels or _PSF_MODEL * math.prod(psf_shape)
    return Estimate(held, made, meter.peak, real.in_shape, where)


def of_image(
    image: Image,
    *,
    psf: Any = None,
    psf_voxel_um: Sequence[float] | None = None,
    psf_model: str | None = None,
    modality: str | None = None,
    voxel_um: Sequence[float] | None = None,
    method: Any = "richardson-lucy",
    weights: Any = None,
    axes: str | None = None,
    psf_origin: Any = None,
    watched: bool = False,
    **settings: Any,
) -> Estimate:
    """What ``restore_volumes(image, …)`` takes with the same settings, without doing it.

    A PSF model is not rendered; a measured PSF is made ready, because what it is cropped to depends on its light. ``watched``
    as in :func:`estimate`. Raises what :func:`deconlab.restore.restore_volumes` raises for settings that cannot be.
    """
    from deconlab.channel_psf import ChannelPSF
    from deconlab.positions import along, one_position
    from deconlab.restore import with_voxel_um
    from deconlab.volumes import split

    if voxel_um is not None:
        image = with_voxel_um(image, voxel_um)
    axes = along(image, axes)
    seen = image if axes == image.spatial_axes else one_position(image, axes)
    source = ChannelPSF.of(seen, psf, psf_voxel_um, psf_model, modality, settings, psf_origin, axes)
    dropped = (*source.parameters, "preset", "force", "out", "watch")
    settings = {name: value for name, value in settings.items() if name not in dropped}
    volumes = list(split(image, axes))
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    shape = tuple(sizes[axis] for axis in axes if sizes[axis] > 1) or (1,)
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
        volumes=len(volumes) if _in_memory(image) else 1,
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
        several = _in_memory(image) and image.data.size > math.prod(real.shape)
        same = str(image.data.dtype) == str(y.dtype).removeprefix("torch.")
        size = image.data.size if several else math.prod(real.shape)
        held += 0 if same and not several else size * image.data.dtype.itemsize
        held += image.data.size * y.element_size() if several else 0
    return Estimate(held, _PSF_MODEL * psf.numel(), meter.peak, real.in_shape, str(y.device))


def _in_memory(image: Image) -> bool:
    """Whether all of it is; what lies in a file is read one volume at a time, and its results go to a file likewise."""
    return isinstance(image.data, np.ndarray)


def readable(size: float) -> str:
    """``1.23 GB``."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _on(device: str) -> AbstractContextManager[object]:
    """The copy lives on the processor; the compiled engine takes part where it will."""
    return nullcontext() if device == "cpu" else engine.using("plain")
