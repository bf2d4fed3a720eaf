"""What an OME-XML says of one of its images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from numpy.typing import NDArray

from deconlab.image import Channel, Image, Known, believed, believed_voxel, micrometres
from deconlab.io import record

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
RECORD = "deconlab/record"

MODALITIES: Mapping[str, str] = {
    "WideField": "widefield",
    "LaserScanningConfocalMicroscopy": "confocal",
    "SpinningDiskConfocal": "spinning disk",
    "SlitScanConfocal": "confocal",
    "SweptFieldConfocal": "confocal",
    "MultiPhotonMicroscopy": "multi-photon",
    "SPIM": "light sheet",
    "STED": "STED",
    "StructuredIllumination": "structured illumination",
    "TotalInternalReflection": "TIRF",
    "PALM": "PALM",
    "STORM": "STORM",
    "BrightField": "bright field",
}
IMMERSION: Mapping[str, float] = {"oil": 1.515, "water": 1.333, "waterdipping": 1.333, "glycerol": 1.47, "air": 1.0}
LENGTHS = (
    ("EmissionWavelength", "emission_nm", "nm"),
    ("ExcitationWavelength", "excitation_nm", "nm"),
    ("PinholeSize", "pinhole_um", "µm"),
)


@dataclass(frozen=True)
class Description:
    """What an OME-XML says of one of its images: ``sizes`` by axis, ``kept`` what we recorded in it, ``xml`` itself."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    voxel_um: Mapping[str, float] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)
    xml: str = ""
    notes: tuple[str, ...] = ()


def parse(xml: str, series: int = 0) -> Description:
    """The description of image ``series``. Values that cannot be true are named in the notes and not used.

    Raises ValueError for text that is no OME-XML or has no such image.
    """
    try:
        root = ElementTree.fromstring(xml.encode())
    except ElementTree.ParseError as error:
        raise ValueError(f"The file's OME-XML cannot be parsed: {error}.") from error
    images = [element for element in root if local(element) == "Image"]
    if not 0 <= series < len(images):
        raise ValueError(f"The file's OME-XML describes {len(images)} images; there is no number {series}, from 0.")
    image = images[series]
    pixels = child(image, "Pixels")
    if pixels is None:
        raise ValueError(f"Image {series} of the file's OME-XML has no Pixels element.")
    if len(images) > 1:
        _leave(root, image)
        xml = ElementTree.tostring(plain(root), encoding="unicode")
    sizes, units = {}, {}
    unread = _unread(pixels, *(f"PhysicalSize{axis}" for axis in "XYZ"))
    for axis in "xyz":
        size = _number(pixels, f"PhysicalSize{axis.upper()}")
        if size is not None:
            sizes[axis], units[axis] = size, pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm")
    voxel_um, refused = believed_voxel(sizes, units)
    shared, unclear = _objective(root, image)
    channels, notes = [], [*unread, *unclear, *(f"not used: {reason}" for reason in refused)]
    if {voxel_um.get(axis) for axis in "xy"} == {1.0} and voxel_um.get("z", 1.0) == 1.0:
        along = " and ".join(axis for axis in "xyz" if axis in voxel_um)
        notes.append(
            f"the file says that a voxel is exactly 1 µm along {along}, which programs also write that know no size: if it "
            f"is not true, give --voxel-um"
        )
    for element in pixels:
        if local(element) == "Channel":
            facts, unclear = _channel(element)
            optics = believed({**shared, **facts})
            notes += [*unclear, *(f"not used: {reason}" for reason in optics.rejected)]
            channels.append(Channel(element.get("Name", ""), optics))
    counts = {axis: int(_number(pixels, f"Size{axis.upper()}") or 1) for axis in "tczyx"}
    return Description(counts, voxel_um, tuple(channels), _kept(root), xml, tuple(dict.fromkeys(notes)))


def image(data: NDArray[Any], axes: str, said: Description, *, arrange: bool = True) -> Image:
    """The image whose numbers and axes were read, with all that its OME-XML says."""
    count = data.shape[axes.index("c")] if "c" in axes else 1
    channels = said.channels if len(said.channels) == count else ()
    read = Image(data, axes, said.voxel_um, channels, said.xml, notes=said.notes)
    return record.restored(read, said.kept, arrange=arrange)


def objectives(root: ElementTree.Element, image: ElementTree.Element) -> list[ElementTree.Element]:
    """The objective that took the image; all that come into question, where the file does not say which."""
    settings, reference = child(image, "ObjectiveSettings"), child(image, "InstrumentRef")
    every = [element for element in root.iter() if local(element) == "Objective"]
    if settings is not None:
        chosen = [element for element in every if element.get("ID") == settings.get("ID")]
        if chosen:
            return chosen
    if reference is not None:
        for instrument in root:
            if local(instrument) == "Instrument" and instrument.get("ID") == reference.get("ID"):
                return [element for element in instrument if local(element) == "Objective"]
    return every


def _objective(root: ElementTree.Element, image: ElementTree.Element) -> tuple[dict[str, Known], list[str]]:
    """NA and index of immersion, and what is not clear about them."""
    possible = objectives(root, image)
    facts, notes = {}, [note for element in possible for note in _unread(element, "LensNA")]
    apertures = sorted({na for element in possible if (na := _number(element, "LensNA")) is not None})
    immersions = {element.get("Immersion", "") for element in possible}
    if len(apertures) == 1:
        facts["na"] = Known(apertures[0], "file")
    elif apertures:
        listed = ", ".join(f"{na:g}" for na in apertures)
        notes.append(f"not used: the file lists objectives of NA {listed} and does not say which took the image")
    settings = child(image, "ObjectiveSettings")
    if settings is not None:
        notes += _unread(settings, "RefractiveIndex")
    index = None if settings is None else _number(settings, "RefractiveIndex")
    medium = "" if settings is None else settings.get("Medium", "")
    immersion = immersions.pop() if len(immersions) == 1 else ""
    if index is not None:
        facts["immersion_index"] = Known(index, "file")
    elif medium.lower() in IMMERSION:
        facts["immersion_index"] = Known(IMMERSION[medium.lower()], f"file: Medium={medium}")
    elif immersion.lower() in IMMERSION:
        facts["immersion_index"] = Known(IMMERSION[immersion.lower()], f"file: Immersion={immersion}")
    elif medium or immersion:
        said = f"Medium = {medium}" if medium else f"Immersion = {immersion}"
        notes.append(f"not used: {said}: its index of refraction is not known, give --immersion-index")
    return facts, notes


def _channel(element: ElementTree.Element) -> tuple[dict[str, Known], list[str]]:
    facts, notes = {}, _unread(element, *(attribute for attribute, *_ in LENGTHS))
    for attribute, name, unit in LENGTHS:
        value, found = _number(element, attribute), element.get(attribute + "Unit", unit)
        scale, ours = micrometres(found), micrometres(unit) or 1.0
        if value is not None and scale is not None:
            facts[name] = Known(value * (scale / ours), "file")
        elif value is not None:
            notes.append(f"not used: {attribute} = {value:g} {found}: that is no length")
    mode = element.get("AcquisitionMode", "")
    if mode and mode != "Other":
        facts["modality"] = Known(MODALITIES.get(mode, mode), "file")
    return facts, notes


def _leave(root: ElementTree.Element, image: ElementTree.Element) -> None:
    """Take all other images, and what refers to them, out of the tree."""
    gone = {other.get("ID") for other in root if local(other) == "Image" and other is not image}
    for parent in list(root.iter()):
        for element in list(parent):
            other = local(element) == "Image" and element is not image
            if other or (local(element) == "ImageRef" and element.get("ID") in gone):
                parent.remove(element)


def _kept(root: ElementTree.Element) -> dict[str, Any]:
    for element in root.iter():
        if local(element) == "XMLAnnotation" and element.get("Namespace") == RECORD:
            for inner in element.iter():
                if inner.get("json"):
                    found = json.loads(inner.get("json", "{}"))
                    return found if isinstance(found, dict) else {}
    return {}


def plain(root: ElementTree.Element) -> ElementTree.Element:
    """The tree with OME's namespace as the default one, which ElementTree cannot write by itself."""
    space = root.tag.partition("}")[0].lstrip("{") if "}" in root.tag else ""
    if space:
        for element in root.iter():
            if isinstance(element.tag, str) and element.tag.startswith(f"{{{space}}}"):
                element.tag = local(element)
        root.set("xmlns", space)
    return root


def _number(element: ElementTree.Element, attribute: str) -> float | None:
    try:
        return float(element.get(attribute, ""))
    except ValueError:
        return None


def _unread(element: ElementTree.Element, *attributes: str) -> list[str]:
    """What should be numbers and is none, named."""
    texts = ((attribute, element.get(attribute, "").strip()) for attribute in attributes)
    return [
        f"not used: {attribute} = {text!r}: that is no number"
        for attribute, text in texts
        if text and _number(element, attribute) is None
    ]


def local(element: ElementTree.Element) -> str:
    """The name of an element, whatever the version of the schema."""
    return element.tag.rpartition("}")[2]


def child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    """The first child of that name."""
    return next((inner for inner in element if local(inner) == name), None)
