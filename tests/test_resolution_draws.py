"""What the resolution experiment teaches must hold over several draws, not in one."""

from __future__ import annotations

import pytest

from deconlab.experiments.resolution import Resolution, spacings
from deconlab.experiments.resolution_draws import Draws, draws_table, repeated, summarised

DRAWS = 3


@pytest.fixture(scope="module")
def found() -> list[Draws]:
    settings = Resolution(iterations=(5, 15, 50, 150))
    return summarised(repeated(settings, ["projected-landweber"], DRAWS))


def test_in_units_of_the_psf_both_axes_gain_alike(found):
    for entry in found[2:]:
        axial, lateral = (width[0] for width in entry.width)
        assert axial == pytest.approx(lateral, rel=0.1)
    assert found[-1].width[0][2] < 0.75  # even the worst draw gains


def test_over_iteration_makes_false_peaks_in_every_draw(found):
    assert found[-1].false_in_volume[1] > found[1].false_in_volume[2]


def test_a_sharper_bead_is_not_a_resolved_pair_in_any_draw(found):
    at = spacings().index(0.75)
    last = found[-1]
    assert last.width[0][2] < 0.75
    assert last.width[1][2] < 0.75
    assert last.resolved[0][at] == last.resolved[1][at] == 0


def test_the_table_counts_draws(found):
    rows = draws_table(found, DRAWS).splitlines()
    assert rows[0].startswith("| 3 draws | setting |")
    assert "| 0 0 0 3 3 3 3 | 0 0 0 3 3 3 3 |  |" in rows[2]
    assert found[0].finest == (1.25, 1.25)


def test_no_draw_is_refused():
    with pytest.raises(ValueError, match="needs at least 1 draw, not 0"):
        repeated(Resolution(), ["wiener"], 0)
