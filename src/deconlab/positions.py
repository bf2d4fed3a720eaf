"""Restoring along some axes only: every position on the others is a problem by itself."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab import api, methods
from deconlab.functionals import Zero
from deconlab.image import AXES, SPATIAL, Channel, Image
from deconlab.operators.linear_operator import total_of
from deconlab.psf import PSF
from deconlab.volumes import leading

log = logging.getLogger("deconlab")
AT_ONCE = 1 << 20
"""How many values are restored together, where a method allows it."""
SPOKEN_SECONDS = 10.0


def along(image: Image, axes: str | None) -> str:
    """The axes along which is restored, in the order t c z y x: those asked for, else the spatial ones.

    Raises ValueError for axes that the image does not have, more than three with an extent, and where there is nothing to
    go by.
    """
    if axes is None:
        if not image.spatial_axes:
            raise ValueError(
                f"The image has the axes {image.axes!r} and none of z, y, x: say along which it is to be restored, for example "
                f"--axes {image.axes[-1:]} (axes={image.axes[-1:]!r})."
            )
        return image.spatial_axes
    if not axes or len(set(axes)) < len(axes) or set(axes) - set(image.axes):
        raise ValueError(f"--axes {axes}: name axes of the image, each once; it has {', '.join(image.axes)}.")
    if len(axes) > 3:
        raise ValueError(f"--axes {axes}: a restoration goes along one to three axes, not {len(axes)}.")
    return "".join(axis for axis in AXES if axis in axes)


def own_axes(image: Image, axes: str) -> str:
    """The axes of a volume: those of the restoration, and spatial ones on which every position is restored by itself."""
    places = leading(image, axes)
    return "".join(axis for axis in AXES if axis in image.axes and axis not in places)


def one_position(image: Image, axes: str) -> Image:
    """What the PSF is made for: the image with the spatial axes of the restoration alone, and with its channels."""
    kept = "".join(axis for axis in axes if axis in SPATIAL) or "x"
    sizes = dict(zip(image.axes, image.data.shape, strict=True))
    shape = [sizes[axis] if axis in axes else 1 for axis in kept]
    several = "c" in image.axes and "c" not in axes
    channels = image.channels if several else image.channels if len(image.channels) == 1 else (Channel(),)
    data = np.broadcast_to(np.zeros((), image.data.dtype), [len(channels), *shape])
    return replace(image, data=data, axes=f"c{kept}", channels=channels)


@dataclass(frozen=True)
class Done:
    """How the restoration of many positions went."""

    method: str
    prior: str
    iterations: int
    reason: str
    background: float
    notes: tuple[str, ...]
    device: str
    dtype: str


def restore_positions(
    part: NDArray[Any],
    own: str,
    axes: str,
    psf: PSF,
    method: Any,
    mask: NDArray[Any] | None,
    settings: Mapping[str, Any],
    label: str = "",
) -> tuple[NDArray[Any], Done]:
    """``part``, whose axes are ``own``, restored along ``axes`` at each position on its others.

    Methods whose steps are voxel-wise but for H restore many positions at once, each as if alone; others one by one.
    Positions without signal (constant, or with a mean that is not above the background) are copied as they are.
    """
    order = [own.index(axis) for axis in own if axis not in axes] + [own.index(axis) for axis in axes]
    moved = part.transpose(order)
    shape = moved.shape[len(own) - len(axes) :]
    if isinstance(settings.get("start"), np.ndarray):
        raise ValueError(
            "--start: positions that are restored one by one cannot begin with a file; say flat or measured."
        )
    rows = moved.reshape(-1, *shape)
    weights = None if mask is None else mask.transpose(order).reshape(-1, *shape)
    restored = np.empty(rows.shape, np.float64 if "float64" in str(settings.get("dtype") or part.dtype) else np.float32)
    lit = _with_signal(rows, weights, settings)
    restored[~lit] = rows[~lit]
    several = weights is None and len(shape) == 1 and together(method, settings)
    step = max(1, AT_ONCE // rows[0].size) if several else 1
    todo = np.flatnonzero(lit)
    runs: list[api.Restoration] = []
    begin = spoken = time.perf_counter()
    reasons: Counter[str] = Counter()
    for first in range(0, len(todo), step):
        chosen = todo[first : first + step]
        if several:
            run = _at_once(rows[chosen], psf, method, settings)
        else:
            given = None if weights is None else weights[chosen[0]]
            run = api.deconvolve(rows[chosen[0]], psf, method, weights=given, **settings)
        restored[chosen] = np.asarray(run.x).reshape(len(chosen), *shape)
        reasons[run.reason] += len(chosen)
        runs = [*runs[:1], run]
        if run.reason == "interrupted":
            restored[todo[first + step :]] = 0
            break
        now = time.perf_counter()
        if now - spoken > SPOKEN_SECONDS:
            spoken, done = now, first + len(chosen)
            left = (now - begin) / done * (len(todo) - done)
            log.info("%sposition %d of %d, %.0f s left", label, done, len(todo), left)
    if not runs:
        raise ValueError(
            f"None of the {len(rows)} positions has a signal above the background: there is nothing to restore."
        )
    notes = [f"{len(rows)} positions, each restored by itself along {', '.join(axes)}", *runs[0].notes]
    if len(todo) < len(rows):
        notes.append(f"{len(rows) - len(todo)} positions without signal were copied as they are")
    return restored.reshape(moved.shape).transpose(np.argsort(order)), _summary(runs, reasons, notes)


def together(method: Any, settings: Mapping[str, Any]) -> bool:
    """Whether many positions may be restored in one problem, each as it would be by itself."""
    cls = methods.registry.get(method) if isinstance(method, str) else type(method)
    prior = settings.get("prior") or cls.default_prior
    voxel_wise = cls.local and (isinstance(prior, Zero) or prior in ("zero", "tikhonov"))
    scored = [
        name for name in ("stop", "max_seconds", "relative_change", "discrepancy") if settings.get(name) is not None
    ]
    usual = settings.get("start", "flat") == "flat" and settings.get("background") != "auto"
    return voxel_wise and usual and not scored and settings.get("extension_px") is None


def _at_once(rows: NDArray[Any], psf: PSF, method: Any, settings: Mapping[str, Any]) -> api.Restoration:
    """Rows as one problem, blurred along the last axis only; each starts flat, with the sum of its own data."""
    one = api.prepare(rows[0], psf, method, **settings)
    fidelity = one.problem.fidelity
    sensitivity = fidelity.sensitivity
    measured = float(total_of(sensitivity[sensitivity < float("inf")]))
    wide = rows.astype(np.float64)
    electrons = (wide - one.counts.offset) / one.counts.gain - float(fidelity.background)
    if settings.get("boundary") == "zero":
        measured = float(rows.shape[1])
    level = electrons.sum(1, keepdims=True) / measured * one.counts.gain
    start = np.broadcast_to(level, rows.shape).astype(np.float64 if "float64" in str(fidelity.y.dtype) else np.float32)
    alone = replace(psf, data=psf.data[None], voxel_um=None)
    return api.deconvolve(rows, alone, method, **{**settings, "start": start, "voxel_um": None})


def _with_signal(rows: NDArray[Any], weights: NDArray[Any] | None, settings: Mapping[str, Any]) -> NDArray[np.bool_]:
    flat = rows.reshape(len(rows), -1)
    if weights is not None:
        counted = weights.reshape(len(rows), -1) > 0
        return np.array(
            [bool(seen.any()) and bool(np.ptp(row[seen]) > 0) for row, seen in zip(flat, counted, strict=True)]
        )
    lit = flat.max(1) > flat.min(1)
    background = settings.get("background", 0.0)
    if isinstance(background, int | float):
        lit &= flat.mean(1, dtype=np.float64) - float(settings.get("offset") or 0.0) > background
    found: NDArray[np.bool_] = lit
    return found


def _summary(runs: Sequence[api.Restoration], reasons: Counter[str], notes: Sequence[str]) -> Done:
    last = runs[-1]
    reason, count = reasons.most_common(1)[0]
    if last.reason == "interrupted":
        reason = "interrupted"
    elif len(reasons) > 1:
        reason = f"{reason} ({count} of {reasons.total()} positions)"
    fidelity = last.problem.fidelity
    return Done(
        repr(last.method),
        repr(last.problem.prior),
        max(run.iterations for run in runs),
        reason,
        last.counts.gain * float(fidelity.background),
        tuple(notes),
        str(fidelity.y.device),
        str(fidelity.y.dtype).removeprefix("torch."),
    )
