"""What the command line may cost before it computes: no torch, and a fraction of a second."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "tifffile", "PIL", "astropy")


def loaded(*arguments: str) -> tuple[set[str], int]:
    """Which heavy packages a command line loads, and its exit code."""
    code = f"""
import sys
from deconlab.cli import main
try:
    main({list(arguments)!r}, prog_name="deconlab")
except SystemExit as end:
    code = end.code
print("LOADED", code, *[name for name in {HEAVY!r} if name in sys.modules])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    _, exit_code, *names = answer.stdout.splitlines()[-1].split()
    return set(names), int(exit_code)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("run", "--help"),
        ("run", "--method", "tikhonov-miller", "--prior", "laplacian", "--psf-model", "gaussian", "--help"),
        ("psf", "--help"),
        ("info", "--help"),
        ("demo", "--help"),
        ("doctor", "--help"),
        ("methods",),
        ("methods", "wiener"),
    ],
)
def test_help_and_listings_load_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == (set(), 0)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "a.tif", "--method", "weiner"),
        ("run", "a.tif", "--na", "big"),
        ("run", "a.tif", "--psf-origin", "middle"),
        ("run", "a.tif", "--psf", "b.tif", "--na", "1.4"),
        ("run", "a.tif", "--nonsense"),
        ("unknown",),
    ],
)
def test_errors_of_usage_load_no_torch(arguments: tuple[str, ...]) -> None:
    names, code = loaded(*arguments)
    assert "torch" not in names
    assert code == 2


def test_a_missing_file_is_found_missing_without_torch() -> None:
    assert loaded("run", "there-is-no-such-file.tif") == (set(), 1)


@pytest.mark.skipif(os.name == "nt", reason="there are no child times on Windows")
def test_help_answers_within_the_budget() -> None:
    def cpu_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "deconlab", "--help"], capture_output=True, timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_seconds() for _ in range(3)) < 0.3
