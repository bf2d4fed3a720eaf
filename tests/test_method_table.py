"""The table of all methods is what its numbers say, and they are what they claim to be: the best, inside their grids."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_method_table", DOCS / "make_method_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(script: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(script.RESULTS.read_text(encoding="utf-8"))
    return found


def test_the_page_is_made_from_the_numbers(script: ModuleType, results: dict[str, Any]) -> None:
    assert script.PAGE.read_text(encoding="utf-8") == script.page(results), "run docs/make_method_table.py --page"
    for entries in (entries for key, entries in results.items() if key != "seconds"):
        assert set(entries) == {"image", *(f"{method} {prior}" for method, prior in script.pairs())}


def test_no_best_lies_at_the_edge_of_its_grid(script: ModuleType, results: dict[str, Any]) -> None:
    for key, entries in results.items():
        if key == "seconds":
            continue
        for label, entry in entries.items():
            values = entry.get("grid", [])
            if values:
                assert len(values) >= script.POINTS
                assert max(values) - max(values[1:-1]) <= script.SETTLED_DB + 1e-3, (key, label)
            path = {int(k): value for k, value in entry.get("path", {}).items()}
            if path:
                assert len(path) >= script.POINTS
                inner = max(value for k, value in path.items() if k <= 0.55 * max(path))
                best = max(path.values())
                if max(path) >= script.LONGEST:
                    assert path[max(path)] < best or "≥ " in script.PAGE.read_text(encoding="utf-8")
                    continue
                assert path[max(path)] < best or best - inner <= script.SETTLED_DB + 1e-3, (key, label)


def test_a_number_is_measured_again(script: ModuleType, results: dict[str, Any]) -> None:
    """One direct and one iterative method give, measured anew, what the file holds."""
    found = script.simulated("beads", 20, 0)
    for method in ("wiener", "cgls"):
        again = script.measured(method, "zero", found, None)
        held = results["beads 20 0"][f"{method} zero"]
        assert again["psnr"] == pytest.approx(held["psnr"], abs=0.02)
        assert again["ssim"] == pytest.approx(held["ssim"], abs=0.005)
    assert found.data.shape == script.SHAPE
    assert np.isclose(found.mean.max(), 20 * (1 + script.BACKGROUND), rtol=1e-3)


def test_a_grid_is_extended_until_its_best_lies_inside(script: ModuleType) -> None:
    best, values = script.sought(lambda value: -abs(np.log2(value) + 20), 0.01, 12)
    assert abs(np.log2(best) + 20) < 1
    assert len(values) > 12
    assert 0 < int(np.argmax(values)) < len(values) - 1
    assert script.grid(1, 64)[0] == 1
    assert script.grid(1, 64)[-1] == 64
    assert len(script.grid(1, 64)) >= 12
