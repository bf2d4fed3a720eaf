"""Pictures for the eye: images side by side in xy and xz, all in one display range, which the caption names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_GAP, _TEXT = 6, 15


def side_by_side(
    images: Mapping[str, NDArray[Any]],
    path: Path | str | IO[bytes],
    *,
    voxel_um: Sequence[float] | None = None,
    at: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
    unit: str = "",
    width: int = 360,
) -> None:
    """Write a PNG of ``images`` (by caption, in columns): the plane xy above, for stacks the section xz below.

    images: arrays of one shape, (z, y, x) or (y, x).
    voxel_um: sizes, so that xz is drawn in true proportion; equal unless given.
    at: the voxel through which both sections go; the brightest of the last image, slightly smoothed, unless given.
    limits: the values drawn black and white in *all* panels; 0 (or the smallest value) and the 99.9th percentile of the
        last image's two sections unless given. Values beyond are drawn as the limits; the caption says how they are.
    unit: of the values, for the caption. width: of a panel in pixels, at least.

    Raises ValueError unless the images have one shape of two or three axes, and limits rise.
    """
    from PIL import Image, ImageDraw, ImageFont

    arrays = {name: np.asarray(array, np.float32) for name, array in images.items()}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) not in (2, 3):
        raise ValueError(f"A picture needs images of one shape, (z, y, x) or (y, x), not {sorted(shapes)}.")
    last = list(arrays.values())[-1]
    place = brightest(last) if at is None else tuple(int(index) for index in at)
    sizes = (1.0,) * last.ndim if voxel_um is None else tuple(float(size) for size in voxel_um)
    low, high = _limits(sections(last, place)) if limits is None else limits
    if not low < high:
        raise ValueError(f"The display range must rise, not go from {low:g} to {high:g}.")
    scale = max(1, math.ceil(width / last.shape[-1]))
    rows = [
        [_panel(section, low, high, scale, sizes[row] / sizes[-1]) for section in column]
        for row, column in zip(
            (-2, 0), zip(*(sections(array, place) for array in arrays.values()), strict=True), strict=False
        )
    ]
    font = ImageFont.load_default(size=_TEXT)
    cell = rows[0][0].width
    top = _TEXT + 2 * _GAP
    height = top + sum(row[0].height + _GAP for row in rows) + _TEXT + 2 * _GAP
    canvas = Image.new("L", (len(arrays) * (cell + _GAP) + _GAP, height), 0)
    draw = ImageDraw.Draw(canvas)
    for column, name in enumerate(arrays):
        draw.text((_GAP + column * (cell + _GAP), _GAP), name, fill=255, font=font)
    y = top
    for row in rows:
        for column, panel in enumerate(row):
            canvas.paste(panel, (_GAP + column * (cell + _GAP), y))
        y += row[0].height + _GAP
    where = f"xy at z = {place[0]}, xz at y = {place[-2]}; " if last.ndim == 3 else ""
    text = f"{where}all panels: black {low:.4g}, white {high:.4g}{' ' + unit if unit else ''}"
    draw.text((_GAP, y), text, fill=200, font=font)
    canvas.save(path, format="PNG")


def brightest(image: NDArray[Any]) -> tuple[int, ...]:
    """The voxel where the image, smoothed with σ = 1 voxel, is brightest."""
    from scipy import ndimage

    return tuple(int(i) for i in np.unravel_index(int(ndimage.gaussian_filter(image, 1.0).argmax()), image.shape))


def sections(image: NDArray[Any], at: Sequence[int]) -> list[NDArray[Any]]:
    """The plane xy, and of a stack the section xz, through a voxel."""
    return [image] if image.ndim == 2 else [image[at[0]], image[:, at[1]]]


def _limits(shown: Sequence[NDArray[Any]]) -> tuple[float, float]:
    values = np.concatenate([section.ravel() for section in shown])
    low, high = min(0.0, float(values.min())), float(np.percentile(values, 99.9))
    return low, high if high > low else low + 1


def _panel(section: NDArray[Any], low: float, high: float, scale: int, aspect: float) -> Picture:
    from PIL import Image

    grey = np.clip((section - low) / (high - low), 0, 1) * 255
    size = (section.shape[1] * scale, max(1, round(section.shape[0] * scale * aspect)))
    return Image.fromarray(np.round(grey).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
