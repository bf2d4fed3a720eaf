"""Pictures: one display range for all panels, true proportions, the right sections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deconlab.assess.picture import brightest, side_by_side


def test_panels_share_one_range_and_show_the_sections_through_the_brightest_voxel(tmp_path: Path) -> None:
    truth = np.zeros((5, 8, 10), np.float32)
    truth[2, 3:6, 4:7] = 100
    half = truth / 2
    side_by_side(
        {"half": half, "truth": truth}, tmp_path / "a.png", voxel_um=(0.2, 0.1, 0.1), limits=(0, 100), width=100
    )
    assert brightest(truth) == (2, 4, 5)
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    gap, top, scale = 6, 27, 10
    left, right = gap, gap + 100 + gap
    xy = picture[top : top + 80, left : left + 100], picture[top : top + 80, right : right + 100]
    assert np.array_equal(xy[1][::10, ::10], np.round(truth[2] * 2.55).astype(np.uint8))
    assert np.array_equal(xy[0][::10, ::10], np.round(half[2] * 2.55).astype(np.uint8))
    below = top + 80 + gap
    xz = picture[below : below + 5 * 2 * scale, right : right + 100]  # z is twice as coarse as x
    assert np.array_equal(xz[::20, ::10], np.round(truth[:, 4] * 2.55).astype(np.uint8))


def test_a_plane_has_one_row_and_the_range_comes_from_the_last(tmp_path: Path) -> None:
    image = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    side_by_side({"a": image * 3, "b": image}, tmp_path / "b.png", width=50)
    picture = np.asarray(Image.open(tmp_path / "b.png"))
    assert picture[27 + 49, 6 + 49] == 255
    assert picture.shape == (27 + 50 + 6 + 27, 6 + 2 * 56)


@pytest.mark.parametrize("images", [{"a": np.zeros((2, 2)), "b": np.zeros((3, 3))}, {"a": np.zeros(4)}])
def test_images_must_be_of_one_shape(images: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="images of one shape"):
        side_by_side(images, tmp_path / "c.png")


def test_the_display_range_must_rise(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="range must rise, not go from 1 to 1"):
        side_by_side({"a": np.ones((3, 3))}, tmp_path / "d.png", limits=(1, 1))
