"""The picture of a comparison: every result in the same section and display range."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from deconlab.comparison import Comparison


def draw(
    comparison: Comparison,
    path: Path | str,
    *,
    voxel_um: Sequence[float] | None = None,
    at: Sequence[int] | None = None,
    limits: tuple[float, float] | None = None,
    crop_px: int = 128,
) -> None:
    """Write a PNG: in columns the image, the reference and each method's result at its own stop; below them at equal time.

    voxel_um: so that xz is drawn in true proportion.
    at: the voxel through which all sections go; the brightest of the reference, or of the first result, unless given.
    limits: the values drawn black and white; from 0 (or the smallest) to the 99.9th percentile of the reference, or the
        median over the results', unless given.
    crop_px: at most so many voxels along each axis are shown, around ``at``.

    A direct method, which has no stop, is shown in both rows. Raises ValueError for an image of one axis, and if there is no
    result.
    """
    from PIL import Image

    from deconlab.assess.picture import brightest, side_by_side

    results = {name: x for (name, stop), x in comparison.images.items() if stop == "own"}
    if not results:
        raise ValueError("No method of the comparison gave a result; there is nothing to draw.")
    guide = next(iter(results.values())) if comparison.reference is None else comparison.reference
    if guide.ndim == 1:
        raise ValueError("A comparison of lines (one axis) has no picture; its arrays are in images.")
    place = brightest(guide) if at is None else tuple(int(index) for index in at)
    window = tuple(_window(n, index, crop_px) for n, index in zip(guide.shape, place, strict=True))
    inside = tuple(index - part.start for index, part in zip(place, window, strict=True))
    first = {"image": comparison.image}
    if comparison.reference is not None:
        first["reference"] = comparison.reference
    later = {name: x for (name, stop), x in comparison.images.items() if stop == "equal time"}
    rows = [first | {f"{name}, own stop": x for name, x in results.items()}]
    if later:
        rows.append(first | {f"{name}, equal time": later.get(name, x) for name, x in results.items()})
    if limits is None:
        shown = [comparison.reference] if comparison.reference is not None else list(results.values())
        limits = _limits([x[window] for x in shown])
    drawn = []
    for row in rows:
        file = io.BytesIO()
        panels = {name: np.asarray(x[window], np.float32) for name, x in row.items()}
        side_by_side(panels, file, voxel_um=voxel_um, at=inside, limits=limits)
        drawn.append(Image.open(file))
    whole = Image.new("L", (drawn[0].width, sum(part.height for part in drawn)))
    top = 0
    for part in drawn:
        whole.paste(part, (0, top))
        top += part.height
    whole.save(path, format="PNG")


def _window(n: int, centre: int, most: int) -> slice:
    """Up to ``most`` voxels around ``centre``, within 0 … n."""
    size = min(n, most)
    start = min(max(0, centre - size // 2), n - size)
    return slice(start, start + size)


def _limits(images: Sequence[NDArray[Any]]) -> tuple[float, float]:
    low = min(0.0, float(np.median([np.percentile(x, 0.1) for x in images])))
    high = float(np.median([np.percentile(x, 99.9) for x in images]))
    return low, high if high > low else low + 1
