"""A run on a small copy of a problem, under a meter that reads every allocation as what it would be on the real one.

The copy has a few thousand voxels and the same method, data term, prior, constraint and boundary. What lives is known by its
number of values: as many as the copy's domain, half spectrum, data or PSF has stand for as many as the real one's. So a new
method, prior or boundary is rehearsed as it is written, and no list of what methods need has to be kept.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from typing import Any

from deconlab import api, engine, fourier
from deconlab.errors import DeconvolutionError
from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Blur, blur
from deconlab.problem import Problem
from deconlab.solve import solve
from deconlab.stopping import MaxIterations

STEPS = 4  # by then every buffer that is kept between steps is there
ENOUGH = 3000  # operations after which the same inner loop is only gone through again
IMAGE, KERNEL = (
    (10, 11, 13),
    (5, 4, 6),
)  # voxels of the copy's image and PSF; their products are no multiples of each other
LARGEST_STACK = 12  # volumes that may lie in one tensor: second derivatives, wavelet bands


def small_shapes(shape: Sequence[int], psf_shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The copy's image and PSF."""
    first = 3 - len(shape)
    return _at_most(shape, IMAGE[first:]), _at_most(psf_shape, KERNEL[first:])


def _at_most(shape: Sequence[int], most: Sequence[int]) -> tuple[int, ...]:
    return tuple(min(n, m) for n, m in zip(shape, most, strict=True))


def small_limits(extension_px: Sequence[int] | None, psf_shape: Sequence[int]) -> tuple[int, ...] | None:
    """The copy's limits to its domain, where they bind: in proportion."""
    if extension_px is None:
        return None
    _, kernel = small_shapes(psf_shape, psf_shape)
    reach = zip(extension_px, psf_shape, kernel, strict=True)
    return tuple(math.ceil(min(e / max(p - 1, 1), 1) * (k - 1)) for e, p, k in reach)


def real_blur(shape: Sequence[int], psf_shape: Sequence[int], boundary: Any, extension_px: Any) -> Blur:
    """The geometry of a blur whose PSF takes no memory."""
    return blur(torch.zeros(()).expand(tuple(psf_shape)), shape, boundary, extension_px=extension_px)


def small_problem(problem: Problem[Any, Any], H: Blur) -> Problem[Any, Any]:
    """The same data term, prior and constraint on data of H's shape, with maps and weights where there are any."""
    fidelity = problem.fidelity
    changes: dict[str, Any] = {"H": H}
    for field in fields(fidelity):
        value = getattr(fidelity, field.name)
        if isinstance(value, torch.Tensor) and value.ndim:
            changes[field.name] = small_data(H.out_shape, value.dtype) if field.name == "y" else ones(H, value.dtype)
    return replace(problem, fidelity=replace(fidelity, **changes))


def small_data(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """Something to restore: a bump on a pedestal."""
    count = math.prod(shape)
    ramp = torch.arange(count, dtype=torch.float64) / count
    data: Tensor = (20 + 100 * torch.exp(-40 * (ramp - 0.5).square())).reshape(shape).to(dtype)
    return data


def small_kernel(shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A PSF: a peak at the centre on a pedestal, of sum 1."""
    kernel = torch.full(shape, 0.5 / math.prod(shape), dtype=dtype)
    kernel[tuple(n // 2 for n in shape)] += 0.5
    return kernel / kernel.sum()


def ones(H: Blur, dtype: Any) -> Tensor:
    values: Tensor = torch.ones(H.out_shape, dtype=dtype)
    return values


def rehearse(ready: api.Prepared, *, watched: bool) -> None:
    """Some steps of the run, as the driver takes them, and the image that is given back."""
    observers = [lambda iteration: iteration.change] if watched else []
    try:
        solution = solve(ready.method, ready.problem, stop=MaxIterations(STEPS), observers=observers, x0=ready.start)
        ready.in_image(solution.x).contiguous()
    except (Enough, DeconvolutionError, ValueError):
        pass  # what was seen until then counts: numbers that suit the real problem need not suit the copy


class Enough(Exception):
    """The rehearsal has seen what there is to see."""


class Meter:
    """The bytes that live, and the most of them, as they would be on the real problem."""

    def __init__(self, small: Blur, real: Blur) -> None:
        self.now = self.peak = self.operations = 0
        self.paused = False
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()
        self.lent: dict[int, int] = {}
        self.spectrum = _spectrum_bytes(real.convolution.in_shape)
        self.voxels = math.prod(real.in_shape) / math.prod(small.in_shape)
        self.counts: dict[int, int] = {}
        pairs = [(_counts(small)[i], _counts(real)[i]) for i in range(len(_counts(small)))]
        for volumes in range(1, LARGEST_STACK + 1):
            for few, many in pairs:
                self.counts.setdefault(volumes * few, volumes * many)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within the block every tensor counts."""
        with ExitStack() as stack:
            stack.enter_context(engine.metered(self))
            stack.enter_context(torch.no_grad())
            stack.enter_context(_mode(self))
            yield

    def real(self, count: int) -> int:
        """How many values so many of the copy stand for."""
        return self.counts.get(count) or round(count * self.voxels)

    def change(self, size: int) -> None:
        self.now += size
        self.peak = max(self.peak, self.now)

    def take(self, address: int, size: int, *, spectrum: bool) -> None:
        self.lent[address] = self.spectrum if spectrum else 4 * self.real(size // 4)
        self.change(self.lent[address])

    def give(self, address: int) -> None:
        self.change(-self.lent.pop(address))

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def notice(self, tensor: Any) -> None:
        """Count a tensor's memory until it goes, unless it is known or the engine's."""
        if not isinstance(tensor, torch.Tensor):
            return
        storage = tensor.untyped_storage()
        if storage in self.seen or tensor.ndim == 0:
            return
        self.seen.add(storage)
        if self.paused or storage.data_ptr() in self.lent:
            return
        size = self.real(storage.nbytes() // tensor.element_size()) * tensor.element_size()
        self.change(size)
        weakref.finalize(storage, self.change, -size)


def _counts(H: Blur) -> tuple[int, ...]:
    """The numbers of values that tell volumes apart: domain, half spectra, data, image, torus, PSF."""
    torus = H.convolution.in_shape
    shapes = (H.in_shape, fourier.half_shape(H.in_shape), fourier.half_shape(torus), H.out_shape, H.shape, torus)
    return tuple(math.prod(shape) for shape in (*shapes, tuple(H.convolution.psf.shape)))


def _spectrum_bytes(torus: tuple[int, ...]) -> int:
    """Of a spectrum as the compiled engine keeps it; 0 where it does not serve."""
    return engine.spectrum_bytes(torus) or 0


def _mode(meter: Meter) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # to skip it torch imports it first: two seconds and 80 MB

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            for item in args:  # made by SciPy or NumPy, where nothing is seen
                meter.notice(item)
            result = function(*args, **(kwargs or {}))
            for item in result if isinstance(result, tuple | list) else (result,):
                meter.notice(item)
            meter.operations += 1
            if meter.operations > ENOUGH:
                raise Enough
            return result

    return Mode()  # type: ignore[no-untyped-call]
