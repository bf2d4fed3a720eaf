"""The resolution experiment in one picture that can be projected: sections, profiles, verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deconlab.experiments.resolution import FIRST_PX, FWHM_PX, SPACINGS, Outcome, Scene, spacings
from deconlab.experiments.resolution_table import label

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_CELL, _GAP, _SECTION, _PROFILE = 256, 20, 256, 130
_INK, _FAINT, _LINE = (20, 20, 20), (190, 190, 190), (0, 90, 180)
_YES, _NO = (0, 140, 90), (215, 215, 215)
_PER_METHOD = 3


def draw(scene: Scene, outcomes: Sequence[Outcome], path: Path | str) -> None:
    """Write a PNG: a column for the measurement and for up to three settings of each method, the first, middle and last.

    Rows: the section x = 16 with both lines of beads; the profiles f(16, y, 16) and f(16, 16, z) with the true places; which
    spacings are resolved; widths and false peaks. Every panel has its own brightness: black is 0, white its 99.9th
    percentile, square-rooted, so that faint false peaks show.
    """
    from PIL import Image, ImageDraw

    shown = selected(outcomes)
    height = 92 + _SECTION + 2 * (_PROFILE + 38) + 240
    canvas = Image.new("RGB", (_GAP + len(shown) * (_CELL + _GAP), height), "white")
    pen = ImageDraw.Draw(canvas)
    _text(pen, (_GAP, 8), "Better resolution? The same beads, restored in different ways", 26)
    for column, outcome in enumerate(shown):
        x = _GAP + column * (_CELL + _GAP)
        y = 48
        name = label(outcome.method)
        setting = outcome.setting.replace("λ", "lambda")  # the font that comes with Pillow is ASCII
        _text(pen, (x, y), f"{name}, {setting}" if setting else name, 20)
        y += 32
        canvas.paste(_section(outcome.seen), (x, y))
        y += _SECTION + 10
        axial, lateral = outcome.profiles
        for title, line, along in (("lateral f(16, y, 16)", lateral, 1), ("axial f(16, 16, z)", axial, 0)):
            _text(pen, (x, y), title, 15)
            _profile(pen, (x, y + 20), line, scene.lines[along], FIRST_PX[along], FWHM_PX[along])
            y += _PROFILE + 38
        y = _verdicts(pen, (x, y), outcome)
        _facts(pen, (x, y), outcome)
    canvas.quantize(64).save(path, format="PNG", optimize=True)


def selected(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The measurement, and of each method the first, the middle and the last setting."""
    found: list[Outcome] = []
    for method in dict.fromkeys(outcome.method for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.method == method]
        chosen = np.unique(np.linspace(0, len(own) - 1, min(_PER_METHOD, len(own))).round().astype(int))
        found += [own[i] for i in chosen]
    return found


def _section(seen: NDArray[np.float32]) -> Any:
    from PIL import Image

    white = max(float(np.percentile(seen, 99.9)), 1e-9)
    grey = np.sqrt(np.clip(seen / white, 0, 1)) * 255
    scale = min(_CELL / grey.shape[1], _SECTION / grey.shape[0])
    size = (round(grey.shape[1] * scale), round(grey.shape[0] * scale))
    picture = Image.fromarray(np.round(grey).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)
    return picture.convert("RGB")


def _profile(
    pen: ImageDraw,
    at: tuple[int, int],
    line: NDArray[np.float32],
    places: NDArray[np.float64],
    first: int,
    width: float,
) -> None:
    """The line over the chain of beads, 1.5 FWHM beyond it on each side, scaled to its highest value; ticks are the beads."""
    x0, y0 = at
    start, end = first - 1.5 * width, float(places[-1]) + 1.5 * width
    index = np.arange(max(0, int(np.ceil(start))), min(len(line) - 1, int(end)) + 1)
    top = max(float(line[index].max()), 1e-9)
    base = y0 + _PROFILE - 14

    def to_x(position: float) -> float:
        return x0 + (position - start) / (end - start) * _CELL

    for place in places:
        pen.line([(to_x(place), base + 3), (to_x(place), base + 13)], fill=_INK, width=3)
    pen.line([(x0, base), (x0 + _CELL, base)], fill=_FAINT, width=1)
    points = [(to_x(float(i)), base - max(float(line[i]), -0.1 * top) / top * (_PROFILE - 20)) for i in index]
    pen.line(points, fill=_LINE, width=3, joint="curve")


def _verdicts(pen: ImageDraw, at: tuple[int, int], outcome: Outcome) -> int:
    x, y = at
    _text(pen, (x, y), "pairs resolved, at spacings in FWHM", 15)
    y += 22
    step = (_CELL - 62) / len(SPACINGS)
    for row, (name, verdicts) in enumerate(zip(("axial", "lateral"), outcome.resolved, strict=True)):
        top = y + (1 - row) * 30
        _text(pen, (x, top + 2), name, 16)
        for i, resolved in enumerate(verdicts):
            left = x + 62 + i * step
            box = (left + 2, top, left + 22, top + 20)
            if resolved:
                pen.ellipse(box, fill=_YES)
            else:
                pen.ellipse(box, outline=_NO, width=4)
    y += 60
    for i, spacing in enumerate(spacings()):
        text = f"{spacing:g}".removeprefix("0")
        pen.text((x + 62 + i * step + 12, y), text, fill=_INK, font=_font(12), anchor="ma")
    return y + 26


def _facts(pen: ImageDraw, at: tuple[int, int], outcome: Outcome) -> None:
    x, y = at
    pairs = ["none" if math.isinf(f) else f"{f * unit:.1f}" for f, unit in zip(outcome.finest, FWHM_PX, strict=True)]
    axial, lateral = outcome.fwhm_px
    _text(pen, (x, y), "in px:", 16)
    _text(pen, (x + 96, y), "lateral", 16)
    _text(pen, (x + 178, y), "axial", 16)
    for row, (name, values) in enumerate(
        (("finest pair", pairs[::-1]), ("bead FWHM", [f"{lateral:.1f}", f"{axial:.1f}"]))
    ):
        top = y + 24 * (row + 1)
        _text(pen, (x, top), name, 16)
        for place, value in zip((96, 178), values, strict=True):
            _text(pen, (x + place, top), value, 16)
    if outcome.method != "measurement":
        _text(pen, (x, y + 80), f"false peaks: {outcome.false_in_volume}", 20)


def _text(pen: ImageDraw, at: tuple[int, int], text: str, size: int) -> None:
    pen.text(at, text, fill=_INK, font=_font(size))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)
