"""Arrays that stay in their file: the same numbers as read at once, and only those that are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from deconlab import io
from deconlab.image import Image
from deconlab.stored import Stored, parts, planes, raw

TABLE = np.arange(3 * 2 * 4 * 5, dtype=np.uint16).reshape(3, 2, 4, 5)

slices = st.builds(
    slice,
    st.none() | st.integers(-6, 6),
    st.none() | st.integers(-6, 6),
    st.none() | st.sampled_from([1, 2, -1, -2]),
)


@given(st.data())
def test_indexing_is_numpys(data: st.DataObject) -> None:
    """Any chain of indices and transpositions gives what NumPy gives."""
    leading = data.draw(st.integers(0, 4))
    stored: Any = Stored(TABLE.shape, TABLE.dtype, leading, lambda place: TABLE[place])
    array = TABLE
    for _ in range(data.draw(st.integers(1, 3))):
        index = tuple(
            data.draw(st.integers(-n, n - 1) if n and data.draw(st.booleans()) else slices) for n in array.shape
        )
        index = index[: data.draw(st.integers(0, len(index)))]
        if array.ndim and array.shape[0] and data.draw(st.booleans()):
            index = (data.draw(st.lists(st.integers(0, array.shape[0] - 1), min_size=1, max_size=4)),)
        elif data.draw(st.booleans()):
            index = (*index, None, ...) if data.draw(st.booleans()) else (..., None)
        stored, array = stored[index], array[index]
        order = data.draw(st.permutations(range(array.ndim)))
        stored, array = stored.transpose(order), array.transpose(order)
        assert (stored.shape, stored.ndim, stored.size, stored.nbytes) == (
            array.shape,
            array.ndim,
            array.size,
            array.nbytes,
        )
    assert np.array_equal(np.asarray(stored), array)


def test_only_what_is_asked_for_is_read() -> None:
    read = []

    def block(place: tuple[int, ...]) -> Any:
        read.append(place)
        return TABLE[place]

    stored = Stored(TABLE.shape, TABLE.dtype, 2, block)
    part = stored[1, :, 2:]
    assert (read, len(stored)) == ([], 3)
    assert np.array_equal(np.asarray(part), TABLE[1, :, 2:])
    assert read == [(1, 0), (1, 1)]
    with pytest.raises(IndexError):
        stored[3]


def test_values_are_mapped_when_they_are_read_and_gone_through_piece_by_piece() -> None:
    stored = Stored(TABLE.shape, TABLE.dtype, 2, lambda place: TABLE[place])
    halves = stored.mapped(lambda part: part / 2, float).mapped(lambda part: part + 1, float)
    assert halves.dtype == float
    assert np.array_equal(np.asarray(halves[2]), TABLE[2] / 2 + 1)
    assert np.asarray(stored, dtype=np.float32).dtype == np.float32
    assert [part.shape for part in parts(stored)] == [(4, 5)] * 6
    assert [part.shape for part in parts(TABLE)] == [TABLE.shape]
    for each in (stored, TABLE):
        assert np.array_equal(np.stack(list(planes(each))), TABLE.reshape(6, 4, 5))


def test_a_raw_file_that_ends_too_early_is_said(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"head" + TABLE.astype(">u2").tobytes())
    array = np.asarray(raw(path, TABLE.shape, ">u2", offset=4))
    assert array.dtype.isnative
    assert np.array_equal(array, TABLE)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"numbers is truncated: it ends within the data of shape \(3, 2, 4, 5\)"):
        np.asarray(raw(path, TABLE.shape, ">u2", offset=4))


def tiff(path: Path, **how: Any) -> None:
    tifffile.imwrite(path, TABLE, photometric="minisblack", **how)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("contiguous.tif", {"metadata": {"axes": "TZYX"}}),
        ("big-endian.tif", {"metadata": {"axes": "TZYX"}, "byteorder": ">"}),
        ("deflated.tif", {"metadata": {"axes": "TZYX"}, "compression": "zlib"}),
        ("deflated.ome.tif", {"metadata": {"axes": "TCYX"}, "compression": "zlib", "ome": True}),
        ("imagej.tif", {"metadata": {"axes": "TZYX"}, "imagej": True}),
        ("volumes.tif", {"metadata": {"axes": "TZYX"}, "volumetric": True, "tile": (16, 16, 16)}),
        ("array.npy", {}),
        ("array.npz", {}),
        ("ours.ome.tif", {}),
    ],
)
def test_a_file_left_on_the_disk_holds_what_is_read_at_once(tmp_path: Path, name: str, how: dict[str, Any]) -> None:
    path = tmp_path / name
    if how:
        tiff(path, **how)
    else:
        io.write(path, Image(TABLE, "ytzx"), dtype="uint16")
    given = "tzyx" if name.endswith(".npy") else None
    whole, left = io.read(path, axes=given), io.read(path, axes=given, lazy=True)
    assert isinstance(left.data, Stored) == (not name.endswith("npz"))
    assert (left.axes, left.data.shape, left.data.dtype) == (whole.axes, whole.data.shape, whole.data.dtype)
    assert np.array_equal(np.asarray(left.data), whole.data)
    for where, volume in whole.volumes():
        assert np.array_equal(left.volume(where).data, volume.data)
    io.write(tmp_path / f"again_{name}", left, dtype="float32")
    again = io.read(tmp_path / f"again_{name}", axes=given)
    assert again.axes == whole.axes
    assert np.array_equal(again.data, whole.data.astype(np.float32))


def test_planes_that_are_missing_or_damaged(tmp_path: Path) -> None:
    tiff(tmp_path / "a.tif", metadata={"axes": "TZYX"}, compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        at = file.pages[3].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[at : at + 9] = b"*" * 9
    (tmp_path / "a.tif").write_bytes(content)
    image = io.read(tmp_path / "a.tif", lazy=True)
    assert np.array_equal(image.volume({"t": 0}).data, TABLE[0])
    with pytest.raises(
        ValueError, match=r"a.tif cannot be read as a TIFF \(plane 3: .*Is it truncated\? Open it in Fiji"
    ):
        image.volume({"t": 1})
    tiff(tmp_path / "b.tif", metadata={"axes": "TZYX"})
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"b.tif cannot be read as a TIFF|says it holds|is damaged"):
        io.read(tmp_path / "b.tif", lazy=True)
    tiff(tmp_path / "c.ome.tif", metadata={"axes": "TCYX"}, ome=True, compression="zlib")
    with tifffile.TiffFile(tmp_path / "c.ome.tif") as file:
        xml = file.ome_metadata.replace('SizeT="3"', 'SizeT="4"')
    tifffile.tiffcomment(tmp_path / "c.ome.tif", xml.encode())
    left, whole = io.read(tmp_path / "c.ome.tif", lazy=True), io.read(tmp_path / "c.ome.tif")
    assert "2 of the 8 planes that the file describes are not in it" in left.notes[0]
    assert np.array_equal(np.asarray(left.data), whole.data)


def outcome(data: Any, dtype: str) -> Any:
    try:
        return np.asarray(io.cast(data, dtype)).tolist()
    except ValueError as error:
        return str(error)


def test_casting_a_stored_array_says_what_casting_an_array_says() -> None:
    table = TABLE / 7.0
    for dtype, change in (("uint16", 1.0), ("uint8", 100.0), ("uint8", 0.001), ("float32", 1.0), ("float16", 1e5)):
        array = table * change

        def read(place: tuple[int, ...], array: Any = array) -> Any:
            return array[place]

        stored: Any = Stored(array.shape, array.dtype, 2, read)
        assert outcome(stored, dtype) == outcome(array, dtype)
    array = table.copy()
    array[1, 1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"1 of the values are NaN or infinite, the first at \(1, 1, 2, 3\); uint8"):
        io.cast(Stored(array.shape, array.dtype, 2, lambda place: array[place]), "uint8")  # type: ignore[arg-type]
