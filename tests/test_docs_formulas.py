"""The page of corrected formulas: its numbers are the script's, and each correction is one."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from deconlab.assess.metrics import nrmse

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_corrected_formulas", DOCS / "make_corrected_formulas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("index", range(7))
def test_each_correction_comes_nearer_to_the_object_as_the_page_says(script: ModuleType, index: int) -> None:
    name, make = list(script.FORMULAS.items())[index]
    shown = make()
    printed, corrected = nrmse(shown.printed, shown.truth), nrmse(shown.corrected, shown.truth)
    assert corrected < 0.95 * printed
    assert corrected < nrmse(shown.data, shown.truth)
    text = (DOCS / "corrected_formulas.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \| ([-+e.\d]+) \| ([-+e.\d]+) \|$", text, re.MULTILINE)
    assert [row[0] for row in rows] == list(script.TITLES)
    if name != "step_size":  # what diverges amplifies rounding
        assert float(rows[index][1]) == pytest.approx(printed, rel=0.02)
    assert float(rows[index][2]) == pytest.approx(corrected, rel=0.02)
    picture = DOCS / "pictures" / f"{name}.png"
    assert f"(pictures/{name}.png)" in text
    assert 0 < picture.stat().st_size < 200_000


def test_no_two_pictures_are_one(script: ModuleType) -> None:
    pictures = [(DOCS / "pictures" / f"{name}.png").read_bytes() for name in script.FORMULAS]
    assert len(set(pictures)) == len(pictures) == 7
