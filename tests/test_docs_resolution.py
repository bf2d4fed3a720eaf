"""The page on resolution holds the command's own table, and says what its numbers say."""

from __future__ import annotations

from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_holds_the_table_of_the_command():
    page = (DOCS / "resolution.md").read_text()
    assert (DOCS / "resolution" / "resolution.md").read_text() in page
    assert "(resolution/resolution.png)" in page
    assert (DOCS / "resolution" / "resolution.png").stat().st_size < 200_000


def test_the_sentences_are_what_the_table_of_draws_says():
    text = (DOCS / "resolution.md").read_text()
    page = " ".join(text.split())
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    start = next(i for i, row in enumerate(cells) if row[0] == "8 draws")
    of = {(row[0], row[1]): row for row in cells[start + 2 :]}

    def width(method: str, setting: str) -> tuple[float, float]:
        return tuple(float(cell.split()[0]) for cell in of[method, setting][2:4])

    def resolved(method: str, setting: str) -> tuple[list[int], list[int]]:
        return tuple([int(n) for n in cell.split()] for cell in of[method, setting][4:6])

    axial, lateral = width("LW+", "300 iterations")
    assert f"{lateral:.2f} of the PSF's width laterally and {axial:.2f} axially" in page
    assert axial == pytest.approx(lateral, rel=0.1)  # "gains alike"
    assert all(shares[1] == 0 for shares in resolved("LW+", "300 iterations"))  # at 0.75 FWHM
    assert resolved("LW+", "30 iterations") == resolved("LW+", "100 iterations")
    (a30, l30), (a100, l100) = width("LW+", "30 iterations"), width("LW+", "100 iterations")
    assert f"{l30:.2f} to {l100:.2f} and from {a30:.2f} to {a100:.2f}" in page
    wide = width("RIF", "λ = 0.001")[0]
    assert f"axially wider beads ({wide:.2f})" in page
    assert wide > a100
    assert resolved("RIF", "λ = 0.001")[0][2] == 7
    assert resolved("LW+", "100 iterations")[0][2] == 0
    for weight in ("0.1", "0.01", "0.001", "0.0001"):
        axial, lateral = width("RIF", f"λ = {weight}")
        assert axial < lateral
    assert of["LW+", "10 iterations"][6].startswith("0 ")
    assert of["LW+", "300 iterations"][6].startswith("32 ")
    assert of["RIF", "λ = 0.0001"][6].startswith("4811 ")
