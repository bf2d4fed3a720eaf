"""FITS, NumPy and pictures in and out, against astropy, NumPy and Pillow themselves."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

import deconlab.io as io
from deconlab.image import Channel, Image, Known, Optics
from deconlab.io import fits as our_fits

fits = pytest.importorskip("astropy.io.fits", reason="FITS needs the extra astro")
Shared = Callable[[str], Path]
VOXEL = {"x": 0.0651, "y": 0.07, "z": 0.2}
LOSSLESS = ("a.fits", "a.fits.gz", "a.npz")


def described(axes: str = "cyx") -> Image:
    """An image that knows a great deal."""
    shape = tuple({"t": 2, "c": 2, "z": 3, "y": 4, "x": 5}[axis] for axis in axes)
    optics = Optics().known("file", na=1.4, emission_nm=520.0).known("user", immersion_index=1.515, depth_um=2.0)
    return Image(
        np.random.default_rng(2).normal(size=shape).astype("f4"),
        axes,
        {axis: size for axis, size in VOXEL.items() if axis in axes},
        (Channel("µ-GFP", optics), Channel("b")) if "c" in axes else (Channel("µ-GFP", optics),),
        history={"method": "richardson-lucy", "iterations": 30},
        voxel_sources={"x": "user"},
    )


def same(back: Image, image: Image) -> None:
    assert back.axes == image.axes
    assert back.data.dtype == image.data.dtype
    assert np.array_equal(back.data, image.data)
    assert back.channels == image.channels
    assert back.voxel_um == image.voxel_um
    assert back.voxel_sources == image.voxel_sources
    assert back.history == image.history


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("axes", ["cyx", "zyx", "tczyx", "xzc", "yx", "xy", "x", "zcxyt"])
def test_all_that_is_known_comes_back(tmp_path: Path, name: str, axes: str) -> None:
    io.write(tmp_path / name, described(axes))
    back = io.read(tmp_path / name)
    same(back, described(axes))
    assert back.notes == ()


@pytest.mark.parametrize("name", LOSSLESS)
def test_all_that_is_known_survives_a_way_through_every_format(tmp_path: Path, name: str) -> None:
    image = described()
    for way in (name, "b.ome.tif", *LOSSLESS, "b.tif", name):
        io.write(tmp_path / way, image, overwrite=True)
        image = io.read(tmp_path / way)
    same(image, described())


@pytest.mark.parametrize(
    ("name", "dtypes"),
    [
        ("a.fits", ["u1", "u2", "u4", "u8", "i2", "i4", "i8", "f4", "f8"]),
        ("a.npz", ["u1", "i1", "u2", "u8", "i8", "f2", "f4", "f8"]),
        ("a.npy", ["u1", "i1", "u2", "u8", "i8", "f2", "f4", "f8"]),
    ],
)
def test_written_dtypes(tmp_path: Path, name: str, dtypes: list[str]) -> None:
    for dtype in dtypes:
        data = (np.arange(20).reshape(4, 5) % 9).astype(dtype)
        io.write(tmp_path / name, Image(data, "yx"), dtype=str(data.dtype), overwrite=True)
        back = io.read(tmp_path / name)
        assert back.data.dtype == data.dtype
        assert np.array_equal(back.data, data)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "a.npy", "a.npz", "a.png", "a.jpg"])
def test_what_is_no_such_file_or_half_of_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for content in (b"", b"This is a letter.\n" * 300, bytes(3000)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"cannot be read as a? ?(FITS|NumPy file|picture) .*Is it truncated"):
            io.read(path)
    if name.endswith(".jpg"):
        PIL.Image.fromarray(np.full((90, 90), 9, "u1")).save(path)
    else:
        image = Image(np.arange(8100.0).reshape(90, 90) % 200, "yx")
        io.write(path, image, overwrite=True, dtype="uint8" if name.endswith("png") else "float32")
    raw = path.read_bytes()
    for part in (0.2, 0.5, 0.7):
        path.write_bytes(raw[: int(len(raw) * part)])
        with pytest.raises(ValueError, match="truncated"):
            io.read(path)


# FITS


def test_the_real_galaxy_and_its_psf(tmp_path: Path, shared: Shared) -> None:
    folder = shared("data/open-galsim-hst")
    facts = {f["file"]: f for f in json.loads((folder / "metadata.json").read_text())["files"]}
    for file in ("galaxy_hst_acs_f814w.fits", "psf.fits"):
        image = io.read(folder / file)
        assert image.axes == "yx"
        assert image.data.dtype.isnative
        stored = image.data.astype(facts[file]["dtype"])
        assert [hashlib.sha256(a.tobytes()).hexdigest() for a in (stored, image.data)].count(
            facts[file]["pixel_sha256"]
        ) >= 1
        assert image.data.min() == pytest.approx(facts[file]["min"])  # negative pixels are kept
        io.write(tmp_path / file, image, dtype=str(image.data.dtype))
        back = io.read(tmp_path / file)
        assert np.array_equal(back.data, image.data)
        with fits.open(folder / file) as before, fits.open(tmp_path / file) as after:
            assert after[0].data.dtype == before[0].data.dtype
            assert np.array_equal(after[0].data, before[0].data)
            lost = {card.keyword for card in before[0].header.cards} - {card.keyword for card in after[0].header.cards}
            assert lost <= {
                "NEXTEND",
                "BSCALE",
                "BZERO",
                "BLANK",
                "CHECKSUM",
                "DATASUM",
                "DATAMIN",
                "DATAMAX",
                "EXTNAME",
            }
            for keyword in ("CD1_1", "CD2_2", "CRPIX1", "CRVAL2", "CTYPE1", "TELESCOP", "EXPTIME"):
                assert after[0].header.get(keyword) == before[0].header.get(keyword)


def test_sky_coordinates_are_those_of_the_source(tmp_path: Path, shared: Shared) -> None:
    from astropy.wcs import WCS

    path = shared("data/open-galsim-hst") / "galaxy_hst_acs_f814w.fits"
    image = io.read(path)
    assert image.voxel_um == {}
    io.write(tmp_path / "a.fits", image)
    io.write(tmp_path / "a.tif", image)
    io.write(tmp_path / "b.fits", io.read(tmp_path / "a.tif"))  # the header survives TIFF
    before = fits.getheader(path)
    for copy in ("a.fits", "b.fits"):
        after = fits.getheader(tmp_path / copy)
        there = [WCS({k: h[k] for k in h if k and k[:2] in ("CD", "CR", "CT", "EQ")}) for h in (before, after)]
        assert np.allclose(there[0].wcs_pix2world([[10, 400]], 0), there[1].wcs_pix2world([[10, 400]], 0), atol=1e-12)


def test_a_header_of_other_sizes_is_kept_aside(tmp_path: Path) -> None:
    header = fits.Header({"CRPIX1": 3.0, "OBJECT": "M 51"})
    fits.writeto(tmp_path / "a.fits", np.ones((6, 7), "f4"), header)
    image = io.read(tmp_path / "a.fits")
    cut = Image(image.data[:5], "yx", source_header=image.source_header)
    io.write(tmp_path / "b.fits", cut)
    assert "CRPIX1" not in fits.getheader(tmp_path / "b.fits")
    assert "M 51" in io.read(tmp_path / "b.fits").source_header


def test_what_the_camera_says(tmp_path: Path) -> None:
    header = fits.Header({"GAIN": 2.0, "RDNOISE": 5.5, "SATURATE": 65535})
    fits.writeto(tmp_path / "a.fits", np.ones((6, 7), "u2"), header)
    image = io.read(tmp_path / "a.fits")
    assert image.data.dtype == "uint16"
    assert image.notes == (
        "the header says GAIN = 2 electrons per ADU: that is --gain 0.5",
        "the header says RDNOISE = 5.5 electrons: that is --read-noise 5.5",
        "the header says that the detector saturates at 65535",
    )
    found, _ = our_fits.camera(image.source_header)
    assert found == {"gain": 0.5, "read_noise": 5.5, "saturation": 65535.0}
    fits.writeto(tmp_path / "b.fits", np.ones((6, 7)), fits.Header({"GAIN": 0.0, "RDNOISE": "low", "SATURATE": True}))
    assert io.read(tmp_path / "b.fits").notes == (
        "not used: GAIN = 0.0 in the header: it must be a number above 0",
        "not used: RDNOISE = low in the header: it must be a number above 0",
        "not used: SATURATE = True in the header: it must be a number above 0",
    )


def test_axes_of_a_cube(tmp_path: Path) -> None:
    cube = np.ones((2, 3, 4), "f4")
    fits.writeto(tmp_path / "a.fits", cube)
    image = io.read(tmp_path / "a.fits")
    assert image.axes == "zyx"
    assert image.notes == ("the file does not name its axes; its planes were taken for z",)
    assert io.read(tmp_path / "a.fits", axes="TYX").axes == "tyx"
    for kind, axis in (("WAVE", "c"), ("VELO-LSR", "c"), ("TIME", "t")):
        fits.writeto(tmp_path / "b.fits", cube, fits.Header({"CTYPE3": kind}), overwrite=True)
        assert io.read(tmp_path / "b.fits").axes == f"{axis}yx"
    fits.writeto(tmp_path / "c.fits", np.ones((2, 2, 3, 4)))
    with pytest.raises(ValueError, match=r"4 dimensions \(2, 2, 3, 4\) without names .*--file-axes czyx"):
        io.read(tmp_path / "c.fits")


def test_arrays_of_a_file_are_chosen_by_number(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    primary = fits.PrimaryHDU(header=fits.Header({"INSTRUME": "ACS"}))
    science, weight = fits.ImageHDU(np.ones((3, 4))), fits.ImageHDU(np.zeros((3, 4)))
    fits.HDUList([primary, table, science, weight]).writeto(tmp_path / "a.fits")
    image = io.read(tmp_path / "a.fits")
    assert image.data.min() == 1
    assert "INSTRUME" in image.source_header  # extensions inherit
    assert io.read(tmp_path / "a.fits", series=1).data.max() == 0
    with pytest.raises(ValueError, match="has no array number 2; it has 2, counted from 0"):
        io.read(tmp_path / "a.fits", series=2)


def test_voxel_sizes_that_are_lengths(tmp_path: Path) -> None:
    header = fits.Header({"CDELT1": 65.0, "CUNIT1": "nm", "CDELT2": 0.07, "CUNIT2": "um", "CDELT3": 5.0, "CUNIT3": "m"})
    fits.writeto(tmp_path / "a.fits", np.ones((2, 3, 4)), header)
    image = io.read(tmp_path / "a.fits")
    assert image.voxel_um == {"x": pytest.approx(0.065), "y": 0.07}
    assert image.notes[-1] == "not used: voxel size 5 m along z: a voxel lies between 0.01 nm and 1 mm"
    io.write(tmp_path / "b.fits", described("zyx"))
    written = fits.getheader(tmp_path / "b.fits")
    assert [(written[f"CDELT{n}"], written[f"CUNIT{n}"]) for n in (1, 2, 3)] == [
        (0.0651, "um"),
        (0.07, "um"),
        (0.2, "um"),
    ]


def test_fits_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    for dtype in ("float16", "int8"):
        with pytest.raises(ValueError, match=rf"a\.fits: FITS holds no {dtype}; choose one of uint8.*float64"):
            io.check_writable(tmp_path / "a.fits", dtype=dtype)


def test_without_astropy_the_line_to_install_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.fits").write_bytes(b"SIMPLE")
    monkeypatch.setitem(sys.modules, "astropy.io", None)
    for act in (io.read, io.check_writable):
        with pytest.raises(ImportError, match=r'pip install "deconlab\[astro\]"'):
            act(tmp_path / "a.fits")


def test_a_card_that_cannot_be_read_is_said_and_left_out(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "a.fits", np.ones((6, 7)), fits.Header({"CDELT1": 0.1, "CUNIT1": "um", "OBJECT": "M 51"}))
    raw = (tmp_path / "a.fits").read_bytes()
    (tmp_path / "a.fits").write_bytes(
        raw.replace(b"CDELT1  =                  0.1", b"CDELT1  =                  0.\x01", 1)
    )
    image = io.read(tmp_path / "a.fits")
    assert "not used: the header's card CDELT1 cannot be read" in image.notes
    assert image.voxel_um == {}
    assert "M 51" in image.source_header
    io.write(tmp_path / "b.fits", image)
    assert fits.getheader(tmp_path / "b.fits")["OBJECT"] == "M 51"


# NumPy


def test_arrays_of_numpy(tmp_path: Path) -> None:
    for axes, shape in (("x", (5,)), ("yx", (4, 5)), ("zyx", (3, 4, 5))):
        np.save(tmp_path / "a.npy", np.arange(np.prod(shape), dtype=">i4").reshape(shape))
        image = io.read(tmp_path / "a.npy")
        assert image.axes == axes
        assert image.data.dtype.isnative
        assert np.array_equal(image.data.ravel(), np.arange(np.prod(shape)))
    assert image.notes == ("the file does not name its axes; they were taken for z, y, x",)
    assert io.read(tmp_path / "a.npy", axes="TYX").axes == "tyx"
    for shape, hint in (((2, 3, 4, 5), "czyx"), ((), "x")):
        np.save(tmp_path / "a.npy", np.ones(shape))
        with pytest.raises(ValueError, match=rf"has {len(shape)} dimensions .*--file-axes {hint}"):
            io.read(tmp_path / "a.npy")


def test_real_galaxies_in_numpy(shared: Shared) -> None:
    path = shared("data/open-sf-deconvolve-galaxies") / "images.npy"
    image = io.read(path, axes="tyx")
    assert np.array_equal(image.data, np.load(path))
    assert len(list(image.volumes())) == 100


def test_arrays_of_an_npz_are_chosen_by_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", sharp=np.ones((3, 4)), blurred=np.zeros((5, 6)))
    assert io.read(tmp_path / "a.npz").data.shape == (3, 4)
    assert io.read(tmp_path / "a.npz", series=1).data.shape == (5, 6)
    with pytest.raises(ValueError, match="has no array number 2; it holds sharp, blurred, counted from 0"):
        io.read(tmp_path / "a.npz", series=2)
    np.savez(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="it holds none"):
        io.read(tmp_path / "b.npz")


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"a\.npy cannot be read as a NumPy file \(.*allow_pickle"):
        io.read(tmp_path / "a.npy")


# Pictures


def test_real_grey_pictures(tmp_path: Path, shared: Shared) -> None:
    folder = shared("data/open-2d-images")
    for facts in json.loads((folder / "metadata.json").read_text())["files"]:
        if facts["file"].endswith(".png"):
            image = io.read(folder / facts["file"])
            assert (image.axes, list(image.data.shape), str(image.data.dtype)) == ("yx", facts["shape"], facts["dtype"])
            assert hashlib.sha256(image.data.tobytes()).hexdigest() == facts["pixel_sha256"]
    io.write(tmp_path / "a.png", image, dtype="uint8")
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "a.png")), image.data)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("axes", ["yx", "xy", "zyx", "yxc"])
def test_a_picture_with_all_that_is_known(tmp_path: Path, dtype: str, axes: str) -> None:
    single = {axis: 1 for axis in axes if axis not in "yx"}
    shape = tuple(single.get(axis, {"y": 4, "x": 5}.get(axis, 1)) for axis in axes)
    data = (np.arange(20) * (12 if dtype == "uint8" else 3000)).reshape(shape).astype(dtype)
    image = Image(
        data, axes, {"x": 0.1, "y": 0.2}, (Channel("GFP", Optics({"na": Known(0.8, "user")})),), history={"a": 1}
    )
    io.write(tmp_path / "a.png", image, dtype=dtype)
    back = io.read(tmp_path / "a.png")
    same(back, image)
    plane = np.asarray(PIL.Image.open(tmp_path / "a.png"))
    assert np.array_equal(plane, data.T if axes == "xy" else data.reshape(4, 5))


def test_deep_and_binary_pictures(tmp_path: Path) -> None:
    deep = (np.arange(20).reshape(4, 5) * 3000).astype("u2")
    PIL.Image.fromarray(deep).save(tmp_path / "a.png")
    assert np.array_equal(io.read(tmp_path / "a.png").data, deep)
    PIL.Image.fromarray(deep > 9000).save(tmp_path / "b.png")
    assert np.array_equal(io.read(tmp_path / "b.png").data, deep > 9000)


def test_colours_are_channels_only_when_asked_for(tmp_path: Path) -> None:
    colours = np.arange(60, dtype="u1").reshape(4, 5, 3)
    PIL.Image.fromarray(colours).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"is a colour picture of shape \(4, 5, 3\).*--file-axes yxc"):
        io.read(tmp_path / "a.png")
    image = io.read(tmp_path / "a.png", axes="YXC")
    assert [channel.name for channel in image.channels] == ["red", "green", "blue"]
    assert np.array_equal(image.data, colours)
    with pytest.raises(ValueError, match="axes='cyx' does not fit the colour picture"):
        io.read(tmp_path / "a.png", axes="cyx")


def test_pictures_that_are_no_measurements(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for mode in ("LA", "RGBA"):
        PIL.Image.new(mode, (5, 4)).save(path)
        with pytest.raises(ValueError, match=f"partly transparent \\(mode {mode}\\)"):
            io.read(path, axes="yxc")
    PIL.Image.new("L", (5, 4)).save(path, transparency=3)
    with pytest.raises(ValueError, match="partly transparent"):
        io.read(path)
    PIL.Image.new("P", (5, 4)).save(path)
    with pytest.raises(ValueError, match="holds colours of mode P, not measured numbers"):
        io.read(path)
    PIL.Image.new("CMYK", (5, 4)).save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="holds colours of mode CMYK"):
        io.read(tmp_path / "a.jpg", axes="yxc")
    with pytest.raises(ValueError, match="has no series 1; a picture is one image"):
        io.read(path, series=1)


def test_no_bits_are_lost_in_silence(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + np.arange(6, dtype=">u2").tobytes()  # 2 pixels of 16 bits for each colour
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(png + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
    with pytest.raises(ValueError, match="has 16 bits for each colour, of which 8 could be read"):
        io.read(tmp_path / "a.png", axes="yxc")


def test_a_jpeg_is_read_with_a_warning_word_and_not_written(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((16, 16), 100, "u1")).save(tmp_path / "a.jpg")
    image = io.read(tmp_path / "a.jpg")
    assert image.data.tolist() == np.full((16, 16), 100).tolist()
    assert image.notes[0].startswith("JPEG is lossy")
    with pytest.raises(ValueError, match=r"b\.jpeg: JPEG would lose what was restored"):
        io.check_writable(tmp_path / "b.jpeg", dtype="uint8")


def test_a_picture_holds_one_plane_of_integers(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.png: PNG holds no float32\. Write \.tif, or say --dtype uint16"):
        io.check_writable(tmp_path / "a.png")
    for axes in ("zyx", "zx", "x"):
        image = Image(np.ones((2, 3, 4)[: len(axes)]), axes)
        with pytest.raises(ValueError, match=rf"a\.png: a PNG holds one plane of y and x, .* axes {axes} of sizes"):
            io.check_writable(tmp_path / "a.png", image, dtype="uint16")
        with pytest.raises(ValueError, match="one plane of y and x"):
            io.write(tmp_path / "a.png", image, dtype="uint16")
    with pytest.raises(ValueError, match="range from 0 to 300; uint8 holds 0 to 255"):
        io.write(tmp_path / "a.png", Image(np.array([[0.0, 300.0]]), "yx"), dtype="uint8")
    assert list(tmp_path.iterdir()) == []


def test_a_text_of_our_name_by_someone_else(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    for words in ("hello", "[1]"):
        text = PngInfo()
        text.add_text("deconlab", words)
        PIL.Image.new("L", (5, 4)).save(tmp_path / "a.png", pnginfo=text)
        assert io.read(tmp_path / "a.png").history == {}


# Damage


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.fits", "a.npz", "a.npy", "a.png"])
def test_fallen_bits_are_an_error_of_the_file_or_none(tmp_path: Path, name: str) -> None:
    image = Image(np.arange(120.0).reshape(1, 10, 12), "zyx", {"x": 0.1, "y": 0.1}, described("zyx").channels)
    io.write(tmp_path / name, image, dtype="uint8" if name.endswith("png") else "float32")
    raw = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        damaged = bytearray(raw)
        for at in rng.integers(0, len(raw), 3):
            damaged[at] = rng.integers(0, 256)
        (tmp_path / name).write_bytes(damaged)
        try:
            io.read(tmp_path / name)
        except (ValueError, TypeError, MemoryError) as error:
            assert str(error)  # noqa: PT017 (whether there is one depends on the bits)


def test_a_damaged_record_is_said_and_not_used(tmp_path: Path) -> None:
    for entry in ({"channels": [{"name": "a"}]}, {"channels": [{"optics": {"na": [1]}}]}, {"voxel_um": {"x": 3}}):
        np.savez(tmp_path / "a.npz", data=np.ones((4, 5)), deconlab=np.array(json.dumps({"axes": "yx", **entry})))
        image = io.read(tmp_path / "a.npz")
        assert image.notes == ("deconlab's own record in the file is damaged and was not used",)
        assert image.channels == (Channel(),)


# The door


def test_a_format_is_loaded_when_it_is_used() -> None:
    script = "import sys, deconlab.io; print([m for m in ('tifffile', 'PIL', 'astropy', 'torch') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert run.stdout.strip() == "[]"


def test_every_suffix_has_its_module_in_any_case(tmp_path: Path) -> None:
    data = np.arange(20, dtype="u1").reshape(4, 5)
    for suffix in io.SUFFIXES:
        if suffix not in (".jpg", ".jpeg", ".dv", ".r3d"):  # which are read alone
            path = tmp_path / f"my.2.image{suffix.upper()}"
            io.write(path, Image(data, "yx"), dtype="uint16" if io.SUFFIXES[suffix] == "mrc" else "uint8")
            assert np.array_equal(io.read(path).data, data)
    for name, other in (
        ("my.2.image.TIF", tifffile.imread),
        ("my.2.image.FITS", fits.getdata),
        ("my.2.image.NPY", np.load),
    ):
        assert np.array_equal(other(tmp_path / name), data)


def test_unreadable_files_stay_permission_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(PIL.Image, "open", refuse)
    monkeypatch.setattr(fits, "open", refuse)
    for name in ("a.png", "a.fits"):
        (tmp_path / name).touch()
        with pytest.raises(PermissionError):
            io.read(tmp_path / name)
