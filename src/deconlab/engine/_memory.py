"""Volumes for results, used again when nobody holds them any more: a fresh one costs page faults, 5 GB/s instead of 30."""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

from deconlab.errors import DeconvolutionError
from deconlab.lazytorch import Tensor, torch

KEPT = 3  # free buffers of one size: a step makes three volumes at most


class Pool:
    """Lends memory of the native library as tensors, and takes it back when the last of their holders lets go."""

    def __init__(self, native: Any) -> None:
        self.native = native
        self.free: dict[int, list[int]] | None = {}

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """A float32 tensor of ``shape``, of any content."""
        import numpy as np

        loan = Loan(self, max(4 * math.prod(shape), 4))
        buffer: Any = (ctypes.c_char * loan.size).from_address(loan.address)
        buffer.loan = loan  # the array holds the buffer, the tensor holds the array
        flat = np.frombuffer(buffer, np.float32, count=math.prod(shape))
        tensor: Tensor = torch.from_numpy(flat).view(shape)
        return tensor

    def close(self) -> None:
        """Give back what is free now, and from now on at once what is lent."""
        free, self.free = self.free, None
        for addresses in (free or {}).values():
            for address in addresses:
                self.native.engine_release(address)


_loans: weakref.WeakValueDictionary[int, Loan] = weakref.WeakValueDictionary()


def empty_like(x: Tensor) -> Tensor:
    """A tensor like x, of any content; out of memory that was used before if x is a result of the compiled engine."""
    loan = _loans.get(x.data_ptr()) if x.device.type == "cpu" and x.dtype == torch.float32 else None
    return torch.empty_like(x) if loan is None or loan.size != x.nbytes else loan.pool.empty(tuple(x.shape))


class Loan:
    """One buffer, until it is garbage."""

    def __init__(self, pool: Pool, size: int) -> None:
        self.pool, self.size, self.address = pool, size, 0
        waiting = (pool.free or {}).get(size)
        self.address = waiting.pop() if waiting else allocate(pool.native, size)
        _loans[self.address] = self

    def __del__(self) -> None:
        if not self.address:
            return
        free = self.pool.free
        waiting = None if free is None else free.setdefault(self.size, [])
        if waiting is not None and len(waiting) < KEPT:
            waiting.append(self.address)
        else:
            self.pool.native.engine_release(self.address)


def allocate(native: Any, size: int, *, zero: bool = False) -> int:
    """The address of ``size`` bytes. Raises DeconvolutionError without that much memory."""
    address: int | None = native.engine_allocate(size, int(zero))
    if address is None:
        raise DeconvolutionError(
            f"There is no memory for another {size / 1e6:.0f} MB. Process tiles, or close what else is running."
        )
    return address
