"""What the resolution experiment must teach, on its numbers; a smaller field and fewer iterations than the command's."""

from __future__ import annotations

import itertools
import json
import math
import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from deconlab.experiments.resolution import (
    FWHM_PX,
    LINE_PX,
    SPACINGS,
    Outcome,
    Resolution,
    Scene,
    assessed,
    run,
    scene,
    spacings,
)
from deconlab.experiments.resolution_picture import draw, selected
from deconlab.experiments.resolution_table import as_data, legend, table

SMALL = Resolution(shape=(128, 84, 48), scattered=12, iterations=(5, 15, 50, 150))


@pytest.fixture(scope="module")
def done() -> tuple[Scene, list[Outcome]]:
    return run(SMALL)


def of(outcomes: list[Outcome], method: str) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.method == method]


def test_the_scene_is_the_one_described(done):
    found, outcomes = done
    assert pytest.approx((8.46, 2.82), rel=0.003) == FWHM_PX
    for axis, (line, width) in enumerate(zip(found.lines, FWHM_PX, strict=True)):
        np.testing.assert_allclose(np.diff(line), np.array(SPACINGS) * width)
        on_line = found.places[axis * len(line) : (axis + 1) * len(line)]
        np.testing.assert_allclose(on_line[:, axis], line)
        assert np.all(np.delete(on_line, axis, axis=1) == LINE_PX)
    assert (min(SPACINGS), max(SPACINGS)) == (0.5, 3)
    assert len(found.isolated) == 12
    margin = 4 * np.array([3.6, 1.2, 1.2])  # so that a periodic blur is the true one
    assert np.all(found.places >= margin)
    assert np.all(found.places <= np.array(SMALL.shape) - 1 - margin)
    assert outcomes[0].fwhm_px == pytest.approx(FWHM_PX, rel=0.02)


def test_a_measurement_without_noise_resolves_what_two_gaussians_do(done):
    _, outcomes = done
    for verdicts in outcomes[0].resolved:
        # two Gaussians s FWHM apart: middle 2 exp(−ln2 s²), peak at most 1 + exp(−4 ln2 s²)
        expected = [1 - 2 * 2 ** -(s**2) / (1 + 2 ** -(4 * s**2)) >= 0.265 for s in (1.5, 2, 3)]
        assert list(verdicts[-3:]) == expected == [True, True, True]
        assert not any(verdicts[:3])


def test_a_sharper_profile_is_not_always_a_resolved_pair(done):
    _, outcomes = done
    iterated = of(outcomes, "projected-landweber")
    pair = spacings().index(0.75)
    sharp = iterated[-1]
    for axis, (width, unit) in enumerate(zip(sharp.fwhm_px, FWHM_PX, strict=True)):
        assert width < 0.75 * unit  # a bead is narrower than the distance of the two ...
        assert sharp.dips[axis][pair] < 0.265  # ... and yet they are one
    filtered = of(outcomes, "laplacian-regularised-inverse")
    pair = spacings().index(1.0)
    assert any(
        narrow.fwhm_px[0] < wide.fwhm_px[0] and wide.resolved[0][pair] and not narrow.resolved[0][pair]
        for narrow, wide in itertools.product(iterated, filtered)
    )


def test_axially_everything_stays_coarser(done):
    _, outcomes = done
    blurred = outcomes[0]
    for outcome in outcomes[1:]:
        axial, lateral = outcome.fwhm_px
        assert axial > FWHM_PX[1]  # never even as narrow as what the measurement has laterally
        assert 1.9 < axial / lateral < 3.2
        finest = [spacing * unit for spacing, unit in zip(outcome.finest, FWHM_PX, strict=True)]
        assert finest[0] > 1.9 * finest[1]
    sharp = of(outcomes, "projected-landweber")[-1]
    gained = [1 / now - 1 / before for now, before in zip(sharp.fwhm_px, blurred.fwhm_px, strict=True)]
    assert 0 < gained[0] < 0.5 * gained[1]  # in bandwidth


def test_over_iteration_makes_false_peaks_and_so_does_a_small_weight(done):
    _, outcomes = done
    for method in ("projected-landweber", "laplacian-regularised-inverse"):
        counts = [outcome.false_in_volume for outcome in of(outcomes, method)]
        assert counts == sorted(counts)
        assert counts[-1] >= counts[0] + 5
    widths = [outcome.fwhm_px for outcome in of(outcomes, "projected-landweber")]
    assert widths == sorted(widths, reverse=True)  # while the profiles get sharper and sharper


def test_the_truth_is_resolved_without_a_false_peak(done):
    found, _ = done
    truth = ndimage.gaussian_filter(found.simulation.truth, 0.4)  # single voxels are no Gaussians to fit
    outcome = assessed(found, truth, "truth", "")
    assert outcome.false_in_volume == outcome.false_on_lines == 0
    assert outcome.finest == (0.5, 0.75)  # laterally the voxels limit it: 0.5 FWHM are 1.4 px


def test_any_method_may_be_named_direct_or_iterative():
    tiny = Resolution(shape=(128, 84, 48), scattered=5, iterations=(1, 2, 2, 3))
    _, outcomes = run(tiny, ("wiener", "richardson-lucy"))
    assert [(o.method, o.setting) for o in outcomes] == [
        ("measurement", ""), ("wiener", "default"), ("richardson-lucy", "1 iterations"),
        ("richardson-lucy", "2 iterations"), ("richardson-lucy", "3 iterations"),
    ]  # fmt: skip


def test_table_data_and_picture_say_the_same(done, tmp_path):
    found, outcomes = done
    rows = table(outcomes).splitlines()
    assert len(rows) == 2 + len(outcomes)
    last = outcomes[-1]
    assert rows[-1].startswith(f"| LW+ | 150 iterations | {last.fwhm_px[0]:.2f} px | {last.fwhm_px[1]:.2f} px |")
    assert rows[-1].endswith(f"| {last.false_on_lines} | {last.false_in_volume} |")
    assert rows[-1].count("●") == sum(last.resolved[0]) + sum(last.resolved[1])
    assert "0.5, 0.75, 1, 1.25, 1.5, 2, 3 FWHM apart" in legend()
    data = json.loads(json.dumps(as_data(SMALL, found, outcomes), allow_nan=False))
    assert data["settings"]["iterations"] == [5, 15, 50, 150]
    assert data["outcomes"][-1]["resolved"]["lateral"] == list(last.resolved[1])
    assert len(data["outcomes"][0]["profiles"]["axial"]) == 128
    draw(found, outcomes, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 200_000
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 1900
    assert [o.setting for o in selected(outcomes)] == [
        "", "λ = 0.1", "λ = 0.001", "λ = 0.0001", "5 iterations", "50 iterations", "150 iterations",
    ]  # fmt: skip


def test_nothing_resolved_and_nothing_fitted_is_said():
    seen = np.ones((4, 20), np.float32)
    lost = Outcome("a", "", (math.nan, math.nan), ((0.0,) * 7, (0.0,) * 7), 0, 0, seen)
    assert lost.finest == (math.inf, math.inf)
    assert "| none | none | ○○○○○○○ |" in table([lost])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resolution(photons=0), "Resolution: photons must be > 0, not 0."),
        (lambda: Resolution(iterations=(0, 1, 2, 3)), "Resolution: iterations must be >= 1, not 0."),
        (
            lambda: Resolution(shape=(64, 64, 64)),
            "The two lines of beads need a field of at least (121, 80, 48) voxels, not (64, 64, 64).",
        ),
        (
            lambda: scene(Resolution(shape=(128, 84, 48), scattered=5000)),
            "of 5000 beads fit into the field, each by itself: ask for fewer.",
        ),
        (lambda: run(names=("projected-landwebr",)), "Did you mean 'projected-landweber'?"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
