"""H, Hᵀ and "H, point-wise, Hᵀ, point-wise" of a blur on the native kernel; None where it cannot serve."""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

from deconlab import fourier
from deconlab.engine import _workspace
from deconlab.engine._library import library
from deconlab.engine._maps import plain_volume, twin
from deconlab.engine._workspace import Box, Workspace
from deconlab.lazytorch import Tensor, torch

LONGEST_ROW = 2048  # of a single row only one lane of many is filled: beyond this, plain transforms are faster
_workspaces: weakref.WeakKeyDictionary[Any, dict[int, Workspace]] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def spectrum_bytes(torus: tuple[int, ...]) -> int | None:
    """Of the spectrum of a periodic domain; None where the engine cannot serve it."""
    found = library()
    plan = None if found is None else found[0].engine_new(*_workspace.volume(torus), found[1])
    if found is None or plan is None:
        return None
    try:
        return int(found[0].engine_spectrum_bytes(plan))
    finally:
        found[0].engine_free(plan)


def forward(blur: Any, x: Tensor) -> Tensor | None:
    """Hx."""
    workspace = _serving(blur, x, blur.in_shape)
    if workspace is None:
        return None
    thing, data = _boxes(blur)
    with workspace.lock:
        _transform(workspace, blur, x)
        workspace.filter(thing, data, conjugate=False)
        return _volume_of(workspace, data)


def adjoint(blur: Any, y: Tensor) -> Tensor | None:
    """Hᵀy."""
    workspace = _serving(blur, y, blur.out_shape)
    if workspace is None:
        return None
    thing, data = _boxes(blur)
    with workspace.lock:
        workspace.sweep(data, input=y.contiguous())
        workspace.filter(data, thing, conjugate=True)
        projected = _volume_of(workspace, thing)
    return blur.extension.adjoint(projected) if blur.boxes[0] is None else projected


def sandwich(blur: Any, x: Tensor, inner: Any, outer: Any, loss: Any, back: Any) -> tuple[Any, Tensor | None] | None:
    """(outer(Hᵀ inner(Hx)), Σ loss(Hx)), as ``LinearOperator.sandwich`` has it.

    Maps without a compiled twin are called a few slices at a time. Where ``outer`` is cut so, and in its compiled twins, its
    first output is transformed as it is made: if the next call begins there, half of its first transform is done.
    """
    arrays = [a for map in (inner, outer, loss) if map is not None for a in map.arrays]
    workspace = None if back is not None or fourier.differentiated(*arrays) else _serving(blur, x, blur.in_shape)
    if workspace is None:
        return None
    thing, data = _boxes(blur)
    try:
        with workspace.lock:
            workspace.tidy()
            if not workspace.holds(x):
                _transform(workspace, blur, x)
            workspace.filter(thing, data, conjugate=False)
            total = _inner(workspace, data, inner, loss)
            workspace.filter(data, thing, conjugate=True)
            if outer is not None and blur.boxes[0] is not None:
                return _outer(workspace, thing, outer, speculate=workspace.worthwhile(x)), total
            projected = _volume_of(workspace, thing)
    except _Unfit:
        return None
    if blur.boxes[0] is None:
        projected = blur.extension.adjoint(projected)
    return (projected if outer is None else outer(projected)), total


class _Unfit(Exception):
    """A map in Python gave something else than a volume, or takes arrays that cannot be cut into slices."""


def _serving(blur: Any, x: Tensor, shape: tuple[int, ...]) -> Workspace | None:
    """The workspace of a blur, if it can be used for x."""
    psf, torus = blur.convolution.psf, blur.convolution.in_shape
    if (
        type(x) not in (torch.Tensor, torch.nn.Parameter)
        or not plain_volume(x, shape)
        or not plain_volume(psf, tuple(psf.shape))
        or not 1 <= len(torus) <= 3
        or fourier.differentiated(x, psf)
        or torch.compiler.is_compiling()
        or _transformed()
        or LONGEST_ROW < math.prod(torus) == max(torus)
        or any(fourier.good_size(size) != size for size in torus)
    ):
        return None
    found = library()
    if found is None:
        return None
    native, kernel = found
    with _making:
        kernels = _workspaces.setdefault(blur.convolution, {})
        if kernel not in kernels:
            kernels[kernel] = Workspace(native, kernel, psf.detach(), torus)
        return kernels[kernel]


def _transformed() -> bool:
    """Whether forward-mode autograd or a function transform (vmap, jvp) is at work, which a plain tensor does not show."""
    functorch = getattr(torch._C, "_functorch", None)
    stack = getattr(functorch, "peek_interpreter_stack", lambda: None)
    return getattr(torch.autograd.forward_ad, "_current_level", -1) >= 0 or stack() is not None


def _boxes(blur: Any) -> tuple[Box, Box]:
    """Where object and data lie on the torus; an object that is extended first lies on all of it."""
    torus = blur.convolution.in_shape
    return blur.boxes[0] or ((0,) * len(torus), torus), blur.boxes[1]


def _transform(workspace: Workspace, blur: Any, x: Tensor) -> None:
    """x into the spectrum."""
    extended = blur.extension.forward(x) if blur.boxes[0] is None else x
    workspace.sweep(_boxes(blur)[0], input=extended.detach().contiguous())


def _volume_of(workspace: Workspace, box: Box) -> Tensor:
    """What lies in the box, out of the spectrum."""
    u = workspace.pool.empty(box[1])
    workspace.sweep(box, inverse=True, forward=False, outputs=(u,))
    return u


def _inner(workspace: Workspace, box: Box, inner: Any, loss: Any) -> Tensor | None:
    """The spectrum of Hx becomes that of inner(Hx); Σ loss(Hx)."""
    inner_twin = twin("inner", inner, box[1])
    loss_twin = None if loss is None else twin("loss", loss, box[1])
    if inner_twin is not None and (loss is None or loss_twin is not None):
        total = workspace.sweep(box, inverse=True, twin=inner_twin, loss=loss_twin)
    else:
        _require_cuttable(box, inner, loss)
        sums = []

        def map(u: Tensor, slices: tuple[int, int]) -> Tensor:
            if loss is not None:
                sums.append(float(_cut(loss, slices, box)(u).sum(dtype=torch.float64)))
            return _fitting(_cut(inner, slices, box)(u), u)

        workspace.slabs(box, map, forward=True)
        total = sum(sums)
    return None if loss is None else torch.tensor(total, dtype=torch.float64)


def _outer(workspace: Workspace, box: Box, outer: Any, *, speculate: bool) -> Any:
    """outer(u) for the u that lies in the box, and its first output's transform begun."""
    compiled = twin("outer", outer, box[1])
    if compiled is not None:
        outputs = tuple(workspace.pool.empty(box[1]) for _ in range(compiled.outputs))
        workspace.sweep(box, inverse=True, forward=speculate, twin=compiled, outputs=outputs)
        workspace.hold(outputs[0], transformed=speculate)
        return outputs[0] if len(outputs) == 1 else outputs
    _require_cuttable(box, outer)
    found: list[Tensor] = []
    single = True

    def map(u: Tensor, slices: tuple[int, int]) -> Tensor:
        nonlocal single
        results = _cut(outer, slices, box)(u)
        single = isinstance(results, torch.Tensor)
        parts = (results,) if single else tuple(results)
        if not found:
            found.extend(workspace.pool.empty(box[1]) for _ in parts)
        for volume, part in zip(found, parts, strict=True):
            _whole_or_slices(volume, slices, box).copy_(_fitting(part, u))
        return _whole_or_slices(found[0], slices, box)

    workspace.slabs(box, map, forward=speculate)
    workspace.hold(found[0], transformed=speculate)
    return found[0] if single else tuple(found)


def _require_cuttable(box: Box, *maps: Any) -> None:
    for map in maps:
        for array in () if map is None else map.arrays:
            if getattr(array, "ndim", 0) and tuple(array.shape) != tuple(box[1]):
                raise _Unfit


def _cut(map: Any, slices: tuple[int, int], box: Box) -> Any:
    return map.cut(slice(*slices)) if len(box[1]) == 3 else map


def _whole_or_slices(volume: Tensor, slices: tuple[int, int], box: Box) -> Tensor:
    return volume[slice(*slices)] if len(box[1]) == 3 else volume


def _fitting(result: Any, u: Tensor) -> Tensor:
    if not plain_volume(result, tuple(u.shape)):
        raise _Unfit
    assert isinstance(result, torch.Tensor)
    return result
