"""An image -> OME-XML: the source's own, where it fits, completed with what is known."""

from __future__ import annotations

import json
from copy import deepcopy
from xml.etree import ElementTree

from deconlab.image import Image, Optics
from deconlab.io import record
from deconlab.io.ome import LENGTHS, MODALITIES, NAMESPACE, RECORD, child, local, objectives, parse, plain

SOURCE = "deconlab/source"
IMAGE_ORDER = (
    "AcquisitionDate", "ExperimenterRef", "Description", "ExperimentRef", "ExperimenterGroupRef", "InstrumentRef",
    "ObjectiveSettings", "ImagingEnvironment", "StageLabel", "Pixels", "ROIRef", "MicrobeamManipulationRef", "AnnotationRef",
)  # fmt: skip
INSTRUMENT_TAIL = ("FilterSet", "Filter", "Dichroic", "AnnotationRef")


def compose(base_xml: str, image: Image) -> str:
    """OME-XML for ``image``, whose sizes, type and planes ``base_xml`` describes.

    Where the image came with OME-XML of the same sizes, that is the start, and all in it that we do not know is carried
    along; other source XML is kept whole as an annotation. Only what differs from the image is changed.
    """
    base = ElementTree.fromstring(base_xml.encode())
    root = _source(image.source_xml, base)
    carried = root is not None
    root = plain(base if root is None else root)
    root.set("Creator", "deconlab")
    where = child(root, "Image")
    pixels = None if where is None else child(where, "Pixels")
    if where is None or pixels is None:
        raise ValueError("The OME-XML to complete has no image with Pixels.")
    said = parse(ElementTree.tostring(root, encoding="unicode"))
    for axis, size in image.voxel_um.items():
        if said.voxel_um.get(axis) != size:
            pixels.set(f"PhysicalSize{axis.upper()}", repr(float(size)))
            pixels.set(f"PhysicalSize{axis.upper()}Unit", "µm")
    knowing = [channel.optics for channel in image.channels if channel.optics.get("na") is not None]
    _objective(root, where, knowing[0] if knowing else image.channels[0].optics, said.channels[0].optics)
    names = {name: mode for mode, name in reversed(list(MODALITIES.items()))}
    elements = [element for element in pixels if local(element) == "Channel"]
    for element, channel, before in zip(elements, image.channels, said.channels, strict=True):
        if channel.name != before.name:
            element.set("Name", "".join(letter for letter in channel.name if letter.isprintable()))
        for attribute, name, unit in LENGTHS:
            if channel.optics.get(name) not in (None, before.optics.get(name)):
                element.set(attribute, repr(float(channel.optics.get(name))))
                element.set(attribute + "Unit", unit)
        modality = channel.optics.get("modality")
        if modality in names and modality != before.optics.get("modality"):
            element.set("AcquisitionMode", names[modality])
    return '<?xml version="1.0" encoding="UTF-8"?>' + _annotated(root, where, image, carried)


def _source(source_xml: str, base: ElementTree.Element) -> ElementTree.Element | None:
    """The source's tree with the sizes, type and planes of ``base``; None if it is of an older schema or other sizes."""
    try:
        root = ElementTree.fromstring(source_xml.encode())
    except ElementTree.ParseError:
        return None
    images = [element for element in root if local(element) == "Image"]
    new = next(element for element in base.iter() if local(element) == "Pixels")
    pixels = child(images[0], "Pixels") if len(images) == 1 else None
    if root.tag != f"{{{NAMESPACE}}}OME" or pixels is None:
        return None
    if any(pixels.get(f"Size{axis}") != new.get(f"Size{axis}") for axis in "XYZCT"):
        return None
    channels = [element for element in pixels if local(element) == "Channel"]
    if len(channels) != int(new.get("SizeC", "1")) or any(c.get("SamplesPerPixel", "1") != "1" for c in channels):
        return None
    for attribute in ("BigEndian", "Interleaved", "SignificantBits"):
        pixels.attrib.pop(attribute, None)
    for attribute in ("Type", "DimensionOrder"):
        pixels.set(attribute, new.get(attribute, ""))
    for element in [e for e in pixels if local(e) in ("BinData", "TiffData", "MetadataOnly")]:
        pixels.remove(element)
    after = list(pixels).index(channels[-1]) + 1
    pixels[after:after] = [deepcopy(element) for element in new if local(element) == "TiffData"]
    root.set("UUID", base.get("UUID", ""))
    return root


def _objective(root: ElementTree.Element, where: ElementTree.Element, optics: Optics, said: Optics) -> None:
    """Say NA and index of immersion, where the tree does not yet."""
    na, index = optics.get("na"), optics.get("immersion_index")
    if na in (None, said.get("na")) and index in (None, said.get("immersion_index")):
        return
    possible = objectives(root, where)
    objective = possible[0] if len(possible) == 1 else _new_objective(root, where)
    if na is not None:
        objective.set("LensNA", repr(float(na)))
    settings = child(where, "ObjectiveSettings")
    if settings is None:
        settings = _insert(where, "ObjectiveSettings")
    settings.set("ID", objective.get("ID", ""))
    if index is not None:
        settings.set("RefractiveIndex", repr(float(index)))


def _new_objective(root: ElementTree.Element, where: ElementTree.Element) -> ElementTree.Element:
    """An objective of our own, in the instrument that the image refers to."""
    reference = child(where, "InstrumentRef")
    if reference is None:
        reference = _insert(where, "InstrumentRef")
        reference.set("ID", "Instrument:deconlab")
    instruments = [e for e in root if local(e) == "Instrument" and e.get("ID") == reference.get("ID")]
    if not instruments:
        instruments = [ElementTree.Element("Instrument", ID=reference.get("ID", ""))]
        root.insert(list(root).index(where), instruments[0])
    at = next((i for i, e in enumerate(instruments[0]) if local(e) in INSTRUMENT_TAIL), len(instruments[0]))
    objective = ElementTree.Element("Objective", ID="Objective:deconlab")
    instruments[0].insert(at, objective)
    return objective


def _annotated(root: ElementTree.Element, where: ElementTree.Element, image: Image, carried: bool) -> str:
    """The tree as text, with the record of the image, and the source's XML if that could not be the start."""
    annotations = child(root, "StructuredAnnotations")
    if annotations is None:
        annotations = ElementTree.Element("StructuredAnnotations")
        root.insert(list(root).index(where) + 1, annotations)
    for element in [e for e in annotations if e.get("Namespace") == RECORD]:
        annotations.remove(element)
    for element in [e for e in where if local(e) == "AnnotationRef" and e.get("ID") == "Annotation:deconlab"]:
        where.remove(element)
    if image.source_xml and not carried:
        kept = ElementTree.SubElement(annotations, "XMLAnnotation", ID="Annotation:source", Namespace=SOURCE)
        value = ElementTree.SubElement(kept, "Value")
        ElementTree.SubElement(value, "source").text = _original(image.source_xml)
    said = parse(ElementTree.tostring(root, encoding="unicode"))
    kept = ElementTree.SubElement(annotations, "XMLAnnotation", ID="Annotation:deconlab", Namespace=RECORD)
    value = ElementTree.SubElement(kept, "Value")
    text = json.dumps(record.of(image, said.channels, carried_xml=True))
    ElementTree.SubElement(value, "record", json=text)
    ElementTree.SubElement(where, "AnnotationRef", ID="Annotation:deconlab")
    return ElementTree.tostring(root, encoding="unicode")


def _original(source_xml: str) -> str:
    """The first source's XML, not that of a file of ours which carries it: else it would grow with each writing."""
    try:
        root = ElementTree.fromstring(source_xml.encode())
    except ElementTree.ParseError:
        return source_xml
    for element in root.iter():
        if local(element) == "XMLAnnotation" and element.get("Namespace") == SOURCE:
            return "".join(element.itertext())
    return source_xml


def _insert(where: ElementTree.Element, name: str) -> ElementTree.Element:
    """A new child of an Image, at the place that the schema gives it."""
    rank = IMAGE_ORDER.index(name)
    at = next((i for i, e in enumerate(where) if IMAGE_ORDER.index(local(e)) > rank), len(where))
    element = ElementTree.Element(name)
    where.insert(at, element)
    return element
