"""Which files a command line means, and where the result of each goes: all of it known before anything runs."""

from __future__ import annotations

import glob
import logging
import string
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from deconlab import io
from deconlab.cli._files import default_output, stem

log = logging.getLogger("deconlab")
PATTERNS = ("history", "checkpoint")
"""Flags that name a file for each input, besides ``output``."""
PARTS_OF_RUN = ("psf", "weights", "reference", "start", "recipe")
"""Flags that name files which are no images to restore, though they may lie in the same folder."""


def expand(words: Sequence[Path], given: Mapping[str, Any]) -> list[Path]:
    """The files that are meant: those named, those of folders that can be read, and those that match a pattern.

    Of folders and patterns, what is a PSF, mask or reference of this run or one of its results is left out.
    """
    named, found = [], []
    for word in words:
        if word.is_dir():
            inside = sorted(path for path in word.iterdir() if path.is_file() and is_known(path))
            if not inside:
                raise ValueError(
                    f"The folder {word} holds no file that can be read; there are {', '.join(io.SUFFIXES)}."
                )
            found += inside
        elif not word.exists() and glob.has_magic(str(word)):
            inside = sorted(path for path in map(Path, glob.glob(str(word), recursive=True)) if path.is_file())
            if not inside:
                raise FileNotFoundError(f"No file matches {word}.")
            found += inside
        else:
            named.append(word)
    others = {Path(str(given[name])).resolve() for name in PARTS_OF_RUN if given.get(name) is not None}
    others |= {output_of(path, given.get("output"), several=True).resolve() for path in (*named, *found)}
    others |= {path.resolve() for path in named}
    kept = [path for path in found if path.resolve() not in others]
    if not (named or kept):
        raise ValueError(f"Nothing is left to restore among {', '.join(map(str, words))}: all are results or PSFs.")
    return list({path.resolve(): path for path in (*named, *kept)}.values())


def is_known(path: Path) -> bool:
    """Whether the ending of a file is that of a format which can be read; hidden files are not meant."""
    return not path.name.startswith(".") and path.name.lower().endswith(tuple(io.SUFFIXES))


def for_each(sources: Sequence[Path], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The flags of each input: ``given``, with patterns of file names filled in.

    Raises click.UsageError where two inputs would write to the same file, or one to the input of another.
    """
    several = len(sources) > 1
    flags = []
    for source in sources:
        own = {**given, "output": output_of(source, given.get("output"), several=several)}
        for name in PATTERNS:
            if own.get(name) is not None:
                own[name] = filled(own[name], source, f"--{name}")
        flags.append(own)
    for name in ("output", *PATTERNS):
        _refuse_collisions(sources, [own.get(name) for own in flags], f"--{name}")
    inputs = {source.resolve(): source for source in sources}
    for source, own in zip(sources, flags, strict=True):
        other = inputs.get(own["output"].resolve())
        if other is not None and other != source:
            raise click.UsageError(
                f"The output for {source} would be {other}, which is another input; name it otherwise."
            )
    return flags


def output_of(source: Path, output: Path | None, *, several: bool) -> Path:
    """Where the result of an input goes, by a file's name, a folder or a pattern."""
    if output is None:
        return default_output(source)
    if "{" in str(output):
        return filled(output, source, "--output")
    if output.is_dir() or (several and not output.suffix):
        return output / default_output(source).name
    return output


def filled(pattern: Path, source: Path, flag: str) -> Path:
    """A pattern with the names of a file in it: {stem}, {name} and {folder}."""
    names = {"stem": stem(source), "name": source.name, "folder": str(source.parent)}
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(str(pattern)) if field is not None]
    except ValueError as error:
        raise click.UsageError(f"{flag} {pattern}: {error}.") from None
    unknown = [field for field in fields if field not in names]
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in names)
        raise click.UsageError(f"{flag} {pattern}: there is no {{{unknown[0]}}}; there are {known}.")
    return Path(str(pattern).format(**names))


def _refuse_collisions(sources: Sequence[Path], files: Iterable[Path | None], flag: str) -> None:
    seen: dict[Path, Path] = {}
    for source, file in zip(sources, files, strict=True):
        if file is None:
            continue
        other = seen.setdefault(file.resolve(), source)
        if other != source:
            raise click.UsageError(
                f"{flag}: {other} and {source} would both write {file}. Give a pattern with {{stem}} or {{folder}} in it"
                + (", or a folder." if flag == "--output" else ".")
            )
