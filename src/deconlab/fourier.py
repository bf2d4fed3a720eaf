"""The one place that chooses an FFT engine and good sizes.

Everything is real-to-complex over the last ``ndim`` dimensions; leading dimensions broadcast. A *symbol* is a function on
the half grid that :func:`rfftn` returns: the diagonal of a circulant operator in the Fourier basis.

On the CPU, outside autograd, SciPy's pocketfft does the work (its inverse real transform takes about two thirds of the time
of torch's); everywhere else torch does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from deconlab.lazytorch import Tensor, torch

_PRIMES = (2, 3, 5, 7)


@cache
def good_size(at_least: int, *, even: bool = False) -> int:
    """The smallest size >= ``at_least`` (and even, if asked) whose prime factors are 2, 3, 5 and 7.

    Awkward sizes cost three to five times more. The halved dimension of a real transform should be even.
    """
    if at_least < 1:
        raise ValueError(f"A transform needs at least one sample, not {at_least}.")
    size = at_least
    while (even and size % 2) or not _smooth(size):
        size += 1
    return size


def good_shape(at_least: Sequence[int]) -> tuple[int, ...]:
    """:func:`good_size` for every dimension; the last one, which the real transform halves, is made even."""
    last = len(at_least) - 1
    return tuple(n if n == 1 else good_size(n, even=axis == last) for axis, n in enumerate(at_least))


def rfftn(x: Tensor, ndim: int) -> Tensor:
    """The real-to-complex transform of ``x`` over its last ``ndim`` dimensions."""
    axes = tuple(range(-ndim, 0))
    if _scipy_serves(x):
        import scipy.fft

        array = x.detach().numpy()
        spectrum: Tensor = torch.from_numpy(scipy.fft.rfftn(array, axes=axes, workers=torch.get_num_threads()))
        return spectrum
    transformed: Tensor = torch.fft.rfftn(x, dim=axes)
    return transformed


def irfftn(spectrum: Tensor, shape: Sequence[int], *, overwrite: bool = False) -> Tensor:
    """The inverse of :func:`rfftn`; ``shape`` says the sizes of the real result (an odd last size cannot be guessed).

    With ``overwrite`` the spectrum may be used as workspace, which halves the time on the CPU: no fresh complex buffer.
    """
    axes = tuple(range(-len(shape), 0))
    if _scipy_serves(spectrum):
        import scipy.fft

        array, workers = spectrum.detach().resolve_conj().numpy(), torch.get_num_threads()
        if len(axes) > 1:
            array = scipy.fft.ifftn(array, axes=axes[:-1], overwrite_x=overwrite, workers=workers)
        x: Tensor = torch.from_numpy(scipy.fft.irfft(array, n=shape[-1], axis=-1, workers=workers))
        return x
    transformed: Tensor = torch.fft.irfftn(spectrum, s=tuple(shape), dim=axes)
    return transformed


def filter(x: Tensor, symbol: Tensor, shape: Sequence[int], *, conjugate: bool = False) -> Tensor:
    """F⁻¹(symbol · F x): a circulant operator, or with ``conjugate`` its adjoint."""
    spectrum = rfftn(x, len(shape))
    factor = symbol.conj() if conjugate else symbol
    if differentiated(x, symbol):
        return irfftn(spectrum * factor, shape)
    # In place where nobody looks back: a fresh complex buffer costs page faults.
    spectrum = spectrum.mul_(factor) if spectrum.dtype == torch.result_type(spectrum, factor) else spectrum * factor
    return irfftn(spectrum, shape, overwrite=True)


def solve(symbol: Tensor, rhs: Tensor, shape: Sequence[int]) -> Tensor:
    """The x with ``symbol`` · F x = F ``rhs``, and 0 at frequencies where the symbol is 0 (the least-norm solution)."""
    return filter(rhs, reciprocal(symbol), shape)


def reciprocal(symbol: Tensor) -> Tensor:
    """1/symbol, and 0 where the symbol is 0: a frequency that was not passed cannot be restored."""
    return torch.where(symbol == 0, 0.0, 1 / torch.where(symbol == 0, 1.0, symbol))


def to_origin(kernel: Tensor, shape: Sequence[int]) -> Tensor:
    """``kernel``, centred on voxel n // 2, on a periodic grid of ``shape`` with its centre on voxel 0.

    This is the only ``ifftshift`` of the package. A kernel larger than the grid is wrapped around, which is what periodic
    convolution with it means; its sum is kept.
    """
    ndim = len(shape)
    for axis, size in zip(range(-ndim, 0), shape, strict=True):
        length = kernel.shape[axis]
        where = (torch.arange(length, device=kernel.device) - length // 2) % size
        placed = kernel.new_zeros((*kernel.shape[:axis], size, *kernel.shape[kernel.ndim + axis + 1 :]))
        kernel = placed.index_add(kernel.ndim + axis, where, kernel)
    return kernel


def frequencies(shape: Sequence[int], like: Tensor) -> tuple[Tensor, ...]:
    """The frequency ω in radians per sample of each axis, shaped to broadcast over the half grid."""
    dtype = like.real.dtype if like.is_complex() else like.dtype
    result = []
    for axis, size in enumerate(shape):
        transform = torch.fft.rfftfreq if axis == len(shape) - 1 else torch.fft.fftfreq
        values = 2 * math.pi * transform(size, dtype=dtype, device=like.device)
        result.append(values.reshape([-1 if i == axis else 1 for i in range(len(shape))]))
    return tuple(result)


def half_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of the half grid that belongs to a real ``shape``."""
    return (*shape[:-1], shape[-1] // 2 + 1)


def _smooth(n: int) -> bool:
    for prime in _PRIMES:
        while n % prime == 0:
            n //= prime
    return n == 1


def differentiated(*tensors: Any) -> bool:
    """Whether autograd records what is done with one of these, so that nothing may be done in place."""
    return torch.is_grad_enabled() and any(getattr(tensor, "requires_grad", False) for tensor in tensors)


def _scipy_serves(x: Tensor) -> bool:
    real = x.real.dtype if x.is_complex() else x.dtype
    return x.device.type == "cpu" and real in (torch.float32, torch.float64) and not differentiated(x)
