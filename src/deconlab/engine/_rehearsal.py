"""The engine under a meter: what it takes and gives back is told to whoever estimates memory (:mod:`deconlab.memory`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol


class Meter(Protocol):
    """Who counts the bytes."""

    def take(self, address: int, size: int, *, spectrum: bool) -> None:
        """So many bytes are taken, for a volume or for a spectrum."""

    def give(self, address: int) -> None:
        """They are given back."""

    def uncounted(self) -> AbstractContextManager[None]:
        """Within the block, what is made is not counted: it is a few slices of a volume, whatever the volume's size."""


_meter: ContextVar[Meter | None] = ContextVar("deconlab_meter", default=None)


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Within the block, workspaces that are made tell ``meter`` of their memory."""
    token = _meter.set(meter)
    try:
        yield
    finally:
        _meter.reset(token)


def under_meter(native: Any) -> Any:
    """The native library, told of to the meter if there is one."""
    meter = _meter.get()
    return native if meter is None else Told(native, meter)


def slices_uncounted() -> AbstractContextManager[None]:
    """As :meth:`Meter.uncounted`; nothing without a meter."""
    meter = _meter.get()
    return nullcontext() if meter is None else meter.uncounted()


class Told:
    """The native library with a meter at what it allocates."""

    def __init__(self, native: Any, meter: Meter) -> None:
        self.native, self.meter = native, meter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.native, name)

    def engine_allocate(self, size: int, zero: int) -> int | None:
        address: int | None = self.native.engine_allocate(size, zero)
        if address is not None:
            self.meter.take(address, size, spectrum=bool(zero))  # spectra alone begin at 0
        return address

    def engine_release(self, address: int) -> None:
        self.meter.give(address)
        self.native.engine_release(address)
