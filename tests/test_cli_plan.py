"""``run --dry-run``, ``--preview`` and ``--json``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image as Picture

from deconlab import io
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.psf import Gaussian

KNOWN = {"na": 0.8, "immersion_index": 1.0, "emission_nm": 520.0, "modality": "widefield"}


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["run", *(str(argument) for argument in arguments)])


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Two times of a small stack that says everything about its optics."""
    data = np.random.default_rng(0).poisson(20, (2, 5, 24, 26)).astype(np.uint16)
    data[:, 2, 10:13, 11:14] += 300
    image = Image(data, "tzyx", {"z": 0.5, "y": 0.15, "x": 0.15}, (Channel("", Optics().known("file", **KNOWN)),))
    io.write(tmp_path / "a.ome.tif", image, dtype="uint16")
    return tmp_path / "a.ome.tif"


def test_a_dry_run_tells_all_and_writes_nothing(series: Path) -> None:
    before = {path: path.read_bytes() for path in series.parent.iterdir()}
    result = call(series, "--iterations", 7, "--dry-run")
    assert result.exit_code == 0, result.output
    for words in (
        "na 0.8 (file)",
        "light",
        "voxels of 5 × 24 × 26",
        "memory: ",
        "for 7",
        "for 2 volumes",
        "nothing was written",
    ):
        assert words in " ".join(result.output.split()), words
    assert {path: path.read_bytes() for path in series.parent.iterdir()} == before
    assert "is for the stop rule to say" in call(series, "--relative-change", 0.001, "--dry-run").output
    direct = call(series, "--method", "wiener", "--dry-run").output
    assert "time: " in direct
    assert "for an iteration" not in direct


def test_a_dry_run_fails_as_the_run_would(series: Path) -> None:
    assert call(series, "--immersion-index", 0.7, "--dry-run").exit_code == 1


def test_a_dry_run_of_positions_is_refused(tmp_path: Path) -> None:
    io.write(tmp_path / "c.tif", Image(np.full((4, 9, 9), 7.0), "tyx", {"y": 0.2, "x": 0.2}))
    io.write(tmp_path / "psf.tif", Image(Gaussian(fwhm_px=3).render((9, 9)).data.numpy(), "yx"))
    result = call(tmp_path / "c.tif", "--psf", tmp_path / "psf.tif", "--dry-run")
    assert result.exit_code == 2
    assert "--dry-run plans volumes that are restored in one piece" in " ".join(result.output.split())


@pytest.mark.parametrize("kind", ["z", "mip"])
def test_a_preview_shows_before_and_after(series: Path, kind: str) -> None:
    result = call(series, "--iterations", 3, "--preview", kind)
    assert result.exit_code == 0, result.output
    path = series.with_name("a_deconvolved_preview.png")
    drawn = np.asarray(Picture.open(path).convert("L"), np.float64)
    for half in np.array_split(drawn, 2, axis=1):
        assert half.std() > 5
    assert f"{path.name} shows time 0" in "".join(result.output.split("\n")).replace("  ", " ")
    again = call(series, "--iterations", 3, "--preview", kind, "-o", series.with_name("a_deconvolved.tif"))
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_a_preview_of_a_line_is_refused_before_the_run(tmp_path: Path) -> None:
    io.write(tmp_path / "line.npy", Image(np.arange(9.0), "x"))
    io.write(tmp_path / "psf.npy", Image(np.array([1.0, 2.0, 1.0]), "x"))
    result = call(tmp_path / "line.npy", "--psf", tmp_path / "psf.npy", "--preview", "z")
    assert result.exit_code == 2
    assert "--preview draws planes and stacks" in result.output
    assert not (tmp_path / "line_deconvolved.ome.tif").exists()


def test_json_is_all_that_is_on_standard_output(series: Path) -> None:
    result = call(series, "--iterations", 2, "--reference", series, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    (file,) = told["files"]
    assert (told["exit_code"], file["error"]) == (0, None)
    assert file["output"] == str(series.with_name("a_deconvolved.ome.tif"))
    assert Path(file["recipe"]).exists()
    assert [volume["where"]["t"] for volume in file["volumes"]] == [0, 1]
    assert all((volume["iterations"], volume["reason"]) == (2, "reached 2 iterations") for volume in file["volumes"])
    assert set(file["scores"]) == {"psnr_before_db", "psnr_after_db"}


def test_json_tells_of_failures_too(series: Path, tmp_path: Path) -> None:
    for paths in ([tmp_path / "none.tif"], [series, tmp_path / "none.tif"]):
        result = call(*paths, "--iterations", 1, "--overwrite", "--json")
        told = json.loads(result.stdout)
        assert result.exit_code == told["exit_code"] == 1
        assert "There is no file" in told["files"][-1]["error"]
        assert "volumes" in told["files"][0]


def test_verbose_tells_of_every_iteration(series: Path) -> None:
    text = call(series, "--iterations", 3, "--verbose").output
    assert text.count("objective before it") == 2 * 3
    assert "iteration 3: objective before it " in text
    assert "objective before it" not in call(series, "--iterations", 3, "--overwrite").output
