"""What users meet elsewhere, and what deconlab promises instead: a test for each promise, named after it."""

from __future__ import annotations

import json
import re
import signal
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter

import deconlab
from deconlab import io
from deconlab.assess.residual import residual
from deconlab.assess.resolution import fourier_correlation
from deconlab.cli import main
from deconlab.engine import using
from deconlab.image import Channel, Image, Optics
from deconlab.psf import measured
from deconlab.restore import Volume, Watch, restore, restore_volumes

VOXEL = {"z": 0.3, "y": 0.14, "x": 0.14}
LINE = np.exp(-0.5 * ((np.arange(13) - 6) / 1.5) ** 2)
PSF = np.outer(LINE, LINE) / LINE.sum() ** 2


def counts(*shape: int, seed: int = 0, background: float = 5.0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    spots = 4000 * (rng.random(shape) > 0.97)
    return rng.poisson(background + gaussian_filter(spots.astype(float), 1.5)).astype(np.uint16)


def channel(name: str = "", **known: Any) -> Channel:
    return Channel(name, Optics().known("file", na=0.8, immersion_index=1.0, modality="widefield", **known))


def cli(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_borders_show_no_artefacts_by_default() -> None:
    """A lamp outside the field: by default the border errs little, where a periodic one folds its light in."""
    truth = np.full((72, 72), 10.0)
    truth[36, 8] = 60_000.0  # two voxels beyond the field's left border
    truth[30:42, 40] = 400.0
    blurred = gaussian_filter(truth, 1.5)[10:62, 10:62]
    image = np.random.default_rng(0).poisson(blurred).astype("f4")
    inside = np.s_[8:44, 40:52]  # the right border, to which a periodic restoration carries the lamp's light
    errors = {}
    for boundary in ("open", "periodic"):
        settings = {} if boundary == "open" else {"boundary": boundary}
        x = deconlab.deconvolve(image, PSF, iterations=40, **settings).x
        errors[boundary] = float(
            np.sqrt(np.mean((gaussian_filter(x, 2) - gaussian_filter(truth, 2)[10:62, 10:62])[inside] ** 2))
        )
    assert errors["open"] < 2.0  # of 10 photons of background, whose noise alone is 3
    assert errors["periodic"] > 2 * errors["open"]


def test_intensities_are_kept_and_a_cast_never_clips_in_silence(tmp_path: Path) -> None:
    image = 200 * counts(40, 41)
    result = deconlab.deconvolve(image, PSF, iterations=20).x
    assert result.dtype == np.float32
    assert result.max() > 65535 > image.max()  # neither rescaled to 1 nor clipped to the input's type
    assert result.sum() == pytest.approx(image.sum(), rel=0.02)
    three = deconlab.deconvolve(image.astype("f4") * 4, PSF, iterations=20).x
    assert np.array_equal(three, 4 * result)  # so that ratios between channels are kept
    with pytest.raises(ValueError, match=r"holds 0 to 65535\. Nothing is clipped in silence"):
        io.write(tmp_path / "a.tif", Image(result, "yx"), dtype="uint16")


def test_no_nan_no_zeros_and_no_constants_without_a_word() -> None:
    dark = counts(30, 31).astype("f4")
    dark[:, :12] = 0
    assert np.isfinite(deconlab.deconvolve(dark, PSF, iterations=60, background=3.0).x).all()  # ratios of 0 to 0
    dark[4, 5] = np.nan
    with pytest.raises(ValueError, match=r"1 NaN or infinite values, the first at \(4, 5\)"):
        restore(Image(dark, "yx"), psf=PSF)
    for level in (0.0, 7.0):
        with pytest.raises(ValueError, match="constant"):
            restore(Image(np.full((20, 21), level, "f4"), "yx"), psf=PSF)


@pytest.mark.parametrize("axes", ["zyx", "yzx", "tcyx", "cxty", "xy"])
def test_shape_axes_voxels_units_and_names_are_kept(tmp_path: Path, axes: str) -> None:
    shape = tuple({"t": 1, "c": 2, "z": 3, "y": 14, "x": 15}[axis] for axis in axes)
    names = [channel("DAPI"), channel("µ-GFP")][: 2 if "c" in axes else 1]
    voxel = {axis: size for axis, size in VOXEL.items() if axis in axes}
    io.write(tmp_path / "a.ome.tif", Image(counts(*shape), axes, voxel, tuple(names)), dtype="uint16")
    kernel = PSF if "z" not in axes else PSF[None] * np.array([0.2, 0.6, 0.2])[:, None, None]
    np.save(tmp_path / "psf.npy", kernel.astype("f4"))
    cli("run", tmp_path / "a.ome.tif", "--psf", tmp_path / "psf.npy", "--iterations", 2, "-q")
    before, after = io.read(tmp_path / "a.ome.tif"), io.read(tmp_path / "a_deconvolved.ome.tif")
    assert (after.axes, after.data.shape, after.voxel_um) == (axes, shape, before.voxel_um)
    assert [c.name for c in after.channels] == [c.name for c in before.channels]
    with tifffile.TiffFile(tmp_path / "a_deconvolved.ome.tif") as file:
        pixels = tifffile.xml2dict(str(file.ome_metadata))["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeX"], pixels["PhysicalSizeXUnit"]) == (0.14, "µm")


def test_running_out_of_memory_is_a_sentence_and_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MemoryError("Unable to allocate 1 TiB")

    io.write(tmp_path / "a.tif", Image(counts(12, 13), "yx"), dtype="uint16")
    io.write(tmp_path / "psf.tif", Image(PSF, "yx"))
    monkeypatch.setattr("deconlab.api.run", refuse)
    text = cli("run", tmp_path / "a.tif", "--psf", tmp_path / "psf.tif", code=1)
    assert "There is not enough memory (Unable to allocate 1 TiB)" in text
    assert not (tmp_path / "a_deconvolved.ome.tif").exists()


def test_any_measured_psf_is_made_ready_and_every_step_said() -> None:
    """Off-centre, even, on other voxels, on a background, larger than the image, not normalised."""
    y, x = np.mgrid[:80, :96].astype(float)
    data = 100 + 5000 * np.exp(-((y - 37.4) ** 2 + (x - 51.3) ** 2) / (2 * 6.0**2))
    psf = measured(data, (0.05, 0.05), (0.1, 0.1))
    kernel = psf.data.numpy()
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert all(size % 2 == 1 for size in kernel.shape)
    where = [np.arange(size) - size // 2 for size in kernel.shape]
    assert [float((kernel.sum(1 - axis) * where[axis]).sum()) for axis in (0, 1)] == pytest.approx([0, 0], abs=0.02)
    assert float(np.sqrt((kernel.sum(0) * where[1] ** 2).sum())) == pytest.approx(
        3.0, rel=0.03
    )  # σ of 6 px of half the size
    told = " ".join(psf.notes)
    for step in ("Background 100", "its centre lay at voxel (37.4", "resampled", "Cropped to", "Normalised to sum 1"):
        assert step in told
    assert deconlab.deconvolve(counts(20, 21), psf, iterations=2).x.shape == (20, 21)


@pytest.mark.parametrize(
    ("left_out", "asked"),
    [("na", "numerical aperture (--na)"), ("emission_nm", "emission wavelength (--emission-nm)"), ("voxel", "voxel size")],
)  # fmt: skip
def test_optics_are_asked_for_in_plain_words_and_never_guessed(tmp_path: Path, left_out: str, asked: str) -> None:
    known = {"na": 0.8, "emission_nm": 520.0, "immersion_index": 1.0}
    optics = Optics().known("file", **{name: value for name, value in known.items() if name != left_out})
    image = Image(counts(12, 13), "yx", {} if left_out == "voxel" else {"y": 0.14, "x": 0.14}, (Channel("", optics),))
    io.write(tmp_path / "a.ome.tif", image)
    text = cli("run", tmp_path / "a.ome.tif", code=1)
    assert asked in text
    assert "never guessed" in text
    flag = {"na": ("--na", 0.8), "emission_nm": ("--emission-nm", 520), "voxel": ("--voxel-um", 0.14, 0.14)}[left_out]
    told = cli("run", tmp_path / "a.ome.tif", *flag, "--iterations", 1)
    assert "(file)" in told
    assert left_out == "voxel" or re.search(rf"{left_out} [\d.]+( nm)? \(user\)", told)


def test_depth_zero_with_an_index_mismatch_is_warned_of(tmp_path: Path) -> None:
    image = Image(counts(12, 13), "yx", {"y": 0.14, "x": 0.14}, (channel(emission_nm=520.0),))
    io.write(tmp_path / "a.ome.tif", image)
    text = cli("run", tmp_path / "a.ome.tif", "--sample-index", 1.33, "--iterations", 1)
    assert "Warning: The sample's index 1.33 differs from the immersion's 1, but at depth 0 that has no effect" in text


def test_channels_and_times_are_restored_each_with_its_psf_in_one_file(tmp_path: Path) -> None:
    optics = [channel(name, emission_nm=nm) for name, nm in (("DAPI", 460.0), ("Cy5", 670.0))]
    data = np.broadcast_to(counts(1, 3, 20, 21), (2, 3, 20, 21)).copy()
    image = Image(data, "ctyx", {"y": 0.14, "x": 0.14}, tuple(optics))
    io.write(tmp_path / "a.ome.tif", image)
    cli("run", tmp_path / "a.ome.tif", "--iterations", 3)
    after = io.read(tmp_path / "a_deconvolved.ome.tif")
    assert after.data.shape == data.shape
    blue, red = after.data
    assert not np.array_equal(blue, red)  # the same numbers, restored with a PSF for each wavelength
    assert len({time.tobytes() for time in blue}) == 3


def test_a_run_is_cancelled_within_one_iteration_and_keeps_what_it_has() -> None:
    def watch(_: Volume, __: Any) -> Watch:
        def press(iteration: Any) -> None:
            if iteration.index == 4:
                signal.raise_signal(signal.SIGINT)

        return Watch((press,))

    image = Image(counts(20, 21), "yx")
    found = restore_volumes(image, psf=PSF, iterations=10_000, watch=watch)
    assert (found.outcomes[0].reason, found.outcomes[0].iterations) == ("interrupted", 4)
    assert np.array_equal(found.image.data, deconlab.deconvolve(image.data, PSF, iterations=4).x)


@pytest.mark.parametrize("ending", ["ome.tif", "tif", "npz", "fits", "mrc"])
def test_every_output_tells_how_it_was_made(tmp_path: Path, ending: str) -> None:
    pytest.importorskip({"fits": "astropy", "mrc": "mrcfile"}.get(ending, "numpy"))
    image = Image(counts(12, 13), "yx", {"y": 0.14, "x": 0.14}, (channel(emission_nm=520.0),))
    io.write(tmp_path / "a.ome.tif", image)
    cli("run", tmp_path / "a.ome.tif", "--iterations", 2, "-o", tmp_path / f"b.{ending}")
    told = io.read(tmp_path / f"b.{ending}").history["deconvolution"]
    assert told["software"]["deconlab"] == deconlab.__version__
    assert told["psf"]["channels"][0]["optics"]["na"] == {"value": 0.8, "source": "file"}
    assert told["volumes"][0]["reason"] == "reached 2 iterations"
    assert "RichardsonLucy" in json.dumps(told)
    assert (tmp_path / "b.yaml").exists()


def test_whether_it_helped_can_be_measured() -> None:
    """The residual shows a wrong PSF; the resolution against the truth improves by restoring."""
    rng = np.random.default_rng(1)
    truth = 500.0 * (rng.random((64, 64)) > 0.97)
    seen = gaussian_filter(truth, 1.5, mode="wrap") + 5
    y = rng.poisson(seen).astype("f4")
    wide = np.exp(-0.5 * ((np.arange(25) - 12) / 2.6) ** 2)
    kernels = (PSF, np.outer(wide, wide) / wide.sum() ** 2)
    right, wrong = (
        deconlab.deconvolve(y, kernel, iterations=60, background=5.0, boundary="periodic").x for kernel in kernels
    )
    chi2 = [residual(y, _blurred(x, kernel) + 5).chi2 for x, kernel in zip((right, wrong), kernels, strict=True)]
    assert abs(chi2[0] - 1) < 0.3
    assert chi2[1] > 2 * chi2[0]
    before, after = (fourier_correlation(image, truth, (0.1, 0.1)).resolution_um("0.5") or 0.0 for image in (y, right))
    assert after < before  # 0: the correlation with the truth never falls to a half


def _blurred(x: np.ndarray[Any, Any], kernel: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    from scipy.ndimage import convolve

    return np.asarray(convolve(x.astype(float), kernel, mode="wrap"))


def test_one_line_installs_it_and_a_gpu_or_a_compiler_is_optional() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[ ]", line)[0].lower() for line in project["dependencies"]}
    assert not needed & {"cupy", "jax", "tensorflow", "pyopencl", "pycuda", "jpype1", "scyjava", "python-bioformats"}
    image = counts(24, 25)
    assert str(deconlab.deconvolve(image, PSF, iterations=2, device="cpu").x.dtype) == "float32"
    with using("plain"):  # as where nothing could be compiled
        plain = deconlab.deconvolve(image, PSF, iterations=5).x
    assert np.allclose(plain, deconlab.deconvolve(image, PSF, iterations=5).x, rtol=1e-3, atol=1e-3 * plain.max())


def test_a_plane_with_the_optics_of_a_stack_takes_the_slice_in_focus_and_says_so(tmp_path: Path) -> None:
    image = Image(counts(12, 13), "yx", {"y": 0.14, "x": 0.14}, (channel(emission_nm=520.0),))
    io.write(tmp_path / "a.ome.tif", image)
    text = cli("run", tmp_path / "a.ome.tif", "--iterations", 1)
    assert "the slice in best focus (+0 µm from the nominal focus)" in text
    assert "light from out of focus is not modelled" in text


def test_what_cannot_be_meant_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    io.write(tmp_path / "a.ome.tif", Image(counts(5, 20, 21), "zyx", VOXEL, (channel(emission_nm=520.0),)))
    io.write(tmp_path / "flat.ome.tif", Image(counts(1, 20, 21), "zyx", VOXEL, (channel(emission_nm=520.0),)))
    io.write(tmp_path / "psf.tif", Image(PSF[None] * np.array([0.2, 0.6, 0.2])[:, None, None], "zyx"))
    io.write(tmp_path / "w.tif", Image(np.ones((9, 9), "f4"), "yx"))
    stack = tmp_path / "a.ome.tif"
    text = cli("run", stack, "--voxel-um", 300, 140, 140, code=1)
    assert "The voxel size 300 × 140 × 140 µm along z, y, x cannot be true" in text
    assert "if nm were meant, say --voxel-um 0.3 0.14 0.14" in text
    text = cli("run", stack, "--weights", tmp_path / "w.tif", code=1)
    assert "The weights have shape (9, 9); they must be of the image's (5, 20, 21)." in text
    text = cli("run", stack, "--weights", tmp_path / "w.tif", "--method", "wiener", code=1)
    assert "Wiener cannot solve this problem: it cannot honour weights" in text
    assert "PSF by" not in text
    text = cli("run", tmp_path / "flat.ome.tif", "--psf", tmp_path / "psf.tif", code=1)
    assert (
        "The PSF extends along 3 axes (3 × 13 × 13), and the image along y, x alone: axes of one voxel, here z," in text
    )
    assert list(tmp_path.glob("*deconvolved*")) == []


def test_a_warning_is_said_once(tmp_path: Path) -> None:
    io.write(tmp_path / "a.ome.tif", Image(counts(20, 21), "yx", {"y": 0.5, "x": 0.5}, (channel(emission_nm=520.0),)))
    assert cli("run", tmp_path / "a.ome.tif", "--iterations", 1).count("Sampled below Nyquist") == 1
    y, x = np.mgrid[:31, :31]
    slanted = np.exp(-((y - 5.0) ** 2 + (x - 15.0) ** 2) / 80)  # cut by the border of its data
    io.write(tmp_path / "psf.tif", Image(slanted.astype("f4"), "yx"))
    text = cli("run", tmp_path / "a.ome.tif", "--psf", tmp_path / "psf.tif", "--iterations", 1, "--overwrite")
    assert text.count("far from the middle") == 1
