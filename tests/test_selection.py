"""A part of an image: the right voxels, with everything that is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from deconlab import io
from deconlab.image import Channel, Image, Optics
from deconlab.selection import select
from deconlab.stored import Stored

DATA = np.arange(4 * 3 * 2 * 6 * 7, dtype=np.uint16).reshape(4, 3, 2, 6, 7)
CHANNELS = tuple(
    Channel(name, Optics().known("file", emission_nm=nm)) for name, nm in (("A", 460.0), ("B", 520.0), ("A", 600.0))
)
IMAGE = Image(DATA, "tczyx", {"z": 0.3, "y": 0.1, "x": 0.1}, CHANNELS)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"channel": "1"}, DATA[:, 1:2]),
        ({"channel": 2}, DATA[:, 2:]),
        ({"channel": "B,0"}, DATA[:, [1, 0]]),
        ({"channel": ["A"]}, DATA[:, [0, 2]]),
        ({"time": "0,2-3"}, DATA[[0, 2, 3]]),
        ({"time": [3], "channel": "0-1"}, DATA[3:, :2]),
        ({"crop": "y=1:4, x=2:"}, DATA[..., 1:4, 2:]),
        ({"crop": {"z": (1, 2), "x": (0, 3)}}, DATA[:, :, 1:, :, :3]),
        ({"crop": "x=:3", "time": "1"}, DATA[1:2, ..., :3]),
        ({}, DATA),
    ],
)
def test_the_voxels_that_are_asked_for(tmp_path: Path, wanted: dict[str, Any], expected: Any) -> None:
    part = select(IMAGE, **wanted)
    assert part.axes == "tczyx"
    assert np.array_equal(part.data, expected)
    tifffile.imwrite(tmp_path / "a.tif", DATA, metadata={"axes": "TCZYX"}, compression="zlib", photometric="minisblack")
    left = select(io.read(tmp_path / "a.tif", lazy=True), **{k: v for k, v in wanted.items() if k != "channel"})
    assert isinstance(left.data, Stored)
    if "channel" not in wanted:
        assert np.array_equal(np.asarray(left.data), expected)


def test_what_is_known_goes_with_it(tmp_path: Path) -> None:
    io.write(tmp_path / "whole.ome.tif", IMAGE, dtype="uint16")
    part = select(io.read(tmp_path / "whole.ome.tif", lazy=True), "2,B", "1-2", "z=1:2,y=2:5")
    io.write(tmp_path / "part.ome.tif", part, dtype="uint16")
    again = io.read(tmp_path / "part.ome.tif")
    assert np.array_equal(again.data, DATA[1:3][:, [2, 1]][:, :, 1:2, 2:5])
    assert [(c.name, c.optics.get("emission_nm")) for c in again.channels] == [("A", 600.0), ("B", 520.0)]
    assert again.voxel_um == IMAGE.voxel_um
    assert again.history["selection"] == {
        "channels": [2, 1], "times": [1, 2], "crop": {"z": [1, 2], "y": [2, 5]}, "offset_um": {"z": 0.3, "y": 0.2},
    }  # fmt: skip
    twice = select(again, crop="x=1:2")
    assert twice.history["selection"]["before"] == again.history["selection"]
    assert select(Image(DATA[0, 0], "zyx"), 0, "0").history["selection"] == {"channels": [0], "times": [0]}


def test_places_in_the_sky_move_with_a_crop(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    wcs = pytest.importorskip("astropy.wcs")
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 3.5, "CRPIX2": 2.0, "CRVAL1": 10.0,
                          "CRVAL2": 20.0, "CDELT1": -1e-4, "CDELT2": 1e-4})  # fmt: skip
    fits.PrimaryHDU(DATA[0, 0, 0].astype(np.float32), header).writeto(tmp_path / "sky.fits")
    io.write(tmp_path / "part.fits", select(io.read(tmp_path / "sky.fits"), crop="y=2:5,x=1:6"))
    with fits.open(tmp_path / "sky.fits") as whole, fits.open(tmp_path / "part.fits") as part:
        assert part[0].data.shape == (3, 5)
        before = wcs.WCS(whole[0].header).pixel_to_world_values(4, 3)
        after = wcs.WCS(part[0].header).pixel_to_world_values(3, 1)
        assert np.allclose(before, after, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"channel": "C"}, r"no channel 'C': the image has 0 \(A\), 1 \(B\), 2 \(A\). Give indices from 0, .*or names"),
        ({"channel": "0-3"}, r"no channel '0-3'"),
        ({"time": "4"}, r"no time '4': the image has 0 to 3. Give indices from 0, ranges such as 0-3\.$"),
        ({"time": "2-1"}, r"no time '2-1'"),
        ({"time": "0-2,1"}, r"A time is asked for twice: 0, 1, 2, 1"),
        ({"crop": "y=0:9"}, r"A crop of y from 0 to 9 does not lie within 0 to 6"),
        ({"crop": "y=3:3"}, r"A crop of y from 3 to 3 does not lie"),
        ({"crop": {"t": (0, 1)}}, r"no axis 't' to crop; it has z, y, x"),
        ({"crop": "y 0 9"}, r"'y 0 9' is no crop: write z=0:20,y=100:200, in voxels"),
    ],
)
def test_what_is_not_there_is_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select(IMAGE, **wanted)
    with pytest.raises(ValueError, match=r"no time '1': the image has 0. Give"):
        select(Image(DATA[0, 0], "zyx"), time=1)
