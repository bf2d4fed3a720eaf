"""The page on resolution holds the command's own table, and says what its numbers say."""

from __future__ import annotations

import json
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_holds_the_table_of_the_command():
    page = (DOCS / "resolution.md").read_text()
    assert (DOCS / "resolution" / "resolution.md").read_text() in page
    assert "(resolution/resolution.png)" in page
    assert (DOCS / "resolution" / "resolution.png").stat().st_size < 200_000


def test_the_numbers_in_the_text_are_the_experiments():
    data = json.loads((DOCS / "resolution" / "resolution.json").read_text())
    page = " ".join((DOCS / "resolution.md").read_text().split())
    of = {(outcome["method"], outcome["setting"]): outcome for outcome in data["outcomes"]}
    measured = of["measurement", ""]
    first, some, many, most = (of["projected-landweber", f"{n} iterations"] for n in (10, 30, 100, 300))
    rif = of["laplacian-regularised-inverse", "λ = 0.001"]
    at = data["spacings_fwhm"].index
    assert f"a single bead is {most['fwhm_px']['lateral']:.2f} px wide" in page
    assert most["dips"]["lateral"][at(0.75)] == 0
    assert f"makes beads {many['fwhm_px']['axial']:.1f} px wide" in page
    assert f"(dip {many['dips']['axial'][at(1)]:.0%})".replace("%", " %") in page
    assert (
        f"makes them {rif['fwhm_px']['axial']:.1f} px wide and does ({rif['dips']['axial'][at(1)] * 100:.0f} %)" in page
    )
    assert 0.7 < most["fwhm_px"]["lateral"] / some["fwhm_px"]["lateral"] < 0.8
    assert most["resolved"]["lateral"] == some["resolved"]["lateral"]
    finest = {axis: min(o["finest_pair_fwhm"][axis] for o in data["outcomes"]) for axis in ("axial", "lateral")}
    px = data["psf_fwhm_px"]
    assert f"is {finest['axial'] * px['axial']:.1f} px apart" in page
    assert finest["axial"] * px["axial"] >= 1.99 * measured["finest_pair_fwhm"]["lateral"] * px["lateral"]
    assert all(outcome["fwhm_px"]["axial"] > 1.5 * px["lateral"] for outcome in data["outcomes"])
    counts = [first["false_peaks"]["in_volume"], most["false_peaks"]["in_volume"]]
    assert f"LW+ goes from {counts[0]} to {counts[1]} peaks" in page
