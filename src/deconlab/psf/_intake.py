"""The steps by which a measured PSF is made ready, each on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_SLIVER = 0.02  # of a voxel: as well as a centre is found
_QUIET = 1e-4  # noise below this part of the peak needs no removal
_SMALLEST = 16  # an axis shorter than this has no border: what lies there is the tail of a small kernel, not background


def accept(data: Any, ndim: int | None) -> tuple[Array, list[str]]:
    """The data as float64, or an error that says why they are no PSF."""
    values = data.detach().cpu().numpy() if isinstance(data, torch.Tensor) else np.asarray(data)
    if values.dtype.kind not in "uif":
        raise TypeError(f"A PSF must be real numbers, not {values.dtype}: give its intensity.")
    values = values.astype(np.float64)
    if values.size == 0:
        raise ValueError(f"The PSF is empty: its shape is {values.shape}.")
    notes, shape = [], values.shape
    if values.ndim > (ndim or 3):
        values = values.reshape([size for size in shape if size > 1] or [1])
        if values.ndim <= (ndim or 3):
            notes.append(f"Axes of length 1 dropped: shape {shape} taken as {values.shape}")
    if not 1 <= values.ndim <= 3 or (ndim is not None and values.ndim != ndim):
        wanted = "one to three" if ndim is None else str(ndim)
        raise ValueError(
            f"The PSF must have {wanted} axes, and its shape is {shape}. Give one volume or plane, of the image's "
            f"dimension, without channels or times."
        )
    bad = ~np.isfinite(values)
    if bad.any():
        first = tuple(np.argwhere(bad)[0].tolist())
        raise ValueError(
            f"The PSF holds {int(bad.sum())} values that are NaN or infinite, the first at {first}. Mend or replace it."
        )
    positive, negative = values[values > 0].sum(), -values[values < 0].sum()
    if positive == 0 and negative == 0:
        raise ValueError(f"The PSF is zero everywhere (shape {shape}). Is it the right file?")
    if negative > positive:
        raise ValueError(
            f"The PSF is mostly negative: its values sum to {positive:.4g} above and {negative:.4g} below zero. "
            f"Intensities are wanted; was too much background removed?"
        )
    if values.size > 1 and values.min() == values.max():
        raise ValueError(
            f"The PSF is {values.flat[0]:g} everywhere (shape {shape}): it has no peak. An even kernel is given as "
            f"deconlab.psf.PSF(tensor)."
        )
    return values, notes


def voxel_sizes(
    voxel_um: Sequence[float] | None, image_voxel_um: Sequence[float] | None, ndim: int
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Both voxel sizes, checked."""
    found: list[tuple[float, ...] | None] = []
    for what, sizes in (("PSF", voxel_um), ("image", image_voxel_um)):
        if sizes is not None and (
            len(sizes) != ndim or not all(math.isfinite(size) and size > 0 for size in map(float, sizes))
        ):
            raise ValueError(f"The voxel size of the {what} must be {ndim} numbers > 0, in µm, not {tuple(sizes)!r}.")
        found.append(None if sizes is None else tuple(float(size) for size in sizes))
    old, new = found
    for before, after in zip(old or (), new or (), strict=False):
        if not 0.01 <= after / before <= 100:
            raise ValueError(
                f"The voxel sizes of PSF {old} µm and image {new} µm differ more than 100-fold. Are both in µm?"
            )
    return old, new


def without_background(values: Array, level: float | None) -> tuple[Array, list[str]]:
    """Data less their background, and how it was found.

    Out of focus, light reaches the border; so the eighth of the planes whose corners are darkest tells the level.
    """
    small = min(values.shape[-2:]) < _SMALLEST
    why = f"a PSF of {' × '.join(map(str, values.shape))}, less than {_SMALLEST} px wide, has no border to tell them by"
    if level is None:
        if small:
            return values, [f"Background and noise: not removed, {why}; clear it yourself, or crop it wider"]
        level = float(np.median(_darkest(values)))
        place = "the median of the corners of the darkest planes" if values.ndim == 3 else "the median of its corners"
    else:
        if not math.isfinite(level):
            raise ValueError(f"The background of the PSF must be a finite number, not {level!r}.")
        place = "as given"
    peak = values.max() - level
    if peak <= 0:
        raise ValueError(
            f"The PSF has no peak above its background {level:g} ({place}): its maximum is {values.max():g}. "
            f"Give the background yourself, or crop the PSF about its peak."
        )
    notes = [f"Background {level:.6g} removed ({place}; {level / peak:.2%} of the peak above it)"]
    return values - level, [*notes, f"Noise: not removed, {why}"] if small else notes


def without_noise(values: Array) -> tuple[Array, list[str]]:
    """Data without negative values, and with dim regions averaged, or zero where they do not rise above the noise.

    Noise about zero that is only clipped leaves half of itself, everywhere: it would outweigh the PSF. So dim regions
    are averaged among themselves, over 2 and then 4 voxels, before anything is clipped.
    """
    from scipy import ndimage

    peak, sigma, notes = float(values.max()), 0.0, []
    if min(values.shape[-2:]) >= _SMALLEST:
        steps = np.abs(np.diff(_darkest(values)))
        typical = float(np.median(steps)) * 1.4826
        trimmed = float(np.sqrt(np.mean(np.sort(steps)[: max(1, int(0.99 * len(steps)))] ** 2)))
        sigma = max(typical, trimmed) / math.sqrt(2)
    if sigma > _QUIET * peak:
        dim = ndimage.gaussian_filter(values, 1.0, mode="nearest") < 2 * sigma
        left = dim
        for width in (2.0, 4.0):
            inside = left.astype(float)
            weight = ndimage.gaussian_filter(inside, width, mode="nearest")
            mean = ndimage.gaussian_filter(values * inside, width, mode="nearest") / np.maximum(weight, 1e-3)
            values = np.where(left, mean, values)
            left = left & (mean < 3 * sigma * (0.5 / math.sqrt(math.pi) / width) ** (values.ndim / 2))
        values = np.where(left, 0.0, values)
        notes.append(
            f"Noise (σ = {sigma:.3g}, peak / σ = {peak / sigma:.0f}): {dim.mean():.1%} of the voxels, dim ones, "
            f"averaged with their neighbours; {left.mean():.1%}, where nothing rises above it, set to zero"
        )
    below = float(-values[values < 0].sum() / values[values > 0].sum())
    if below > 0:
        notes.append(f"Negative values set to zero: {below:.2%} of the light")
    return np.maximum(values, 0), notes


def doubts(values: Array, sizes: tuple[float, ...] | None) -> list[str]:
    """What makes the data look like something else than one PSF."""
    from scipy import ndimage

    found = []
    lateral = tuple(range(max(0, values.ndim - 2), values.ndim))
    smooth = ndimage.gaussian_filter(values, 1.0, mode="constant")
    peak = np.unravel_index(int(smooth.argmax()), smooth.shape)
    in_focus = smooth[peak[0]] if values.ndim == 3 else smooth
    wide = 2 * math.sqrt((in_focus >= in_focus.max() / 2).sum() / math.pi)
    tops = np.argwhere((smooth == ndimage.maximum_filter(smooth, 5)) & (smooth > smooth[peak] / 3))
    apart = np.sqrt(sum((tops[:, axis] - peak[axis]) ** 2 for axis in lateral))
    others = int((apart > max(3.0, 1.5 * wide)).sum())
    if others:
        found.append(f"The PSF has several peaks ({others + 1} above a third of the highest): crop it to one bead.")
    rim = np.ones(values.shape, dtype=bool)
    rim[(slice(None),) * (values.ndim - len(lateral)) + (slice(1, -1),) * len(lateral)] = False
    share = float(values[rim].sum() / values.sum())
    if share > 0.05 and min(values.shape[-2:]) >= 5:  # of a smaller kernel most voxels are border
        found.append(f"{share:.0%} of the PSF's light lies on its lateral border: it is cut off, or has a background.")
    if values.ndim == 3 and sizes is not None:
        column = smooth[:, peak[1], peak[2]]
        tall = float((column >= column.max() / 2).sum()) * sizes[0]
        across = wide * math.sqrt(sizes[1] * sizes[2])
        if across > 1.3 * tall + sizes[0]:
            found.append(
                f"The PSF is wider ({across:.3g} µm) than tall ({tall:.3g} µm): are its axes z, y, x, and its "
                f"voxel sizes {sizes} µm right?"
            )
    return found


def centre_of(values: Array) -> tuple[float, ...]:
    """Where the PSF is most symmetric about a point, near its peak; in voxels, to about 0.01.

    The convolution of a function with itself is greatest at twice its centre of symmetry. A window about the peak keeps
    other light out; it follows the centre until both rest.
    """
    from scipy import ndimage, signal

    smooth = ndimage.gaussian_filter(values, 0.7, mode="constant")
    start = np.unravel_index(int(smooth.argmax()), values.shape)
    centre = np.array(start, dtype=float)
    widths = [_window_width(smooth, start, axis) for axis in range(values.ndim)]
    for _ in range(8):
        window = np.ones(())
        for axis, width in enumerate(widths):
            window = window[..., None] * np.exp(-((np.arange(values.shape[axis]) - centre[axis]) ** 2) / (2 * width**2))
        near = tuple(slice(max(0, int(c - 5 * w)), int(c + 5 * w) + 2) for c, w in zip(centre, widths, strict=True))
        core = (values * window)[near]
        overlap = signal.fftconvolve(core, core)
        top = np.unravel_index(int(overlap.argmax()), overlap.shape)
        moved = np.array([part.start for part in near]) + (np.array(top) + _summit(overlap, top)) / 2
        step, centre = float(np.abs(moved - centre).max()), moved
        if step < 1e-4:
            break
    return tuple(float(np.clip(place, 0, size - 1)) for place, size in zip(centre, values.shape, strict=True))


def resampling(count: int, centre: float, ratio: float, exchange_area: bool) -> Array:
    """Matrix (odd, ``count``) that samples at ``centre`` + steps of ``ratio`` voxels, where data lie on both sides.

    Band-limited: the cosine series of the data (mirrored at their ends) is evaluated at the new places. To exchange the
    area of a pixel, each frequency is multiplied by sinc(f × new) / sinc(f × old). Where voxels are as they were, the last may
    lie outside by half of one on the shorter side, and takes what is at the border there: so data of even size, whose centre
    is half a voxel or a whole one from the middle, lose no light.
    """
    outside = 0.5 if math.isclose(ratio, 1, rel_tol=1e-6) else 0.0
    near, far = (reach / ratio for reach in sorted((centre + 0.5, count - 0.5 - centre)))
    half = min(int(near + outside + _SLIVER), int(far + _SLIVER))
    places = centre + ratio * np.arange(-half, half + 1)
    wave = np.arange(count)
    gain = np.where(wave == 0, 1.0, 2.0) / count
    if exchange_area and ratio != 1:
        gain = gain * np.sinc(wave / (2 * count) * ratio) / np.sinc(wave / (2 * count))
    evaluate = np.cos(np.pi * np.outer(places + 0.5, wave) / count) * gain
    matrix: Array = evaluate @ np.cos(np.pi * np.outer(wave, np.arange(count) + 0.5) / count)
    return matrix


def _darkest(values: Array) -> Array:
    """The corners, an eighth of the sides wide, of the eighth of the planes where they are darkest; a line's ends."""
    deep = [max(2, size // 8) for size in values.shape[-2:]]
    ends = [[slice(None, part), slice(-part, None)] for part in deep]
    if values.ndim == 1:
        return np.concatenate([values[end] for end in ends[0]])
    planes = values if values.ndim == 3 else values[None]
    corners = [np.concatenate([plane[y, x].ravel() for y in ends[0] for x in ends[1]]) for plane in planes]
    corners.sort(key=lambda corner: float(np.median(corner)))
    return np.concatenate(corners[: math.ceil(len(corners) / 8)])


def _window_width(smooth: Array, start: tuple[Any, ...], axis: int) -> float:
    line = smooth[tuple(slice(None) if other == axis else place for other, place in enumerate(start))]
    lit = line >= line.max() / 2
    place = int(start[axis])
    return max(1.0, (_run(lit[:place][::-1]) + _run(lit[place:])) / 2)


def _run(lit: NDArray[np.bool_]) -> int:
    """How many values are true before the first that is not."""
    return len(lit) if lit.all() else int(lit.argmin())


def _summit(values: Array, top: tuple[Any, ...]) -> Array:
    """Offset of the maximum from its voxel, from a parabola through the logarithms of three along each axis."""
    offsets = np.zeros(values.ndim)
    floor = 1e-6 * values[top]
    for axis in range(values.ndim):
        if 0 < top[axis] < values.shape[axis] - 1:
            three = [
                math.log(max(floor, values[(*top[:axis], top[axis] + step, *top[axis + 1 :])])) for step in (-1, 0, 1)
            ]
            bend = three[0] - 2 * three[1] + three[2]
            offsets[axis] = (three[0] - three[2]) / (2 * bend) if bend < 0 else 0.0
    return offsets
