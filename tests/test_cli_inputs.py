"""Several inputs: which files are meant, where results go, and that one bad file does not stop the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import deconlab
from deconlab import io
from deconlab.cli import _batch, main
from deconlab.image import Image

KERNEL = np.exp(-np.add.outer(np.arange(-2, 3) ** 2, np.arange(-2, 3) ** 2) / 2.5)


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["run", *map(str, arguments), "--iterations", "2"])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, a series, a PSF, a text and a broken file."""
    rng = np.random.default_rng(1)
    (tmp_path / "in").mkdir()
    io.write(tmp_path / "in" / "a.tif", Image(rng.random((9, 10)), "yx"))
    io.write(tmp_path / "in" / "b.npy", Image(rng.random((9, 10)), "yx"))
    io.write(tmp_path / "in" / "c.ome.tif", Image(rng.random((2, 9, 10)), "tyx"))
    io.write(tmp_path / "in" / "psf.tif", Image(KERNEL, "yx"))
    (tmp_path / "in" / "notes.txt").write_text("no image")
    return tmp_path / "in"


def made(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir() if path.name.endswith(".ome.tif"))


def test_a_folder_means_its_images_but_not_the_psf_nor_the_results(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    psf = ("--psf", folder / "psf.tif")
    text = call(folder, *psf, "-o", tmp_path / "out")
    assert made(tmp_path / "out") == [f"{name}_deconvolved.ome.tif" for name in "abc"]
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("file  "))
    assert lines[at].split() == ["file", "volume", "seconds", "iterations", "reason"]
    assert [line.split()[0] for line in lines[at + 1 : at + 5]] == [
        str(folder / name) for name in ("a.tif", "b.npy", "c.ome.tif", "c.ome.tif")
    ]
    assert lines[at + 4].split()[1:3] == ["time", "1"]
    assert lines[at + 4].endswith("2  reached 2 iterations")
    assert "file 3 of 3 (c.ome.tif), volume 2 of 2 (time 1): iteration 1 of 2" in text
    alone = call(folder / "a.tif", *psf, "-o", tmp_path / "alone.tif")
    assert "file  " not in alone
    assert np.array_equal(
        io.read(tmp_path / "alone.tif").data, io.read(tmp_path / "out" / "a_deconvolved.ome.tif").data
    )
    call(folder, *psf)
    assert flat(call(folder, *psf, "--overwrite")).count("iterations") > 0
    assert made(folder) == ["a_deconvolved.ome.tif", "b_deconvolved.ome.tif", "c.ome.tif", "c_deconvolved.ome.tif"]
    skipped = call(folder, *psf, "--resume")
    assert skipped.count("is done already") == 3
    assert skipped.count("  done already") == 3


def test_globs_and_patterns(folder: Path, tmp_path: Path) -> None:
    psf = ("--psf", folder / "psf.tif")
    pattern = tmp_path / "{stem}_dec.ome.tif"
    call(folder / "[ab].*", *psf, "-o", pattern, "--history", tmp_path / "{stem}.csv")
    assert made(tmp_path) == ["a_dec.ome.tif", "b_dec.ome.tif"]
    assert (tmp_path / "b.csv").exists()
    call(tmp_path / "**" / "c.ome.tif", *psf, "-o", tmp_path / "{name}.npy")
    assert (tmp_path / "c.ome.tif.npy").exists()
    call(folder / "a.tif", folder / "a.tif", *psf, "-o", "{folder}/one.tif")
    assert (folder / "one.tif").exists()


@pytest.mark.filterwarnings("ignore::deconlab.psf.PSFWarning")
def test_a_part_of_a_file_is_restored_and_repeated(folder: Path, tmp_path: Path) -> None:
    """As if it were alone; a mask of the whole file's shape is cut to it; its recipe finds it again."""
    whole = io.read(folder / "c.ome.tif")
    mask = np.ones(whole.data.shape)
    mask[1, 3, 4] = 0
    io.write(tmp_path / "mask.tif", whole.replace_data(mask))
    words = ("--psf", folder / "psf.tif", "--time", "1", "--crop", "y=2:8,x=1:")
    call(folder / "c.ome.tif", *words, "--weights", tmp_path / "mask.tif", "-o", tmp_path / "part.ome.tif")
    part = io.read(tmp_path / "part.ome.tif")
    assert part.data.shape == (1, 6, 9)
    assert part.history["selection"]["crop"] == {"y": [2, 8], "x": [1, 10]}
    alone = deconlab.deconvolve(
        whole.data[1, 2:8, 1:], io.read(folder / "psf.tif").data, iterations=2, weights=mask[1, 2:8, 1:]
    )
    assert np.array_equal(part.data[0], alone.x)
    call(folder / "c.ome.tif", *words, "-o", tmp_path / "open.ome.tif")
    call("--recipe", tmp_path / "open.yaml", "-o", tmp_path / "again.ome.tif")
    assert np.array_equal(io.read(tmp_path / "again.ome.tif").data, io.read(tmp_path / "open.ome.tif").data)


def test_one_bad_file_does_not_stop_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bad.tif").write_bytes(b"nothing of the kind")
    files = [folder / name for name in ("bad.tif", "none.tif", "a.tif", "b.npy")]
    (folder / "b_deconvolved.ome.tif").write_text("somebody's")
    text = call(*files, "--psf", folder / "psf.tif", code=1)
    assert made(folder) == ["a_deconvolved.ome.tif", "b_deconvolved.ome.tif", "c.ome.tif"]
    assert (folder / "b_deconvolved.ome.tif").read_text() == "somebody's"
    table = text[text.index("file  ") :]
    assert "failed: There is no file" in table
    assert "cannot be read as a TIFF" in table
    assert "exists already. Say --overwrite" in table
    assert "reached 2 iterations" in table
    assert "Error: " + str(folder / "bad.tif") in text
    monkeypatch.setattr("deconlab.cli._job.described", lambda _: 1 / 0)
    text = call(folder / "a.tif", folder / "c.ome.tif", "--psf", folder / "psf.tif", "--overwrite", code=1)
    assert flat(text).count("ZeroDivisionError: division by zero. This is a fault of deconlab, not yours") == 4
    (debug,) = [CliRunner().invoke(main, ["run", *map(str, files[:2]), "--psf", str(folder / "psf.tif"), "--debug"])]
    assert "Traceback" in debug.output


def test_ctrl_c_ends_the_series_and_tells_what_was_done(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = io.read

    def interrupted(path: Any, **how: Any) -> Image:
        if Path(path).name == "b.npy":
            raise KeyboardInterrupt
        return read(path, **how)

    monkeypatch.setattr(io, "read", interrupted)
    text = call(folder / "a.tif", folder / "b.npy", folder / "c.ome.tif", "--psf", folder / "psf.tif", code=130)
    table = text[text.index("file  ") :].splitlines()
    assert [line.split()[-1] for line in table[1:4]] == ["iterations", "interrupted", "begun"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["{in}/a.tif", "{in}/b.npy", "-o", "{in}/x.tif"],
            2,
            "would both write .*x.tif. Give a pattern with {stem} .* or a fol",
        ),
        (
            ["{in}/a.tif", "{in}/b.npy", "-o", "{in}/x_{volume}.tif"],
            2,
            "there is no {volume}; there are {stem}, {name}, {fol",
        ),
        (["{in}/a.tif", "-o", "{in}/x_{stem.tif"], 2, "expected '}' before end"),
        (
            ["{in}/a.tif", "{in}/b.npy", "--history", "{in}/h.csv"],
            2,
            "--history: .*would both write .*or {folder} in it\\.$",
        ),
        (["{in}/a.tif", "{in}/b.npy", "-o", "{in}/a.tif"], 2, "would both write"),
        (
            ["{in}/a.tif", "{in}/a_deconvolved.ome.tif"],
            2,
            "output for .*a.tif would be .*a_deconvolved.ome.tif, .*another inp",
        ),
        (["{in}/q*.tif"], 1, r"No file matches .*q\*.tif"),
        (["{in}/empty"], 1, "The folder .*empty holds no file that can be read; there are .tif"),
        (["{in}/psf*.tif"], 1, "Nothing is left to restore among .*: all are results or PSFs"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_runs(
    folder: Path, words: list[str], code: int, message: str
) -> None:
    import re

    (folder / "empty").mkdir()
    before = sorted(folder.iterdir())
    text = call(*[word.replace("{in}", str(folder)) for word in words], "--psf", folder / "psf.tif", code=code)
    assert re.search(message, flat(text)), text
    assert sorted(folder.iterdir()) == before


def test_the_table_is_aligned() -> None:
    rows = [
        _batch.Row("a.tif", "time 1", 1.25, 30, "reached 30 iterations"),
        _batch.Row("long.tif", "", None, None, "x"),
    ]
    assert _batch.table(rows) == [
        "file      volume  seconds  iterations  reason",
        "a.tif     time 1      1.2          30  reached 30 iterations",
        "long.tif                               x",
    ]
