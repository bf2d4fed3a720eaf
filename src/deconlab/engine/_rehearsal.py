"""The engine in a rehearsal: it takes and gives back memory as it would, on tensors without content, and does no work.

Estimates of memory are made so (see :mod:`deconlab.memory`): by the very code that will run, not by a second list of what it
needs.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from deconlab.lazytorch import Tensor, torch

_ADDRESSES = itertools.count(1)


class Meter(Protocol):
    """Who counts the bytes."""

    def count(self, size: int) -> None:
        """So many bytes more; given back where negative."""

    def uncounted(self) -> AbstractContextManager[None]:
        """Within the block, tensors that are made are not counted: their memory is."""


_meter: ContextVar[Meter | None] = ContextVar("deconlab_rehearsal", default=None)


@contextmanager
def rehearsing(meter: Meter) -> Iterator[None]:
    """Within the block the engine serves tensors on the meta device, and tells ``meter`` what it would allocate."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


def stage() -> str:
    """The kind of device whose tensors the engine serves now."""
    return "cpu" if _meter.get() is None else "meta"


def cast_of(native: Any) -> Any:
    """The native library, or in a rehearsal its stand-in."""
    meter = _meter.get()
    return native if meter is None else StandIn(native, meter)


class StandIn:
    """The native library without its sweeps: plans are real (they are small), memory is only counted."""

    def __init__(self, native: Any, meter: Meter) -> None:
        self.native, self.meter = native, meter
        self.sizes: dict[int, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def engine_allocate(self, size: int, zero: int) -> int:  # noqa: ARG002  (the native function's signature)
        address = next(_ADDRESSES)
        self.sizes[address] = size
        self.meter.count(size)
        return address

    def engine_release(self, address: int) -> None:
        self.meter.count(-self.sizes.pop(address))

    def engine_settle(self, *_: Any) -> None:
        pass

    def engine_scale(self, *_: Any) -> None:
        pass

    def engine_sweep(self, plan: Any, _: Any, threads: int) -> int:
        return self._pass(plan, threads)

    def engine_columns(self, plan: Any, _: Any, threads: int) -> int:
        return self._pass(plan, threads)

    def _pass(self, plan: Any, threads: int) -> int:
        scratch = self.native.engine_scratch_bytes(plan) * threads
        self.meter.count(scratch)
        self.meter.count(-scratch)
        return 0

    def lend(self, loan: Any, shape: tuple[int, ...]) -> Tensor:
        """A tensor that holds a loan as long as anything sees its memory."""
        with self.meter.uncounted():
            tensor: Tensor = torch.empty(shape, device="meta")
        weakref.finalize(tensor.untyped_storage(), id, loan)  # the loan lives as long as this call is outstanding
        return tensor
