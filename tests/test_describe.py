"""The table of what an image says about itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import deconlab.io as io
from deconlab.image import Channel, Image, Known, Optics
from deconlab.io.describe import Row, describe


def image() -> Image:
    first = Optics().known("file", na=1.2, immersion_index=1.0, emission_nm=520.0, modality="widefield")
    second = Optics({"immersion_index": Known(1.515, "file: Immersion=Oil")}).known("user", na=1.4)
    return Image(
        np.ones((2, 3, 4, 5), "f4"),
        "czyx",
        {"x": 0.1, "y": 0.1},
        (Channel("GFP", first), Channel("", second)),
        voxel_sources={"y": "user"},
    )


def test_every_value_has_its_unit_and_source_and_what_is_missing_is_said() -> None:
    rejected = {
        "na": ("na = 1.2 (file): it cannot reach the immersion's index 1.0, so one of the two is wrong",),
        "immersion_index": (
            "immersion_index = 1.0 (file): an objective of NA 1.2 cannot work in it, so one of the two is wrong",
        ),
    }
    assert describe(image()) == (
        Row(None, "voxel z", None, "µm", "", missing=True),
        Row(None, "voxel y", 0.1, "µm", "user"),
        Row(None, "voxel x", 0.1, "µm", "file"),
        Row(0, "name", "GFP", "", "file"),
        Row(0, "na", None, missing=True, rejected=rejected["na"]),
        Row(0, "immersion_index", None, missing=True, rejected=rejected["immersion_index"]),
        Row(0, "emission_nm", 520.0, "nm", "file"),
        Row(0, "modality", "widefield", "", "file"),
        Row(1, "na", 1.4, "", "user"),
        Row(1, "immersion_index", 1.515, "", "file: Immersion=Oil"),
        Row(1, "emission_nm", None, "nm", missing=True),
    )


def test_what_is_needed_depends_on_the_use() -> None:
    assert [row.name for row in describe(image(), needed=()) if row.missing] == ["voxel z"]
    assert [(row.channel, row.name) for row in describe(image(), ["pinhole_um"]) if row.missing] == [
        (None, "voxel z"),
        (0, "pinhole_um"),
        (1, "pinhole_um"),
    ]


def test_a_refused_value_is_shown_though_nobody_needs_it() -> None:
    optics = Optics().known("file", pinhole_um=-1.0)
    (row,) = describe(Image(np.ones((1, 1)), "yx", channels=(Channel("", optics),)), needed=())
    assert (row.name, row.value, row.missing) == ("pinhole_um", None, False)
    assert str(row).startswith("pinhole_um: not known; not used: pinhole_um = -1.0 (file): a pinhole is larger")


def test_an_axis_of_one_voxel_needs_no_size() -> None:
    flat = Image(np.ones((1, 4, 5)), "zyx", {"x": 0.1, "y": 0.1})
    assert not any(row.name == "voxel z" for row in describe(flat))


def test_rows_are_printed_with_unit_and_source() -> None:
    lines = [str(row) for row in describe(image())]
    assert lines[:3] == ["voxel z: missing", "voxel y: 0.1 µm (user)", "voxel x: 0.1 µm (file)"]
    assert lines[-3:] == ["na: 1.4 (user)", "immersion_index: 1.515 (file: Immersion=Oil)", "emission_nm: missing"]


def test_the_table_survives_the_file(tmp_path: Path) -> None:
    for name in ("a.tif", "a.ome.tif"):
        before = Image(
            image().data,
            "czyx",
            {"x": 0.1, "y": 0.1},
            (Channel("GFP"), image().channels[1]),
            voxel_sources={"y": "user"},
        )
        io.write(tmp_path / name, before)
        assert describe(io.read(tmp_path / name)) == describe(before)
