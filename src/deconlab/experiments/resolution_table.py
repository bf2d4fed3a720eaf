"""The resolution experiment as a table for people and as data for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from deconlab import schema
from deconlab.experiments.resolution import FWHM_PX, Outcome, Resolution, Scene, spacings


def label(name: str) -> str:
    """How the field calls a method, where it has a short name."""
    short = {"projected-landweber": "LW+", "laplacian-regularised-inverse": "RIF", "richardson-lucy": "RL"}
    return short.get(name, name)


def table(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table: a row for each restoration."""
    head = [
        "", "setting", "FWHM axial", "lateral", "finest pair axial", "lateral",
        "resolved axially", "resolved laterally", "false peaks on the lines", "in the volume",
    ]  # fmt: skip
    rows = [
        [
            label(outcome.method),
            outcome.setting,
            *(f"{width:.2f} px" for width in outcome.fwhm_px),
            *(
                "none" if math.isinf(finest) else f"{finest:g} FWHM = {finest * unit:.1f} px"
                for finest, unit in zip(outcome.finest, FWHM_PX, strict=True)
            ),
            *("".join("●" if resolved else "○" for resolved in verdicts) for verdicts in outcome.resolved),
            *(
                ["", ""]  # what restoration makes; of a noisy image every other voxel is a maximum
                if outcome.method == "measurement"
                else [str(outcome.false_on_lines), str(outcome.false_in_volume)]
            ),
        ]
        for outcome in outcomes
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def legend() -> str:
    """What the table's columns mean."""
    listed = ", ".join(f"{spacing:g}" for spacing in spacings())
    return (
        f"The PSF has a FWHM of {FWHM_PX[0]:.2f} px axially and {FWHM_PX[1]:.2f} px laterally.\n"
        f"Dots: pairs {listed} FWHM apart, ● resolved (a dip of at least 26.5 %), ○ not.\n"
        "Finest pair: the smallest spacing from which on all larger ones are resolved.\n"
        "FWHM: the median over isolated beads, fitted by pixel-integrated Gaussians.\n"
        "False peaks: local maxima where no bead is; on the two lines those that stand out by 10 % of the profile's range, in\n"
        "the volume those above 10 % of the median bead. The measurement's widths and pairs are those of its noise-free mean.\n"
    )


def as_data(settings: Resolution, scene: Scene, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All numbers, profiles included, as plain data for JSON; what is not a number is None."""
    return {
        "settings": {**schema.asdict(settings), "shape": list(settings.shape)},
        "psf_fwhm_px": {"axial": FWHM_PX[0], "lateral": FWHM_PX[1]},
        "spacings_fwhm": list(spacings()),
        "beads_on_lines_px": {"axial": scene.lines[0].tolist(), "lateral": scene.lines[1].tolist()},
        "outcomes": [
            {
                "method": outcome.method,
                "setting": outcome.setting,
                "fwhm_px": _both([_number(width) for width in outcome.fwhm_px]),
                "finest_pair_fwhm": _both([_number(finest) for finest in outcome.finest]),
                "dips": _both([[round(dip, 4) for dip in dips] for dips in outcome.dips]),
                "resolved": _both([list(verdicts) for verdicts in outcome.resolved]),
                "false_peaks": {"on_lines": outcome.false_on_lines, "in_volume": outcome.false_in_volume},
                "profiles": _both([[round(float(v), 3) for v in line] for line in outcome.profiles]),
            }
            for outcome in outcomes
        ],
    }


def _both(values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(("axial", "lateral"), values, strict=True))


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
