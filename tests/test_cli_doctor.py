"""``deconlab doctor``: what it finds here, and the line it gives where a GPU lies idle."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from deconlab import engine
from deconlab.cli import main
from deconlab.cli.doctor import build, mending, nvidia_smi

SMI = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.124.06             Driver Version: 570.124.06     CUDA Version: 12.8     |
+-----------------------------------------------------------------------------------------+
"""


def pretend_driver(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = SMI) -> None:
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}END\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_it_names_the_torch_and_the_devices() -> None:
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0, result.output
    assert torch.__version__ in result.output
    assert f"{torch.get_num_threads()} of {os.cpu_count()} processors" in result.output
    assert "\ncpu " in result.output
    assert str(engine.status()).removeprefix("compiled engine: ") in " ".join(result.output.split())
    with engine.using("plain"):
        assert "not in use, the plain path was asked for" in CliRunner().invoke(main, ["doctor"]).output


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built for a GPU")
@pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")
def test_a_cpu_torch_beside_a_gpu_is_mended_by_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_driver(tmp_path, monkeypatch)
    assert nvidia_smi() == "12.8"
    result = CliRunner().invoke(main, ["doctor"])
    assert "This line mends it:" in result.output
    assert (
        "-m pip install --upgrade --force-reinstall torch --index-url https://download.pytorch.org/whl/cu126"
        in result.output
    )


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")
def test_a_driver_that_says_nothing_is_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_driver(tmp_path, monkeypatch, "NVIDIA-SMI has failed\n")
    assert nvidia_smi() is None


@pytest.mark.parametrize(
    ("usable", "cuda", "driver", "system", "expected"),
    [
        (True, "13.0", "13.0", "Linux", None),
        (False, None, None, "Linux", None),
        (False, None, "13.0", "Linux", "--force-reinstall torch"),
        (False, None, "13.0", "Windows", "/whl/cu130"),
        (False, "13.0", "12.4", "Linux", "torch is built for CUDA 13.0, the driver supports 12.4 at most"),
        (False, None, "11.4", "Linux", "update the driver"),
        (False, "12.6", "12.8", "Linux", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_advice(usable: bool, cuda: str | None, driver: str | None, system: str, expected: str | None) -> None:
    line = mending(usable, cuda, driver, system)
    assert (line is None) if expected is None else (line is not None and expected.lower() in line.lower())


def test_builds_by_name() -> None:
    assert build("12.8", None) == "CUDA 12.8"
    assert build(None, "6.2") == "ROCm 6.2"
    assert "no CUDA" in build(None, None)
