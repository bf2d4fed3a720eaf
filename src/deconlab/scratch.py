"""Restored volumes on a disk until all are there: memory for one volume, and something to go on from after a power cut."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

from deconlab.image import AXES, Image
from deconlab.stored import raw
from deconlab.volumes import Finished, Outcome, Volume, leading

NUMBERS, JOURNAL = "volumes.raw", "journal.jsonl"


class Scratch:
    """A folder with the finished volumes of an image, and a journal of them: a destination for ``restore_volumes``.

    ``identity`` says, as plain data, what is restored and how. With ``resume``, volumes that an earlier run with the same
    identity finished are there already; otherwise what lies in the folder is deleted, and ``differs`` names what was
    other then. A volume stands in the journal when its numbers are on the disk, so that a run may be killed at any time.
    """

    def __init__(
        self,
        folder: Path,
        image: Image,
        dtype: DTypeLike,
        identity: Mapping[str, Any],
        *,
        axes: str | None = None,
        resume: bool = False,
    ) -> None:
        self.folder, self._image, self._dtype = folder, image, np.dtype(dtype)
        sizes = dict(zip(image.axes, image.data.shape, strict=True))
        self._leading = leading(image, axes)
        self._own = "".join(axis for axis in AXES if axis in image.axes and axis not in self._leading)
        self._sizes = sizes
        self._done: dict[tuple[int, ...], dict[str, Any]] = {}
        told = json.loads(json.dumps({**identity, "sizes": sizes, "dtype": str(self._dtype), "axes": axes}))
        before, lines = _journal(folder / JOURNAL) if resume else (None, [])
        self.differs = [] if before is None else [name for name in told if before.get(name) != told[name]]
        if before is None or self.differs:
            clear(folder)
            folder.mkdir(exist_ok=True)
            lines = []
        with (folder / NUMBERS).open("ab") as file:
            file.truncate(math.prod(sizes.values()) * self._dtype.itemsize)
        self._done = {tuple(line["where"]): line for line in lines}
        _write_journal(folder / JOURNAL, [told, *lines])

    def __len__(self) -> int:
        """How many volumes are finished."""
        return len(self._done)

    @property
    def data(self) -> NDArray[Any]:
        axes = self._leading + self._own
        stored = raw(self.folder / NUMBERS, [self._sizes[axis] for axis in axes], self._dtype)
        return cast("NDArray[Any]", stored.transpose([axes.index(axis) for axis in self._image.axes]))

    def finished(self, volume: Volume) -> Finished | None:
        line = self._done.get(self._place(volume))
        if line is None:
            return None
        told: dict[str, Any] = {**line["outcome"], "notes": tuple(line["outcome"]["notes"])}
        return Outcome(volume, **told), tuple(line["steps"]), tuple(line["captured"])

    def put(self, volume: Volume, restored: NDArray[Any]) -> None:
        numbers = np.ascontiguousarray(restored, self._dtype)
        place = self._place(volume)
        at = int(np.ravel_multi_index(place, [self._sizes[axis] for axis in self._leading])) if place else 0
        with (self.folder / NUMBERS).open("rb+") as file:
            file.seek(at * numbers.nbytes)
            file.write(numbers.data)
            file.flush()
            os.fsync(file.fileno())

    def finish(self, outcome: Outcome, steps: Sequence[str], captured: Sequence[float]) -> None:
        told = {each.name: getattr(outcome, each.name) for each in fields(outcome) if each.name != "volume"}
        line = {"where": self._place(outcome.volume), "outcome": told, "steps": list(steps), "captured": list(captured)}
        with (self.folder / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._done[self._place(outcome.volume)] = json.loads(json.dumps(line))
        self.state(outcome.volume).unlink(missing_ok=True)

    def state(self, volume: Volume) -> Path:
        """Where the checkpoints of a volume go."""
        return self.folder / f"state{volume.suffix}.pt"

    def _place(self, volume: Volume) -> tuple[int, ...]:
        return tuple(volume.where[axis] for axis in self._leading)


def beside(output: Path) -> Path:
    """The folder that belongs to an output: ``cells.ome.tif.unfinished``, where a link to the output leads."""
    final = Path(os.path.realpath(output))
    return final.with_name(f"{final.name}.unfinished")


def finished(folder: Path) -> int:
    """How many finished volumes lie in a folder."""
    return len(_journal(folder / JOURNAL)[1])


def clear(folder: Path) -> None:
    """Delete a folder of this kind, its journal first: what is left of it by a power cut is none that could be used."""
    (folder / JOURNAL).unlink(missing_ok=True)
    if folder.is_dir():
        for path in (folder / NUMBERS, *folder.glob("state*.pt*"), *folder.glob("*.partial")):
            path.unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


def _journal(path: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """What a journal says the work is, and its lines; a line that was cut short, and all after it, are not there."""
    found: list[dict[str, Any]] = []
    try:
        with path.open(encoding="utf-8") as file:
            found.extend(json.loads(text) for text in file)
    except (FileNotFoundError, ValueError):
        pass
    return (found[0], found[1:]) if found else (None, [])


def _write_journal(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
