"""Every command and every line of Python in the README does what it says there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deconlab import io
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.psf import Gaussian

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for line in README.splitlines() if line.startswith("    deconlab ")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the README speaks of."""
    data = np.random.default_rng(0).poisson(20, (6, 14, 12)).astype(np.uint16)
    data[3, 6:9, 5:8] += 200
    optics = Optics().known("file", na=1.2, immersion_index=1.333, emission_nm=580, modality="widefield")
    voxel = {"z": 0.3, "y": 0.1, "x": 0.1}
    io.write(tmp_path / "cells.ome.tif", Image(data, "zyx", voxel, (Channel("cells", optics),)), dtype="uint16")
    io.write(tmp_path / "stack.tif", Image(data, "zyx"), dtype="uint16")
    psf = Gaussian(fwhm_px=3, fwhm_axial_px=3).render((9, 9, 9)).data.numpy()
    io.write(tmp_path / "psf.tif", Image(psf, "zyx"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_commands():
    assert len(COMMANDS) >= 8
    assert {shlex.split(command)[1] for command in COMMANDS} == {"run", "compare", "info", "methods", "psf", "doctor"}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_the_commands(command, folder):
    words = shlex.split(command)[1:]
    if words[0] in ("run", "psf", "compare") and "--help" not in words:
        words += ["--overwrite"]
    if words[0] == "run" and "--iterations" not in words and "--help" not in words:
        words += ["--iterations", "2"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    if words[0] == "run" and "--help" not in words:
        restored = io.read(folder / words[1].replace(".ome", "").replace(".tif", "_deconvolved.ome.tif"))
        assert restored.data.shape == (6, 14, 12)


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_the_python(capsys):
    source = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    exec(compile(source, "README.md", "exec"), {})
    assert "reached 20 iterations" in capsys.readouterr().out
