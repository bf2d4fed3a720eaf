"""What a PSF model tells of itself in numbers: widths, resolution, sampling, focal shift."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from torch import Tensor

    from deconlab.psf._model import PSFModel

_SAMPLES = 241
_PER_NYQUIST, _FINER = 6, 6  # planes of optics cost time, and are band-limited: some are rendered, more interpolated
_NAMES = {
    "fwhm_lateral_um": "FWHM, lateral",
    "fwhm_axial_um": "FWHM, axial",
    "nyquist_lateral_um": "largest voxel by Nyquist, lateral",
    "nyquist_axial_um": "largest voxel by Nyquist, axial",
    "rayleigh_um": "Rayleigh's resolution 0.61 λ / NA",
    "abbe_um": "Abbe's limit λ / 2 NA",
    "airy_unit_um": "Airy unit 1.22 λ / NA",
    "focal_shift_um": "best focus from the nominal one",
}


@dataclass(frozen=True)
class Facts:
    """Numbers of a PSF in µm; None where the model has no such number. ``parameters`` says what they were made from.

    Widths are those of the light itself, without the area of a pixel, through the brightest point of the axis along x
    and z. Rayleigh's and Abbe's numbers are those of the emission and the aperture alone, whatever the modality.
    """

    parameters: str
    fwhm_lateral_um: float | None = None
    fwhm_axial_um: float | None = None
    nyquist_lateral_um: float | None = None
    nyquist_axial_um: float | None = None
    rayleigh_um: float | None = None
    abbe_um: float | None = None
    airy_unit_um: float | None = None
    focal_shift_um: float | None = None

    def lines(self) -> list[str]:
        """One line for each number that there is, in words."""
        told = [(text, getattr(self, name)) for name, text in _NAMES.items()]
        return [
            self.parameters,
            *(f"{text}: {round(value * 1000, 1) + 0.0:.1f} nm" for text, value in told if value is not None),
        ]


def facts(model: PSFModel) -> Facts:
    """See :meth:`PSFModel.facts`."""
    na, wavelength = getattr(model, "na", None), getattr(model, "emission_nm", None)
    wavelength = wavelength or getattr(model, "excitation_nm", None)
    found: dict[str, float | None] = {}
    if na is not None and wavelength is not None:
        ratio = wavelength / 1000 / na
        found = {"rayleigh_um": 0.61 * ratio, "abbe_um": ratio / 2, "airy_unit_um": 1.22 * ratio}
    limits = model.nyquist_um()
    if limits is not None:
        found["nyquist_axial_um"], found["nyquist_lateral_um"] = limits
    if 3 in model.dimensions and _has_size(model):
        found["focal_shift_um"], found["fwhm_axial_um"], found["fwhm_lateral_um"] = _widths(model)
    return Facts(model.describe(), **found)


def _has_size(model: PSFModel) -> bool:
    return getattr(model, "fwhm_px", None) is None


def _widths(model: PSFModel) -> tuple[float, float | None, float | None]:
    """Best focus, and the widths along z and x through it."""
    sharp = _without_pixels(model)
    near = sharp.best_focus_um() if hasattr(sharp, "best_focus_um") else 0.0
    limits = model.nyquist_um()
    width = float(getattr(model, "fwhm_um", None) or 1.0)
    guess = limits[0] if limits else float(getattr(model, "fwhm_axial_um", None) or width)
    step = guess / _PER_NYQUIST if limits else 8 * guess / _SAMPLES
    reach = abs(near) + 8 * guess if limits else 12 * guess
    along = _line(sharp, (2 * math.ceil(reach / step) + 1, 1, 1), (step, 1e-3, 1e-3))
    if limits:
        along, step = _finer(along), step / _FINER
    middle = len(along) // 2
    top = int(along.argmax()) if float(along.max()) > 1.0001 * float(along[middle]) else middle
    focus = (top - middle) * step
    guess = limits[1] if limits else width
    fine = 8 * guess / _SAMPLES
    plane = abs(focus) if focus else step
    across = _line(sharp, (3, 1, _SAMPLES), (plane, 1e-3, fine))
    row = across.view(3, -1)[1 if focus == 0 else 2 if focus > 0 else 0]
    return near if abs(near - focus) < 2 * step else focus, _width(along, top, step), _width(row, _SAMPLES // 2, fine)


def _finer(line: Tensor) -> Tensor:
    """The line with :data:`_FINER` - 1 values between any two, by a spline of degree 5."""
    import numpy as np
    from scipy.interpolate import make_interp_spline

    places = np.arange((len(line) - 1) * _FINER + 1) / _FINER
    return torch.from_numpy(make_interp_spline(np.arange(len(line)), line.numpy(), k=5)(places))


def _without_pixels(model: Any) -> Any:
    import dataclasses

    return dataclasses.replace(model, pixel_integration=False) if hasattr(model, "pixel_integration") else model


def _line(model: PSFModel, shape: tuple[int, int, int], voxel_um: tuple[float, float, float]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a line is no image: nothing is undersampled
        return model.render(shape, voxel_um, dtype=torch.float64).data.detach().flatten()


def _width(line: Tensor, top: int, step: float) -> float | None:
    """Full width at half of ``line[top]``, by linear interpolation on both sides; None if it does not fall so far."""
    values: list[float] = line.tolist()
    half = float(line[top]) / 2
    ends: list[float] = []
    for side in (-1, 1):
        at = top
        while 0 <= at < len(values) and values[at] > half:
            at += side
        if not 0 <= at < len(values):
            return None
        ends.append(at - side * (half - values[at]) / (values[at - side] - values[at]))
    return abs(ends[1] - ends[0]) * step
