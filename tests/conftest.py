"""Shared fixtures: reproducible threads, and the one door to the real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # the suite is many small problems; more threads than cores cost 10 ×


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """``shared("data/open-haase-beads")``: a folder of real data or reference numbers, or a skip that says it is absent."""
    root = Path(__file__).resolve().parents[2] / "shared"

    def folder(name: str) -> Path:
        if not (root / name).exists():
            pytest.skip(f"{name} is not here: the shared data lie beside the checkout and are not part of it")
        return root / name

    return folder
