"""Arrays that stay in their file until a part of them is asked for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Reader = Callable[[tuple[int, ...]], NDArray[Any]]


class Stored:
    """An array in a file, of which ``numpy.asarray(stored[index])`` reads only what the index picks.

    Indexing with whole numbers, slices, a list of numbers, ``...`` and ``None`` and transposing give another of its kind
    and read nothing.
    The file is read in blocks: ``read(place)`` gives the block over the last ``shape[len(place):]`` axes at a place on
    those before; one block is held at a time. ``of`` maps what was read, element by element, to ``dtype``.

    >>> table = np.arange(24).reshape(2, 3, 4)
    >>> part = Stored((2, 3, 4), table.dtype, 1, lambda place: table[place])[:, 1, ::2].transpose([1, 0])
    >>> part.shape, np.asarray(part).tolist()
    ((2, 2), [[4, 16], [6, 18]])
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike, leading: int, read: Reader) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._shape, self._leading, self._read = tuple(shape), leading, read
        self._fixed: dict[int, int] = {}
        self._axes: tuple[tuple[int | None, Sequence[int]], ...] = tuple(
            (axis, range(n)) for axis, n in enumerate(shape)
        )
        self._map: Callable[[NDArray[Any]], NDArray[Any]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(picked) for _, picked in self._axes)

    @property
    def ndim(self) -> int:
        return len(self._axes)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Stored:
        items = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis not in items:
            items.append(Ellipsis)
        at = items.index(Ellipsis)
        missing = self.ndim - sum(item is not None for item in items) + 1
        items[at : at + 1] = [slice(None)] * missing
        left, fixed = iter(self._axes), dict(self._fixed)
        axes: list[tuple[int | None, Sequence[int]]] = []
        for item in items:
            if item is None:
                axes.append((None, range(1)))
                continue
            axis, picked = next(left)
            if isinstance(item, slice):
                axes.append((axis, picked[item]))
            elif isinstance(item, list):
                axes.append((axis, [picked[i] for i in item]))
            elif axis is not None:
                fixed[axis] = picked[int(item)]
        return self._view(axes, fixed)

    def transpose(self, order: Sequence[int]) -> Stored:
        """The same with its axes in another order."""
        return self._view([self._axes[axis] for axis in order], self._fixed)

    def mapped(self, function: Callable[[NDArray[Any]], NDArray[Any]], dtype: DTypeLike) -> Stored:
        """The same with ``function`` applied to each value when it is read."""
        view, before = self._view(self._axes, self._fixed), self._map
        view._map = function if before is None else lambda block: function(before(block))
        view.dtype = np.dtype(dtype)
        return view

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        del copy  # what is read is always new
        found = self._whole()
        return found if dtype is None else found.astype(dtype, copy=False)

    def _view(self, axes: Sequence[tuple[int | None, Sequence[int]]], fixed: dict[int, int]) -> Stored:
        view = Stored(self._shape, self.dtype, self._leading, self._read)
        view._axes, view._fixed, view._map = tuple(axes), dict(fixed), self._map
        return view

    def _whole(self) -> NDArray[Any]:
        chosen_of: dict[int, Sequence[int]] = {axis: chosen for axis, chosen in self._axes if axis is not None}
        chosen_of |= {axis: range(at, at + 1) for axis, at in self._fixed.items()}
        ranges = [chosen_of[axis] for axis in range(len(self._shape))]
        found = np.empty([len(chosen) for chosen in ranges], self.dtype)
        inside = tuple(_slice(chosen) for chosen in ranges[self._leading :])
        lists = [(at, chosen) for at, chosen in enumerate(ranges[self._leading :]) if not isinstance(chosen, range)]
        places = itertools.product(*ranges[: self._leading])
        for target, place in zip(np.ndindex(*found.shape[: self._leading]), places, strict=True):
            block = self._read(place)[inside]
            for at, chosen in lists:
                block = block.take(chosen, at)
            found[target] = block if self._map is None else self._map(block)
        kept = [axis for axis, _ in self._axes if axis is not None]
        found = found[(*(0 if axis in self._fixed else slice(None) for axis in range(len(self._shape))), ...)]
        now = [axis for axis in range(len(self._shape)) if axis not in self._fixed]
        found = found.transpose([now.index(axis) for axis in kept])
        found = found[(*(np.newaxis if axis is None else slice(None) for axis, _ in self._axes), ...)]
        for at, (axis, picked) in enumerate(self._axes):
            if axis is None and len(picked) != 1:
                found = found.take(np.zeros(len(picked), int), at)
        return found


def _slice(chosen: Sequence[int]) -> slice:
    if not isinstance(chosen, range):
        return slice(None)
    if not chosen:
        return slice(0, 0)
    return slice(chosen.start, chosen.stop if chosen.stop >= 0 else None, chosen.step)


def parts(data: Any) -> Iterator[NDArray[Any]]:
    """An array whole, or a stored one piece by piece along its first axes: what is done with all values, one by one."""
    if not isinstance(data, Stored):
        yield data
        return
    for place in np.ndindex(*data.shape[: max(data.ndim - 2, 0)]):
        yield np.asarray(data[place])


def planes(data: Any) -> Iterator[NDArray[Any]]:
    """The planes over the last two axes, in order, each contiguous."""
    for place in np.ndindex(*data.shape[:-2]):
        yield np.ascontiguousarray(data[place])


def raw(path: Path, shape: Sequence[int], dtype: DTypeLike, *, offset: int = 0, leading: int | None = None) -> Stored:
    """The array that lies in a file as it would in memory, from byte ``offset`` on.

    It is read and not mapped: what a map has read stays in the memory that the process is said to use. Reading raises
    ValueError where the file ends too early.
    """
    kind = np.dtype(dtype)
    native = kind.newbyteorder("=")
    count = max(len(shape) - 2, 0) if leading is None else leading
    block = tuple(shape[count:])
    size = math.prod(block)

    def read(place: tuple[int, ...]) -> NDArray[Any]:
        number = int(np.ravel_multi_index(place, tuple(shape[:count]))) if place else 0
        found = np.fromfile(path, kind, size, offset=offset + number * size * kind.itemsize)
        if found.size < size:
            raise ValueError(f"{path} is truncated: it ends within the data of shape {tuple(shape)}.")
        return found.astype(native, copy=False).reshape(block)

    return Stored(shape, native, count, read)
