"""TIFF in and out: what tifffile writes is read, what we write tifffile reads, and nothing is lost or half written."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import deconlab.io as io
from deconlab.image import Channel, Image, Known, Optics

VOXEL = {"x": 0.065, "y": 0.07, "z": 0.2}
SIZES = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
OURS = ("a.tif", "a.ome.tif")
Shared = Callable[[str], Path]


def described() -> Image:
    """An image that knows a great deal."""
    first = Optics().known("file", na=1.4, immersion_index=1.515, emission_nm=488.6, modality="widefield")
    second = first.known("user", na=1.2, emission_nm=600.0, sample_index=1.38, depth_um=4.5)
    return Image(
        np.random.default_rng(1).normal(size=(2, 4, 5, 6)).astype("f4"),
        "czyx",
        VOXEL,
        (Channel("DAPI", first), Channel('µ<&>"é', second)),
        history={"method": "richardson-lucy", "iterations": 30, "note": "5 µm\nnext line"},
    )


# Files of tifffile


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"])
def test_any_dtype_in_either_byte_order(tmp_path: Path, dtype: str, order: str) -> None:
    data = (np.arange(60).reshape(3, 4, 5) % 50).astype(dtype)
    tifffile.imwrite(
        tmp_path / "a.tif", data.astype(np.dtype(dtype).newbyteorder(order)), byteorder=order, photometric="minisblack"
    )
    image = io.read(tmp_path / "a.tif", axes="zyx")
    assert image.data.dtype == np.dtype(dtype)
    assert image.data.dtype.isnative
    assert np.array_equal(image.data, data)


def test_a_plain_stack_has_planes_and_no_voxel_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((3, 4, 5), "u2"), photometric="minisblack")
    image = io.read(tmp_path / "a.tif")
    assert image.axes == "zyx"
    assert image.voxel_um == {}
    assert image.notes == ("the file does not name its axes; its pages were taken for z",)
    assert io.read(tmp_path / "a.tif", axes="TYX").axes == "tyx"
    assert io.read(tmp_path / "a.tif", axes="tyx").notes == ()


def test_four_nameless_dimensions_must_be_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((2, 3, 4, 5), "u2"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"4 dimensions \(2, 3, 4, 5\) without names .*--file-axes czyx"):
        io.read(tmp_path / "a.tif")
    assert io.read(tmp_path / "a.tif", axes="zcyx").axes == "zcyx"
    with pytest.raises(ValueError, match=r"axes='zyx' does not fit"):
        io.read(tmp_path / "a.tif", axes="zyx")


def test_photographs_are_refused_and_named_channels_are_not(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((7, 8, 3), "u1"), photometric="rgb")
    with pytest.raises(ValueError, match="colour samples"):
        io.read(tmp_path / "a.tif")
    assert io.read(tmp_path / "a.tif", axes="yxc").data.shape == (7, 8, 3)


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((7, 8), "c8"))
    with pytest.raises(TypeError, match="dtype complex64"):
        io.read(tmp_path / "a.tif")


@pytest.mark.parametrize("unit", ["um", "\\u00B5m", "micron", "nm"])
def test_a_hyperstack_of_imagej(tmp_path: Path, unit: str) -> None:
    data = np.arange(2 * 4 * 3 * 5 * 6, dtype="u2").reshape(2, 4, 3, 5, 6)
    scale = 1000 if unit == "nm" else 1
    labels = [name for _ in range(8) for name in ("red", "green", "blue")]
    metadata = {"axes": "TZCYX", "spacing": 0.2 * scale, "unit": unit, "Labels": labels}
    resolution = (1 / 0.065 / scale, 1 / 0.07 / scale)
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=resolution, metadata=metadata)
    image = io.read(tmp_path / "a.tif")
    assert image.axes == "tzcyx"
    assert np.array_equal(image.data, data)
    assert image.voxel_um == pytest.approx(VOXEL, rel=1e-6)
    assert [channel.name for channel in image.channels] == ["red", "green", "blue"]
    assert image.notes == ()


def test_labels_of_slices_are_no_channels(tmp_path: Path) -> None:
    data = np.ones((3, 5, 6), "u2")
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={"axes": "ZYX", "Labels": ["1", "2", "3"]})
    assert io.read(tmp_path / "a.tif").channels == (Channel(""),)


def test_a_voxel_of_one_pixel_is_named_and_not_used(tmp_path: Path) -> None:
    data = np.ones((3, 5, 6), "u2")
    metadata = {"axes": "ZYX", "spacing": 1, "unit": "pixel"}
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, resolution=(1, 1), metadata=metadata)
    image = io.read(tmp_path / "a.tif")
    assert image.voxel_um == {}
    assert image.notes == tuple(f"not used: voxel size 1 pixel along {axis}: that is no length" for axis in "xyz")


def test_an_uncalibrated_hyperstack_says_nothing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.ones((3, 5, 6), "u2"), imagej=True, metadata={"axes": "ZYX"})
    image = io.read(tmp_path / "a.tif")
    assert image.voxel_um == {}
    assert image.notes == ()


def test_other_programs_notes_in_the_info_are_left_alone(tmp_path: Path) -> None:
    for info in (
        "free text",
        "Objective = 63x\nNA = 1.4",
        "deconlab = 3",
        "deconlab = good",
        'deconlab = {"history": 7}',
    ):
        tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 6), "u2"), imagej=True, metadata={"Info": info})
        image = io.read(tmp_path / "a.tif")
        assert image.axes == "yx"
        assert image.history == {}


@pytest.mark.parametrize("between", ["between.tif", "between.ome.tif"])
def test_what_imagej_said_is_carried_along(tmp_path: Path, between: str) -> None:
    tables = [np.arange(768, dtype="u1").reshape(3, 256) // 3, np.zeros((3, 256), "u1")]
    said = {"axes": "TCYX", "Info": "Objective = 63x\nfrom Tuesday", "finterval": 2.5, "fps": 0.4, "mode": "color"}
    data = np.ones((3, 2, 5, 6), "u2")
    tifffile.imwrite(tmp_path / "a.tif", data, imagej=True, metadata={**said, "LUTs": tables})
    image = replace(io.read(tmp_path / "a.tif"), history={"method": "wiener"})
    io.write(tmp_path / between, image)
    io.write(tmp_path / "b.tif", io.read(tmp_path / between), overwrite=True)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        found = dict(file.imagej_metadata or {})
    assert (found["finterval"], found["fps"], found["mode"]) == (2.5, 0.4, "color")
    assert np.array_equal(found["LUTs"], tables)
    assert found["Info"].startswith("Objective = 63x\nfrom Tuesday\ndeconlab = {")
    assert found["Info"].count("deconlab = ") == 1
    again = io.read(tmp_path / "b.tif")
    assert again.history == {"method": "wiener"}
    io.write(tmp_path / "c.tif", again.volume({"t": 0, "c": 1}))
    with tifffile.TiffFile(tmp_path / "c.tif") as file:
        assert "LUTs" not in dict(file.imagej_metadata or {})  # two colours would colour the wrong channel


def test_a_unit_of_time_that_tifffile_cannot_write_is_left_out(tmp_path: Path) -> None:
    io.write(tmp_path / "a.tif", Image(np.ones((3, 4), "f4"), "yx", source_imagej={"tunit": "µs", "fps": 2.0}))
    assert io.read(tmp_path / "a.tif").source_imagej["fps"] == 2
    assert "tunit" not in io.read(tmp_path / "a.tif").source_imagej


def test_other_images_of_the_file_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.ones((5, 6), "f4"))
        file.write(np.zeros((7, 8), "f4"))
    assert io.read(tmp_path / "a.tif", series=1).notes == (
        "the file holds 2 images (series); this is number 1, counted from 0",
    )


def test_a_resolution_for_printing_is_no_voxel_size(tmp_path: Path) -> None:
    data = np.ones((5, 6), "u2")
    for unit, per_unit, um in (("CENTIMETER", 100_000, "0.1"), ("INCH", 25_400, "1")):
        tifffile.imwrite(tmp_path / "a.tif", data, resolution=(per_unit, per_unit), resolutionunit=unit)
        image = io.read(tmp_path / "a.tif")
        assert image.voxel_um == {}
        message = f"the file's tag for printing means {um} µm per pixel; not used: if it is true, give it as --voxel-um"
        assert image.notes == (message,)
    tifffile.imwrite(tmp_path / "a.tif", data, resolution=(300, 300), resolutionunit="INCH")
    assert io.read(tmp_path / "a.tif").notes == ()


def test_a_series_is_chosen_or_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as file:
        file.write(np.zeros((4, 5, 6), "u2"), metadata={"axes": "ZYX", "PhysicalSizeX": 0.1, "Name": "first"})
        file.write(np.ones((7, 8), "u1"), metadata={"axes": "YX", "PhysicalSizeX": 0.3, "Name": "second"})
    assert io.read(tmp_path / "a.ome.tif").voxel_um == {"x": 0.1}
    second = io.read(tmp_path / "a.ome.tif", series=1)
    assert second.data.shape == (7, 8)
    assert second.voxel_um == {"x": 0.3}
    assert "second" in second.source_xml
    assert "first" not in second.source_xml
    for series in (2, -1):
        with pytest.raises(ValueError, match=f"has no series {series}; it has 2, counted from 0"):
            io.read(tmp_path / "a.ome.tif", series=series)


# Ours


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("single", ["", "z", "c", "x", "tcz", "tczyx"])
def test_axes_in_any_order_and_single_ones_come_back(tmp_path: Path, name: str, single: str) -> None:
    every = ["".join(p) for n in range(1, 6) for p in itertools.permutations("tczyx", n)]
    rng = np.random.default_rng(len(single))
    for axes in [*rng.choice(every, 25), "zyx", "tzcyx", "tczyx", "yx", "x", "zx", "cyx"]:
        shape = tuple(1 if axis in single else SIZES[axis] for axis in axes)
        voxel = {axis: VOXEL[axis] for axis in axes if axis in VOXEL}
        names = tuple(Channel(f"dye {i}") for i in range(shape[axes.index("c")] if "c" in axes else 1))
        image = Image(rng.normal(size=shape).astype("f4"), str(axes), voxel, names)
        io.write(tmp_path / name, image, overwrite=True)
        back = io.read(tmp_path / name)
        assert back.axes == axes
        assert np.array_equal(back.data, image.data)
        assert back.voxel_um == voxel
        assert back.channels == image.channels
        assert (back.notes, back.history) == ((), {})


@pytest.mark.parametrize("name", OURS)
def test_all_that_is_known_comes_back(tmp_path: Path, name: str) -> None:
    image = described()
    io.write(tmp_path / name, image)
    back = io.read(tmp_path / name)
    assert np.array_equal(back.data, image.data)
    assert back.channels == image.channels  # values, and where each came from
    assert back.voxel_um == VOXEL
    assert back.history == image.history
    assert back.notes == ()
    io.write(tmp_path / f"again_{name}", back)
    again = io.read(tmp_path / f"again_{name}")
    assert (again.channels, again.history, again.voxel_um) == (back.channels, back.history, back.voxel_um)


@pytest.mark.parametrize("first", OURS)
def test_all_that_is_known_survives_a_change_of_format(tmp_path: Path, first: str) -> None:
    second = next(name for name in OURS if name != first)
    image = described()
    io.write(tmp_path / first, image)
    io.write(tmp_path / second, io.read(tmp_path / first))
    back = io.read(tmp_path / second)
    assert np.array_equal(back.data, image.data)
    assert (back.channels, back.history, back.voxel_um) == (image.channels, image.history, VOXEL)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64"])
def test_written_dtypes(tmp_path: Path, name: str, dtype: str) -> None:
    data = np.arange(60.0).reshape(3, 4, 5) % 9
    io.write(tmp_path / name, Image(data, "zyx"), dtype=dtype)
    back = tifffile.imread(tmp_path / name)
    assert back.dtype == dtype
    assert np.array_equal(back, data)


@pytest.mark.parametrize("dtype", ["float16", "int64", "uint64"])
def test_dtypes_that_few_programs_read_are_not_written(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(
        ValueError, match=rf"a\.tif: a TIFF that other programs read holds no {dtype}; choose one of uint8.*float64"
    ):
        io.write(tmp_path / "a.tif", Image(np.ones((3, 4)), "yx"), dtype=dtype)
    assert list(tmp_path.iterdir()) == []


def test_big_endian_arrays_are_written(tmp_path: Path) -> None:
    data = np.arange(20, dtype=">f4").reshape(4, 5)
    for name in OURS:
        io.write(tmp_path / name, Image(data, "yx"))
        assert np.array_equal(io.read(tmp_path / name).data, data)


def test_what_tifffile_reads_from_our_hyperstack(tmp_path: Path) -> None:
    image = described()
    io.write(tmp_path / "a.tif", Image(image.data.transpose(1, 0, 2, 3), "zcyx", VOXEL, image.channels))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_imagej
        assert file.series[0].axes == "ZCYX"
        said: dict[str, Any] = dict(file.imagej_metadata or {})
        assert (said["slices"], said["channels"], said["unit"], said["spacing"]) == (4, 2, "um", 0.2)
        assert said["Labels"] == [channel.name for channel in image.channels] * 4
        numerator, denominator = file.pages[0].tags["XResolution"].value
        assert denominator / numerator == pytest.approx(0.065)
        assert np.array_equal(file.asarray(), image.data.transpose(1, 0, 2, 3))


def test_imagej_gets_a_hyperstack_whatever_the_order_of_axes(tmp_path: Path) -> None:
    data = np.arange(2 * 3 * 4 * 5, dtype="f4").reshape(4, 5, 2, 3)
    channels = (Channel("DAPI"), Channel("GFP"))
    io.write(tmp_path / "a.tif", Image(data, "yxcz", {"y": 0.1, "x": 0.1, "z": 0.3}, channels))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_imagej
        assert file.series[0].axes == "ZCYX"
        assert np.array_equal(file.asarray(), data.transpose(3, 2, 0, 1))
        assert file.imagej_metadata is not None
        assert (file.imagej_metadata["spacing"], file.imagej_metadata["unit"]) == (0.3, "um")
        assert file.imagej_metadata["Labels"] == ["DAPI", "GFP"] * 3
    back = io.read(tmp_path / "a.tif")
    assert (back.axes, back.channels) == ("yxcz", channels)
    assert np.array_equal(back.data, data)


def test_another_program_that_edits_our_file_is_right(tmp_path: Path) -> None:
    image = Image(np.ones((4, 5, 6), "f4"), "zyx", VOXEL, history={"method": "wiener"})
    io.write(tmp_path / "a.tif", image)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        info = dict(file.imagej_metadata or {})["Info"]
    metadata = {"axes": "TYX", "Info": info, "unit": "um"}
    tifffile.imwrite(tmp_path / "b.tif", np.ones((3, 5, 6), "f4"), imagej=True, resolution=(2, 2), metadata=metadata)
    back = io.read(tmp_path / "b.tif")
    assert back.axes == "tyx"
    assert back.voxel_um == {"x": 0.5, "y": 0.5}
    assert back.history == {"method": "wiener"}


def test_axes_given_by_the_user_go_over_ours(tmp_path: Path) -> None:
    data = np.arange(120.0, dtype="f4").reshape(4, 5, 6)
    for name in OURS:
        io.write(tmp_path / name, Image(data, "zyx"))
        for axes in ("tyx", "yzx"):
            back = io.read(tmp_path / name, axes=axes)
            assert back.axes == axes
            assert np.array_equal(back.data, data)


# Real files


@pytest.mark.parametrize(
    ("file", "axes", "shape", "voxel", "names"),
    [
        ("open-haase-beads/beads.tif", "zyx", (41, 150, 150), {"z": 0.125, "y": 0.0224919, "x": 0.0224919}, ["ChS1"]),
        (
            "open-haase-beads/grid_1AU.tif",
            "zyx",
            (21, 150, 150),
            {"z": 0.125, "y": 0.0219647, "x": 0.0219647},
            ["ChS1"],
        ),
        ("open-metadata/hela-cells_imagej.tif", "yxc", (512, 672, 3), {"y": 0.0514931, "x": 0.0514931}, ["", "", ""]),
        ("open-metadata/ome.tiff", "cyx", (2, 6, 6), {}, ["", ""]),
        ("open-sdeconv-2d/celegans.tif", "yx", (316, 316), {"y": 0.0426137, "x": 0.0426137}, [""]),
        ("open-flowdec-bead/data.tif", "zyx", (64, 64, 64), {}, [""]),
        (
            "open-imagej-ops/psfgenerator_gibsonlanni_8x16x16.tif",
            "zyx",
            (8, 16, 16),
            {"z": 0.25, "y": 0.1, "x": 0.1},
            [""],
        ),
    ],
)
def test_real_files(
    tmp_path: Path, shared: Shared, file: str, axes: str, shape: tuple[int, ...], voxel: Any, names: list[str]
) -> None:
    path = shared("data") / file
    image = io.read(path)
    assert image.axes == axes
    assert image.data.shape == shape
    assert image.voxel_um == pytest.approx(voxel, rel=1e-5)
    assert [channel.name for channel in image.channels] == names
    assert np.array_equal(image.data, tifffile.imread(path))
    for name in OURS:
        io.write(tmp_path / name, image, dtype=str(image.data.dtype))
        back = io.read(tmp_path / name)
        assert (back.axes, back.data.dtype) == (axes, image.data.dtype)
        assert np.array_equal(back.data, image.data)
        assert back.voxel_um == image.voxel_um
        assert back.channels == image.channels


# What is broken


def written(path: Path, style: str) -> np.ndarray:
    data = np.arange(1, 4 * 20 * 30 + 1, dtype="f4").reshape(4, 20, 30)
    options: dict[str, Any] = {
        "plain": {"photometric": "minisblack"},
        "packed": {"photometric": "minisblack", "compression": "zlib"},
        "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
        "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
        "packed ome": {"ome": True, "metadata": {"axes": "ZYX"}, "compression": "zlib"},
    }
    tifffile.imwrite(path, data, **options[style])
    return data


@pytest.mark.parametrize("style", ["plain", "packed", "imagej", "ome", "packed ome"])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, style: str) -> None:
    whole = tmp_path / "whole.tif"
    data = written(whole, style)
    raw = whole.read_bytes()
    with tifffile.TiffFile(whole) as file:
        numbers_end = max(
            offset + count
            for page in file.pages
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        )
    for end in np.linspace(0, len(raw), 40, endpoint=False).astype(int):
        (tmp_path / "cut.tif").write_bytes(raw[:end])
        said = ""
        try:
            image = io.read(tmp_path / "cut.tif")
        except ValueError as error:
            said = str(error)
        if end < numbers_end or said:
            assert "truncated" in said, end
        else:  # only what lies behind the numbers is missing
            assert np.array_equal(image.data, data)


def test_what_a_truncated_stack_holds_can_be_had_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    data = written(path, "imagej")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        chain = page.offset + 2 + 12 * len(page.tags)
    raw = path.read_bytes()
    for cut in (raw[:6000], raw[:chain] + bytes(4) + raw[chain + 4 : 6000]):  # ImageJ itself links no further pages
        path.write_bytes(cut)
        with pytest.raises(ValueError, match=r"is damaged \(.*ImageJ.*shape \(20, 30\).*truncated.*--file-axes yx"):
            io.read(path)
        image = io.read(path, axes="yx")
        assert np.array_equal(image.data, data[0])
        assert image.notes[0].startswith("the file is damaged: ")


def forged(path: Path, old: str, new: str) -> None:
    """An OME-TIFF of 4 planes whose description says something else."""
    data = np.arange(4 * 20 * 30, dtype="f4").reshape(4, 20, 30)
    base = tifffile.OmeXml()
    base.addimage(dtype=data.dtype, shape=data.shape, storedshape=(4, 1, 1, 20, 30, 1), axes="ZYX")
    xml = base.tostring()
    assert old in xml
    tifffile.imwrite(path, data, description=xml.replace(old, new).encode(), metadata=None, photometric="minisblack")


def test_a_description_of_other_sizes_is_refused(tmp_path: Path) -> None:
    forged(tmp_path / "a.ome.tif", 'SizeX="30"', 'SizeX="31"')
    with pytest.raises(
        ValueError, match=r"says it holds .*z = 4, y = 20, x = 31, but only.*\(4, 20, 30\).*--file-axes zyx"
    ):
        io.read(tmp_path / "a.ome.tif")
    assert io.read(tmp_path / "a.ome.tif", axes="zyx").data.shape == (4, 20, 30)


def test_planes_that_are_missing_are_said(tmp_path: Path) -> None:
    forged(tmp_path / "a.ome.tif", 'SizeZ="4"', 'SizeZ="9"')
    image = io.read(tmp_path / "a.ome.tif")
    assert image.data.shape == (9, 20, 30)
    assert image.notes == ("5 of the 9 planes that the file describes are not in it; they are 0 here",)


def test_an_unreadable_description_is_said_and_not_used(tmp_path: Path) -> None:
    forged(tmp_path / "a.ome.tif", "<Pixels ", "<Pixels <")
    image = io.read(tmp_path / "a.ome.tif", axes="zyx")
    assert image.data.shape == (4, 20, 30)
    assert any(note.startswith("not used: The file's OME-XML cannot be parsed") for note in image.notes)


def test_no_tiff_at_all(tmp_path: Path) -> None:
    for content in (b"", b"II", b"This is a letter.\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000)):
        (tmp_path / "a.tif").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.tif cannot be read as a TIFF .*not a TIFF at all"):
            io.read(tmp_path / "a.tif")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*nowhere\.tif"):
        io.read(tmp_path / "nowhere.tif")
    with pytest.raises(ValueError, match="is a folder; name a file in it"):
        io.read(tmp_path)
    for name, kind in (("a.xyz", r"\.xyz"), ("a", "files without a suffix")):
        (tmp_path / name).write_bytes(b"1")
        with pytest.raises(ValueError, match=rf"{name}: no format is known for {kind}; there are .*\.tif, \.tiff"):
            io.read(tmp_path / name)


# Writing


def test_what_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image(np.ones((3, 4)), "yx")
    with pytest.raises(ValueError, match=r"no format is known for \.xyz; there are \.tif, .*\.fits.*\.png"):
        io.check_writable(tmp_path / "a.xyz")
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder; name the file to write"):
        io.write(tmp_path / "folder.tif", image)
    with pytest.raises(FileNotFoundError, match=r"The folder .*missing does not exist; make it first"):
        io.write(tmp_path / "missing" / "a.tif", image)
    io.write(tmp_path / "a.tif", image)
    with pytest.raises(FileExistsError, match=r"a\.tif exists already\. Say --overwrite"):
        io.write(tmp_path / "a.tif", image)
    io.write(tmp_path / "a.tif", image.replace_data(np.full((3, 4), 7.0)), overwrite=True)
    assert io.read(tmp_path / "a.tif").data.max() == 7
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="is not writable; name another output"):
        io.write(tmp_path / "b.tif", image)


def test_a_cast_rounds_and_never_clips() -> None:
    assert io.cast(np.array([0.4, 0.6, 254.6, -0.4]), "uint8").tolist() == [0, 1, 255, 0]
    data = np.array([0.0, 255.6])
    with pytest.raises(ValueError, match=r"range from 0 to 255\.6; uint8 holds 0 to 255\. Nothing is clipped"):
        io.cast(data, "uint8")
    with pytest.raises(ValueError, match="uint8 holds 0 to 255"):
        io.cast(np.array([1.0, -0.6]), "uint8")
    assert data.tolist() == [0.0, 255.6]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_whole_numbers_hold_no_nan_and_it_is_said_where(bad: float) -> None:
    data = np.ones((2, 3))
    data[1, 1:] = bad
    with pytest.raises(
        ValueError, match=r"2 of the values are NaN or infinite, the first at \(1, 1\); uint16 cannot hold"
    ):
        io.cast(data, "uint16")


def test_a_cast_rounds_nothing_away() -> None:
    dim = np.linspace(0.0005, 0.9995, 1000)  # a restored image normalised to 1: all of it would be 0 or 1
    message = r"range from 0.0005 to 0.9995; as uint16 they would be rounded by 0\.29 \(rms\), where they vary by 0\.29"
    with pytest.raises(ValueError, match=message + r".*Nothing is rounded away in silence: write --dtype float32"):
        io.cast(dim, "uint16")
    with pytest.raises(ValueError, match="rounded away"):
        io.cast(np.full((2, 2), 0.3), "uint8")  # constant, and yet not the same constant
    # a uniform spread of width w has the standard deviation w/√12, as the error of rounding has for w = 1: the limit is w = 10
    assert io.cast(dim * 11, "uint8").max() == 11
    with pytest.raises(ValueError, match="rounded away"):
        io.cast(dim * 9, "uint8")


def test_whole_numbers_are_never_too_coarse_for_whole_numbers() -> None:
    labels = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert io.cast(labels, "uint8").tolist() == labels.tolist()
    assert io.cast(np.full((2, 2), 3.0), "uint8").tolist() == [[3, 3], [3, 3]]


def test_a_cast_of_integers_is_exact() -> None:
    big = np.array([2**63 - 1, 2**53 + 1], "u8")
    assert io.cast(big, "int64").tolist() == big.tolist()
    with pytest.raises(ValueError, match="int64 holds"):
        io.cast(big + np.uint64(1), "int64")
    with pytest.raises(ValueError, match="int64 holds"):
        io.cast(np.array([2.0**63]), "int64")
    with pytest.raises(ValueError, match="uint64 holds"):
        io.cast(np.array([-1], "i8"), "uint64")
    assert io.cast(np.array([True, False]), "float32").tolist() == [1, 0]


def test_a_cast_to_fewer_bits_never_turns_infinite() -> None:
    with pytest.raises(ValueError, match=r"range from 1 to 1e\+300; float32 holds ±3\.4.*wider --dtype"):
        io.cast(np.array([1.0, 1e300, np.inf]), "float32")
    with pytest.raises(ValueError, match="float16 holds ±65504"):
        io.cast(np.array([70000], "i4"), "float16")
    kept = io.cast(np.array([1.0, np.inf, np.nan]), "float32")
    assert kept.dtype == "float32"
    assert np.array_equal(kept, [1, np.inf, np.nan], equal_nan=True)


@pytest.mark.parametrize("dtype", ["bool", "complex64", "nonsense", "S4", "object"])
def test_images_are_written_as_numbers(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"dtype '{dtype}': an image is written as an integer or a floating-point"):
        io.cast(np.ones((3, 4)), dtype)
    with pytest.raises(ValueError, match=f"dtype '{dtype}'"):
        io.check_writable(tmp_path / "a.tif", dtype=dtype)


@pytest.mark.parametrize("name", [*OURS, "a.fits", "a.npz"])
def test_a_number_of_numpy_in_the_history_does_not_fail_the_run_at_its_end(tmp_path: Path, name: str) -> None:
    history = {"weight": np.float32(0.5), "shape": np.array([3, 4]), "psf": Path("psf.tif"), "iterations": np.int64(30)}
    if name.endswith(".fits"):
        pytest.importorskip("astropy")
    io.write(tmp_path / name, Image(np.ones((3, 4), "f4"), "yx", history=history))
    assert io.read(tmp_path / name).history == {"weight": 0.5, "shape": [3, 4], "psf": "psf.tif", "iterations": 30}


def test_a_failed_write_leaves_nothing_and_spoils_nothing(tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    target.write_bytes(b"precious")

    def fails() -> None:
        with io.replacing(target) as partial:
            partial.write_bytes(b"half")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        fails()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    assert target.read_bytes() == b"precious"


def test_a_new_file_has_ordinary_permissions_and_a_long_name_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    path = tmp_path / ("a" * 250 + ".tif")
    io.write(path, Image(np.ones((3, 4)), "yx"))
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.tif").symlink_to(tmp_path / "far" / "real.tif")
    io.write(tmp_path / "link.tif", Image(np.ones((3, 4)), "yx"))
    assert (tmp_path / "link.tif").is_symlink()
    assert io.read(tmp_path / "far" / "real.tif").data.shape == (3, 4)


def test_a_run_killed_while_writing_leaves_no_half_file(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
import deconlab.io as io
with io.replacing(Path(sys.argv[1])) as partial:
    partial.write_bytes(b"half of it")
    print("writing", flush=True)
    time.sleep(60)
"""
    target = tmp_path / "a.tif"
    with subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "writing\n"
        run.send_signal(signal.SIGKILL)
    assert not target.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".a.tif.")
    assert left.suffix == ".partial"
    io.write(target, Image(np.ones((3, 4)), "yx"))  # and what is left stands in nobody's way
    assert io.read(target).data.sum() == 12


def test_the_record_is_json_that_others_can_read(tmp_path: Path) -> None:
    io.write(tmp_path / "a.tif", described().volume({"c": 1}))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        info = str(dict(file.imagej_metadata or {})["Info"])
    kept = json.loads(info.removeprefix("deconlab = "))
    assert kept["axes"] == "zyx"
    assert kept["history"]["iterations"] == 30
    assert kept["channels"][0]["optics"]["depth_um"] == [4.5, "user", None]


def test_facts_are_of_the_channel_that_they_describe(tmp_path: Path) -> None:
    image = Image(
        np.ones((2, 3, 4), "f4"), "cyx", channels=(Channel("a"), Channel("b", Optics({"na": Known(0.8, "user")})))
    )
    for name in OURS:
        for channels in (image.channels, image.channels[::-1]):  # OME has one objective for both
            turned = Image(image.data, "cyx", channels=channels)
            io.write(tmp_path / name, turned, overwrite=True)
            assert io.read(tmp_path / name).channels == channels


def test_reading_is_quiet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path / "a.tif", "ome")
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[:8000])
    with pytest.raises(ValueError, match=r"is damaged .*page offset"):
        io.read(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(raw[:-100])
    assert io.read(tmp_path / "a.tif").notes[-1].startswith("the file is damaged: ")
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(20))
    with pytest.raises(ValueError, match=r"cannot be read as a TIFF \(it holds no image\)\. Is it truncated"):
        io.read(tmp_path / "a.tif")
    assert caplog.records == []
    logging.getLogger("tifffile").error("heard again")
    assert len(caplog.records) == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1), (1, 1, 2)])
def test_images_of_a_voxel_or_two(tmp_path: Path, shape: tuple[int, ...]) -> None:
    tifffile.imwrite(tmp_path / "one.tif", np.full(shape, 7, np.uint16))
    image = io.read(tmp_path / "one.tif")
    assert image.data.size == np.prod(shape)
    assert set(image.axes) <= set("zyx")


def test_the_order_of_axes_on_disk_is_kept(tmp_path: Path) -> None:
    data = np.arange(4 * 3 * 2 * 5 * 6, dtype=np.uint16).reshape(4, 3, 2, 5, 6)
    tifffile.imwrite(tmp_path / "in.ome.tif", data, metadata={"axes": "ZTCYX"})
    image = io.read(tmp_path / "in.ome.tif")
    io.write(tmp_path / "out.ome.tif", image, dtype="uint16")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert file.series[0].axes == "ZTCYX"
        assert np.array_equal(file.series[0].asarray(), data)
