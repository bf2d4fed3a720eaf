"""An image as it comes from a file: numbers, named axes, voxel size, optics with their sources, and what was done to it.

It lives at the edges only; the mathematics sees tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPATIAL = "zyx"
AXES = "tczyx"

OPTICS_UNITS: Mapping[str, str] = MappingProxyType(
    {
        "na": "",
        "immersion_index": "",
        "sample_index": "",
        "emission_nm": "nm",
        "excitation_nm": "nm",
        "modality": "",
        "pinhole_um": "µm",
        "depth_um": "µm",
    }
)
"""What is known of a microscope, and the units in which it is kept."""


@dataclass(frozen=True)
class Known:
    """A value and where it came from: "file", "file: Immersion=Oil", "user", "default", …"""

    value: float | str
    source: str


@dataclass(frozen=True)
class Optics:
    """How one channel was taken: facts by the names of :data:`OPTICS_UNITS`, and the values that were not believed."""

    facts: Mapping[str, Known] = field(default_factory=dict)
    rejected: tuple[str, ...] = ()

    def get(self, name: str) -> Any:
        """The value of ``name``, or None if it is not known."""
        return self.facts[name].value if name in self.facts else None

    def known(self, source: str, **values: float | str | None) -> Optics:
        """These optics with ``values`` from ``source`` put over them; None changes nothing. Impossible ones are rejected."""
        added = {name: Known(value, source) for name, value in values.items() if value is not None}
        return believed({**self.facts, **added}, self.rejected)


@dataclass(frozen=True)
class Channel:
    """One channel: its name as the file has it, and its optics."""

    name: str = ""
    optics: Optics = field(default_factory=Optics)


def believed(facts: Mapping[str, Known], rejected: tuple[str, ...] = ()) -> Optics:
    """Optics made of the facts that can be true; each other one is named with the reason and not used."""
    kept, refused = dict(facts), list(rejected)

    def refuse(name: str, why: str) -> None:
        known = kept.pop(name)
        refused.append(f"{name} = {known.value} ({known.source}): {why}")

    ranges = {
        "na": (0.0, 1.8, "a numerical aperture lies above 0 and below 1.8"),
        "immersion_index": (0.99, 2.0, "an index of refraction lies between 1 and 2"),
        "sample_index": (0.99, 2.5, "an index of refraction lies between 1 and 2.5"),
        "emission_nm": (150.0, 3000.0, "a wavelength lies between 150 and 3000 nm"),
        "excitation_nm": (150.0, 3000.0, "a wavelength lies between 150 and 3000 nm"),
        "pinhole_um": (0.0, 1e4, "a pinhole is larger than 0 µm; files write −1 for none"),
        "depth_um": (-1e-9, 1e4, "a depth is at least 0 µm"),
    }
    for name, (low, high, why) in ranges.items():
        if name in kept and not (isinstance(kept[name].value, int | float) and low < float(kept[name].value) < high):
            refuse(name, why)
    values = {name: known.value for name, known in kept.items()}
    if "na" in values and "immersion_index" in values and float(values["na"]) >= float(values["immersion_index"]):
        refuse("na", f"it cannot reach the immersion's index {values['immersion_index']}, so one of the two is wrong")
        refuse("immersion_index", f"an objective of NA {values['na']} cannot work in it, so one of the two is wrong")
    multiphoton = "photon" in str(values.get("modality", ""))
    if {"excitation_nm", "emission_nm"} <= set(values) and not multiphoton:
        excitation, emission = float(values["excitation_nm"]), float(values["emission_nm"])
        if excitation > emission:
            refuse("excitation_nm", f"it is longer than the emission, {emission:g} nm, so one of the two is wrong")
            refuse("emission_nm", f"it is shorter than the excitation, {excitation:g} nm, so one of the two is wrong")
    return Optics(kept, tuple(dict.fromkeys(refused)))


@dataclass(frozen=True, eq=False)
class Image:
    """Numbers with a meaning. ``axes`` has a letter of "tczyx" for each dimension of ``data``, in any order.

    ``voxel_um`` holds the voxel sizes that are known, by axis, and ``voxel_sources`` where they came from, if not from the
    file. ``channels`` has one entry for each index of axis c, or one
    where there is no such axis. ``source_xml`` is the OME-XML, ``source_header`` the FITS header and ``source_imagej`` what
    else ImageJ said in the file, carried along. ``history`` is what deconlab did, empty for an image that it has not made.
    ``notes`` is what a user should know of the reading. ``data`` may be a :class:`~deconlab.stored.Stored` array, whose
    volumes are read from the file one at a time.

    Raises ValueError for axes that do not fit, an empty image, colour samples, and numbers of channels that differ.
    """

    data: NDArray[Any]
    axes: str
    voxel_um: Mapping[str, float] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    source_xml: str = ""
    history: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    voxel_sources: Mapping[str, str] = field(default_factory=dict)
    source_header: str = ""
    source_imagej: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if "s" in self.axes:
            raise ValueError(
                f"The image holds colour samples (axes {self.axes!r}), as a camera photograph or a rendered figure does. "
                f"Deconvolution needs the channels as they were measured: split them, or convert to one channel. If they are "
                f"no colours, name the axes of the data of shape {self.data.shape} for what they are (--file-axes)."
            )
        if len(self.axes) != self.data.ndim or len(set(self.axes)) != len(self.axes) or set(self.axes) - set(AXES):
            raise ValueError(
                f"axes={self.axes!r} does not fit data of shape {self.data.shape}: give one letter of t, c, z, y, x for "
                f"each dimension, each at most once (--file-axes)."
            )
        if self.data.size == 0:
            raise ValueError(f"The image is empty: its shape is {self.data.shape}.")
        if self.data.dtype.kind not in "biuf":
            raise TypeError(
                f"The image's numbers are of dtype {self.data.dtype}; they must be integer or floating-point. Of a complex "
                f"image give the magnitude, or the real and imaginary parts one by one."
            )
        count = self.data.shape[self.axes.index("c")] if "c" in self.axes else 1
        if self.channels and len(self.channels) != count:
            raise ValueError(f"{len(self.channels)} channels are described, but the image has {count}.")
        if not self.channels:
            object.__setattr__(self, "channels", (Channel(),) * count)

    @property
    def spatial_axes(self) -> str:
        """The axes among z, y, x that the image has, in that order."""
        return "".join(axis for axis in SPATIAL if axis in self.axes)

    @property
    def spatial_voxel_um(self) -> tuple[float, ...] | None:
        """The voxel size along :attr:`spatial_axes`, or None if one of them is not known."""
        sizes = [self.voxel_um.get(axis) for axis in self.spatial_axes]
        return None if any(size is None for size in sizes) else tuple(float(size or 0) for size in sizes)

    def replace_data(self, data: NDArray[Any]) -> Image:
        """The same image with other numbers of the same shape."""
        if data.shape != self.data.shape:
            raise ValueError(f"The new data have shape {data.shape}, the image {self.data.shape}; they must be equal.")
        return replace(self, data=data)

    def volumes(self) -> Iterator[tuple[dict[str, int], Image]]:
        """Every volume over the spatial axes, with its place on the other axes: ({"t": 0, "c": 1}, the volume)."""
        others = [axis for axis in self.axes if axis not in SPATIAL]
        sizes = [self.data.shape[self.axes.index(axis)] for axis in others]
        for place in np.ndindex(*sizes):
            where = dict(zip(others, place, strict=True))
            yield where, self.volume(where)

    def volume(self, where: Mapping[str, int]) -> Image:
        """The volume at a place on the non-spatial axes, its axes in the order z, y, x; a view, or read from the file.

        Axes that ``where`` leaves out stay, before the spatial ones.
        """
        left = [axis for axis in self.axes if axis not in where]
        axes = "".join(axis for axis in AXES if axis in left)
        data = np.asarray(self.data[self.index_of(where)].transpose([left.index(axis) for axis in axes]))
        channels = self.channels if "c" in axes else (self.channels[where.get("c", 0)],)
        return replace(self, data=data, axes=axes, channels=channels)

    def index_of(self, where: Mapping[str, int]) -> tuple[Any, ...]:
        """The index into ``data`` of a place on the non-spatial axes."""
        return tuple(where.get(axis, slice(None)) for axis in self.axes)

    def put(self, where: Mapping[str, int], volume: NDArray[Any]) -> None:
        """Write a volume, with axes as :meth:`volume` gives them, into ``data`` at a place."""
        left = [axis for axis in self.axes if axis not in where]
        axes = [axis for axis in AXES if axis in left]
        self.data[self.index_of(where)] = volume.transpose([axes.index(axis) for axis in left])


def believed_voxel(sizes: Mapping[str, float], units: Mapping[str, str]) -> tuple[dict[str, float], list[str]]:
    """Voxel sizes in µm from sizes in ``units``, and why any was not believed."""
    kept: dict[str, float] = {}
    refused = []
    for axis, size in sizes.items():
        unit = units.get(axis, "")
        scale = micrometres(unit)
        if scale is None:
            refused.append(f"voxel size {size:g} {unit or 'of no unit'} along {axis}: that is no length")
        elif not (math.isfinite(size) and 1e-5 < size * scale < 1e3):
            refused.append(f"voxel size {size:g} {unit} along {axis}: a voxel lies between 0.01 nm and 1 mm")
        else:
            kept[axis] = size * scale
    return kept, refused


def micrometres(unit: str) -> float | None:
    """How many µm one ``unit`` is, in any of its spellings; None if it is no unit of length."""
    name = unit.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").replace("μ", "µ").replace("Âµ", "µ")
    scales = {
        "m": 1e6,
        "cm": 1e4,
        "mm": 1e3,
        "µm": 1.0,
        "nm": 1e-3,
        "pm": 1e-6,
        "Å": 1e-4,
        "inch": 25400.0,
        "in": 25400.0,
    }
    words = {"um": "µm", "micron": "µm", "microns": "µm", "micrometer": "µm", "micrometre": "µm", "nanometer": "nm"}
    return scales.get(words.get(name.lower(), name))
