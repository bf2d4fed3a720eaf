"""``--resume``: a run may be killed at any moment, and what is done afterwards ends at the same numbers, bit by bit."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deconlab import io, scratch
from deconlab.cli import main
from deconlab.image import Channel, Image
from deconlab.restore import restore_volumes
from deconlab.scratch import Scratch
from deconlab.volumes import split

KERNEL = np.exp(-np.add.outer(np.arange(-3, 4) ** 2, np.arange(-3, 4) ** 2) / 2.5)
posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows can neither fork nor kill a child at a chosen moment"
)


def call(*arguments: object) -> Any:
    return CliRunner().invoke(main, ["run", *map(str, arguments)])


@pytest.fixture
def series(tmp_path: Path) -> list[object]:
    """A time series of two channels and the words that restore it."""
    data = np.random.default_rng(3).poisson(20, (3, 2, 16, 17)).astype(np.uint16)
    channels = (Channel("A"), Channel("B"))
    io.write(tmp_path / "s.ome.tif", Image(data, "tcyx", {"y": 0.1, "x": 0.1}, channels), dtype="uint16")
    io.write(tmp_path / "psf.tif", Image(KERNEL, "yx"))
    return [tmp_path / "s.ome.tif", "--psf", tmp_path / "psf.tif", "--iterations", "25"]


def killed_at(moment: int, words: list[str]) -> int:
    """Run in a child that kills itself at the ``moment``-th call of a function of ours or of the system's file calls.

    The moments lie in the midst of steps, of checkpoints, of volumes and of the writing of the output alike. Returns how
    many calls there were, 0 if it was killed.
    """

    def child(sender: Any) -> None:
        calls = 0

        def count(frame: Any, event: str, function: Any) -> None:
            nonlocal calls
            name = getattr(function, "__name__", "") if event == "c_call" else frame.f_code.co_filename
            if (event == "c_call" and name in WRITING) or (event == "call" and "deconlab" in name):
                calls += 1
                if calls == moment:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        result = call(*words)
        sys.setprofile(None)
        sender.send(calls if result.exit_code == 0 else -1)
        os._exit(0)

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process: Any = context.Process(target=child, args=(sender,))
    process.start()
    sender.close()
    process.join()
    return int(receiver.recv()) if process.exitcode == 0 else 0


WRITING = ("write", "fsync", "replace", "flush", "close", "unlink", "rmdir", "truncate", "seek", "fromfile")


@posix
def test_killed_at_ten_moments_a_series_ends_bit_equal(series: list[object], tmp_path: Path) -> None:
    """Killed and resumed until it is done, begun anew until there were ten kills: each end is that of one in a go."""
    words = [str(word) for word in series]
    assert call(*words, "-o", tmp_path / "whole.ome.tif").exit_code == 0
    expected = io.read(tmp_path / "whole.ome.tif")
    output, unfinished = tmp_path / "o.ome.tif", tmp_path / "o.ome.tif.unfinished"
    resumed = [*words, "--resume", "-o", str(output)]
    total = killed_at(-1, resumed)
    assert total > 1000
    kills, before = 0, []
    for moment in np.random.default_rng(11).integers(1, total, 30):
        if output.exists():
            assert np.array_equal(io.read(output).data, expected.data)
            if not unfinished.exists():
                output.unlink()
                (tmp_path / "o.yaml").unlink()
        if kills == 10:
            break
        before.append(scratch.finished(unfinished))
        kills += not killed_at(int(moment), resumed)
    assert kills == 10
    assert len(set(before)) > 2
    result = call(*resumed)
    assert result.exit_code == 0, result.output
    found = io.read(tmp_path / "o.ome.tif")
    assert np.array_equal(found.data, expected.data)
    assert (found.axes, found.voxel_um, found.channels) == (expected.axes, expected.voxel_um, expected.channels)
    records = [image.history["deconvolution"] for image in (found, expected)]
    assert [[each["iterations"] for each in record["volumes"]] for record in records] == [[25] * 6] * 2
    left = {path.name for path in tmp_path.iterdir()} - {"whole.ome.tif", "whole.yaml"}
    assert left == {"s.ome.tif", "psf.tif", "o.ome.tif", "o.yaml"}


@posix
@pytest.mark.parametrize("share", [0.9, 0.97, 0.99, 0.998])
def test_killed_while_the_output_is_written_and_the_rest_cleared_up(
    series: list[object], tmp_path: Path, share: float
) -> None:
    words = [*map(str, series[:-1]), "2"]
    assert call(*words, "-o", tmp_path / "whole.ome.tif").exit_code == 0
    expected = io.read(tmp_path / "whole.ome.tif").data
    total = killed_at(-1, [*words, "--resume", "-o", str(tmp_path / "count.ome.tif")])
    resumed = [*words, "--resume", "-o", str(tmp_path / "o.ome.tif")]
    killed_at(round(total * share), resumed)
    if (tmp_path / "o.ome.tif").exists():
        assert np.array_equal(io.read(tmp_path / "o.ome.tif").data, expected)
    assert call(*resumed).exit_code == 0
    assert np.array_equal(io.read(tmp_path / "o.ome.tif").data, expected)
    assert not scratch.beside(tmp_path / "o.ome.tif").exists()
    assert not list(tmp_path.glob("*partial*"))


def test_what_is_done_is_skipped_and_what_is_not_is_done(series: list[object], tmp_path: Path) -> None:
    words = [*series, "-o", tmp_path / "o.ome.tif"]
    assert call(*words).exit_code == 0
    before = (tmp_path / "o.ome.tif").stat().st_mtime_ns
    again = call(*words, "--resume")
    assert again.exit_code == 0
    assert "o.ome.tif is done already. Say --overwrite without --resume" in again.output
    assert (tmp_path / "o.ome.tif").stat().st_mtime_ns == before
    other = call(*[word if word != "25" else "3" for word in words], "--resume")
    assert "done already" not in other.output
    assert io.read(tmp_path / "o.ome.tif").history["deconvolution"]["volumes"][0]["iterations"] == 3
    part = call(*words[:-3], "3", "-o", tmp_path / "o.ome.tif", "--resume", "--time", "1")
    assert "done already" not in part.output
    assert io.read(tmp_path / "o.ome.tif").data.shape == (1, 2, 16, 17)
    os.utime(tmp_path / "s.ome.tif", ns=(time.time_ns() + 10**9,) * 2)
    newer = call(*words[:-3], "3", "-o", tmp_path / "o.ome.tif", "--resume", "--time", "1")
    assert "done already" not in newer.output


def halfway(series: list[object], tmp_path: Path) -> Path:
    """The folder that a run leaves which fails after its first channel."""
    folder = scratch.beside(tmp_path / "o.ome.tif")

    from deconlab.cli import _job

    class Stopping(_job.Watching):
        def __call__(self, volume: Any, ready: Any) -> Any:
            if volume.number == 4:
                raise KeyboardInterrupt
            return super().__call__(volume, ready)

    former, _job.Watching = _job.Watching, Stopping  # type: ignore[misc]
    try:
        result = call(*series, "-o", tmp_path / "o.ome.tif")
    finally:
        _job.Watching = former  # type: ignore[misc]
    assert result.exit_code == 130
    assert scratch.finished(folder) == 3
    assert not (tmp_path / "o.ome.tif").exists()
    return folder


def test_an_unfinished_run_is_neither_lost_nor_mistaken(series: list[object], tmp_path: Path) -> None:
    folder = halfway(series, tmp_path)
    words = [*series, "-o", tmp_path / "o.ome.tif"]
    refused = call(*words)
    assert refused.exit_code == 1
    assert "holds 3 finished volumes of a run that was ended: say --resume to go on" in " ".join(refused.output.split())
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text() + '{"where": [1, ')  # the power went while a line was written
    going = call(*words, "--resume")
    assert "3 volumes are finished" in going.output
    assert going.output.count("RichardsonLucy() on") == 3
    assert not folder.exists()
    (tmp_path / "o.ome.tif").unlink()
    (tmp_path / "o.yaml").unlink()
    halfway(series, tmp_path)
    other = call(*[word if word != "25" else "2" for word in words], "--resume")
    assert "Begun anew: what lay in" in other.output
    assert "was of other settings." in " ".join(other.output.split())
    assert other.output.count("RichardsonLucy() on") == 6
    (tmp_path / "o.ome.tif").unlink()
    (tmp_path / "o.yaml").unlink()
    halfway(series, tmp_path)
    assert call(*words, "--overwrite").output.count("RichardsonLucy() on") == 6
    assert not folder.exists()


@posix
def test_after_ctrl_c_what_was_reached_is_written_and_gone_on_from(series: list[object], tmp_path: Path) -> None:
    from deconlab.cli import _job

    class Interrupting(_job.Watching):
        def __call__(self, volume: Any, ready: Any) -> Any:
            watch = super().__call__(volume, ready)
            if volume.number != 3:
                return watch

            def press(iteration: Any) -> None:
                if iteration.index == 7:
                    os.kill(os.getpid(), signal.SIGINT)

            return type(watch)((*watch.observers, press), watch.resume)

    words = [*series, "--resume", "-o", tmp_path / "o.ome.tif"]
    assert call(*series, "-o", tmp_path / "whole.ome.tif").exit_code == 0
    former, _job.Watching = _job.Watching, Interrupting  # type: ignore[misc]
    try:
        result = call(*words)
    finally:
        _job.Watching = former  # type: ignore[misc]
    assert result.exit_code == 130
    assert "Interrupted: 3 of 6 volumes were not restored; they are 0" in " ".join(result.output.split())
    part = io.read(tmp_path / "o.ome.tif")
    assert [each["iterations"] for each in part.history["deconvolution"]["volumes"]] == [25, 25, 7]
    assert not part.volume({"t": 2, "c": 1}).data.any()
    going = call(*words)
    assert "iteration 7" in going.output
    found, expected = io.read(tmp_path / "o.ome.tif"), io.read(tmp_path / "whole.ome.tif")
    assert np.array_equal(found.data, expected.data)
    assert not scratch.beside(tmp_path / "o.ome.tif").exists()


def test_a_scratch_folder_is_a_destination(tmp_path: Path) -> None:
    """What is put there is what is in memory otherwise, whatever the order of the axes."""
    data = np.random.default_rng(5).poisson(30, (3, 9, 2, 8)).astype(np.float32)
    image = Image(data, "tycx")
    expected = restore_volumes(image, psf=KERNEL, iterations=2)
    out = Scratch(tmp_path / "folder", image, np.float32, {"what": 1})
    found = restore_volumes(image, psf=KERNEL, iterations=2, out=out)
    assert np.array_equal(np.asarray(found.image.data), expected.image.data)
    assert np.array_equal(found.image.volume({"t": 1, "c": 1}).data, expected.image.volume({"t": 1, "c": 1}).data)
    again = Scratch(tmp_path / "folder", image, np.float32, {"what": 1}, resume=True)
    assert (len(again), again.differs) == (6, [])
    for volume, outcome in zip(split(image), found.outcomes, strict=True):
        known = again.finished(volume)
        assert known is not None
        assert {**vars(known[0]), "volume": 0} == {**vars(outcome), "volume": 0}
        assert known[1] == tuple(expected.image.history["deconvolution"]["psf"]["channels"][volume.channel]["steps"])
    told = restore_volumes(image, psf=KERNEL, iterations=2, out=again).image.history["deconvolution"]
    assert told["psf"] == expected.image.history["deconvolution"]["psf"]
    anew = Scratch(tmp_path / "folder", image, np.float32, {"what": 2}, resume=True)
    assert (len(anew), anew.differs, float(np.abs(np.asarray(anew.data)).max())) == (0, ["what"], 0.0)
    lines = (tmp_path / "folder" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == [2]
    (tmp_path / "folder" / "mine.txt").write_text("not deconlab's")
    scratch.clear(tmp_path / "folder")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["mine.txt"]
