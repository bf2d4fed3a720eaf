"""The resolution experiment over several draws of noise and scattered beads: what holds, and what is one draw's luck."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deconlab.experiments.resolution import FWHM_PX, Outcome, Resolution, run, spacings
from deconlab.experiments.resolution_table import label

FIELD = (128, 84, 48)
"""A field that holds both lines; smaller than the experiment's, since only the draws matter here."""
SCATTERED = 12


@dataclass(frozen=True)
class Draws:
    """One method at one setting over all draws. Pairs are (axial, lateral).

    ``width`` and ``false_in_volume`` are (median, least, largest); ``width`` is in units of the PSF's own FWHM along the
    axis. ``resolved`` is the part of the draws in which a spacing is resolved, in the order of ``spacings``.
    """

    method: str
    setting: str
    width: tuple[tuple[float, float, float], tuple[float, float, float]]
    resolved: tuple[tuple[float, ...], tuple[float, ...]]
    false_in_volume: tuple[float, float, float]

    @property
    def finest(self) -> tuple[float, float]:
        """The smallest spacing in FWHM from which on all larger ones are resolved in more than half of the draws."""
        found = []
        for shares in self.resolved:
            best = float("inf")
            for spacing, share in reversed(list(zip(spacings(), shares, strict=True))):
                if share <= 0.5:
                    break
                best = spacing
            found.append(best)
        return found[0], found[1]


def repeated(
    settings: Resolution, names: Sequence[str], draws: int, report: Callable[[str], None] = lambda _: None
) -> list[list[Outcome]]:
    """The outcomes of ``draws`` runs with the seeds that follow the settings', on the smaller ``FIELD``."""
    if draws < 1:
        raise ValueError(f"The experiment needs at least 1 draw, not {draws}.")
    small = replace(settings, shape=FIELD, scattered=min(settings.scattered, SCATTERED))
    runs = []
    for i in range(draws):
        report(f"draw {i + 1} of {draws}")
        runs.append(run(replace(small, seed=settings.seed + i), names)[1])
    return runs


def summarised(runs: Sequence[Sequence[Outcome]]) -> list[Draws]:
    """Median and range over the runs, setting by setting."""
    found = []
    for same in zip(*runs, strict=True):
        widths = [[outcome.fwhm_px[axis] / FWHM_PX[axis] for outcome in same] for axis in (0, 1)]
        verdicts = [np.mean([outcome.resolved[axis] for outcome in same], axis=0).tolist() for axis in (0, 1)]
        found.append(
            Draws(
                same[0].method,
                same[0].setting,
                (_spread(widths[0]), _spread(widths[1])),
                (tuple(verdicts[0]), tuple(verdicts[1])),
                _spread([outcome.false_in_volume for outcome in same]),
            )
        )
    return found


def draws_table(found: Sequence[Draws], draws: int) -> str:
    """A Markdown table: medians with their range, and in how many draws each spacing is resolved."""
    listed = ", ".join(f"{spacing:g}" for spacing in spacings())
    head = [
        f"{draws} draws", "setting", "width axial", "lateral", "resolved axially", "resolved laterally", "false peaks",
    ]  # fmt: skip
    rows = []
    for entry in found:
        widths = [f"{middle:.2f} ({low:.2f} to {high:.2f})" for middle, low, high in entry.width]
        counted = [" ".join(f"{share * draws:.0f}" for share in shares) for shares in entry.resolved]
        middle, low, high = entry.false_in_volume
        false = "" if entry.method == "measurement" else f"{middle:.0f} ({low:.0f} to {high:.0f})"
        rows.append([label(entry.method), entry.setting, *widths, *counted, false])
    lines = [head, ["---"] * len(head), *rows]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return (
        f"{text}\n\nMedian (least to largest). Width: FWHM of a bead over the PSF's along that axis. "
        f"Resolved: in how many draws pairs {listed} FWHM apart are.\n"
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return float(np.median(values)), float(np.min(values)), float(np.max(values))
