"""Orthonormal wavelet transforms on periodic grids, decimated and undecimated, in one to three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, get_args

from deconlab import fourier
from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import Circulant

Family = Literal["haar", "spline1", "spline3", "spline5"]


class Wavelet(Circulant):
    """The orthonormal wavelet transform W, decimated: coefficients in Mallat's layout, approximation in the first corner.

    ``family`` is Haar's or the Battle-Lemarié splines of degree 1, 3 or 5 (2, 4 and 6 vanishing moments), whose low pass is

        H(ω) = √2 cos(ω/2)ᵈ⁺¹ √(S(ω)/S(2ω)),   S the transform of the samples of the B-spline of degree 2d + 1

    (Battle 1987, doi:10.1007/BF01240353; Lemarié 1988; Mallat 1989, doi:10.1109/34.192463). The splines' filters have no end;
    they are applied in the Fourier domain of each axis, where the periodic transform is orthonormal to rounding.
    ``levels`` is one number or one for each axis (fewer along a coarse axis). Where 2^levels does not divide a size, zeros
    are put behind it: WᵀW = 1 on every size, WWᵀ = 1 where nothing was added. ‖W‖ = 1.

    Cost: Haar a few passes over the image; splines a transform and its inverse along each axis and level.
    Raises ValueError for an unknown family, or levels that are negative or not one for each axis.
    """

    def __init__(self, shape: Sequence[int], family: Family = "haar", levels: int | Sequence[int] = 3) -> None:
        self.in_shape = tuple(shape)
        self.family, self.levels = family, checked_levels(self.in_shape, family, levels)
        self.out_shape = tuple(-(-n // 2**k) * 2**k for n, k in zip(self.in_shape, self.levels, strict=True))
        self._filters: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}

    @property
    def approximation(self) -> tuple[slice, ...]:
        """Where the approximation band lies within the last dimensions."""
        return tuple(slice(0, n // 2**k) for n, k in zip(self.out_shape, self.levels, strict=True))

    @property
    def norm_squared(self) -> float:
        return 1.0

    def normal_symbol(self, like: Tensor) -> Tensor:
        return torch.ones(fourier.half_shape(self.in_shape), dtype=like.dtype, device=like.device)

    def normal(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        ndim = len(self.in_shape)
        added = [item for n, m in zip(self.in_shape[::-1], self.out_shape[::-1], strict=True) for item in (0, m - n)]
        coefficients = torch.nn.functional.pad(x, added) if any(added) else x
        for level in range(max(self.levels, default=0)):
            box = self._box(level)
            part = coefficients[box]
            for axis in self._axes(level):
                part = self._analyse(part, axis - ndim)
            coefficients = part if level == 0 else put(coefficients, box, part)
        return coefficients.clone() if coefficients is x else coefficients

    def adjoint(self, y: Tensor) -> Tensor:
        ndim = len(self.in_shape)
        for level in reversed(range(max(self.levels, default=0))):
            box = self._box(level)
            part = y[box]
            for axis in reversed(self._axes(level)):
                part = self._synthesise(part, axis - ndim)
            y = put(y, box, part)
        inside: Any = (..., *(slice(0, n) for n in self.in_shape))
        return y[inside].contiguous()

    def _axes(self, level: int) -> list[int]:
        return [axis for axis, k in enumerate(self.levels) if k > level]

    def _box(self, level: int) -> tuple[Any, ...]:
        return (..., *(slice(0, n >> min(level, k)) for n, k in zip(self.out_shape, self.levels, strict=True)))

    def _analyse(self, x: Tensor, axis: int) -> Tensor:
        """Low pass in the first half of ``axis``, high pass in the second."""
        if self.family == "haar":
            pairs = x.movedim(axis, -1).reshape(*x.movedim(axis, -1).shape[:-1], -1, 2)
            even, odd = pairs[..., 0].movedim(-1, axis), pairs[..., 1].movedim(-1, axis)
            return torch.cat([even + odd, even - odd], axis) * math.sqrt(0.5)
        n = x.shape[axis]
        low = self._filter(n, x)
        spectrum = fourier.rfftn(x.movedim(axis, -1), 1)
        half, k = n // 2, torch.arange(n // 4 + 1, device=x.device)
        here, there = spectrum[..., k], spectrum[..., half - k].conj()  # there: the frequency half a period away
        # The high pass is e^{-iω} H(ω + π); conjugated, and with ω + π in the second term.
        shift = torch.polar(torch.ones_like(low[k]), 2 * math.pi * k.to(low) / n)
        bands = 0.5 * torch.stack(
            [low[k] * here + low[half - k] * there, shift * (low[half - k] * here - low[k] * there)]
        )
        parts = fourier.irfftn(bands, (half,))
        return torch.cat([parts[0], parts[1]], -1).movedim(-1, axis)

    def _synthesise(self, y: Tensor, axis: int) -> Tensor:
        half = y.shape[axis] // 2
        if self.family == "haar":
            low, high = y.narrow(axis, 0, half), y.narrow(axis, half, half)
            return torch.stack([low + high, low - high], axis).flatten(axis - 1, axis) * math.sqrt(0.5)
        n = 2 * half
        low = self._filter(n, y)
        lines = y.movedim(axis, -1)
        bands = fourier.rfftn(lines.reshape(*lines.shape[:-1], 2, half), 1)
        k = torch.arange(half + 1, device=y.device)
        folded = torch.minimum(k, half - k)  # the bands' own period is half of ours
        periodic = bands[..., folded]
        periodic = torch.where(k > half - k, periodic.conj(), periodic)
        shift = torch.polar(torch.ones_like(low), -2 * math.pi * k.to(low) / n)
        spectrum = low * periodic[..., 0, :] + shift * low.flip(0) * periodic[..., 1, :]
        return fourier.irfftn(spectrum, (n,)).movedim(-1, axis)

    def _filter(self, n: int, like: Tensor) -> Tensor:
        key = (n, like.dtype, like.device)
        if key not in self._filters:
            omega = 2 * math.pi * torch.arange(n // 2 + 1, dtype=torch.float64) / n
            self._filters[key] = low_pass(self.family, omega).real.to(like)
        return self._filters[key]


class UndecimatedWavelet(Circulant):
    """The undecimated transform of the same families: every shift of the decimated one at once, which is cycle spinning.

    Coefficients are stacked before the spatial axes: the approximation first, then 2ᵈ − 1 bands for each level. Filters are
    divided by √2 along each axis, so that WᵀW = 1 on every size; WWᵀ is a projection, never 1. Circulant: costs one transform
    of the image and one for each band, in either direction; a volume for each band is kept.
    """

    def __init__(self, shape: Sequence[int], family: Family = "haar", levels: int | Sequence[int] = 3) -> None:
        self.in_shape = tuple(shape)
        self.family, self.levels = family, checked_levels(self.in_shape, family, levels)
        self.bands = 1 + sum(2 ** sum(k > level for k in self.levels) - 1 for level in range(max(self.levels)))
        self.out_shape = (self.bands, *self.in_shape)
        self._symbols: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    @property
    def norm_squared(self) -> float:
        return 1.0

    def normal_symbol(self, like: Tensor) -> Tensor:
        return torch.ones(fourier.half_shape(self.in_shape), dtype=like.dtype, device=like.device)

    def normal(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        ndim = len(self.in_shape)
        spectrum = fourier.rfftn(x, ndim).unsqueeze(-ndim - 1)
        return fourier.irfftn(spectrum * self.symbols(x).conj(), self.in_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        ndim = len(self.in_shape)
        spectrum = fourier.rfftn(y, ndim) * self.symbols(y)
        return fourier.irfftn(spectrum.sum(-ndim - 1), self.in_shape)

    def symbols(self, like: Tensor) -> Tensor:
        """Each band's synthesis filter on the half grid; analysis correlates with it."""
        key = (like.dtype, like.device)
        if key not in self._symbols:
            ndim = len(self.in_shape)
            frequencies = fourier.frequencies(self.in_shape, torch.zeros((), dtype=torch.float64))
            approximation = torch.ones((1,) * ndim, dtype=torch.complex128)
            details: list[Tensor] = []
            for level in range(max(self.levels)):
                axes = [axis for axis, k in enumerate(self.levels) if k > level]
                pairs = [_pass_bands(self.family, 2**level * frequencies[axis]) for axis in axes]
                for choice in product((0, 1), repeat=len(axes)):
                    if any(choice):
                        band = approximation
                        for pair, which in zip(pairs, choice, strict=True):
                            band = band * pair[which]
                        details.append(band)
                for pair in pairs:
                    approximation = approximation * pair[0]
            shape = fourier.half_shape(self.in_shape)
            stacked = torch.stack([band.expand(shape) for band in (approximation, *details)])
            complex_dtype = torch.complex64 if like.dtype == torch.float32 else torch.complex128
            self._symbols[key] = stacked.to(dtype=complex_dtype, device=like.device)
        return self._symbols[key]


def checked_levels(shape: tuple[int, ...], family: str, levels: int | Sequence[int]) -> tuple[int, ...]:
    """One number of levels for each axis."""
    if family not in get_args(Family):
        raise ValueError(f"Unknown wavelet family {family!r}; there are {', '.join(get_args(Family))}.")
    each = (levels,) * len(shape) if isinstance(levels, int) else tuple(levels)
    if len(each) != len(shape) or min(each, default=0) < 0:
        raise ValueError(
            f"levels must be one number >= 0, or {len(shape)} of them for the axes of {shape}, not {levels!r}."
        )
    return each


def low_pass(family: str, omega: Tensor) -> Tensor:
    """H(ω), complex, with H(0) = √2."""
    if family == "haar":
        return (1 + torch.polar(torch.ones_like(omega), -omega)) * math.sqrt(0.5)
    degree = int(family.removeprefix("spline"))
    ratio = _spline_samples(degree, omega) / _spline_samples(degree, 2 * omega)
    response = math.sqrt(2) * torch.cos(omega / 2) ** (degree + 1) * torch.sqrt(ratio)
    return torch.complex(response, torch.zeros_like(response))


def _pass_bands(family: str, omega: Tensor) -> tuple[Tensor, Tensor]:
    """(low, high) pass of an undecimated level: |low|² + |high|² = 1."""
    low = low_pass(family, omega) * math.sqrt(0.5)
    other = low_pass(family, omega + math.pi) * math.sqrt(0.5)
    sign = -1 if family == "haar" else 1  # Haar's detail is the first value less the second
    return low, sign * torch.polar(torch.ones_like(omega), -omega) * other.conj()


def _spline_samples(degree: int, omega: Tensor) -> Tensor:
    """S(ω) = Σⱼ β(j) cos(jω), β the centred B-spline of degree 2·degree + 1."""
    m = 2 * degree + 1
    total = torch.zeros_like(omega)
    for j in range(degree + 1):
        sample = sum(
            (-1) ** i * math.comb(m + 1, i) * max(j + (m + 1) // 2 - i, 0) ** m for i in range(m + 2)
        ) / math.factorial(m)
        total = total + (1 if j == 0 else 2) * sample * torch.cos(j * omega)
    return total


def put(whole: Tensor, box: Any, part: Tensor) -> Tensor:
    """``whole`` with ``part`` in its ``box``, as a new tensor: autograd follows, and nobody's input is written into."""
    result = whole.clone()
    result[box] = part
    return result
