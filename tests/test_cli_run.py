"""``deconlab run``: from file to file, equal to the call in Python, with every wish and every mistake answered."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import deconlab
from deconlab import io
from deconlab.assess import metrics
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics

VOXEL = {"z": 0.3, "y": 0.14, "x": 0.14}
OPTICS = {"na": 0.8, "emission_nm": 520.0, "immersion_index": 1.0, "modality": "widefield"}
KERNEL = np.exp(-np.add.outer(np.arange(-4, 5) ** 2, np.arange(-4, 5) ** 2) / 2.5)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


def good(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def bad(*arguments: object, code: int = 1) -> str:
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def counts(*shape: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.poisson(20 + 200 * (rng.random(shape) > 0.98)).astype(np.uint16)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A stack that says everything about its optics."""
    channel = Channel("GFP", Optics().known("file", **OPTICS))
    io.write(tmp_path / "cells.ome.tif", Image(counts(5, 20, 21), "zyx", VOXEL, (channel,)), dtype="uint16")
    return tmp_path / "cells.ome.tif"


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    """A plane without any metadata, and a PSF beside it."""
    io.write(tmp_path / "psf.tif", Image(KERNEL, "yx"))
    io.write(tmp_path / "plane.tif", Image(counts(24, 25), "yx"), dtype="uint16")
    return tmp_path / "plane.tif"


def test_the_optics_in_the_file_are_enough(stack: Path) -> None:
    text = good(stack, "--iterations", 4)
    output = stack.with_name("cells_deconvolved.ome.tif")
    assert text.splitlines()[-1] == str(output)
    assert "na 0.8 (file), emission_nm 520 nm (file), immersion_index 1 (file)" in text
    assert "by default:" in text
    assert "sample_index 1, depth_um 0 µm" in text
    before, after = io.read(stack), io.read(output)
    assert (after.axes, after.data.shape, after.data.dtype, after.voxel_um) == ("zyx", (5, 20, 21), np.float32, VOXEL)
    assert after.channels[0].name == "GFP"
    assert after.channels[0].optics.get("na") == 0.8
    model = deconlab.psf.TorokVarga(na=0.8, emission_nm=520.0, immersion_index=1.0)
    expected = deconlab.deconvolve(before.data, model, iterations=4, voxel_um=(0.3, 0.14, 0.14))
    assert np.array_equal(after.data, expected.x)
    assert after.history["deconvolution"]["volumes"][0]["reason"] == "reached 4 iterations"


def test_flags_stand_in_for_what_the_file_does_not_say(stack: Path, tmp_path: Path) -> None:
    io.write(tmp_path / "bare.tif", Image(io.read(stack).data, "zyx"), dtype="uint16")
    optics = ("--na", 0.8, "--emission-nm", 520, "--immersion-index", 1.0, "--voxel-um", 0.3, 0.14, 0.14)
    text = good(tmp_path / "bare.tif", *optics, "--iterations", 4)
    assert "na 0.8 (user)" in text
    good(stack, "--iterations", 4)
    bare = io.read(tmp_path / "bare_deconvolved.ome.tif")
    assert bare.voxel_um == VOXEL
    assert np.array_equal(bare.data, io.read(stack.with_name("cells_deconvolved.ome.tif")).data)


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        (["--method", "wiener"], {"method": "wiener"}),
        (
            ["--method=tikhonov-miller", "--prior", "tikhonov", "--weight", "0.02", "--iterations", "5"],
            {"method": "tikhonov-miller", "prior": "tikhonov", "weight": 0.02, "iterations": 5},
        ),
        (
            ["--offset", "5", "--gain", "2", "--read-noise", "1.5", "--background", "auto", "--iterations", "3"],
            {"offset": 5.0, "gain": 2.0, "read_noise": 1.5, "background": "auto", "iterations": 3},
        ),
        (["--boundary", "reflect", "--start", "measured"], {"boundary": "reflect", "start": "measured"}),
        (["--start", "wiener"], {"start": "wiener"}),
        (["--limit-extension", "1", "--relative-change", "0.05"], {"extension_px": (1, 1), "relative_change": 0.05}),
        (["--dtype", "float64", "--iterations", "3", "--device", "cpu"], {"dtype": torch.float64, "iterations": 3}),
    ],
)
def test_the_command_line_gives_what_python_gives(plane: Path, flags: list[str], settings: dict[str, Any]) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), *flags)
    psf = io.read(plane.with_name("psf.tif")).data
    expected = deconlab.deconvolve(io.read(plane).data, psf, **settings)
    assert np.array_equal(io.read(plane.with_name("plane_deconvolved.ome.tif")).data, expected.x)


def test_history_snapshots_reference_weights_and_start(plane: Path, tmp_path: Path) -> None:
    truth, mask = counts(24, 25) - 20.0, np.ones((24, 25))
    mask[2, 3] = 0
    for name, array in (("truth", truth), ("mask", mask), ("start", truth.clip(1))):
        io.write(tmp_path / f"{name}.tif", Image(array, "yx"))
    text = good(
        plane, "--psf", tmp_path / "psf.tif", "--history", tmp_path / "h.csv", "--snapshots", 2, "--iterations", 5,
        "--reference", tmp_path / "truth.tif", "--weights", tmp_path / "mask.tif", "--start", tmp_path / "start.tif",
        "--background", 20, "-o", tmp_path / "out.tif",
    )  # fmt: skip
    found = io.read(tmp_path / "out.tif").data
    psf, image = io.read(tmp_path / "psf.tif").data, io.read(plane).data
    expected = deconlab.deconvolve(
        image, psf, iterations=5, weights=mask, start=truth.clip(1).astype(np.float32), background=20.0
    )
    assert np.array_equal(found, expected.x)
    with (tmp_path / "h.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert float(rows[-1]["psnr_db"]) == pytest.approx(metrics.psnr(found, truth), abs=1e-6)
    assert float(rows[-1]["snr_db"]) == pytest.approx(metrics.snr(found, truth), abs=1e-6)
    shots = sorted(path.name for path in tmp_path.glob("out_k*.ome.tif"))
    assert shots == ["out_k0002.ome.tif", "out_k0004.ome.tif"]
    two = deconlab.deconvolve(
        image, psf, iterations=2, weights=mask, start=truth.clip(1).astype(np.float32), background=20.0
    )
    assert np.array_equal(io.read(tmp_path / "out_k0002.ome.tif").data, two.x)
    assert f"{metrics.psnr(image - 20.0, truth):.2f} dB before" in text


def test_a_resumed_run_is_bit_equal_and_a_finished_one_stays_as_it_is(plane: Path, tmp_path: Path) -> None:
    psf = ("--psf", tmp_path / "psf.tif")
    good(plane, *psf, "--iterations", 9, "-o", tmp_path / "whole.tif")
    saved = ("--checkpoint", tmp_path / "state.pt", "--history", tmp_path / "h.csv")
    good(plane, *psf, "--iterations", 4, "-o", tmp_path / "part.tif", *saved)
    assert "state.pt exists already" in bad(plane, *psf, "-o", tmp_path / "rest.tif", *saved[:2])
    assert "h.csv exists already" in bad(plane, *psf, "-o", tmp_path / "rest.tif", *saved)
    for name in ("rest", "again"):
        text = good(plane, *psf, "--iterations", 9, "-o", tmp_path / f"{name}.tif", *saved, "--resume")
        good(plane, *psf, "--iterations", 9, "-o", tmp_path / f"{name}.tif", *saved, "--resume")  # over its own output
        assert "going on from" in text
        assert np.array_equal(io.read(tmp_path / f"{name}.tif").data, io.read(tmp_path / "whole.tif").data)
        with (tmp_path / "h.csv").open() as file:
            assert [row["iteration"] for row in csv.DictReader(file)] == [str(k) for k in range(1, 10)]
    other = ("--method", "projected-landweber", *saved[:2], "--resume", "-o", tmp_path / "x.tif")
    assert "belongs to RichardsonLucy(), not to ProjectedLandweber" in bad(plane, *psf, *other)


def test_a_series_has_files_of_its_own_for_every_volume(tmp_path: Path) -> None:
    io.write(tmp_path / "psf.tif", Image(KERNEL, "yx"))
    data = counts(2, 3, 20, 21)
    data[0, 1] = 4
    names = tuple(Channel(name) for name in ("A", "B", "C"))
    io.write(tmp_path / "s.ome.tif", Image(data, "tcyx", {"y": 0.1, "x": 0.1}, names), dtype="uint16")
    text = good(
        tmp_path / "s.ome.tif", "--psf", tmp_path / "psf.tif", "--iterations", 2, "--history", tmp_path / "h.csv",
        "--checkpoint", tmp_path / "c.pt",
    )  # fmt: skip
    assert "Warning: channel 1 (B), time 0 is constant (4 everywhere): copied as it is." in text
    assert "channel 2 (C), time 1: 2 iterations, reached 2 iterations" in text
    places = {"_c0_t0", "_c0_t1", "_c1_t1", "_c2_t0", "_c2_t1"}
    assert {path.stem[1:] for path in tmp_path.glob("h*.csv")} == places
    assert {path.stem[1:] for path in tmp_path.glob("c*.pt")} == places
    result = io.read(tmp_path / "s_deconvolved.ome.tif")
    assert (result.axes, [c.name for c in result.channels]) == ("tcyx", ["A", "B", "C"])
    again = ("--psf", tmp_path / "psf.tif", "--history", tmp_path / "h.csv", "-o", tmp_path / "t.tif")
    assert "exists already" in bad(tmp_path / "s.ome.tif", *again)


def test_wavelengths_are_given_by_channel(tmp_path: Path) -> None:
    io.write(tmp_path / "two.tif", Image(counts(2, 20, 21), "cyx"), dtype="uint16")
    optics = ("--na", 0.8, "--immersion-index", 1, "--voxel-um", 0.14, 0.14, "--iterations", 2)
    assert "--emission-nm 460,520" in bad(tmp_path / "two.tif", *optics, "--emission-nm", 520)
    good(tmp_path / "two.tif", *optics, "--emission-nm", "460,520")
    result = io.read(tmp_path / "two_deconvolved.ome.tif")
    assert [channel.optics.get("emission_nm") for channel in result.channels] == [460, 520]


def test_integers_are_written_if_they_hold_the_values_and_refused_with_the_result_saved(
    plane: Path, tmp_path: Path
) -> None:
    psf = ("--psf", tmp_path / "psf.tif", "--iterations", 20)
    good(plane, *psf, "--dtype", "uint16", "-o", tmp_path / "a.tif")
    good(plane, *psf, "-o", tmp_path / "b.tif")
    found, exact = io.read(tmp_path / "a.tif").data, io.read(tmp_path / "b.tif").data
    assert found.dtype == np.uint16
    assert np.array_equal(found, np.rint(exact))
    text = bad(plane, *psf, "--dtype", "uint8", "-o", tmp_path / "c.tif")
    assert "uint8 holds 0 to 255. Nothing is clipped in silence" in text
    assert "c_float32.ome.tif" in text
    assert not (tmp_path / "c.tif").exists()
    assert np.array_equal(io.read(tmp_path / "c_float32.ome.tif").data, exact)


def test_quiet_prints_the_output_alone(plane: Path, tmp_path: Path) -> None:
    text = good(
        plane, "--psf", tmp_path / "psf.tif", "--iterations", 1, "--quiet", "--threads", torch.get_num_threads()
    )
    assert text == f"{tmp_path / 'plane_deconvolved.ome.tif'}\n"


def test_debug_lets_the_error_through(tmp_path: Path) -> None:
    result = run(tmp_path / "none.tif", "--debug")
    assert isinstance(result.exception, FileNotFoundError)


def test_a_fault_of_ours_is_called_one(plane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(io, "read", broken)
    assert "KeyError: 'surprise'. This is a fault of deconlab" in bad(plane)


@pytest.mark.parametrize("flag", ["--na", "--emission-nm", "--immersion-index", "--voxel-um"])
def test_what_is_missing_is_named_with_its_flag_and_nothing_is_guessed(plane: Path, flag: str) -> None:
    text = bad(plane)
    assert flag in text
    assert "never guessed" in text
    assert not plane.with_name("plane_deconvolved.ome.tif").exists()


BAD_IMAGES: list[tuple[str, Any, str, str]] = [
    ("nan", np.where(np.eye(9) > 0, np.nan, 1.0), "yx", "9 NaN or infinite values, the first at (0, 0)"),
    (
        "infinite",
        np.where(np.arange(81).reshape(9, 9) == 40, np.inf, 1.0),
        "yx",
        "1 NaN or infinite values, the first at (4,",
    ),
    ("constant", np.full((9, 9), 7.0), "yx", "constant (every voxel is 7)"),
    ("zero", np.zeros((9, 9)), "yx", "constant (every voxel is 0)"),
]


@pytest.mark.parametrize(("name", "array", "axes", "message"), BAD_IMAGES)
def test_an_image_that_cannot_be_restored(tmp_path: Path, name: str, array: Any, axes: str, message: str) -> None:
    io.write(tmp_path / "psf.tif", Image(KERNEL, "yx"))
    io.write(tmp_path / f"{name}.tif", Image(array.astype(np.float32), axes))
    assert message in bad(tmp_path / f"{name}.tif", "--psf", tmp_path / "psf.tif")


def test_a_file_that_is_no_image_of_ours(tmp_path: Path) -> None:
    import tifffile

    kernel = tmp_path / "psf.tif"
    io.write(kernel, Image(KERNEL, "yx"))
    rng = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "complex.tif", rng.random((9, 9)).astype(np.complex64))
    assert "complex" in bad(tmp_path / "complex.tif", "--psf", kernel)
    tifffile.imwrite(tmp_path / "rgb.tif", rng.integers(0, 255, (9, 9, 3), np.uint8), photometric="rgb")
    assert "colour samples" in bad(tmp_path / "rgb.tif", "--psf", kernel)
    tifffile.imwrite(tmp_path / "four.tif", rng.random((2, 3, 9, 9)).astype(np.float32), photometric="minisblack")
    text = bad(tmp_path / "four.tif", "--psf", kernel)
    assert "--file-axes" in text
    good(tmp_path / "four.tif", "--psf", kernel, "--file-axes", "tcyx", "--iterations", 1)
    tifffile.imwrite(tmp_path / "whole.tif", rng.random((64, 64)).astype(np.float32))
    (tmp_path / "cut.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:3000])
    assert "cut.tif cannot be read as a TIFF" in bad(tmp_path / "cut.tif", "--psf", kernel)
    (tmp_path / "text.tif").write_text("no image")
    assert "text.tif cannot be read as a TIFF" in bad(tmp_path / "text.tif", "--psf", kernel)
    (tmp_path / "a.xyz").write_text("no image")
    assert "a.xyz: no format is known for .xyz" in bad(tmp_path / "a.xyz", "--psf", kernel)
    assert "There is no file" in bad(tmp_path / "none.tif", "--psf", kernel)


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.zeros((5, 5)), "zero everywhere"),
        (np.where(np.eye(5) > 0, np.nan, 1.0), "5 values that are NaN or infinite, the first at (0, 0)"),
        (-KERNEL, "mostly negative"),
        (np.ones((3, 9, 9)) * KERNEL, "must have 2 axes, and its shape is (3, 9, 9)"),
    ],
)
def test_a_psf_that_is_none(plane: Path, psf: Any, message: str) -> None:
    path = plane.with_name("bad.tif")
    io.write(path, Image(psf, "zyx"[-psf.ndim :]))
    assert message in bad(plane, "--psf", path)


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["--na", "1.2"], 1, "na 1.2 must be below immersion_index 1"),
        (["--emission-nm", "0.52"], 1, "0.52 µm is 520 nm: give that"),
        (["--emission-nm", "light"], 2, "--emission-nm must be a number in nm, not 'light'"),
        (["--iterations", "0"], 2, "--iterations must be >= 1, not 0"),
        (["--device", "tpu"], 1, "Unknown device 'tpu'"),
        (["--voxel-um", "0.1"], 1, "voxel size must be 3 numbers > 0 in µm, along z, y, x, not 0.1"),
        (["--limit-extension", "3", "3"], 1, "--limit-extension takes one number, or 3 for this image, not 2"),
        (["--limit-extension", "3.5"], 2, "--limit-extension takes whole numbers"),
        (["--start", "nowhere"], 1, "--start is flat, measured, wiener or a file; there is no file nowhere"),
        (["--method", "wiener", "--iterations", "3"], 2, "wiener is computed in one step and does not iterate: leave"),
        (["--channel", "1"], 1, "There is no channel '1': the image has 0 (GFP)."),
        (["--time", "0-2"], 1, "There is no time '0-2': the image has 0."),
        (["--crop", "y=0:99"], 1, "A crop of y from 0 to 99 does not lie within 0 to 20"),
        (["--method", "wiener", "--snapshots", "2"], 2, "wiener has no iterations to watch: leave out --snapshots"),
        (["--emission-nm", "460,520"], 1, "1 channel, and 2 emission wavelengths are given (460, 520 nm)"),
        (["--threads", "none"], 2, "--threads must be a whole number"),
        (["--psf-model", "airey"], 2, "Unknown PSF model 'airey'"),
        (["--dtype", "complex64"], 2, "'complex64' is not one of"),
        (["--dtype", "float64", "--device", "mps"], 1, "mps"),
        (["--reference", "{psf}"], 1, "they must be equal"),
        (["--weights", "{psf}"], 1, "weights have shape (9, 9)"),
        (
            ["--psf", "{psf}", "--na", "1", "--modality", "widefield"],
            2,
            "--na, --modality would compute a PSF, but --psf",
        ),
        (["-o", "{folder}/none/a.tif"], 1, "none does not exist"),
        (["-o", "{image}/a.tif"], 1, "cells.ome.tif is not a folder"),
        (["-o", "{folder}/a.abc"], 1, "a.abc: no format is known for .abc"),
        (["-o", "{image}"], 1, "The output is the input"),
        (["--history", "{folder}/none/h.csv"], 1, "none does not exist"),
        (["--method", "naive-inverse", "--weights", "{mask}"], 1, "cannot honour weights"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled(stack: Path, flags: list[str], code: int, message: str) -> None:
    io.write(stack.with_name("psf.tif"), Image(KERNEL, "yx"))
    io.write(stack.with_name("mask.tif"), Image(np.ones((5, 20, 21)), "zyx"))
    names = {name: stack.with_name(f"{name}.tif") for name in ("psf", "mask")}
    filled = [flag.format(folder=stack.parent, image=stack, **names) for flag in flags]
    assert message in bad(stack, *filled, code=code)
    assert not stack.with_name("cells_deconvolved.ome.tif").exists()


def test_an_output_that_exists_is_kept_unless_told_otherwise(plane: Path, tmp_path: Path) -> None:
    kernel = ("--psf", tmp_path / "psf.tif", "--iterations", 1)
    shutil.copy(plane, tmp_path / "plane_deconvolved.ome.tif")
    text = bad(plane, *kernel)
    assert "plane_deconvolved.ome.tif exists already. Say --overwrite" in text
    assert "restoring" not in text
    good(plane, *kernel, "--overwrite")
    assert io.read(tmp_path / "plane_deconvolved.ome.tif").history


def test_a_confocal_file_asks_for_its_psf(tmp_path: Path) -> None:
    channel = Channel("GFP", Optics().known("file", **{**OPTICS, "modality": "confocal"}))
    io.write(tmp_path / "a.ome.tif", Image(counts(5, 20, 21), "zyx", VOXEL, (channel,)), dtype="uint16")
    text = bad(tmp_path / "a.ome.tif")
    assert "To compute the PSF with confocal, this is missing: the excitation wavelength (--excitation-nm)" in text
    assert "together with --psf-model confocal, or a PSF with --psf" in text
    good(
        tmp_path / "a.ome.tif",
        "--psf-model",
        "confocal",
        "--excitation-nm",
        460,
        "--iterations",
        1,
        "-o",
        tmp_path / "o.tif",
    )
    assert "acquired as 'confocal' according to the file" in bad(tmp_path / "a.ome.tif", "--psf-model", "gibson-lanni")
