"""What every PSF model must keep, registered or not: run :func:`check_psf` on an instance of yours.

>>> from deconlab.psf import Gaussian
>>> check_psf(Gaussian(fwhm_um=0.4), (0.2, 0.1, 0.1), (9, 17, 17))
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from deconlab import schema
from deconlab.lazytorch import torch
from deconlab.psf import PSF, PSFModel

_VALUES: dict[str, Any] = {
    "na": 1.2,
    "excitation_nm": 490.0,
    "emission_nm": 520.0,
    "depletion_nm": 592.0,
    "immersion_index": 1.515,
    "fwhm_um": 0.4,
    "fwhm_px": 3.0,
    "resolution_px": 4.0,
    "gaussians": "0.8:2.5 0.2:6",
}


def example(cls: type[PSFModel], **values: Any) -> PSFModel:
    """An instance of ``cls`` with usual values where it needs some; ``values`` go before these."""
    known = {p.name: _VALUES[p.name] for p in schema.parameters(cls) if p.name in _VALUES and p.required}
    if "fwhm_um" in {p.name for p in schema.parameters(cls)} and not known:
        known = {"fwhm_um": _VALUES["fwhm_um"]}  # a Gaussian needs its width in either unit
    return cls(**{**known, **values})


def check_psf(model: PSFModel, voxel_um: Sequence[float], shape: Sequence[int]) -> None:
    """Raise AssertionError, with the values, where ``model`` breaks the contract of PSF models.

    It must be a value (equal, hashable, ``eval(repr(x)) == x``), render the same twice, non-negative, finite, with sum
    1, in the dtype asked for, centred on ``n // 2`` for even and odd sizes, tell what the grid captured, and not change
    when turned about its axis (where it claims so).
    """
    _check_value(model)
    odd = tuple(int(size) // 2 * 2 + 1 for size in shape)
    psf = _render(model, odd, voxel_um)
    _check_sampled(model, psf, odd, voxel_um)
    _check_dtypes(model, psf, odd, voxel_um)
    _check_sizes(model, psf, odd, voxel_um)
    if model.rotational:
        _check_rotation(model, psf, voxel_um)


def _check_value(model: PSFModel) -> None:
    cls = type(model)
    assert dataclasses.is_dataclass(model), f"{cls.__name__} is not a dataclass."
    assert model == dataclasses.replace(model), f"{model!r} does not equal its copy."
    assert hash(model) == hash(dataclasses.replace(model)), f"{model!r} and its copy differ in hash."
    again = eval(repr(model), {cls.__name__: cls})
    assert again == model, f"eval(repr(x)) gives {again!r}, not {model!r}."
    assert cls.__dataclass_params__.frozen, f"{cls.__name__} is not frozen."  # type: ignore[attr-defined]


def _check_sampled(model: PSFModel, psf: PSF, shape: tuple[int, ...], voxel_um: Sequence[float]) -> None:
    data = psf.data
    assert tuple(data.shape) == shape, f"Asked for shape {shape}, rendered {tuple(data.shape)}."
    assert bool(torch.isfinite(data).all()), f"{int((~torch.isfinite(data)).sum())} values are not finite."
    assert float(data.min()) >= 0, f"The least value is {float(data.min())}, below zero."
    total = float(data.sum())
    assert abs(total - 1) < 1e-9, f"The sum is {total!r}, not 1."
    assert psf.voxel_um == tuple(voxel_um), f"Asked for voxels of {tuple(voxel_um)}, told {psf.voxel_um}."
    planes = shape[0] if len(shape) == 3 else 1
    held = psf.captured_per_plane
    assert len(held) == planes, f"{planes} planes, but captured_per_plane has {len(held)} values."
    assert all(0 < part < 1.01 for part in (psf.captured, *held)), f"Captured {psf.captured}, per plane {held}."
    assert psf.notes, "The PSF has no notes."
    assert all(note.strip() for note in psf.notes), f"A note is empty: {psf.notes}."
    again = _render(model, shape, voxel_um).data
    assert torch.equal(again, data), f"Two renders differ by {float((again - data).abs().max())}."


def _check_dtypes(model: PSFModel, psf: PSF, shape: tuple[int, ...], voxel_um: Sequence[float]) -> None:
    single = model.render(shape, voxel_um)
    assert single.data.dtype == torch.float32, f"The default dtype is {single.data.dtype}, not float32."
    assert psf.data.dtype == torch.float64, f"Asked for float64, rendered {psf.data.dtype}."
    off = float((single.data.double() - psf.data).abs().max() / psf.data.max())
    assert off < 1e-6, f"float32 and float64 differ by {off:.2g} of the peak."


def _check_sizes(model: PSFModel, psf: PSF, shape: tuple[int, ...], voxel_um: Sequence[float]) -> None:
    """The voxel ``n // 2`` is the origin for every size: so a smaller grid is a part of a larger."""
    for less_by in (1, 2):
        smaller = tuple(max(1, size - less_by) for size in shape)
        part = psf.data[
            tuple(
                slice(size // 2 - less // 2, size // 2 - less // 2 + less)
                for size, less in zip(shape, smaller, strict=True)
            )
        ]
        other = _render(model, smaller, voxel_um)
        off = float((other.data - part / part.sum()).abs().max() / other.data.max())
        assert off < 1e-7, f"Rendered on {smaller} it is not the part of {shape} about n // 2: {off:.2g} of the peak."
        first = shape[0] // 2 - smaller[0] // 2 if len(shape) == 3 else 0
        for plane, held in enumerate(other.captured_per_plane):
            more = psf.captured_per_plane[first + plane]
            assert held <= more + 1e-9, f"Plane {plane} of {smaller} captures {held}, the same of {shape} only {more}."


def _check_rotation(model: PSFModel, psf: PSF, voxel_um: Sequence[float]) -> None:
    data, peak = psf.data, float(psf.data.max())
    for axis in range(max(0, data.ndim - 2), data.ndim):
        off = float((data.flip(axis) - data).abs().max()) / peak
        assert off < 1e-9, f"{model!r} is not symmetric along axis {axis}: {off:.2g} of the peak."
    if data.ndim > 1 and data.shape[-1] == data.shape[-2] and math.isclose(voxel_um[-1], voxel_um[-2]):
        off = float((data.transpose(-1, -2) - data).abs().max()) / peak
        assert off < 1e-9, f"{model!r} changes when y and x are exchanged: {off:.2g} of the peak."


def _render(model: PSFModel, shape: Sequence[int], voxel_um: Sequence[float]) -> PSF:
    return model.render(shape, voxel_um, dtype=torch.float64)
