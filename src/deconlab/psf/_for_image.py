"""A PSF for a given image, from whatever form it comes in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from deconlab.lazytorch import torch
from deconlab.psf._measured import measured
from deconlab.psf._model import PSF, PSFModel


def for_image(
    psf: Any,
    shape: Sequence[int],
    voxel_um: Sequence[float] | None = None,
    *,
    psf_voxel_um: Sequence[float] | None = None,
    dtype: torch.dtype | None = None,
) -> PSF:
    """The PSF of an image of ``shape`` and ``voxel_um``.

    A model is rendered as far as the image can see it, an array or tensor is taken in by :func:`deconlab.psf.measured`
    (``psf_voxel_um`` is its voxel size; the image's if not given), and a :class:`~deconlab.psf.PSF` is taken as it is.
    Raises ValueError for a model if the voxel size is not known, and what :func:`~deconlab.psf.measured` raises.
    """
    if isinstance(psf, PSF):
        return psf
    if not isinstance(psf, PSFModel):
        return measured(psf, psf_voxel_um, voxel_um, ndim=len(shape))
    if voxel_um is None:
        raise ValueError(f"{type(psf).__name__} is a PSF in µm: say the image's voxel size, voxel_um=(z, y, x).")
    planes = shape[0] if len(shape) == 3 else 1
    made = psf.render(psf.extent(planes, voxel_um, ndim=len(shape)), voxel_um, dtype=dtype)
    return said_of_limit(psf, made, planes)


def said_of_limit(model: PSFModel, psf: PSF, planes: int, max_voxels: int = 2**26) -> PSF:
    """``psf`` of the extent for ``planes``, with a note if only ``max_voxels`` kept it from holding 95 % of every plane."""
    if not psf.captured_per_plane or min(psf.captured_per_plane) >= 0.95 - 1e-3:
        return psf
    shape = tuple(psf.data.shape)
    if model.extent(planes, psf.voxel_um, 2 * max_voxels, ndim=len(shape)) == shape:
        return psf
    note = (
        f"The limit of {max_voxels * 4 / 2**20:.4g} MiB for a PSF ends it at {' × '.join(map(str, shape))} voxels: its planes "
        f"hold {min(psf.captured_per_plane):.1%} of their light at least, not 95 %"
    )
    return replace(psf, notes=(*psf.notes[:-1], note, psf.notes[-1]))
