"""A PSF for the eye: xy and xz, each on a logarithmic scale, and its OTF with the support that theory allows."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deconlab.assess.metrics import as_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from deconlab.psf import PSF

    Floats = NDArray[np.float64]

_DECADES = 5
_GAP, _TEXT = 8, 15
_LINE = (255, 176, 0)


def psf_picture(psf: PSF, path: Path | str, *, border: tuple[Floats, Floats] | None = None, width: int = 320) -> None:
    """Write a PNG: the PSF in xy (above) and xz (below), linear about its peak and whole over five decades, and |OTF|.

    With ``border`` (a model's ``otf_border()``: lateral frequencies kr and the largest |kz| of each, per µm) and known
    voxel sizes, the theoretical support of the OTF is drawn. What lies outside comes from cutting the PSF off at the edge
    of its grid, or is aliased. Panels are in true proportion (of µm, and of 1/µm) where voxel sizes are known. ``width``
    is that of a panel in pixels. Raises ValueError unless the PSF has two or three axes.

    >>> import pathlib, tempfile
    >>> from deconlab.psf import Gaussian
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     psf_picture(Gaussian(fwhm_px=3).render((17, 17)), pathlib.Path(folder) / "psf.png")
    """
    from PIL import Image, ImageDraw, ImageFont

    data = as_array(psf.data)
    if data.ndim not in (2, 3):
        raise ValueError(f"A picture of a PSF needs two or three axes, not shape {data.shape}.")
    sizes = psf.voxel_um or (1.0,) * data.ndim
    unit = "um" if psf.voxel_um else "px"  # the built-in font has no µ and no ×
    top = np.unravel_index(int(data.argmax()), data.shape)
    sections = [("xy", data[top[0]] if data.ndim == 3 else data, sizes[-2], sizes[-1])]
    if data.ndim == 3:
        sections.append(("xz", data[:, top[1]], sizes[0], sizes[-1]))
    rows = []
    for name, section, down, right in sections:
        peak, core = section.max(), _core(section)
        panels = [
            (f"{name} {_size(core, down, right)} {unit}", _panel(core / peak, width, down / right)),
            (
                f"{name} {_size(section, down, right)} {unit}, {_DECADES} decades",
                _panel(_decades(section / peak), width, down / right),
            ),
        ]
        otf, step = _transfer(data, name, sizes)
        picture = _panel(_decades(otf / otf.max()), width, step[0] / step[1])
        if border is not None and psf.voxel_um:
            _border(picture, otf.shape, step, name, *border)
        panels.append((f"|OTF| k{name[1]} over kx, to {0.5 / right:.3g} / {unit}, {_DECADES} decades", picture))
        rows.append(panels)
    font = ImageFont.load_default(size=_TEXT)
    line = _TEXT + _GAP
    canvas = Image.new("RGB", (3 * (width + _GAP) + _GAP, sum(max(p.height for _, p in r) + line + _GAP for r in rows)))
    draw = ImageDraw.Draw(canvas)
    y = 0
    for panels in rows:
        for column, (label, panel) in enumerate(panels):
            x = _GAP + column * (width + _GAP)
            draw.text((x, y + _GAP // 2), label, fill=(255, 255, 255), font=font)
            canvas.paste(panel, (x, y + line))
        y += max(panel.height for _, panel in panels) + line + _GAP
    canvas.save(path, format="PNG")


def _core(section: Floats) -> Floats:
    """The part about the brightest voxel that is worth a linear scale: twice as far as a hundredth of the peak is met."""
    top = np.unravel_index(int(section.argmax()), section.shape)
    bright = np.argwhere(section >= 0.01 * section.max())
    half = [max(4, 2 * int(abs(bright[:, axis] - top[axis]).max())) for axis in (0, 1)]
    part = tuple(
        slice(max(0, int(place) - reach), int(place) + reach + 1) for place, reach in zip(top, half, strict=True)
    )
    return section[part]


def _size(section: Floats, down: float, right: float) -> str:
    return f"{section.shape[1] * right:.3g} x {section.shape[0] * down:.3g}"


def _transfer(data: Floats, name: str, sizes: tuple[float, ...]) -> tuple[Floats, tuple[float, float]]:
    """|OTF| over (ky, kx) or (kz, kx), zero frequency in the middle, and the steps of its axes."""
    shifted = np.fft.ifftshift(data)
    spectrum: Floats = np.asarray(abs(np.fft.fftshift(np.fft.fftn(shifted))), np.float64)
    middle = [size // 2 for size in spectrum.shape]
    steps: list[float] = [1 / (count * size) for count, size in zip(data.shape, sizes, strict=True)]
    if data.ndim == 2:
        return spectrum, (steps[0], steps[1])
    plane: Floats = spectrum[middle[0]] if name == "xy" else spectrum[:, middle[1]]
    return plane, (steps[1] if name == "xy" else steps[0], steps[2])


def _decades(values: Floats) -> Floats:
    floor = 10.0**-_DECADES
    return np.asarray(1 + np.log10(np.maximum(values, floor)) / _DECADES)


def _panel(values: Floats, width: int, proportion: float) -> Picture:
    """Values 0 to 1 as grey; a row is ``proportion`` times as high as a column is wide."""
    from PIL import Image

    grey = Image.fromarray(np.uint8(np.clip(values, 0, 1) * 255 + 0.5))
    height = max(1, min(3 * width, round(width * values.shape[0] * proportion / values.shape[1])))
    return grey.resize((width, height), Image.Resampling.NEAREST).convert("RGB")


def _border(
    picture: Picture, shape: tuple[int, ...], step: tuple[float, float], name: str, kr: Floats, kz: Floats
) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)

    def place(k_down: float, k_right: float) -> tuple[float, float]:
        down, right = (k / s + n // 2 + 0.5 for k, s, n in zip((k_down, k_right), step, shape, strict=True))
        return right * picture.width / shape[1], down * picture.height / shape[0]

    if name == "xy":
        turn, cutoff = np.linspace(0, 2 * math.pi, 181), float(kr[-1])
        draw.line([place(cutoff * math.sin(t), cutoff * math.cos(t)) for t in turn], fill=_LINE)
        return
    for up in (1, -1):
        for side in (1, -1):
            draw.line([place(up * b, side * a) for a, b in zip(kr, kz, strict=True)], fill=_LINE)
