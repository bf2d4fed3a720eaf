"""What the benchmarks share: the machine in a line, spreads, tables in Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence


def machine(threads: int) -> str:
    """Processor, versions and engine, in a line."""
    import torch

    from deconlab import engine

    return (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, torch {torch.__version__}, "
        f"{threads} thread(s); {engine.status()}"
    )


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load() -> str:
    """How busy the machine is: figures in seconds are worth little on a busy one, ratios something."""
    return f"load {os.getloadavg()[0]:.1f}"


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """``median (least … most)``."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} … {max(values):{form}})"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
