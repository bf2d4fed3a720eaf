"""What one blur needs to run on the native kernel: its plan, transfer function and spectrum; and the sweeps over them."""

from __future__ import annotations

import ctypes
import math
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from deconlab import fourier
from deconlab.engine._maps import COPY, NO_LOSS, Twin
from deconlab.engine._memory import Pool, allocate
from deconlab.engine._rehearsal import slices_uncounted
from deconlab.errors import DeconvolutionError
from deconlab.lazytorch import Tensor, torch

SLAB = 1 << 19  # voxels that a map in Python is given at a time: what fits the caches
SETTLED = 1 << 23  # bytes from which an array is worth moving into huge pages
Box = tuple[tuple[int, ...], tuple[int, ...]]  # offset and size within the torus


class _Box(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_long * 3), ("size", ctypes.c_long * 3))


class _Sweep(ctypes.Structure):
    _fields_ = (
        ("plan", ctypes.c_void_p),
        ("spectrum", ctypes.c_void_p),
        ("box", _Box),
        ("inverse", ctypes.c_int32),
        ("forward", ctypes.c_int32),
        ("first", ctypes.c_int64),
        ("last", ctypes.c_int64),
        ("map", ctypes.c_int32),
        ("loss", ctypes.c_int32),
        ("input", ctypes.c_void_p),
        ("output", ctypes.c_void_p * 2),
        ("array", ctypes.c_void_p * 4),
        ("number", ctypes.c_float * 4),
        ("loss_array", ctypes.c_void_p * 3),
        ("loss_number", ctypes.c_float * 2),
        ("loss_of_slice", ctypes.c_void_p),
    )


class _Columns(ctypes.Structure):
    _fields_ = (
        ("plan", ctypes.c_void_p),
        ("spectrum", ctypes.c_void_p),
        ("otf", ctypes.c_void_p),
        ("conjugate", ctypes.c_int32),
        ("rows", ctypes.c_int64 * 4),  # first and last slice that is not 0, first and last that is wanted
    )


class Workspace:
    """The native side of one convolution. One thread at a time: hold ``lock``."""

    def __init__(self, native: Any, kernel: int, psf: Tensor, torus: tuple[int, ...]) -> None:
        self.native, self.torus = native, torus
        self.lock = threading.RLock()
        self.pool = Pool(native)
        self._spectrum = self._otf = 0
        self._plan: int | None = native.engine_new(*volume(torus), kernel)
        owned = [self._plan]
        weakref.finalize(self, _release, native, owned, self.pool)
        if self._plan is None:
            raise DeconvolutionError(f"The compiled engine has no memory for its tables of a {torus} domain.")
        self._size = native.engine_spectrum_bytes(self._plan)
        self._held: tuple[weakref.ref[Tensor], int] | None = None
        self._last: weakref.ref[Tensor] | None = None
        self._tidy = False
        self._seen: dict[tuple[int, int], int] = {}  # the sweep in which an array was first read; -1 once it is settled
        self._sweeps = 0
        # The transfer function is the spectrum of the PSF, in the order in which the sweep along z reads it.
        owned.append(self._new_spectrum())
        self._spectrum = owned[1]
        whole = ((0,) * len(torus), torus)
        self.sweep(whole, input=fourier.to_origin(psf, torus).contiguous())
        self.columns(None, False, whole, whole)
        native.engine_scale(self._spectrum, self._size, 1 / (4 * math.prod(torus)))
        self._otf = self._spectrum
        owned.append(self._new_spectrum())
        self._spectrum = owned[2]

    def _new_spectrum(self) -> int:
        return allocate(self.native, self._size, zero=True)

    @property
    def threads(self) -> int:
        """Those of torch, but none for less than a quarter of a million voxels."""
        return max(1, min(torch.get_num_threads(), math.prod(self.torus) >> 18))

    def tidy(self) -> None:
        """Before the first iteration: what setting up has left behind in the heap goes back to the system."""
        if not self._tidy:
            self.native.engine_settle(None, 0)
            self._tidy = True

    def holds(self, x: Tensor) -> bool:
        """Whether the spectrum is that of this very tensor, unchanged."""
        return self._held is not None and self._held[0]() is x and self._held[1] == x._version

    def worthwhile(self, x: Tensor) -> bool:
        """Whether a method that evaluates at x is one that evaluates next where its last step's first output was."""
        return self._last is None or self._last() is x

    def hold(self, x: Tensor, *, transformed: bool) -> None:
        """From now on the spectrum is x's, if that could be ``transformed``; x is where a method may evaluate next."""
        self._last = weakref.ref(x)
        self._held = (self._last, x._version) if transformed and not x.is_inference() else None

    def sweep(
        self,
        box: Box,
        *,
        inverse: bool = False,
        forward: bool = True,
        twin: Twin | None = None,
        loss: Twin | None = None,
        input: Tensor | None = None,
        outputs: Sequence[Tensor] = (),
        slices: tuple[int, int] | None = None,
    ) -> float:
        """One pass over the slices of ``box``; all arrays begin at the first of ``slices``. Gives the sum of the loss."""
        twin = twin or Twin(COPY)
        self._sweeps += 1
        offset, size = volume(box[0], 0), volume(box[1])
        first, last = slices or (0, size[0])
        sums = torch.zeros(last - first, dtype=torch.float64)
        given = _Sweep(spectrum=self._spectrum, inverse=inverse, forward=forward, first=first, last=last)
        given.box.offset[:], given.box.size[:] = offset, size
        given.map, given.input = twin.code, None if input is None else input.data_ptr()
        _fill(given.array, twin.arrays, self._settled)
        _fill(given.output, outputs, _address)
        given.number[: len(twin.numbers)] = twin.numbers
        given.loss = NO_LOSS
        if loss is not None:
            given.loss = loss.code
            _fill(given.loss_array, loss.arrays, self._settled)
            given.loss_number[: len(loss.numbers)] = loss.numbers
        given.loss_of_slice = sums.data_ptr()
        self._held = None
        self._require(self.native.engine_sweep(self._plan, ctypes.byref(given), self.threads))
        return float(sums.sum())

    def columns(self, otf: int | None, conjugate: bool, given: Box, wanted: Box) -> None:
        """The pass along z: forward, times the transfer function, back. Without one, forward only."""
        (begin, *_), (size, *_) = volume(given[0], 0), volume(given[1])
        (first, *_), (count, *_) = volume(wanted[0], 0), volume(wanted[1])
        columns = _Columns(spectrum=self._spectrum, otf=otf, conjugate=conjugate)
        columns.rows[:] = (begin, begin + size, first, first + count)
        self._held = None
        self._require(self.native.engine_columns(self._plan, ctypes.byref(columns), self.threads))

    def filter(self, given: Box, wanted: Box, *, conjugate: bool) -> None:
        """The spectrum of what lies in one box becomes the spectrum, short of its last two axes, of what it is blurred to."""
        self.columns(self._otf, conjugate, given, wanted)

    def slabs(self, box: Box, map: Callable[[Tensor, tuple[int, int]], Tensor], *, forward: bool) -> None:
        """A pass over ``box`` with a map in Python: ``map(u, slices)``, a few slices at a time, gives what is transformed."""
        depth, *plane = volume(box[1])
        height = max(self.threads, SLAB // math.prod(plane), 1)
        with slices_uncounted():
            room = torch.empty((min(height, depth), *plane))
            for begin in range(0, depth, height):
                slices = (begin, min(begin + height, depth))
                u = room[: slices[1] - begin]
                self.sweep(box, inverse=True, forward=False, outputs=(u,), slices=slices)
                result = map(u.view(self._natural(u, box)), slices)
                if forward:
                    self.sweep(box, input=result.contiguous(), slices=slices)

    @staticmethod
    def _natural(u: Tensor, box: Box) -> tuple[int, ...]:
        return tuple(u.shape[3 - len(box[1]) :])

    def _settled(self, array: Tensor) -> int:
        """Its address. What a later sweep reads again is moved into huge pages, where the system has them."""
        key = (array.data_ptr(), array.nbytes)
        if array.nbytes >= SETTLED and 0 <= self._seen.setdefault(key, self._sweeps) < self._sweeps:
            self.native.engine_settle(*key)
            self._seen[key] = -1
        return key[0]

    def _require(self, code: int) -> None:
        if code:
            megabytes = self.native.engine_scratch_bytes(self._plan) * self.threads / 1e6
            raise DeconvolutionError(
                f"There is no memory for the {megabytes:.0f} MB that the compiled engine works in."
            )


def volume(shape: Sequence[int], missing: int = 1) -> tuple[int, ...]:
    """A shape (or, with ``missing`` = 0, an offset) of one to three dimensions as one of three."""
    return (missing,) * (3 - len(shape)) + tuple(shape)


def _address(tensor: Tensor) -> int:
    return tensor.data_ptr()


def _fill(slots: Any, tensors: Sequence[Tensor | None], address: Callable[[Tensor], int]) -> None:
    for index, tensor in enumerate(tensors):
        if tensor is not None:
            slots[index] = address(tensor)


def _release(native: Any, owned: list[int | None], pool: Pool) -> None:
    """The plan first, then the volumes."""
    native.engine_free(owned[0])
    for address in owned[1:]:
        native.engine_release(address)
    pool.close()
