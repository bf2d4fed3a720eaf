"""The native library: found, checked and loaded once; and what may be said of it."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from deconlab.engine._rehearsal import under_meter

INTERFACE = 2
KERNELS = ("baseline", "avx2", "avx512")
PLAIN = "plain"


@dataclass(frozen=True)
class Status:
    """Whether the compiled loop runs here: ``kernel`` is the instruction set in use, or None, and then ``reason`` says why."""

    kernel: str | None
    reason: str = ""

    def __str__(self) -> str:
        if self.kernel is None:
            return f"compiled engine: not in use, {self.reason}"
        names = {"baseline": "NEON" if platform.machine() in ("arm64", "aarch64") else "SSE2", "avx2": "AVX2"}
        return f"compiled engine: in use, {names.get(self.kernel, 'AVX-512')}"


_chosen: ContextVar[str | None] = ContextVar("deconlab_engine", default=None)


def status() -> Status:
    """Whether the compiled loop runs here, with which instruction set, or why not."""
    choice = _chosen.get() or os.environ.get("DECONLAB_ENGINE") or None
    if choice == PLAIN:
        return Status(None, "the plain path was asked for.")
    native, reason = _load()
    if native is None:
        return Status(None, reason)
    best = KERNELS[native.engine_best_kernel()]
    if choice is None or choice == best:
        return Status(best)
    if choice not in KERNELS:
        return Status(None, f"{choice!r} is no kernel; there are {', '.join(KERNELS)} and {PLAIN}.")
    if KERNELS.index(choice) > KERNELS.index(best):
        return Status(None, f"this processor does not run {choice}, only up to {best}.")
    return Status(choice)


@contextmanager
def using(kernel: str) -> Iterator[Status]:
    """Within the block, ``kernel``: "plain" for no compiled loop at all, or "baseline", "avx2" or "avx512".

    The environment variable ``DECONLAB_ENGINE`` does the same for a whole process. Raises ValueError for another name.
    """
    if kernel not in (*KERNELS, PLAIN):
        raise ValueError(f"There is no engine {kernel!r}; there are {', '.join((*KERNELS, PLAIN))}.")
    token = _chosen.set(kernel)
    try:
        yield status()
    finally:
        _chosen.reset(token)


def library() -> tuple[Any, int] | None:
    """The native library and the number of the kernel to use, or None where there is none: said once in the log."""
    now = status()
    if now.kernel is None:
        _say_once(now)
        return None
    return under_meter(_load()[0]), KERNELS.index(now.kernel)


@cache
def _say_once(now: Status) -> None:
    if "asked for" not in now.reason:
        logging.getLogger("deconlab").warning("%s", now)


@cache
def _load() -> tuple[Any, str]:
    import ctypes

    from deconlab.engine.build import LIBRARY

    advice = "Restorations work, several times slower. To change that: python -m deconlab.engine.build"
    if not LIBRARY.exists():
        return None, f"{LIBRARY.name} was not built when deconlab was installed. {advice}"
    try:
        native = ctypes.CDLL(str(LIBRARY))
        found = native.engine_interface()
    except (OSError, AttributeError) as error:
        return None, f"{LIBRARY.name} cannot be loaded: {error}. {advice}"
    if found != INTERFACE:
        return None, f"{LIBRARY.name} has interface {found}, not {INTERFACE}: it is of another version. {advice}"
    pointer, big = ctypes.c_void_p, ctypes.c_uint64
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "engine_new": (pointer, [ctypes.c_int64] * 3 + [ctypes.c_int]),
        "engine_free": (None, [pointer]),
        "engine_spectrum_bytes": (big, [pointer]),
        "engine_scratch_bytes": (big, [pointer]),
        "engine_allocate": (pointer, [big, ctypes.c_int]),
        "engine_release": (None, [pointer]),
        "engine_settle": (None, [pointer, big]),
        "engine_scale": (None, [pointer, big, ctypes.c_float]),
        "engine_sweep": (ctypes.c_int, [pointer, pointer, ctypes.c_int]),
        "engine_columns": (ctypes.c_int, [pointer, pointer, ctypes.c_int]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(native, name)
        function.restype, function.argtypes = result, arguments
    return native, ""
