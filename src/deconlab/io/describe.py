"""What an image says about itself, as a table: each value with its unit and its source, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deconlab.image import OPTICS_UNITS, Image

THEORETICAL_PSF = ("na", "emission_nm", "immersion_index")
"""What the PSF of a microscope cannot be computed without, besides the voxel size."""


@dataclass(frozen=True)
class Row:
    """One line of the table. ``channel`` is None for what all channels share; ``value`` is None for what is not known.

    ``missing``: not known, and needed. ``rejected``: what was said instead, and why it cannot be true.
    """

    channel: int | None
    name: str
    value: float | str | None
    unit: str = ""
    source: str = ""
    missing: bool = False
    rejected: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.value:g}" if isinstance(self.value, float) else self.value
        known = f"{said}{' ' if self.unit else ''}{self.unit} ({self.source})"
        known = known if self.value is not None else "missing" if self.missing else "not known"
        return "; ".join([f"{self.name}: {known}", *(f"not used: {reason}" for reason in self.rejected)])


def describe(image: Image, needed: Sequence[str] = THEORETICAL_PSF) -> tuple[Row, ...]:
    """The table of an image: its voxel sizes, then of each channel its name and optics.

    There is a row for each value that is known, that was refused, or that is ``needed`` and missing; a voxel size is needed
    along each spatial axis of more than one voxel.
    """
    rows = []
    for axis in image.spatial_axes:
        size = image.voxel_um.get(axis)
        needs = image.data.shape[image.axes.index(axis)] > 1
        if size is not None or needs:
            source = "" if size is None else image.voxel_sources.get(axis, "file")
            rows.append(Row(None, f"voxel {axis}", size, "µm", source, size is None))
    for number, channel in enumerate(image.channels):
        if channel.name:
            rows.append(Row(number, "name", channel.name, "", "file"))
        for name, unit in OPTICS_UNITS.items():
            known = channel.optics.facts.get(name)
            rejected = tuple(reason for reason in channel.optics.rejected if reason.startswith(f"{name} = "))
            if known is not None:
                rows.append(Row(number, name, known.value, unit, known.source, rejected=rejected))
            elif rejected or name in needed:
                rows.append(Row(number, name, None, unit, missing=name in needed, rejected=rejected))
        # What files have no word for, such as the wavelength that depletes in STED.
        rows += [Row(number, name, None, missing=True) for name in needed if name not in OPTICS_UNITS]
    return tuple(rows)
