"""The demo, and Ctrl-C: what a user sees first, and what a user must be able to rely on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deconlab import io
from deconlab.assess import metrics
from deconlab.cli import demo, main
from deconlab.image import Image


def test_the_demo_restores_its_file_as_a_user_would_and_gains_three_decibels(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", str(tmp_path / "d")])
    assert result.exit_code == 0, result.output
    files = (
        "demo.png",
        "simulated.ome.tif",
        "simulated_deconvolved.ome.tif",
        "simulated_deconvolved.yaml",
        "truth.ome.tif",
    )
    assert sorted(path.name for path in (tmp_path / "d").iterdir()) == list(files)
    data, after, truth = (io.read(tmp_path / "d" / name) for name in (*files[1:3], files[4]))
    assert (data.data.dtype, data.channels[0].optics.get("na")) == (np.uint16, 0.9)
    assert data.channels[0].optics.get("modality") == "widefield"
    assert after.voxel_um == truth.voxel_um == data.voxel_um
    gains = []
    for image in (data.data, after.data):  # against numpy's own least squares
        slope, shift = np.polyfit(image.ravel().astype(float), truth.data.ravel().astype(float), 1)
        gains.append(metrics.psnr(slope * image.astype(float) + shift, truth.data))
    assert gains[1] - gains[0] > 3
    assert f"PSNR before {gains[0]:.2f} dB, after {gains[1]:.2f} dB" in result.output
    assert "against the true object" in result.output
    assert "exists already" in CliRunner().invoke(main, ["demo", str(tmp_path / "d")]).output


def test_a_demo_that_gains_too_little_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SHAPE", (4, 24, 24))
    monkeypatch.setattr(demo, "judged", lambda *_: (20.0, 22.9))
    result = CliRunner().invoke(main, ["demo", str(tmp_path)])
    assert result.exit_code == 1
    assert "gained less than 3 dB" in result.output


def test_a_picture_in_the_way_is_kept(tmp_path: Path) -> None:
    (tmp_path / "demo.png").write_bytes(b"mine")
    result = CliRunner().invoke(main, ["demo", str(tmp_path)])
    assert result.exit_code == 1
    assert "demo.png exists already" in result.output


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child alone")
def test_ctrl_c_writes_what_was_reached_and_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    io.write(tmp_path / "a.tif", Image(rng.poisson(50, (64, 64)), "yx"), dtype="uint16")
    y, x = np.mgrid[-6:7, -6:7]
    io.write(tmp_path / "psf.tif", Image(np.exp(-(y**2 + x**2) / 4), "yx"))
    command = [sys.executable, "-m", "deconlab", "run", str(tmp_path / "a.tif"), "--psf", str(tmp_path / "psf.tif")]
    history = tmp_path / "h.csv"
    process = subprocess.Popen(
        [*command, "--iterations", "1000000", "--history", str(history), "--threads", "1"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        limit = time.monotonic() + 60
        while (not history.exists() or history.read_text().count("\n") < 5) and time.monotonic() < limit:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in said
    result = io.read(tmp_path / "a_deconvolved.ome.tif")
    done = result.history["deconvolution"]["volumes"][0]
    assert done["reason"] == "interrupted"
    assert done["iterations"] == history.read_text().count("\n") - 1
    assert np.isfinite(result.data).all()
