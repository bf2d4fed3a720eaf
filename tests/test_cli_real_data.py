"""Real data from end to end through the command line: light is kept, and what must get better gets better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy import ndimage

from deconlab import io
from deconlab.cli import main
from deconlab.image import Image

Shared = Callable[[str], Path]


def restored(source: Path, psf: Path, folder: Path, *flags: object) -> tuple[Image, str]:
    output = folder / "restored.ome.tif"
    result = CliRunner().invoke(main, ["run", *map(str, (source, "--psf", psf, "-o", output, *flags))])
    assert result.exit_code == 0, result.output
    before, after = io.read(source), io.read(output)
    assert (after.axes, after.data.shape, after.data.dtype) == (before.axes, before.data.shape, np.float32)
    assert after.voxel_um == before.voxel_um
    assert np.isfinite(after.data).all()
    assert after.data.min() >= 0
    return after, result.output


def visibility(profile: NDArray[np.float64], first: slice, valley: slice, second: slice) -> float:
    """(peak − valley)/(peak + valley) of two neighbouring lines; the peak is the lower of the two."""
    peak = min(profile[first].max(), profile[second].max())
    return float((peak - profile[valley].min()) / (peak + profile[valley].min()))


def test_one_bead_of_the_same_microscope_separates_the_lines_of_a_grid(shared: Shared, tmp_path: Path) -> None:
    """Haase: confocal, almost photon counting (at most 8 counts), 22.49 nm pixels for the bead and 21.96 nm for the grid."""
    folder = shared("data/open-haase-beads")
    beads = io.read(folder / "beads.tif")
    z, y, x = 22, 80, 75  # of its four beads the one with most room around
    crop = beads.data[z - 18 : z + 19, y - 24 : y + 25, x - 24 : x + 25]
    io.write(tmp_path / "bead.tif", replace(beads, data=crop.copy()))
    after, said = restored(folder / "grid_1AU.tif", tmp_path / "bead.tif", tmp_path, "--iterations", 15)
    assert "resampled to the image's voxels, 1, 0.9766, 0.9766 × its own" in said
    assert "Background 1 removed" in said
    before = io.read(folder / "grid_1AU.tif").data.astype(np.float64)
    assert abs(after.data.sum() / before.sum() - 1) < 0.05  # light that left the field sideways is not lost but outside
    lines = [image[8:13].mean((0, 1), dtype=np.float64) for image in (before, after.data)]
    middle = slice(65, 74), slice(74, 80), slice(80, 88)
    assert visibility(lines[0], *middle) < 0.12  # two lines that touch
    assert visibility(lines[1], *middle) > 0.2  # and that are apart
    places = [40, 71, 83, 112]  # the four lines stay where they are, to a pixel or two
    for place in places:
        near = slice(place - 8, place + 9) if place in (40, 112) else slice(place - 5, place + 6)
        assert abs(int(lines[1][near].argmax()) - int(lines[0][near].argmax())) <= 2


def test_a_plane_of_c_elegans_gets_a_darker_cleft(shared: Shared, tmp_path: Path) -> None:
    """sdeconv's sample: Airyscan, 2-D, with that package's Gaussian of σ = 1.5 pixels."""
    folder = shared("data/open-sdeconv-2d")
    after, _ = restored(folder / "celegans.tif", folder / "psf_ref_gaussian2d.tif", tmp_path, "--iterations", 20)
    before = io.read(folder / "celegans.tif").data.astype(np.float64)
    assert abs(after.data.sum() / before.sum() - 1) < 0.01
    profiles = [_across(image) for image in (before, after.data.astype(np.float64))]
    clefts = [visibility(profile, slice(20, 36), slice(33, 48), slice(44, 60)) for profile in profiles]
    assert clefts[1] > clefts[0] + 0.03
    steepness = [float(np.abs(np.diff(profile)).max() / profile.max()) for profile in profiles]
    assert steepness[1] > 1.12 * steepness[0]


def _across(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over 100 rows across the two bright strands, which run from the bottom left to the top right."""
    rows = np.arange(60, 160)[:, None]
    columns = 267 - 0.554 * rows + np.arange(-40, 41)[None]
    return ndimage.map_coordinates(image, [np.broadcast_to(rows, columns.shape), columns], order=1).mean(0)


def test_a_bead_in_widefield_gathers_its_light_and_sharpens_its_edge(shared: Shared, tmp_path: Path) -> None:
    """flowdec: a real 2.5 µm sphere (a quarter of its size), with a theoretical PSF that is centred on no voxel."""
    folder = shared("data/open-flowdec-bead")
    flags = ("--background", "auto", "--iterations", 15)
    after, said = restored(folder / "data.tif", folder / "kernel.tif", tmp_path, *flags)
    assert "estimated" in said
    level = float(after.history["deconvolution"]["volumes"][0]["background"])
    before = io.read(folder / "data.tif").data.astype(np.float64) - level
    assert 0.9 < after.data.sum() / before.sum() < 1.05
    sides = [_radial(image) for image in (before, after.data.astype(np.float64))]
    inside = [side[:6].mean() for side in sides]
    assert sides[1][9:14].mean() / inside[1] < 0.45 * sides[0][9:14].mean() / inside[0]  # the haze around it goes
    rises = [_rise(image[:32, 29:34, 30:34].mean((1, 2))) for image in (before, after.data.astype(np.float64))]
    assert rises[1] < 0.6 * rises[0]  # the sphere's lower edge, along z
    planes = [image.sum((1, 2)) / image.sum() for image in (before, after.data)]
    assert planes[1][20:33].sum() > 2 * planes[0][20:33].sum()  # and its light comes back from the other planes


def _rise(profile: NDArray[np.float64]) -> float:
    """From where a profile last lies below 10 % of its maximum to where it first lies above 90 %, in voxels."""
    top = int(np.argmax(profile > 0.9 * profile.max()))
    return float(top - np.flatnonzero(profile[:top] < 0.1 * profile.max()).max())


def _radial(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over rings about the bead in its middle plane."""
    plane = image[26]
    y, x = np.indices(plane.shape)
    radius = np.hypot(y - 31, x - 31.7).astype(int)
    return np.bincount(radius.ravel(), plane.ravel()) / np.bincount(radius.ravel())
