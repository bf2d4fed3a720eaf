"""OME-XML <-> channels, voxel sizes and optics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from deconlab.image import Channel, Image, Known, believed, believed_voxel, micrometres

NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
HISTORY = "deconlab/history"

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
    """What an OME-XML says of one of its images."""

    voxel_um: dict[str, float]
    channels: tuple[Channel, ...]
    history: dict[str, Any]
    notes: tuple[str, ...]


def parse(xml: str, series: int = 0) -> Description:
    """The description of image ``series``. Values that cannot be true are named in the notes and not used.

    Raises ValueError for text that is no OME-XML or has no such image.
    """
    try:
        root = ElementTree.fromstring(xml.encode())
    except ElementTree.ParseError as error:
        raise ValueError(f"The file's OME-XML cannot be parsed: {error}.") from error
    images = [element for element in root if _local(element) == "Image"]
    if not 0 <= series < len(images):
        raise ValueError(f"There is no series {series}: the OME-XML describes {len(images)} images, counted from 0.")
    image = images[series]
    pixels = _child(image, "Pixels")
    if pixels is None:
        raise ValueError("The OME-XML's image has no Pixels element.")
    sizes, units = {}, {}
    for axis in "xyz":
        size = _number(pixels, f"PhysicalSize{axis.upper()}")
        if size is not None:
            sizes[axis], units[axis] = size, pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm")
    voxel_um, refused = believed_voxel(sizes, units)
    shared = _objective(root, image)
    channels, notes = [], [f"not used: {reason}" for reason in refused]
    for element in pixels:
        if _local(element) == "Channel":
            optics = believed({**shared, **_channel(element)})
            notes += [f"not used: {reason}" for reason in optics.rejected]
            channels.append(Channel(element.get("Name", ""), optics))
    return Description(voxel_um, tuple(channels), _history(root), tuple(dict.fromkeys(notes)))


def compose(base_xml: str, image: Image, history: Mapping[str, Any]) -> str:
    """``base_xml`` (sizes, planes, types) completed with the optics of ``image`` and with ``history``."""
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.fromstring(base_xml.encode())
    ome_image = next(element for element in root if _local(element) == "Image")
    pixels = _child(ome_image, "Pixels")
    if pixels is None:
        raise ValueError("The OME-XML to complete has no Pixels element.")
    first = image.channels[0].optics
    if first.get("na") is not None or first.get("immersion_index") is not None:
        instrument = ElementTree.Element(_tag("Instrument"), ID="Instrument:0")
        objective = ElementTree.SubElement(instrument, _tag("Objective"), ID="Objective:0")
        if first.get("na") is not None:
            objective.set("LensNA", repr(float(first.get("na"))))
        root.insert(list(root).index(ome_image), instrument)
        settings = ElementTree.Element(_tag("ObjectiveSettings"), ID="Objective:0")
        if first.get("immersion_index") is not None:
            settings.set("RefractiveIndex", repr(float(first.get("immersion_index"))))
        reference = ElementTree.Element(_tag("InstrumentRef"), ID="Instrument:0")
        at = list(ome_image).index(pixels)
        ome_image.insert(at, settings)
        ome_image.insert(at, reference)
    names = {name: mode for mode, name in reversed(list(MODALITIES.items()))}
    elements = [element for element in pixels if _local(element) == "Channel"]
    for element, channel in zip(elements, image.channels, strict=False):
        if channel.name:
            element.set("Name", channel.name)
        for attribute, name, unit in LENGTHS:
            if channel.optics.get(name) is not None:
                element.set(attribute, repr(float(channel.optics.get(name))))
                element.set(attribute + "Unit", unit)
        if channel.optics.get("modality") in names:
            element.set("AcquisitionMode", names[channel.optics.get("modality")])
    if history:
        annotations = ElementTree.SubElement(root, _tag("StructuredAnnotations"))
        xml = ElementTree.SubElement(annotations, _tag("XMLAnnotation"), ID="Annotation:0", Namespace=HISTORY)
        value = ElementTree.SubElement(xml, _tag("Value"))
        value.append(ElementTree.Element("deconlab", {"json": json.dumps(history)}))
        ElementTree.SubElement(ome_image, _tag("AnnotationRef"), ID="Annotation:0")
    return '<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root, encoding="unicode")


def _objective(root: ElementTree.Element, image: ElementTree.Element) -> dict[str, Known]:
    """NA and indices of the objective that the image refers to; of the only one if it refers to none."""
    objectives = {e.get("ID"): e for e in root.iter() if _local(e) == "Objective"}
    settings = _child(image, "ObjectiveSettings")
    chosen = None if settings is None else objectives.get(settings.get("ID"))
    if chosen is None and len(objectives) == 1:
        chosen = next(iter(objectives.values()))
    facts: dict[str, Known] = {}
    if chosen is not None:
        na = _number(chosen, "LensNA")
        if na is not None:
            facts["na"] = Known(na, "file")
        immersion = chosen.get("Immersion", "")
        if IMMERSION.get(immersion.lower()):
            facts["immersion_index"] = Known(IMMERSION[immersion.lower()], f"file: Immersion={immersion}")
    if settings is not None:
        index = _number(settings, "RefractiveIndex")
        if index is not None:
            facts["immersion_index"] = Known(index, "file")
        elif "immersion_index" not in facts and IMMERSION.get(settings.get("Medium", "").lower()):
            medium = settings.get("Medium", "")
            facts["immersion_index"] = Known(IMMERSION[medium.lower()], f"file: Medium={medium}")
    return facts


def _channel(element: ElementTree.Element) -> dict[str, Known]:
    facts: dict[str, Known] = {}
    for attribute, name in (("EmissionWavelength", "emission_nm"), ("ExcitationWavelength", "excitation_nm")):
        length = _length(element, attribute, "nm")
        if length is not None:
            facts[name] = Known(length * 1000, "file")
    pinhole = _length(element, "PinholeSize", "µm")
    if pinhole is not None:
        facts["pinhole_um"] = Known(pinhole, "file")
    mode = element.get("AcquisitionMode", "")
    if mode and mode != "Other":
        facts["modality"] = Known(MODALITIES.get(mode, mode), "file")
    return facts


def _history(root: ElementTree.Element) -> dict[str, Any]:
    for element in root.iter():
        if _local(element) == "XMLAnnotation" and element.get("Namespace") == HISTORY:
            for inner in element.iter():
                if inner.get("json"):
                    found = json.loads(inner.get("json", "{}"))
                    return found if isinstance(found, dict) else {}
    return {}


def _length(element: ElementTree.Element, attribute: str, default_unit: str) -> float | None:
    """An attribute that is a length, in µm."""
    value = _number(element, attribute)
    scale = micrometres(element.get(attribute + "Unit", default_unit))
    return None if value is None or scale is None else value * scale


def _number(element: ElementTree.Element, attribute: str) -> float | None:
    try:
        return float(element.get(attribute, ""))
    except ValueError:
        return None


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element | None:
    return next((child for child in element if _local(child) == name), None)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
