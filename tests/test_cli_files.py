"""``info`` tells what a file says and lacks, ``psf`` renders what ``run --psf`` takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from deconlab import io
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.psf import TorokVarga

OPTICS = ("--na", "0.8", "--emission-nm", "520", "--immersion-index", "1")


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    data = np.arange(2 * 4 * 9 * 8, dtype=np.uint16).reshape(2, 4, 9, 8)
    known = {"na": 0.8, "immersion_index": 1.0}
    channels = (
        Channel("DAPI", Optics().known("file", **known, emission_nm=460.0)),
        Channel("GFP", Optics().known("file", **known, emission_nm=520.0)),
    )
    io.write(tmp_path / "a.ome.tif", Image(data, "czyx", {"z": 0.3, "y": 0.14, "x": 0.14}, channels), dtype="uint16")
    return tmp_path / "a.ome.tif"


def test_info_shows_values_with_sources_by_channel(stack: Path) -> None:
    text = call("info", stack)
    assert "c 2 × z 4 × y 9 × x 8, uint16, values 0 to 575" in text
    assert "voxel z: 0.3 µm (file)" in text
    assert text.index("channel 0: DAPI") < text.index("emission_nm: 460 nm (file)") < text.index("channel 1: GFP")
    assert "missing" not in text


def test_info_names_what_is_missing_with_its_flag(tmp_path: Path) -> None:
    io.write(tmp_path / "bare.tif", Image(np.eye(9), "yx"))
    text = call("info", tmp_path / "bare.tif")
    for flag in ("--na", "--emission-nm", "--immersion-index", "--voxel-um"):
        assert f"missing, give {flag}" in text
    assert "--depth-um" not in text
    found = json.loads(call("info", tmp_path / "bare.tif", "--json"))
    assert found["channels"][0]["missing"] == ["na", "immersion_index", "emission_nm"]
    assert found["voxel_missing"] == ["y", "x"]


def test_info_tells_that_a_file_was_restored(stack: Path) -> None:
    call("run", stack, "--iterations", 2)
    text = call("info", stack.with_name("a_deconvolved.ome.tif"))
    assert "was restored by deconlab:" in text
    assert "c 1: RichardsonLucy(), reached 2 iterations" in text


def test_info_tells_who_said_a_voxel_size(tmp_path: Path) -> None:
    io.write(tmp_path / "bare.tif", Image(np.eye(9) + 1, "yx"))
    text = call(
        "run", tmp_path / "bare.tif", *OPTICS, "--voxel-um", 0.2, 0.2, "--iterations", 1, "-o", tmp_path / "o.ome.tif"
    )
    assert str(tmp_path / "o.ome.tif") in text
    assert "voxel y: 0.2 µm (user)" in call("info", tmp_path / "o.ome.tif")


def test_info_asks_for_what_only_the_microscope_in_question_needs(stack: Path) -> None:
    image = io.read(stack)
    sted = tuple(Channel(c.name, c.optics.known("file", modality="STED", excitation_nm=440.0)) for c in image.channels)
    io.write(stack, Image(image.data, image.axes, image.voxel_um, sted), dtype="uint16", overwrite=True)
    assert "missing, give --depletion-nm" in call("info", stack)


def test_info_does_not_read_a_huge_file_for_its_range(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deconlab.cli.info.LARGEST_READ", 100)
    assert "uint16, values not looked at" in call("info", stack)
    assert json.loads(call("info", stack, "--json"))["range"] is None


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("", "comp"), {"compare", "completion"}),
        (("run", "--method", "richardson"), {"richardson-lucy"}),
        (("run", "--method", "rl-tv", "--wei"), {"--weight", "--weights"}),
    ],
)
def test_the_tab_key_completes_commands_names_and_flags(words: tuple[str, ...], found: set[str]) -> None:
    typed = ["deconlab", *(word for word in words if word)]
    known = {"_DECONLAB_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(typed), "COMP_CWORD": str(len(typed) - 1)}
    result = CliRunner().invoke(main, [], prog_name="deconlab", env=known)
    assert {line.partition(",")[2] for line in result.output.splitlines()} == found


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_gets_its_script(shell: str) -> None:
    assert f"_DECONLAB_COMPLETE={shell}_complete" in call("completion", shell)
    assert "not one of 'bash', 'zsh', 'fish'" in call("completion", "tcsh", code=2)


def test_info_reads_real_files(shared: Callable[[str], Path]) -> None:
    folder = shared("data/open-haase-beads")
    text = call("info", folder / "grid_1AU.tif")
    assert "voxel x: 0.0219647 µm (file)" in text
    assert "voxel z: 0.125 µm (file)" in text
    assert "na: missing, give --na" in text


def test_psf_renders_the_optics_given(tmp_path: Path) -> None:
    where = ("--shape", 5, 33, 31, "--voxel-um", 0.3, 0.14, 0.14, "-o", tmp_path / "psf.tif")
    text = call("psf", *OPTICS, *where)
    assert "na                      0.8         (user)" in text
    found = io.read(tmp_path / "psf.tif")
    expected = TorokVarga(na=0.8, emission_nm=520, immersion_index=1).render((5, 33, 31), (0.3, 0.14, 0.14))
    assert np.array_equal(found.data, expected.data.numpy())
    assert found.voxel_um == {"z": 0.3, "y": 0.14, "x": 0.14}
    assert float(found.data.sum()) == pytest.approx(1, abs=1e-5)
    assert "exists already" in call("psf", *OPTICS, *where, code=1)


def test_psf_of_an_image_serves_every_channel_of_its_run(stack: Path, tmp_path: Path) -> None:
    call("psf", stack, "-o", tmp_path / "psf.ome.tif")
    found = io.read(tmp_path / "psf.ome.tif")
    assert (found.axes, found.data.shape[:2]) == ("czyx", (2, 7))
    assert [channel.name for channel in found.channels] == ["DAPI", "GFP"]
    model = TorokVarga(na=0.8, emission_nm=460, immersion_index=1)
    expected = model.render(found.data.shape[1:], (0.3, 0.14, 0.14)).data.numpy()
    assert np.array_equal(found.data[0], expected)
    assert float(found.data[1].max()) < float(found.data[0].max())  # the longer wave is the broader


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--shape", 5, 5), 2, "Without an image, --voxel-um must be given"),
        ((), 2, "Without an image, --shape and --voxel-um must be given"),
        (("--shape", 5, 5, 5, "--voxel-um", 0.1, 0.1), 2, "--shape has 3 numbers and --voxel-um 2"),
        (("--shape", 5, 5, "--voxel-um", "wide"), 2, "--voxel-um takes numbers, one for each axis (Z Y X), not 'wide'"),
        (("--psf-model", "gaussian", "--shape", 5, 5, "--voxel-um", 0.1, 0.1), 1, "Gaussian needs its width"),
    ],
)
def test_psf_says_what_it_lacks(tmp_path: Path, arguments: tuple[object, ...], code: int, message: str) -> None:
    optics = () if "gaussian" in arguments else OPTICS
    assert message in call("psf", *optics, *arguments, "-o", tmp_path / "p.tif", code=code)


def test_psf_asks_for_what_is_missing_in_the_optics(tmp_path: Path) -> None:
    text = call("psf", "--shape", 5, 5, "--voxel-um", 0.1, 0.1, "--na", 0.8, "-o", tmp_path / "p.tif", code=1)
    assert "--emission-nm" in text
    assert "--immersion-index" in text
    assert "--na" not in text
