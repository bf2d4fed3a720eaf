"""How much memory a restoration takes, before it starts: found by a rehearsal, not by a second list of what methods need.

The run itself, ``init`` and steps of the very method on tensors without content, under a meter that sees every tensor come
and go; the compiled engine takes part by counting what it would allocate. So a new method, prior or boundary is estimated as
it is written. A rehearsal takes no memory and tens of milliseconds.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab import api, engine
from deconlab.lazytorch import torch
from deconlab.psf import PSF
from deconlab.solve import solve
from deconlab.stopping import MaxIterations
from deconlab.volume import choose_device

if TYPE_CHECKING:
    from deconlab.image import Image

STEPS = 4  # by then every buffer that is kept between steps is there
ENOUGH = 2000  # operations after which the same loop is only gone through again
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

    Takes tens of milliseconds, no memory. Raises what :func:`deconlab.api.prepare` raises for the same settings.
    """
    settings = {name: value for name, value in settings.items() if name not in ("iterations", "stop")}
    if settings.get("background") == "auto":
        settings["background"] = 0.0  # its estimate is smaller than what comes later
    if not isinstance(settings.get("start", "flat"), str):
        settings.pop("start")
    double = "float64" in str(settings.get("dtype") or image_dtype)
    kind = torch.float64 if double else torch.float32
    meter = _Meter()
    with meter.running():
        y = torch.empty(tuple(shape), dtype=kind, device="meta")
        psf = PSF(torch.empty(tuple(psf_shape), dtype=kind, device="meta"))
        weights = torch.empty_like(y) if weighted else None
        settings["dtype"] = kind
        ready = api.prepare(y, psf, method, 1, weights=weights, **settings)
        _rehearse(ready, watched)
    itemsize = torch.empty((), dtype=kind).element_size()
    size = math.prod(shape) * volumes
    raw = 0 if np.dtype(image_dtype) == np.dtype("float64" if double else "float32") and volumes == 1 else size
    held = raw * np.dtype(image_dtype).itemsize + (size * itemsize if volumes > 1 else 0)
    made = _PSF_FILE * psf_file_voxels or _PSF_MODEL * math.prod(psf_shape)
    return Estimate(held, made, meter.peak, ready.blur.in_shape, choose_device(device or "auto"))


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
    watched: bool = False,
    **settings: Any,
) -> Estimate:
    """What ``restore_volumes(image, …)`` takes with the same settings, without doing it.

    A PSF model is not rendered; a measured PSF is made ready, because what it is cropped to depends on its light. ``watched``
    as in :func:`estimate`. Raises what :func:`deconlab.restore.restore_volumes` raises for settings that cannot be.
    """
    from deconlab.channel_psf import ChannelPSF
    from deconlab.restore import split, with_voxel_um

    if voxel_um is not None:
        image = with_voxel_um(image, voxel_um)
    source = ChannelPSF.of(image, psf, psf_voxel_um, psf_model, modality, settings)
    settings = {name: value for name, value in settings.items() if name not in source.parameters}
    volumes = list(split(image))
    shape = image.volume(volumes[0].where).data.squeeze().shape or (1,)
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
        psf_file_voxels=file_voxels,
        voxel_um=source.voxel_um,
        **settings,
    )


def of_prepared(ready: api.Prepared, image: Image | None = None, *, watched: bool = False) -> Estimate:
    """What a run takes that is about to start; ``image`` is the one that its volume is from."""
    fidelity = ready.problem.fidelity
    meter = _Meter()
    with meter.running():
        changes = {
            field.name: _without_content(getattr(fidelity, field.name)) for field in fields(fidelity) if field.init
        }
        changes["H"] = ready.blur.with_psf(_without_content(ready.blur.convolution.psf))
        _rehearse(replace(ready, problem=ready.problem.with_data(**changes)), watched)
    held = 0
    if image is not None:
        several = image.data.size > math.prod(ready.blur.shape)
        same = str(image.data.dtype) == str(fidelity.y.dtype).removeprefix("torch.")
        held = (0 if same and not several else image.data.nbytes) + (
            image.data.size * fidelity.y.element_size() if several else 0
        )
    made = _PSF_MODEL * ready.blur.convolution.psf.numel()
    return Estimate(held, made, meter.peak, ready.blur.in_shape, str(fidelity.y.device))


def readable(size: float) -> str:
    """``1.23 GB``."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


class _Enough(Exception):
    """The rehearsal has seen what there is to see."""


def _rehearse(ready: api.Prepared, watched: bool) -> None:
    """Some steps of the run, as the driver takes them, and the image that is given back."""
    observers = [lambda iteration: iteration.change] if watched else []
    try:
        solution = solve(
            ready.method,
            ready.problem,
            stop=MaxIterations(STEPS),
            observers=observers,
            x0=_without_content(ready.start),
        )
        ready.in_image(solution.x).contiguous()
    except _Enough:
        pass


def _without_content(value: Any) -> Any:
    return torch.empty_like(value, device="meta") if isinstance(value, torch.Tensor) else value


class _Meter:
    """Counts the bytes that live, and the most of them."""

    def __init__(self) -> None:
        self.now = self.peak = self.operations = 0
        self.paused = False
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def count(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        self.paused = True
        try:
            yield
        finally:
            self.paused = False

    def running(self) -> Any:
        """A context in which every tensor without content is counted, and every number read from one is 1."""
        stack = ExitStack()
        stack.enter_context(engine.rehearsing(self))
        stack.enter_context(torch.no_grad())
        stack.enter_context(_mode(self))
        return stack

    def notice(self, tensor: Any) -> None:
        if not isinstance(tensor, torch.Tensor) or tensor.device.type != "meta":
            return
        storage = tensor.untyped_storage()
        if storage not in self.seen:
            self.seen.add(storage)
            if not self.paused:
                self.count(storage.nbytes())
                weakref.finalize(storage, self.count, -storage.nbytes())


def _mode(meter: _Meter) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.ops.aten._local_scalar_dense.default and args[0].device.type == "meta":
                dtype = args[0].dtype
                return True if dtype == torch.bool else 1.0 if dtype.is_floating_point else 1
            result = function(*args, **(kwargs or {}))
            for item in result if isinstance(result, tuple | list) else (result,):
                meter.notice(item)
            meter.operations += 1
            if meter.operations > ENOUGH:
                raise _Enough
            return result

    return Mode()  # type: ignore[no-untyped-call]
