"""From a real file through ``deconlab run`` to the output: what it knew is still there, as other programs read it too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from deconlab import io
from deconlab.cli import main
from deconlab.image import Image
from deconlab.io import ome

Shared = Callable[[str], Path]
SMALL = np.array([0.25, 0.5, 0.25])


def run(tmp_path: Path, source: Path, output: str, axes: int, *flags: object) -> tuple[Image, str]:
    kernel = SMALL
    for _ in range(axes - 1):
        kernel = np.multiply.outer(kernel, SMALL)
    np.save(tmp_path / "psf.npy", kernel.astype("f4"))
    words = ["run", source, "--psf", tmp_path / "psf.npy", "-o", tmp_path / output, "--iterations", 1, *flags]
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return io.read(tmp_path / output), " ".join(result.output.split())


def same(after: Image, before: Image) -> None:
    assert (after.axes, after.data.shape, after.data.dtype) == (before.axes, before.data.shape, np.float32)
    assert after.voxel_um == before.voxel_um
    assert [c.name for c in after.channels] == [c.name for c in before.channels]
    assert [c.optics.facts for c in after.channels] == [c.optics.facts for c in before.channels]


@pytest.mark.parametrize(
    ("file", "axes"),
    [
        ("open-metadata/toxo.dv", 3),
        ("open-metadata/hela-cells_imagej.tif", 2),
        ("open-flowdec-bars/data.tif", 3),
        ("open-flowdec-bead/data.tif", 3),
        ("open-flowdec-neuron/data.tif", 3),
        ("open-haase-beads/beads.tif", 3),
        ("open-sdeconv-2d/celegans.tif", 2),
    ],
)
def test_what_a_real_file_knows_is_in_its_restoration(tmp_path: Path, shared: Shared, file: str, axes: int) -> None:
    path = shared("data") / file
    if path.suffix == ".dv":
        pytest.importorskip("mrc")
    before = io.read(path)
    after, _ = run(tmp_path, path, "a.ome.tif", axes)
    same(after, before)
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as read:
        image = tifffile.xml2dict(str(read.ome_metadata))["OME"]["Image"]
        assert np.array_equal(read.asarray().squeeze(), _ordered(after).squeeze())
    pixels = image["Pixels"]
    units = {"µm": 1.0, "nm": 1e-3, None: 1.0}
    told = {
        axis: pixels[f"PhysicalSize{axis.upper()}"] * units[pixels.get(f"PhysicalSize{axis.upper()}Unit")]
        for axis in "xyz"
        if f"PhysicalSize{axis.upper()}" in pixels
    }
    assert told == pytest.approx(dict(before.voxel_um))
    channels = pixels["Channel"] if isinstance(pixels["Channel"], list) else [pixels["Channel"]]
    assert [c.get("Name", "") for c in channels] == [c.name for c in before.channels]
    assert [c.get("EmissionWavelength") for c in channels] == [c.optics.get("emission_nm") for c in before.channels]


def _ordered(image: Image) -> np.ndarray[Any, Any]:
    order = [axis for axis in image.axes if axis not in "yx"] + ["y", "x"]
    return image.data.transpose([image.axes.index(axis) for axis in order])


@pytest.mark.parametrize("file", ["open-haase-beads/beads.tif", "open-sdeconv-2d/celegans.tif"])
def test_imagej_reads_the_voxels_of_a_restoration(tmp_path: Path, shared: Shared, file: str) -> None:
    before = io.read(shared("data") / file)
    after, _ = run(tmp_path, shared("data") / file, "a.tif", before.data.ndim)
    same(after, before)
    with tifffile.TiffFile(tmp_path / "a.tif") as read:
        said: Any = read.imagej_metadata
        numerator, denominator = read.pages[0].tags["XResolution"].value
    assert said["unit"] in ("um", "µm", "\\u00B5m")
    assert denominator / numerator == pytest.approx(before.voxel_um["x"], rel=1e-5)
    if "z" in before.voxel_um:
        assert said["spacing"] == pytest.approx(before.voxel_um["z"])


def test_a_galaxy_keeps_its_sky_its_camera_and_its_negative_pixels(tmp_path: Path, shared: Shared) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    wcs = pytest.importorskip("astropy.wcs")
    path = shared("data/open-galsim-hst") / "galaxy_hst_acs_f814w.fits"
    header = fits.getheader(path)
    told = {"GAIN": 2.0, "RDNOISE": 5.0, "SATURATE": 84700.0}
    for keyword, value in told.items():
        header[keyword] = value
    fits.writeto(tmp_path / "in.fits", fits.getdata(path).astype(">f4"), header)
    assert io.read(tmp_path / "in.fits").data.min() < 0
    after, _ = run(tmp_path, tmp_path / "in.fits", "a.fits", 2, "--method", "landweber")
    assert after.data.min() < 0  # least squares without a constraint: nothing is clipped
    restored = fits.getheader(tmp_path / "a.fits")
    assert {keyword: restored[keyword] for keyword in told} == told
    there = [
        wcs.WCS({k: h[k] for k in h if k and k[:2] in ("CD", "CR", "CT", "EQ")}).wcs_pix2world([[10, 400]], 0)
        for h in (header, restored)
    ]
    assert np.array_equal(there[0], there[1])
    assert np.array_equal(fits.getdata(tmp_path / "a.fits").astype("f4"), after.data)
    _, said = run(tmp_path, tmp_path / "in.fits", "b.fits", 2)
    assert "negative counts" in said


def test_descriptions_of_real_microscopes_are_in_the_restoration(tmp_path: Path, shared: Shared) -> None:
    """Acquisition mode, exposure, positions, wavelengths and all that we do not know of, by ElementTree."""
    for path in sorted(shared("data/open-metadata").glob("*.ome.xml")):
        said = ome.parse(path.read_text(), 0)
        sizes = {axis: n if axis == "c" else min(n, 2) if axis in "tz" else 9 for axis, n in said.sizes.items()}
        xml = said.xml
        for axis, n in said.sizes.items():
            xml = xml.replace(f'Size{axis.upper()}="{n}"', f'Size{axis.upper()}="{sizes[axis]}"')
        data = np.random.default_rng(0).poisson(30, tuple(sizes.values())).astype("u2")
        source = Image(data, "tczyx", said.voxel_um, said.channels, xml, notes=said.notes)
        io.write(tmp_path / "in.ome.tif", source, dtype="uint16", overwrite=True)
        before = io.read(tmp_path / "in.ome.tif")
        after, _ = run(tmp_path, tmp_path / "in.ome.tif", "a.ome.tif", 2 + (sizes["z"] > 1), "--overwrite")
        same(after, before)
        assert after.source_xml
        trees = []
        for name in ("in.ome.tif", "a.ome.tif"):
            with tifffile.TiffFile(tmp_path / name) as read:
                trees.append(ElementTree.fromstring(str(read.ome_metadata)))
        for tag, attributes in {
            "Channel": (
                "AcquisitionMode",
                "EmissionWavelength",
                "ExcitationWavelength",
                "PinholeSize",
                "Name",
                "Color",
            ),
            "Plane": ("ExposureTime", "ExposureTimeUnit", "PositionX", "DeltaT"),
            "Objective": ("LensNA", "Immersion", "Model", "NominalMagnification"),
            "ObjectiveSettings": ("RefractiveIndex", "Medium"),
            "Detector": ("Model", "Type"),
            "Pixels": ("PhysicalSizeX", "PhysicalSizeXUnit"),
        }.items():
            found = [
                [[element.get(a) for a in attributes] for element in tree.iter() if element.tag.endswith("}" + tag)]
                for tree in trees
            ]
            assert found[0] == found[1], (path.name, tag)


IMPOSSIBLE = {
    'LensNA="1.2" Immersion="Air"': "na = 1.2 (file): it cannot reach the immersion's index 1.0",
    'PinholeSize="-1"': "pinhole_um = -1.0 (file): a pinhole is larger than 0 µm",
    'EmissionWavelength="0"': "emission_nm = 0.0 (file): a wavelength lies between",
    'ID="Objective:1" LensNA="0.55"': "the file lists objectives of NA 0.55, 1.2 and does not say which took the image",
    'PhysicalSizeXUnit="pixel"': "voxel size 1 pixel along x: that is no length",
}


@pytest.mark.parametrize("wrong", IMPOSSIBLE)
def test_a_value_that_cannot_be_true_is_named_and_not_used(tmp_path: Path, wrong: str) -> None:
    """NA 1.2 in air, a pinhole of −1, a wavelength of 0, a condenser's NA, a voxel of one pixel: info and run alike."""
    lens = 'LensNA="1.2" Immersion="Air"' if "Air" in wrong else 'LensNA="1.2" Immersion="Oil"'
    condenser = f"<Objective {wrong}/>" if "Objective:1" in wrong else ""
    channel = wrong if "Pinhole" in wrong or "Wavelength" in wrong else ""
    emission = "" if "Wavelength" in wrong else 'EmissionWavelength="520"'
    unit = (
        " ".join(f'PhysicalSize{axis}="1" PhysicalSize{axis}Unit="pixel"' for axis in "XYZ")
        if "pixel" in wrong
        else ('PhysicalSizeX="0.1" PhysicalSizeY="0.1"')
    )
    xml = (
        f'<OME xmlns="{ome.NAMESPACE}"><Instrument ID="Instrument:0"><Objective ID="Objective:0" {lens}/>{condenser}'
        f'</Instrument><Image ID="Image:0"><InstrumentRef ID="Instrument:0"/><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        f'Type="uint16" SizeX="13" SizeY="12" SizeZ="1" SizeC="1" SizeT="1" {unit}><Channel ID="Channel:0:0" '
        f'SamplesPerPixel="1" {emission} {channel}/><TiffData/></Pixels></Image></OME>'
    )
    data = np.random.default_rng(0).poisson(30, (12, 13)).astype("u2")
    tifffile.imwrite(tmp_path / "a.ome.tif", data, description=xml.encode(), metadata=None, photometric="minisblack")
    told = IMPOSSIBLE[wrong]
    flags = [
        "--na",
        "0.8",
        "--emission-nm",
        "500",
        "--immersion-index",
        "1.515",
        "--voxel-um",
        "0.2",
        "0.2",
        "--overwrite",
    ]
    for words in (["info"], ["run"], ["run", *flags, "--iterations", "1"]):
        result = CliRunner().invoke(main, [words[0], str(tmp_path / "a.ome.tif"), *words[1:]])
        text = " ".join(result.output.split())
        assert f"not used: {told}" in text
        if words == ["run"] and "Pinhole" not in wrong:
            assert result.exit_code == 1
            assert "this is missing" in text
    assert result.exit_code == 0, result.output
