"""A PSF whose origin is said: taken as it is, on its own voxels and with its own signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf._model import PSF

if TYPE_CHECKING:
    from torch import Tensor


def as_given(data: Any, origin: Sequence[int] | str, ndim: int, dtype: torch.dtype | None = None) -> PSF:
    """The PSF h with its origin on voxel ``origin`` of ``data`` (or "first": voxel 0 of each axis), scaled to sum 1.

    For kernels that are not symmetric about the place they blur, such as causal ones: yₜ = Σₖ hₖ xₜ₋ₖ with h₀ at the origin.
    Nothing is centred, resampled, cropped or cleared of a background, and values below 0 stay, as the undershoot of a
    haemodynamic response has them. Zeros around it put the origin on voxel n // 2, where every PSF of deconlab has it.

    >>> psf = as_given(np.array([4.0, 2, 1, 1]), "first", 1)
    >>> psf.data.tolist()
    [0.0, 0.0, 0.0, 0.5, 0.25, 0.125, 0.125]

    Raises ValueError for another dimension, values that are not finite, a sum that is not above 0 and an origin outside.
    """
    given: Tensor = data if isinstance(data, torch.Tensor) else torch.from_numpy(np.array(data, np.float64))
    if given.ndim != ndim:
        given = given.squeeze()
    if given.ndim != ndim:
        raise ValueError(
            f"The PSF has shape {tuple(given.shape)}; it must have {ndim} dimension{'s' if ndim > 1 else ''}, as many as there "
            f"are axes to restore along."
        )
    if not bool(torch.isfinite(given).all()):
        raise ValueError("The PSF holds NaN or infinite values; mend it.")
    total = float(given.sum())
    if not total > 0:
        raise ValueError(f"The PSF sums to {total:g}; with an origin of its own it must have a sum above 0.")
    at = (0,) * ndim if origin == "first" else tuple(int(index) for index in origin)
    if len(at) != ndim or any(not 0 <= index < n for index, n in zip(at, given.shape, strict=True)):
        raise ValueError(
            f"The PSF's origin {' '.join(map(str, at))} must be {ndim} number{'s' if ndim > 1 else ''} within its shape "
            f"{tuple(given.shape)}, from 0."
        )
    reach = [max(index, n - 1 - index) for index, n in zip(at, given.shape, strict=True)]
    centred = given.new_zeros([2 * r + 1 for r in reach])
    centred[tuple(slice(r - index, r - index + n) for r, index, n in zip(reach, at, given.shape, strict=True))] = given
    place = " × ".join(map(str, at))
    note = f"Taken as given, its origin on voxel {place} of {' × '.join(map(str, given.shape))}; scaled from sum {total:g} to 1"
    return PSF((centred / total).to(dtype or torch.float32), notes=(note,))
