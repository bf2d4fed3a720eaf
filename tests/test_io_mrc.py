"""MRC and DeltaVision in and out, against mrcfile, the mrc package, and headers packed by hand."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import deconlab.io as io
from deconlab.image import Channel, Image, Known, Optics

mrcfile = pytest.importorskip("mrcfile", reason="MRC needs the extra mrc")
pytest.importorskip("mrc", reason="DeltaVision needs the extra mrc")
Shared = Callable[[str], Path]
STACK = np.random.default_rng(3).normal(size=(3, 4, 5)).astype("f4")


def described(axes: str = "zyx") -> Image:
    shape = tuple({"t": 1, "c": 1, "z": 3, "y": 4, "x": 5}[axis] for axis in axes)
    optics = Optics().known("file", na=1.4, emission_nm=520.0).known("user", depth_um=2.0)
    voxel = {axis: size for axis, size in {"z": 0.2, "y": 0.07, "x": 0.0651}.items() if axis in axes}
    return Image(
        STACK[: shape[axes.index("z")] if "z" in axes else 1].reshape(shape),
        axes,
        voxel,
        (Channel("µ-GFP", optics),),
        history={"method": "wiener"},
        voxel_sources={"x": "user"},
    )


@pytest.mark.parametrize("axes", ["zyx", "yx", "xzy", "cyx", "zctyx"])
def test_all_that_is_known_comes_back(tmp_path: Path, axes: str) -> None:
    image = described(axes)
    io.write(tmp_path / "a.mrc", image)
    back = io.read(tmp_path / "a.mrc")
    assert (back.axes, back.voxel_um, back.voxel_sources) == (image.axes, image.voxel_um, image.voxel_sources)
    assert (back.channels, back.history, back.notes) == (image.channels, image.history, ())
    assert np.array_equal(back.data, image.data)


def test_what_mrcfile_reads_from_ours(tmp_path: Path) -> None:
    io.write(tmp_path / "a.mrc", described("xzy"))
    with mrcfile.open(tmp_path / "a.mrc") as file:  # in strict mode, where a warning would be an error here
        assert file.is_volume()
        assert np.array_equal(file.data, STACK.reshape(5, 3, 4).transpose(1, 2, 0))
        assert [float(file.voxel_size[axis]) for axis in "xyz"] == pytest.approx([651, 700, 2000])  # Å


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float16", "float32"])
def test_what_mrcfile_writes(tmp_path: Path, dtype: str) -> None:
    data = (10 * STACK).astype(dtype) if dtype[0] != "u" else np.abs(10 * STACK).astype(dtype)
    with mrcfile.new(tmp_path / "a.rec") as file:
        file.set_data(data)
        file.set_volume()
        file.voxel_size = (0.8, 1.6, 30.0)
    image = io.read(tmp_path / "a.rec")
    assert (image.axes, image.data.dtype, image.notes) == ("zyx", np.dtype(dtype), ())
    assert np.array_equal(image.data, data)
    assert image.voxel_um == pytest.approx({"x": 8e-5, "y": 1.6e-4, "z": 3e-3})
    io.write(tmp_path / "b.mrc", image, dtype=dtype)
    assert np.array_equal(io.read(tmp_path / "b.mrc").data, data)


def test_a_stack_of_planes_is_taken_for_a_volume_and_said(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(STACK)
        file.set_image_stack()
        file.header.mapc, file.header.mapr, file.header.maps = 2, 3, 1
    image = io.read(tmp_path / "a.mrc")
    assert image.axes == "xzy"  # as the header orders them
    assert image.notes == ("the file says that it is a stack of planes; they were taken for z",)
    assert image.voxel_um == {}
    assert io.read(tmp_path / "a.mrc", axes="tyx").axes == "tyx"


def test_volumes_without_names_must_be_named(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(STACK.reshape(1, 3, 4, 5))
    with pytest.raises(ValueError, match=r"4 dimensions \(1, 3, 4, 5\).*--file-axes czyx"):
        io.read(tmp_path / "a.mrc")
    assert io.read(tmp_path / "a.mrc", axes="tzyx").data.shape == (1, 3, 4, 5)


def test_a_voxel_that_cannot_be_is_named_and_not_used(tmp_path: Path) -> None:
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(STACK)
        file.voxel_size = (2e7, 10.0, 10.0)
    image = io.read(tmp_path / "a.mrc")
    assert sorted(image.voxel_um) == ["y", "z"]
    assert any(note.startswith("not used: voxel size 2e+07 Å along x") for note in image.notes)


def test_what_is_no_such_file_or_half_of_one(tmp_path: Path) -> None:
    io.write(tmp_path / "a.mrc", described())
    raw = (tmp_path / "a.mrc").read_bytes()
    for name, content in (("a.mrc", raw[:-20]), ("a.mrc", raw[:500]), ("a.mrc", b"no"), ("a.dv", b"no" * 900)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="truncated, or not"):
            io.read(tmp_path / name)
    for name in ("a.mrc", "a.dv"):
        with pytest.raises(ValueError, match=r"has no series 1; an? \w+ file holds one image, number 0"):
            io.read(tmp_path / name if name == "a.dv" else written(tmp_path / "b.mrc"), series=1)


def written(path: Path) -> Path:
    io.write(path, described())
    return path


def test_a_damaged_record_is_passed_over(tmp_path: Path) -> None:
    for text in (b"no json", b"[1]"):
        with mrcfile.new(tmp_path / "a.mrc", overwrite=True) as file:
            file.set_data(STACK)
            file.set_extended_header(np.frombuffer(text, "S1"))
            file.header.exttyp = b"DCLB"
        assert io.read(tmp_path / "a.mrc").history == {}


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.mrc: MRC holds no float64; choose one of int8.*float32"):
        io.check_writable(tmp_path / "a.mrc", dtype="float64")
    for data, axes in ((np.ones((2, 3, 4)), "cyx"), (np.ones(3), "x")):
        with pytest.raises(ValueError, match=rf"holds one volume of z, y and x.* axes {axes} of sizes.*\.ome\.tif"):
            io.write(tmp_path / "a.mrc", Image(data, axes))
    with pytest.raises(ValueError, match=r"a\.dv: DeltaVision files are read and not written\. Write \.ome\.tif"):
        io.write(tmp_path / "a.dv", described())


def test_without_a_package_the_line_to_install_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mrc").write_bytes(b"x")
    (tmp_path / "a.dv").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "mrcfile", None)
    monkeypatch.setitem(sys.modules, "mrc", None)
    for act in (io.read, io.check_writable):
        with pytest.raises(ImportError, match=r'package mrcfile: pip install "deconlab\[mrc\]"'):
            act(tmp_path / "a.mrc")
    with pytest.raises(ImportError, match=r'package mrc: pip install "deconlab\[mrc\]"'):
        io.read(tmp_path / "a.dv")


def test_unreadable_files_stay_permission_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mrc

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mrcfile, "open", refuse)
    monkeypatch.setattr(mrc, "DVFile", refuse)
    for name in ("a.mrc", "a.dv"):
        (tmp_path / name).touch()
        with pytest.raises(PermissionError):
            io.read(tmp_path / name)


# DeltaVision


def test_a_real_file_says_voxel_lens_and_wavelengths(tmp_path: Path, shared: Shared) -> None:
    folder = shared("data/open-metadata")
    told = json.loads((folder / "metadata.json").read_text())
    expected = told["expected"]["toxo.dv"]
    image = io.read(folder / "toxo.dv")
    assert image.axes == expected["axes"].lower()
    assert [image.voxel_um[axis] for axis in "zyx"] == pytest.approx(expected["voxel_um"])
    assert [channel.optics.get("emission_nm") for channel in image.channels] == expected["emission_nm"]
    pixels = next(entry for entry in told["files"] if entry["file"] == "toxo.dv")["pixel_sha256"]
    assert hashlib.sha256(image.data.tobytes()).hexdigest() == pixels
    lens = f"file: lens {expected['lens_id']}, Olympus 100X/1.35, U Plan Apo, IX70"
    assert image.channels[0].optics.facts["na"] == Known(1.35, lens)
    assert image.channels[0].optics.facts["immersion_index"] == Known(1.515, f"{lens}, Oil")
    assert any("say that it was deconvolved already" in note for note in image.notes)  # title "DECON3D"
    io.write(tmp_path / "a.ome.tif", image)
    back = io.read(tmp_path / "a.ome.tif")
    assert (back.channels, back.voxel_um) == (image.channels, image.voxel_um)


def packed(path: Path, order: str = "<", lens: int = 12345, waves: tuple[int, ...] = (525, 0), **ext: float) -> None:
    """Two channels of two planes of 3 × 4, in the layout of the IVE library's header."""
    fields = [4, 3, 4, 6, 0, 0, 0, 1, 1, 1, 0.1, 0.1, 0.3, 90, 90, 90, 1, 2, 3, 0, 0, 0, 0, 4 * 160 if ext else 0]
    fields += [-16224, 0, 0, b"", 8 if ext else 0, 32 if ext else 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, lens, 0, 0, 0, 0, 0, 0]
    fields += [1, 0, 0, 0, 0, len(waves), *(*waves, 0, 0, 0, 0, 0)[:5], 0, 0, 0, 1, b"raw"]
    header = struct.pack(order + "10i6f3i3f2i2hi24s4h6f6h2f2h3f6h3fi800s", *fields)
    frame = struct.pack(order + "8i32f", *[0] * 8, *[ext.get(name, 0.0) for name in map(str, range(32))])
    frames = b"".join(
        frame if plane < 2 else struct.pack(order + "8i32f", *[0] * 40) for plane in range(4 if ext else 0)
    )
    path.write_bytes(header + frames + np.arange(48, dtype=order + "u2").tobytes())


@pytest.mark.parametrize("order", ["<", ">"])
def test_headers_of_either_byte_order(tmp_path: Path, order: str) -> None:
    packed(tmp_path / "a.r3d", order, 10003, (525, 632), **{"10": 490.0})  # the excitation is a frame's eleventh number
    image = io.read(tmp_path / "a.r3d")
    assert (image.axes, image.data.shape, image.data.dtype.isnative) == ("czyx", (2, 2, 3, 4), True)
    assert np.array_equal(image.data.ravel(), np.arange(48))
    first, second = (channel.optics for channel in image.channels)
    assert (first.get("emission_nm"), first.get("excitation_nm")) == (525, 490 if order == "<" else None)
    assert (second.get("emission_nm"), second.get("excitation_nm")) == (632, None)
    assert image.notes == ()


def test_what_a_header_cannot_mean_is_named_and_not_used(tmp_path: Path) -> None:
    packed(tmp_path / "a.dv", waves=(-50, 0))
    image = io.read(tmp_path / "a.dv")
    assert [channel.optics.facts for channel in image.channels] == [{}, {}]
    assert image.notes[0] == "the file names its lens by the number 12345, which is not known"
    assert image.notes[1].startswith("not used: emission_nm = -50.0 (file): a wavelength lies between")


def test_deltavision_under_the_ending_mrc(tmp_path: Path) -> None:
    packed(tmp_path / "a.mrc")
    assert io.read(tmp_path / "a.mrc", axes="czyx").axes == "czyx"
