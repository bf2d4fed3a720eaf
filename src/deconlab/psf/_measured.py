"""The intake of a measured PSF: from whatever a bead or another program gave to a PSF that may be deconvolved with.

Steps, each told in ``PSF.notes``: finite; background removed; noise around the PSF removed; centred to a part of a
voxel and resampled to the image's voxel size in one step; cropped to its light; sum 1.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _intake
from deconlab.psf._model import PSF, PSFWarning

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.float64]

_KEPT = 0.999  # part of the light that cropping keeps
_CENTRED = 0.01  # voxels; a smaller shift cannot be told from rounding


def measured(
    data: Tensor | NDArray[Any],
    voxel_um: Sequence[float] | None = None,
    image_voxel_um: Sequence[float] | None = None,
    *,
    ndim: int | None = None,
    image_shape: Sequence[int] | None = None,
    background: float | None = None,
    pixel_integration: bool = True,
) -> PSF:
    """A measured PSF made ready: centred on ``n // 2``, odd sizes, on the image's voxels, without background, sum 1.

    ``data`` has one to three axes (z, y, x), any size, any numeric dtype; the result is float64 if it was, float32
    otherwise, on the device of the data. ``voxel_um`` and ``image_voxel_um`` are the voxel sizes of the PSF and of the
    image; the PSF is resampled where both are known and differ. ``ndim`` is the number of axes of the image,
    ``image_shape`` its shape: what lies farther than that from the centre is cut. ``background`` is the level to remove
    (default: the median of the corners of the darkest planes). ``pixel_integration`` is for cameras: resampling then
    exchanges the area of the PSF's pixel for that of the image's.

    Of data that reach farther on one side of the centre than on the other, the farther part is cut. Raises TypeError or
    ValueError for what is no PSF (empty, non-finite, constant, mostly negative, complex, of the wrong dimension); warns
    with :class:`PSFWarning` where it looks like something else (several peaks, light at the border, wider than tall) or
    where cutting cost more than a tenth of the light.

    >>> import numpy as np
    >>> y, x = np.mgrid[:16, :18] - 8.3
    >>> psf = measured(100 + 500 * np.exp(-(y**2 + x**2) / 8))
    >>> [n // 2 for n in psf.data.shape] == np.argwhere(psf.data.numpy() == psf.data.numpy().max())[0].tolist()
    True
    """
    values, notes = _intake.accept(data, ndim)
    sizes, image_sizes = _intake.voxel_sizes(voxel_um, image_voxel_um, values.ndim)
    values, said = _intake.without_background(values, background)
    notes += said
    values, said = _intake.without_noise(values)
    notes += said
    doubts = _intake.doubts(values, sizes)
    for doubt in doubts:
        warnings.warn(doubt, PSFWarning, stacklevel=2)
    notes += doubts

    centre = _intake.centre_of(values)
    ratios = (
        [1.0] * values.ndim
        if sizes is None or image_sizes is None
        else [new / old for new, old in zip(image_sizes, sizes, strict=True)]
    )
    notes += _said_of_sizes(sizes, image_sizes)
    notes.append(_said_of_place(values.shape, centre, ratios, image_sizes, pixel_integration))
    light, plane_light = float(values.sum()), np.array([float(values.sum())])
    for axis, (place, ratio) in enumerate(zip(centre, ratios, strict=True)):
        lateral = axis >= values.ndim - 2
        if not (_in_place(values.shape[axis], place) and math.isclose(ratio, 1, rel_tol=1e-6)):
            matrix = _intake.resampling(values.shape[axis], place, ratio, pixel_integration and lateral)
            values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
        if not lateral:
            plane_light = values.sum((1, 2))
    values = np.maximum(values, 0)
    reached = float(values.sum()) * math.prod(ratios) / light
    if reached < 0.9:
        far = f"The PSF lies far from the middle of its data: of its light, {1 - reached:.0%} has no counterpart "
        far += "beyond the centre and was cut. Give it as much room on every side."
        warnings.warn(far, PSFWarning, stacklevel=2)
        notes.append(far)
    values, first = _crop(values, image_shape)

    kept = float(values.sum()) * math.prod(ratios) / light
    planes = values if values.ndim == 3 else values[None]
    held = planes.reshape(len(planes), -1).sum(1) * math.prod(ratios[-2:]) / plane_light[first : first + len(planes)]
    notes.append(f"Cropped to {' × '.join(map(str, values.shape))}, which holds {min(1.0, kept):.2%} of the light")
    notes.append("Normalised to sum 1")
    tensor = torch.from_numpy(np.ascontiguousarray(values / values.sum()))
    if not _is_double(data):
        tensor = tensor.float()
    if isinstance(data, torch.Tensor):
        tensor = tensor.to(data.device)
    return PSF(tensor, image_sizes or sizes, min(1.0, kept), tuple(held.tolist()), tuple(notes))


def _is_double(data: Any) -> bool:
    if isinstance(data, torch.Tensor):
        return data.dtype == torch.float64
    kind = np.asarray(data).dtype
    return kind.kind == "f" and kind.itemsize >= 8


def _in_place(size: int, place: float) -> bool:
    """Whether an axis is centred as well as its centre can be told."""
    return size % 2 == 1 and abs(place - size // 2) < _CENTRED


def _said_of_sizes(sizes: tuple[float, ...] | None, image_sizes: tuple[float, ...] | None) -> list[str]:
    if sizes is None and image_sizes is not None:
        told = " × ".join(f"{size:.4g}" for size in image_sizes)
        return [f"Voxel size of the PSF: not known, taken to be the image's, {told} µm"]
    if sizes is not None and image_sizes is None:
        told = " × ".join(f"{size:.4g}" for size in sizes)
        return [f"Voxel size of the image: not known, taken to be the PSF's, {told} µm"]
    return []


def _said_of_place(
    shape: tuple[int, ...],
    centre: tuple[float, ...],
    ratios: Sequence[float],
    image_sizes: tuple[float, ...] | None,
    pixel_integration: bool,
) -> str:
    if all(_in_place(*axis) for axis in zip(shape, centre, strict=True)):
        text = "Centred: it was"
    else:
        where = ", ".join(f"{place:.2f}" for place in centre)
        middle = ", ".join(str(size // 2) for size in shape)
        text = f"Centred: its centre lay at voxel ({where}) of {' × '.join(map(str, shape))}, not at ({middle})"
    if image_sizes is None or all(math.isclose(ratio, 1, rel_tol=1e-6) for ratio in ratios):
        return text
    step = ", ".join(f"{ratio:.4g}" for ratio in ratios)
    lateral = any(not math.isclose(ratio, 1, rel_tol=1e-6) for ratio in ratios[-2:])
    area = "; the area of its pixels exchanged for the image's" if pixel_integration and lateral else ""
    return f"{text}; resampled to the image's voxels, {step} × its own{area}"


def _crop(values: Array, image_shape: Sequence[int] | None) -> tuple[Array, int]:
    """The smallest box about the centre that holds 99.9 % of the light, all planes alike; and its first plane."""
    total, first = values.sum(), []
    for axis in range(values.ndim):
        middle = values.shape[axis] // 2
        side = values.sum(tuple(other for other in range(values.ndim) if other != axis))
        inward = np.concatenate([side[middle : middle + 1], side[middle + 1 :] + side[:middle][::-1]]).cumsum()
        half = int(np.searchsorted(inward, (1 - (1 - _KEPT) / values.ndim) * total))
        half = min(half, middle)
        if image_shape is not None:
            half = min(half, max(0, int(image_shape[axis]) - 1))
        values = np.take(values, range(middle - half, middle + half + 1), axis=axis)
        first.append(middle - half)
    return values, first[0] if values.ndim == 3 else 0
