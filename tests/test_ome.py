"""OME-XML: what real files say, what cannot be true, and what other readers find in ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import ome_types
import pytest
import tifffile

import deconlab.io as io
from deconlab.image import Channel, Image, Known, Optics
from deconlab.io import ome, ome_compose

Shared = Callable[[str], Path]
SPACE = {"o": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}


def ome_xml(
    *, images: str = "", before: str = "", pixels: str = "", channels: str = "", space: str = SPACE["o"]
) -> str:
    body = images or (
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="6" SizeY="5" SizeZ="4" '
        f'SizeC="1" SizeT="1" {pixels}>{channels}<TiffData IFD="0" PlaneCount="4"/></Pixels></Image>'
    )
    return f'<OME xmlns="{space}">{before}{body}</OME>'


def stack(xml: str = "", **known: Any) -> Image:
    data = np.arange(120, dtype="f4").reshape(4, 5, 6)
    return Image(data, "zyx", channels=(Channel("", Optics().known("user", **known)),), source_xml=xml)


def written(path: Path, image: Image) -> ElementTree.Element:
    """The OME-XML that we write, as another program sees it."""
    io.write(path, image, overwrite=True)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert np.array_equal(file.asarray().squeeze(), image.data.squeeze())
        return ElementTree.fromstring(str(file.ome_metadata))


# What real files say


def test_the_numbers_of_the_real_descriptions(shared: Shared) -> None:
    folder = shared("data/open-metadata")
    expected = json.loads((folder / "metadata.json").read_text())["expected"]
    nikon = ome.parse((folder / "seq0000xy01c1.ome.xml").read_text())
    (channel,) = nikon.channels
    assert channel.name == "Mono"
    assert channel.optics.facts == {
        "na": Known(expected["seq0000xy01c1.ome.xml"]["NA"], "file"),
        "emission_nm": Known(expected["seq0000xy01c1.ome.xml"]["emission_nm"], "file"),
        "modality": Known("widefield", "file"),
    }
    size = expected["seq0000xy01c1.ome.xml"]["PhysicalSizeX_um"]
    assert nikon.voxel_um == {"x": size, "y": size}
    assert nikon.notes == (
        "not used: pinhole_um = -1.0 (file): a pinhole is larger than 0 µm; files write −1 for none",
    )
    madison = ome.parse((folder / "tubhiswt.ome.xml").read_text())
    assert len(madison.channels) == 2
    for channel in madison.channels:
        assert channel.optics.facts["na"] == Known(expected["tubhiswt.ome.xml"]["NA"], "file")
        assert channel.optics.facts["immersion_index"] == Known(1.515, "file: Immersion=Oil")
    assert madison.sizes == {"t": 20, "c": 2, "z": 1, "y": 512, "x": 512}


def test_a_description_that_cannot_be_true(shared: Shared) -> None:
    said = ome.parse((shared("data/open-metadata") / "instrument-units-default.ome.xml").read_text())
    assert said.voxel_um == {}
    assert said.channels[0].optics.facts == {"pinhole_um": Known(1.5, "file")}
    for reason in (
        "voxel size 10000 µm along x",
        "na = 1.2 (file): it cannot reach the immersion's index 1.0",
        "immersion_index = 1.0 (file: Immersion=Air): an objective of NA 1.2 cannot",
        "excitation_nm = 610.5 (file): it is longer than the emission, 488.6 nm",
        "emission_nm = 488.6 (file)",
    ):
        assert any(note.startswith(f"not used: {reason}") for note in said.notes)


def test_channels_of_a_confocal_and_a_multi_position_file(shared: Shared) -> None:
    confocal = ome.parse((shared("data/open-metadata") / "hcs.ome.xml").read_text())
    assert [channel.name for channel in confocal.channels] == ["CH1", "CH3", "TD1"]
    first, _, third = (channel.optics for channel in confocal.channels)
    assert (first.get("emission_nm"), first.get("excitation_nm"), first.get("pinhole_um")) == (523, 488, 103.5)
    assert (third.get("emission_nm"), third.get("modality")) == (None, "confocal")
    manager = ome.parse((shared("data/open-metadata") / "MMStack.ome.xml").read_text(), series=0)
    assert manager.voxel_um == {"x": 2, "y": 2, "z": 1.75}
    assert [channel.name for channel in manager.channels] == ["Cy5", "DAPI", "FITC"]


# What is said how


def test_what_is_no_description() -> None:
    with pytest.raises(ValueError, match="OME-XML cannot be parsed: unclosed token"):
        ome.parse("<OME")
    with pytest.raises(ValueError, match="describes 1 images; there is no number 1, from 0"):
        ome.parse(ome_xml(), 1)
    with pytest.raises(ValueError, match="describes 0 images; there is no number 0"):
        ome.parse(f'<OME xmlns="{SPACE["o"]}"><BinaryOnly MetadataFile="a" UUID="b"/></OME>')
    with pytest.raises(ValueError, match="Image 0 of the file's OME-XML has no Pixels"):
        ome.parse(ome_xml(images='<Image ID="Image:0"/>'))
    with pytest.raises(ValueError, match="to complete has no image with Pixels"):
        ome_compose.compose(ome_xml(images='<Image ID="Image:0"/>'), stack())


def test_units_are_heeded() -> None:
    said = ome.parse(
        ome_xml(
            pixels='PhysicalSizeX="65" PhysicalSizeXUnit="nm" PhysicalSizeY="1" PhysicalSizeYUnit="pixel" '
            'PhysicalSizeZ="2e-7" PhysicalSizeZUnit="m"',
            channels='<Channel ID="Channel:0" EmissionWavelength="0.5203" EmissionWavelengthUnit="µm" '
            'ExcitationWavelength="488.6" PinholeSize="50000" PinholeSizeUnit="nm"/>',
        )
    )
    assert said.voxel_um == {"x": pytest.approx(0.065), "z": pytest.approx(0.2)}
    assert said.notes == ("not used: voxel size 1 pixel along y: that is no length",)
    optics = said.channels[0].optics
    assert optics.get("emission_nm") == pytest.approx(520.3)
    assert optics.get("excitation_nm") == 488.6  # bit for bit
    assert optics.get("pinhole_um") == pytest.approx(50)


def test_a_wavelength_without_a_length_or_a_number_is_not_used() -> None:
    channels = '<Channel ID="C:0" EmissionWavelength="520" EmissionWavelengthUnit="Hz" ExcitationWavelength="blue"/>'
    said = ome.parse(ome_xml(channels=channels))
    assert said.channels[0].optics.facts == {}
    assert said.notes == (
        "not used: ExcitationWavelength = 'blue': that is no number",
        "not used: EmissionWavelength = 520 Hz: that is no length",
    )
    zero = ome.parse(ome_xml(channels='<Channel ID="C:0" EmissionWavelength="0"/>'))
    assert zero.notes == ("not used: emission_nm = 0.0 (file): a wavelength lies between 150 and 3000 nm",)


def test_what_should_be_a_number_and_is_none_is_named() -> None:
    instrument = '<Instrument ID="I:0"><Objective ID="O:0" LensNA="0,95"/></Instrument>'
    settings = '<ObjectiveSettings ID="O:0" RefractiveIndex="oil"/>'
    said = ome.parse(
        f'<OME xmlns="{SPACE["o"]}">{instrument}<Image ID="Image:0">{settings}<Pixels ID="P:0" DimensionOrder="XYCZT" '
        f'Type="uint8" SizeX="4" SizeY="4" SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="small"/></Image></OME>'
    )
    assert [note for note in said.notes if "no number" in note] == [
        "not used: PhysicalSizeX = 'small': that is no number",
        "not used: LensNA = '0,95': that is no number",
        "not used: RefractiveIndex = 'oil': that is no number",
    ]


@pytest.mark.parametrize(("sizes", "along"), [("XYZ", "x and y and z"), ("XY", "x and y")])
def test_a_voxel_of_one_everywhere_is_doubted(sizes: str, along: str) -> None:
    said = ome.parse(ome_xml(pixels=" ".join(f'PhysicalSize{axis}="1.0"' for axis in sizes)))
    assert said.voxel_um == dict.fromkeys(sizes.lower(), 1.0)
    assert len(said.notes) == 1
    assert f"exactly 1 µm along {along}, which programs also write that know no size: if it is not" in said.notes[0]
    assert ome.parse(ome_xml(pixels='PhysicalSizeX="1" PhysicalSizeY="1" PhysicalSizeZ="2"')).notes == ()


INSTRUMENTS = (
    '<Instrument ID="Instrument:0"><Objective ID="Objective:0" LensNA="0.45" Immersion="Air"/></Instrument>'
    '<Instrument ID="Instrument:1"><Objective ID="Objective:1" LensNA="1.2" Immersion="Water"/>'
    '<Objective ID="Objective:2" LensNA="1.4" Immersion="Oil"/></Instrument>'
)


@pytest.mark.parametrize(
    ("inside", "na", "index", "source"),
    [
        ('<ObjectiveSettings ID="Objective:2"/>', 1.4, 1.515, "file: Immersion=Oil"),
        ('<ObjectiveSettings ID="Objective:2" RefractiveIndex="1.518"/>', 1.4, 1.518, "file"),
        ('<ObjectiveSettings ID="Objective:1" Medium="Glycerol"/>', 1.2, 1.47, "file: Medium=Glycerol"),
        ('<InstrumentRef ID="Instrument:0"/>', 0.45, 1.0, "file: Immersion=Air"),
    ],
)
def test_the_objective_that_took_the_image(inside: str, na: float, index: float, source: str) -> None:
    xml = ome_xml(before=INSTRUMENTS, channels='<Channel ID="C:0"/>').replace("<Pixels ", inside + "<Pixels ")
    said = ome.parse(xml)
    assert said.channels[0].optics.facts == {"na": Known(na, "file"), "immersion_index": Known(index, source)}
    assert said.notes == ()


@pytest.mark.parametrize(
    ("inside", "said"),
    [("", "Immersion = Multi"), ('<ObjectiveSettings ID="Objective:0" Medium="Other"/>', "Medium = Other")],
)
def test_an_immersion_of_no_known_index_is_named(inside: str, said: str) -> None:
    instrument = '<Instrument ID="I:0"><Objective ID="Objective:0" LensNA="0.8" Immersion="Multi"/></Instrument>'
    xml = ome_xml(before=instrument, channels='<Channel ID="C:0"/>').replace("<Pixels ", inside + "<Pixels ")
    found = ome.parse(xml)
    assert "immersion_index" not in found.channels[0].optics.facts
    assert found.notes == (f"not used: {said}: its index of refraction is not known, give --immersion-index",)


@pytest.mark.parametrize(
    ("inside", "listed"), [("", "0.45, 1.2, 1.4"), ('<InstrumentRef ID="Instrument:1"/>', "1.2, 1.4")]
)
def test_an_objective_is_not_guessed(inside: str, listed: str) -> None:
    xml = ome_xml(before=INSTRUMENTS, channels='<Channel ID="C:0"/>').replace("<Pixels ", inside + "<Pixels ")
    said = ome.parse(xml)
    assert said.channels[0].optics.facts == {}
    assert said.notes == (f"not used: the file lists objectives of NA {listed} and does not say which took the image",)


# What others find in ours


def described() -> Image:
    optics = Optics().known(
        "user",
        na=1.4,
        immersion_index=1.515,
        emission_nm=488.6,
        excitation_nm=470.0,
        pinhole_um=50.0,
        modality="confocal",
    )
    other = Optics().known("user", na=1.4, immersion_index=1.515, emission_nm=600.0, modality="widefield", depth_um=3.0)
    return Image(
        np.random.default_rng(0).normal(size=(2, 2, 3, 4, 5)).astype("f4"),
        "tczyx",
        {"x": 0.065, "y": 0.07, "z": 0.2},
        (Channel("DAPI", optics), Channel('GFP <&" µ\x01', other)),
        history={"method": "richardson-lucy"},
    )


def test_what_ome_types_reads_from_ours(tmp_path: Path) -> None:
    io.write(tmp_path / "a.ome.tif", described())
    read = ome_types.from_tiff(tmp_path / "a.ome.tif")
    (image,) = read.images
    pixels = image.pixels
    assert (pixels.size_t, pixels.size_c, pixels.size_z, pixels.size_y, pixels.size_x) == (2, 2, 3, 4, 5)
    assert (pixels.physical_size_x, pixels.physical_size_x_unit.value) == (0.065, "µm")
    assert (pixels.physical_size_y, pixels.physical_size_z, str(pixels.type.value)) == (0.07, 0.2, "float")
    first, second = pixels.channels
    assert (first.name, second.name) == ("DAPI", 'GFP <&" µ')
    assert (first.emission_wavelength, first.excitation_wavelength, first.pinhole_size) == (488.6, 470, 50)
    assert first.acquisition_mode.value == "LaserScanningConfocalMicroscopy"
    assert (second.emission_wavelength, second.acquisition_mode.value) == (600, "WideField")
    assert image.objective_settings.refractive_index == 1.515
    (instrument,) = read.instruments
    assert (instrument.objectives[0].lens_na, instrument.id) == (1.4, image.instrument_ref.id)
    assert instrument.objectives[0].id == image.objective_settings.id
    assert image.annotation_refs[0].id == read.structured_annotations[0].id


def valid(xml: str) -> bool:
    """By the official schema, which ome-types ships."""
    etree = pytest.importorskip("lxml.etree", reason="lxml checks OME-XML against its schema")
    schema = etree.XMLSchema(etree.parse(str(Path(ome_types.__file__).parent / "ome-2016-06.xsd")))
    schema.assertValid(etree.fromstring(xml.encode()))
    return True


def test_ours_is_valid_by_the_schema(tmp_path: Path) -> None:
    rich = ome_xml(
        before='<Instrument ID="Instrument:7"><Detector ID="Detector:0"/><Filter ID="Filter:0"/></Instrument>',
        channels='<Channel ID="Channel:0:0"/>',
    ).replace(
        "<Pixels ",
        "<AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate><InstrumentRef ID='Instrument:7'/>"
        "<ImagingEnvironment Temperature='37'/><Pixels ",
    )
    rich = rich.replace("</OME>", '<ROI ID="ROI:0"><Union><Point ID="Shape:0" X="1" Y="2"/></Union></ROI></OME>')
    for image in (
        described(),
        stack(),
        stack(rich, na=1.2, immersion_index=1.33, emission_nm=520.0),
        stack("<other/>"),
    ):
        io.write(tmp_path / "a.ome.tif", image, overwrite=True)
        with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
            assert valid(str(file.ome_metadata))


# What we do not know is carried along

RICH = ome_xml(
    before='<Experimenter ID="Experimenter:0" LastName="Curie"/><Instrument ID="Instrument:0"><Microscope Model="Ti"/>'
    '<Objective ID="Objective:0" LensNA="1.4" Immersion="Oil" Model="Plan Apo"/><Dichroic ID="Dichroic:0"/></Instrument>',
    pixels='SignificantBits="12" BigEndian="true" PhysicalSizeX="65" PhysicalSizeXUnit="nm"',
    channels='<Channel ID="Channel:0:0" Name="GFP" Fluor="EGFP" Color="16711935" EmissionWavelength="509" NDFilter="0.1"/>',
).replace(
    "<Pixels ", '<AcquisitionDate>2020-01-02T03:04:05</AcquisitionDate><InstrumentRef ID="Instrument:0"/><Pixels '
)
RICH = RICH.replace(
    "</Pixels>", '<Plane TheZ="2" TheC="0" TheT="0" ExposureTime="0.04" PositionX="3.5"/></Pixels>'
).replace("</OME>", '<ROI ID="ROI:0"><Union><Point ID="Shape:0" X="1" Y="2"/></Union></ROI></OME>')


def source(tmp_path: Path, xml: str = RICH) -> Image:
    """A 12-bit stack of another program, read by us."""
    data = np.arange(120, dtype="u2").reshape(4, 5, 6)
    tifffile.imwrite(
        tmp_path / "source.ome.tif", data, description=xml.encode(), metadata=None, photometric="minisblack"
    )
    return io.read(tmp_path / "source.ome.tif")


def test_all_of_the_sources_description_is_carried_along(tmp_path: Path) -> None:
    image = source(tmp_path)
    root = written(tmp_path / "a.ome.tif", image)
    pixels = root.find("o:Image/o:Pixels", SPACE)
    assert pixels is not None
    assert (pixels.get("Type"), pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("float", "65", "nm")
    assert pixels.get("SignificantBits") is None  # of the source's type
    assert root.find("o:Experimenter", SPACE).get("LastName") == "Curie"  # type: ignore[union-attr]
    assert root.find("o:Instrument/o:Microscope", SPACE).get("Model") == "Ti"  # type: ignore[union-attr]
    channel = root.find(".//o:Channel", SPACE)
    assert channel is not None
    assert (channel.get("Fluor"), channel.get("Color"), channel.get("NDFilter")) == ("EGFP", "16711935", "0.1")
    plane = root.find(".//o:Plane", SPACE)
    assert plane is not None
    assert (plane.get("TheZ"), plane.get("ExposureTime"), plane.get("PositionX")) == ("2", "0.04", "3.5")
    assert root.find(".//o:Point", SPACE) is not None
    assert root.find(".//o:ObjectiveSettings", SPACE) is None  # nothing was said that the source does not say
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        assert valid(str(file.ome_metadata))


def test_it_is_carried_through_imagej_and_again(tmp_path: Path) -> None:
    image = source(tmp_path)
    io.write(tmp_path / "a.tif", image)
    io.write(tmp_path / "b.ome.tif", io.read(tmp_path / "a.tif"))
    root = written(tmp_path / "c.ome.tif", io.read(tmp_path / "b.ome.tif"))
    assert root.find("o:Experimenter", SPACE).get("LastName") == "Curie"  # type: ignore[union-attr]
    assert root.find(".//o:Plane", SPACE).get("ExposureTime") == "0.04"  # type: ignore[union-attr]
    assert len(root.findall(".//o:XMLAnnotation", SPACE)) == 1
    assert len(root.findall(".//o:AnnotationRef", SPACE)) == 1
    assert io.read(tmp_path / "c.ome.tif").channels == image.channels


def test_what_the_user_knows_better_is_changed_in_it_and_nothing_else(tmp_path: Path) -> None:
    image = source(tmp_path)
    better = image.channels[0].optics.known("user", na=1.45, emission_nm=515.0, immersion_index=1.518)
    changed = Image(image.data, "zyx", {"x": 0.07}, (Channel("new", better),), image.source_xml)
    root = written(tmp_path / "a.ome.tif", changed)
    (objective,) = root.findall(".//o:Objective", SPACE)
    assert (objective.get("LensNA"), objective.get("Model")) == ("1.45", "Plan Apo")
    settings = root.find(".//o:ObjectiveSettings", SPACE)
    assert settings is not None
    assert (settings.get("ID"), settings.get("RefractiveIndex")) == ("Objective:0", "1.518")
    channel = root.find(".//o:Channel", SPACE)
    assert channel is not None
    assert (channel.get("Name"), channel.get("EmissionWavelength"), channel.get("Fluor")) == ("new", "515.0", "EGFP")
    pixels = root.find(".//o:Pixels", SPACE)
    assert pixels is not None
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.07", "µm")
    back = io.read(tmp_path / "a.ome.tif")
    assert back.channels == changed.channels
    assert back.voxel_um == {"x": 0.07}


@pytest.mark.parametrize("why", ["other sizes", "an older schema"])
def test_a_description_that_does_not_fit_is_kept_whole(tmp_path: Path, why: str) -> None:
    old = "http://www.openmicroscopy.org/Schemas/OME/2013-06"
    image = source(tmp_path, RICH if why == "other sizes" else RICH.replace(SPACE["o"], old))
    if why == "other sizes":
        image = Image(image.data[1:3], "zyx", image.voxel_um, image.channels, image.source_xml)
    root = written(tmp_path / "a.ome.tif", image)
    assert root.find("o:Experimenter", SPACE) is None
    for _ in range(3):  # and it does not grow
        (kept,) = [e for e in root.iter() if e.get("Namespace") == "deconlab/source"]
        assert "".join(kept.itertext()) == image.source_xml
        again = io.read(tmp_path / "a.ome.tif")
        assert again.channels == image.channels
        again = Image(again.data[:1], "zyx", again.voxel_um, again.channels, again.source_xml, again.history)
        root = written(tmp_path / "a.ome.tif", again)


def test_whatever_stands_in_the_source_nothing_breaks(tmp_path: Path) -> None:
    for xml in ("", "no xml", "<other/>", ome_xml(images="<Image/>"), ome_xml(images='<Image ID="Image:0"/>' * 2)):
        io.write(tmp_path / "a.ome.tif", stack(xml, na=1.3), overwrite=True)
        assert io.read(tmp_path / "a.ome.tif").channels[0].optics.get("na") == 1.3


def test_a_value_that_was_not_believed_is_left_as_it_was(tmp_path: Path) -> None:
    image = source(tmp_path, RICH.replace('Immersion="Oil"', 'Immersion="Air"'))
    assert image.channels[0].optics.get("na") is None
    root = written(tmp_path / "a.ome.tif", image)
    assert root.find(".//o:Objective", SPACE).get("LensNA") == "1.4"  # type: ignore[union-attr]
    assert io.read(tmp_path / "a.ome.tif").notes == image.notes


def test_a_program_that_edits_our_description_is_right(tmp_path: Path) -> None:
    io.write(tmp_path / "a.ome.tif", described())
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        xml, data = str(file.ome_metadata), file.asarray()
    xml = xml.replace('EmissionWavelength="488.6"', 'EmissionWavelength="495"')
    tifffile.imwrite(tmp_path / "b.ome.tif", data, description=xml.encode(), metadata=None, photometric="minisblack")
    first, second = io.read(tmp_path / "b.ome.tif").channels
    assert first.optics.facts["emission_nm"] == Known(495, "file")
    assert first.optics.facts["na"] == Known(1.4, "user")
    assert second.optics.facts["depth_um"] == Known(3.0, "user")


def test_real_descriptions_are_carried_along(tmp_path: Path, shared: Shared) -> None:
    for path in sorted(shared("data/open-metadata").glob("*.ome.xml")):
        said = ome.parse(path.read_text(), 0)
        sizes = {axis: n if axis == "c" else min(n, 2) for axis, n in said.sizes.items()}
        xml = said.xml
        for axis, n in said.sizes.items():
            xml = xml.replace(f'Size{axis.upper()}="{n}"', f'Size{axis.upper()}="{sizes[axis]}"')
        image = Image(
            np.ones(tuple(sizes.values()), "f4"), "tczyx", said.voxel_um, said.channels, xml, notes=said.notes
        )
        root = written(tmp_path / "a.ome.tif", image)
        fits = SPACE["o"] in path.read_text()
        assert (root.find(".//{*}Value/{*}source") is None) == fits
        back = io.read(tmp_path / "a.ome.tif")
        assert back.channels == tuple(
            Channel(c.name, Optics(c.optics.facts, b.optics.rejected))
            for c, b in zip(said.channels, back.channels, strict=True)
        )
        assert back.voxel_um == said.voxel_um
        if fits:
            assert back.notes == said.notes
