"""Four real transforms of one size, two there and two back, by every FFT engine that is installed."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def engines(shape: tuple[int, ...], threads: int) -> dict[str, Callable[[], None]]:
    """A function that does four transforms, by the engine's name. FFTW and MKL work in place, FFTW by a measured plan."""
    found = {"torch": by_torch(shape), "scipy.fft": by_scipy(shape, threads)}
    for name, make in (("FFTW", by_fftw), ("MKL", by_mkl)):
        run = make(shape, threads)
        if run is not None:
            found[name] = run
    return found


def by_torch(shape: tuple[int, ...]) -> Callable[[], None]:
    import torch

    x = torch.rand(shape)

    def run() -> None:
        for _ in range(2):
            torch.fft.irfftn(torch.fft.rfftn(x), s=shape)

    return run


def by_scipy(shape: tuple[int, ...], threads: int) -> Callable[[], None]:
    import scipy.fft

    x = np.random.default_rng(0).random(shape, dtype=np.float32)

    def run() -> None:
        for _ in range(2):
            scipy.fft.irfftn(scipy.fft.rfftn(x, workers=threads), s=shape, workers=threads)

    return run


def in_place(shape: tuple[int, ...], empty: Callable[..., Any] = np.empty) -> tuple[Any, Any]:
    """The same memory as real and as complex numbers: rows of 2(n // 2 + 1) floats."""
    padded = empty((*shape[:-1], 2 * (shape[-1] // 2 + 1)), "float32")
    padded[:] = np.random.default_rng(0).random(padded.shape, dtype=np.float32)
    return padded[..., : shape[-1]], padded.view("complex64")


def by_fftw(shape: tuple[int, ...], threads: int) -> Callable[[], None] | None:
    try:
        import pyfftw
    except ImportError:
        return None
    real, spectrum = in_place(shape, pyfftw.empty_aligned)
    axes = tuple(range(len(shape)))
    options = {"axes": axes, "flags": ("FFTW_MEASURE",), "threads": threads}
    there = pyfftw.FFTW(real, spectrum, direction="FFTW_FORWARD", **options)
    back = pyfftw.FFTW(spectrum, real, direction="FFTW_BACKWARD", **options)
    real[:] = 1e-3

    def run() -> None:
        for _ in range(2):
            there.execute()
            back.execute()
        real[:, :1] *= 1e-9  # unscaled transforms grow; a touch keeps them finite

    return run


def by_mkl(shape: tuple[int, ...], threads: int) -> Callable[[], None] | None:
    """Through MKL's own DFTI interface."""
    # The constants are DFTI's: single = 35, real = 33, a backward scale = 5, conjugate-even storage = 10, as complex = 39,
    # input strides = 12, output strides = 13; the default is in place.
    places = [Path(folder) for folder in (sys.prefix, *sys.path) if folder]
    candidates = [p for place in places for up in (place, *place.parents[:3]) for p in up.glob("lib*/libmkl_rt.*")]
    if not candidates:
        return None
    library = ctypes.CDLL(str(candidates[0]))
    library.MKL_Set_Num_Threads(threads)
    real, spectrum = in_place(shape)
    rank = len(shape)

    def strides(array: Any) -> Any:
        return (ctypes.c_long * (rank + 1))(0, *(s // array.itemsize for s in array.strides))

    def plan(given: Any, wanted: Any) -> Any:
        handle = ctypes.c_void_p()
        library.DftiCreateDescriptor(ctypes.byref(handle), 35, 33, ctypes.c_long(rank), (ctypes.c_long * rank)(*shape))
        library.DftiSetValue(handle, 10, 39)
        library.DftiSetValue(handle, 12, strides(given))
        library.DftiSetValue(handle, 13, strides(wanted))
        library.DftiSetValue(handle, 5, ctypes.c_double(1 / np.prod(shape)))
        if library.DftiCommitDescriptor(handle):
            raise RuntimeError(f"MKL does not plan {shape}")
        return handle

    there, back = plan(real, spectrum), plan(spectrum, real)
    before = real[0, 0].copy()

    def run() -> None:
        memory = ctypes.c_void_p(real.ctypes.data)
        for _ in range(2):
            library.DftiComputeForward(there, memory)
            library.DftiComputeBackward(back, memory)

    run()
    if not np.allclose(real[0, 0], before, atol=1e-4):
        raise RuntimeError("MKL's transforms there and back do not give what they were given")
    return run
