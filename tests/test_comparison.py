"""Comparing methods on one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

import deconlab
from deconlab import compare, deconvolve


def scene() -> tuple[Any, Any, Any]:
    truth = np.zeros((24, 26))
    truth[8:16, 9:18] = 60
    profile = np.exp(-(np.arange(-5, 6) ** 2) / 4)
    psf = np.outer(profile, profile) / profile.sum() ** 2
    clean = scipy.ndimage.convolve(truth, psf, mode="constant")
    return np.random.default_rng(0).poisson(clean + 5).astype(float), psf, truth


def test_each_method_runs_at_its_own_stop_and_at_equal_time(tmp_path: Path) -> None:
    image, psf, truth = scene()
    result = compare(
        image,
        psf,
        ["richardson-lucy", "rl-tv", "fista", "wiener"],
        iterations=15,
        seconds=0.05,
        reference=truth,
        own={"rl-tv": {"weight": 0.02}},
        background=5,
    )
    runs = [(row.method, row.stop) for row in result.rows]
    assert runs == [
        *[(name, "own") for name in ("richardson-lucy", "rl-tv", "fista", "wiener")],
        *[(name, "equal time") for name in ("richardson-lucy", "rl-tv", "fista")],
    ]
    first = result.rows[0]
    alone = deconvolve(image, psf, "richardson-lucy", first.iterations, background=5)
    np.testing.assert_array_equal(result.images["richardson-lucy", "own"], alone.x)
    assert first.transforms == 4 * first.iterations  # type: ignore[operator]
    prediction = alone.problem.H.forward(alone.state.x).numpy() + 5
    assert first.chi2 == pytest.approx(np.mean((image - prediction) ** 2 / prediction), rel=1e-6)
    assert first.psnr == pytest.approx(10 * np.log10(60**2 / np.mean((alone.x - truth) ** 2)), rel=1e-6)
    for row in result.rows:
        assert row.psnr is not None
        assert 15 < row.psnr < 60
        assert row.seconds is not None
    assert result.rows[3].iterations is None
    assert all("0.05 s" in row.reason for row in result.rows[4:])
    table = result.markdown().splitlines()
    assert table[0].startswith("| method | prior | stop | reason | iterations |")
    assert len(table) == 2 + len(result.rows)
    result.picture(tmp_path / "compared.png")
    from PIL import Image

    with Image.open(tmp_path / "compared.png") as picture:
        assert picture.width > 5 * 360


def test_a_refusal_is_a_row() -> None:
    image, psf, _ = scene()
    result = compare(image, psf, ["mrnsd", "admm"], iterations=3, seconds=0.01, boundary="reflect", background=5)
    assert result.rows[1].reason.startswith("ADMM cannot solve this problem: its blur must be Circulant")
    assert [row.method for row in result.rows] == ["mrnsd", "admm", "mrnsd"]
    assert ("admm", "own") not in result.images


def test_what_is_compared_must_make_sense() -> None:
    image, psf, _ = scene()
    with pytest.raises(ValueError, match="must be different and at least one; they are fista, fista"):
        compare(image, psf, ["fista", "FISTA"])
    with pytest.raises(ValueError, match="at least one; they are none"):
        compare(image, psf, [])
    with pytest.raises(ValueError, match="Settings for rl-tv, which is not compared"):
        compare(image, psf, ["fista"], own={"rl-tv": {"weight": 0.1}})
    with pytest.raises(ValueError, match=r"Unknown method 'fisto'\. Did you mean 'fista'"):
        compare(image, psf, ["fisto"])
    assert "compare" in deconlab.__all__
