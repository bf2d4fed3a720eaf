"""Memory for one volume: twelve volumes in a file take no more of it than one does, and each PSF is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from deconlab import io
from deconlab.channel_psf import psfs
from deconlab.image import Channel, Image, Optics
from deconlab.restore import restore_volumes
from deconlab.scratch import Scratch

SHAPE = (24, 416, 420)  # 16.8 MB of single precision
VOXEL = {"z": 0.3, "y": 0.14, "x": 0.14}

CHILD = """
import sys
import numpy as np, tifffile, torch
import deconlab.cli.run, deconlab.restore, deconlab.scratch, deconlab.recipe, deconlab.cli._job, deconlab.engine
from click.testing import CliRunner
from deconlab.cli import main
from deconlab.observers import peak_memory
torch.set_num_threads(1)
begin = peak_memory(torch.zeros(1))
result = CliRunner().invoke(main, ["run", *sys.argv[1:]])
assert result.exit_code == 0, result.output
print(peak_memory(torch.zeros(1)) - begin)
"""


def peak(path: Path, *words: str) -> int:
    """Bytes that a run takes at most, above what its imports take."""
    call = [
        sys.executable,
        "-c",
        CHILD,
        str(path),
        "--psf",
        str(path.with_name("psf.tif")),
        "--iterations",
        "1",
        *words,
    ]
    # Below 32 MB glibc recycles memory within a heap whose holes count; larger volumes, which matter, never are.
    allocating = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(call, capture_output=True, text=True, check=False, env=allocating)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory is read from /proc")
def test_twelve_volumes_take_the_memory_of_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    io.write(tmp_path / "psf.tif", Image(np.ones((3, 3, 3)) / 27 + np.eye(3), "zyx"))
    volume = rng.integers(0, 200, SHAPE, np.uint16)
    for name, count in (("one", (1, 1)), ("twelve", (4, 3))):
        data = np.broadcast_to(volume, (*count, *SHAPE))
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif", data, metadata={"axes": "TCZYX"}, compression="zlib", photometric="minisblack",
            compressionargs={"level": 1},
        )  # fmt: skip
    one, twelve = (peak(tmp_path / f"{name}.ome.tif") for name in ("one", "twelve"))
    assert one > 3 * volume.size * 4  # data, estimate and a product of them at least: it was measured at all
    assert twelve < 1.15 * one


def test_the_psf_of_each_channel_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"na": 0.8, "immersion_index": 1.0, "modality": "widefield"}
    channels = tuple(Channel("", Optics().known("file", emission_nm=nm, **known)) for nm in (460.0, 520.0, 600.0))
    data = np.random.default_rng(0).poisson(9, (4, 3, 3, 12, 13)).astype(np.uint16)
    made = []
    render = psfs.for_image
    monkeypatch.setattr(psfs, "for_image", lambda *given, **how: made.append(given) or render(*given, **how))
    image = Image(data, "tczyx", VOXEL, channels)
    out = Scratch(tmp_path / "folder", image, np.float32, {})
    result = restore_volumes(image, iterations=1, out=out)
    assert (len(result.outcomes), len(out), len(made)) == (12, 12, 3)
