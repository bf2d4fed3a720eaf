"""FITS, with the extra ``astro``: big-endian numbers made native, the header carried along, the camera's facts said."""

from __future__ import annotations

import gzip
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Image, believed_voxel, micrometres
from deconlab.io import record

DTYPES = ("uint8", "uint16", "uint32", "uint64", "int16", "int32", "int64", "float32", "float64")
EXTENSION = "DECONLAB"
"""The name of the extension in which our record lies, as JSON in bytes."""

AXIS_TYPES = {
    "TIME": "t", "WAVE": "c", "AWAV": "c", "FREQ": "c", "VELO": "c", "VRAD": "c", "VOPT": "c", "ENER": "c", "STOKES": "c",
}  # fmt: skip
OF_THE_ARRAY = (
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "NEXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BSCALE", "BZERO", "BLANK",
    "CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX", "EXTNAME", "INHERIT",
)  # fmt: skip
"""Keywords that describe the numbers of the source as they were stored, and would be wrong for ours."""


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`; ``series`` counts the arrays of one and more dimensions in the file."""
    del lazy  # arrays of the sky are small, and their scaling is astropy's business
    fits = _astropy()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with fits.open(path, memmap=False) as file:
                arrays = [hdu for hdu in file if hdu.is_image and hdu.name != EXTENSION and hdu.data is not None]
                kept = [bytes(hdu.data) for hdu in file if hdu.name == EXTENSION and hdu.data is not None]
                count = len(arrays)
                if 0 <= series < count:
                    data: NDArray[Any] = np.asarray(arrays[series].data)
                    header = arrays[series].header.copy()
                    if arrays[series] is not file[0]:
                        header.extend(file[0].header, strip=True, unique=True)
                    unreadable = _drop_unreadable(header, fits.VerifyError)
                    text = header.tostring()
        except (MemoryError, PermissionError):
            raise
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read as FITS ({error}). Is it truncated, or not a FITS file at all?"
            ) from error
        said = [str(warning.message).strip() for warning in heard]
        said = [message for message in said if not message.startswith(("Note:", "Verification reported"))]
    if any("truncated" in message for message in said):
        raise ValueError(f"{path} is truncated: {next(message for message in said if 'truncated' in message)}")
    if not 0 <= series < count:
        raise ValueError(f"{path} has no array number {series}; it has {count}, counted from 0.")
    if not data.dtype.isnative:
        data = data.astype(data.dtype.newbyteorder("="))
    ours = json.loads(kept[0]) if kept else {}
    named = axes or record.axes(ours, data.ndim)
    found, notes = (named.lower(), ()) if named else _axes(header, data.shape)
    voxel_um, refused = _voxel(header, found)
    _, camera_notes = camera(text)
    image = Image(
        data,
        found,
        voxel_um,
        notes=(
            *notes,
            *(f"not used: {reason}" for reason in refused),
            *camera_notes,
            *unreadable,
            *dict.fromkeys(said),
        ),
        source_header=text,
    )
    return record.restored(image, ours, arrange=axes is None, says_voxel=bool(voxel_um))


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Raise for what cannot be written: see :class:`deconlab.io.Format`."""
    del image  # any axes do
    _astropy()
    if np.dtype(dtype).name not in DTYPES:
        raise ValueError(f"{name}: FITS holds no {dtype}; choose one of {', '.join(DTYPES)}.")


def write(path: Path, image: Image, name: str) -> None:
    """Write a FITS file: under the source's header where the sizes agree, else under a new one with the voxel size."""
    fits = _astropy()
    with _hushed():
        header, carried = _header(fits, image)
        text = json.dumps(record.of(image, carried_header=carried)).encode()
        ours = fits.ImageHDU(np.frombuffer(text, np.uint8), name=EXTENSION)
        files = fits.HDUList([fits.PrimaryHDU(np.ascontiguousarray(image.data), header), ours])
        opened = gzip.open(path, "wb") if name.lower().endswith(".gz") else path.open("wb")  # noqa: SIM115 (closed below)
        with opened as file:
            files.writeto(file, output_verify="silentfix+ignore")


def cropped(header: str, axes: str, corner: Mapping[str, int], shape: Sequence[int]) -> str:
    """The header of a part of the array: ``axes`` of ``shape``, whose first voxels lie at ``corner`` of the whole."""
    cards = _astropy().Header.fromstring(header)
    for number, (axis, size) in enumerate(zip(axes[::-1], shape[::-1], strict=True), start=1):
        cards[f"NAXIS{number}"] = size
        if f"CRPIX{number}" in cards:
            cards[f"CRPIX{number}"] -= corner.get(axis, 0)
    text: str = cards.tostring()
    return text


def camera(header: str) -> tuple[dict[str, float], tuple[str, ...]]:
    """What a header says of the camera, and in words with the flag for it.

    Keys: ``gain`` (ADU per electron, the inverse of the header's GAIN), ``read_noise`` (electrons), ``saturation`` (counts).
    """
    with _hushed():
        cards = _astropy().Header.fromstring(header)
    found: dict[str, float] = {}
    notes = []
    for keyword, name in (("GAIN", "gain"), ("RDNOISE", "read_noise"), ("SATURATE", "saturation")):
        value = cards.get(keyword)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            notes.append(f"not used: {keyword} = {value} in the header: it must be a number above 0")
            continue
        found[name] = 1 / value if name == "gain" else float(value)
        notes.append(
            {
                "gain": f"the header says GAIN = {value:g} electrons per ADU: that is --gain {1 / value:g}",
                "read_noise": f"the header says RDNOISE = {value:g} electrons: that is --read-noise {value:g}",
                "saturation": f"the header says that the detector saturates at {value:g}",
            }[name]
        )
    return found, tuple(notes)


def _astropy() -> Any:
    try:
        from astropy.io import fits
    except ImportError as error:
        raise ImportError('FITS files need the package astropy: pip install "deconlab[astro]"') from error
    return fits


def _header(fits: Any, image: Image) -> tuple[Any, bool]:
    """The header to write under, and whether it is the source's."""
    header = fits.Header.fromstring(image.source_header)
    sizes = [header.get(f"NAXIS{number + 1}") for number in range(image.data.ndim)]
    carried = bool(image.source_header) and sizes == list(image.data.shape[::-1])
    if not carried:
        header = fits.Header()
        for number, axis in enumerate(reversed(image.axes), start=1):
            if axis in image.voxel_um:
                header[f"CDELT{number}"], header[f"CUNIT{number}"] = image.voxel_um[axis], "um"
    for keyword in [k for k in header if k.rstrip("0123456789") in OF_THE_ARRAY]:
        del header[keyword]
    return header, carried


@contextmanager
def _hushed() -> Iterator[None]:
    """Without astropy's warnings of odd cards in the source, which were said when it was read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _drop_unreadable(header: Any, error: type[Exception]) -> tuple[str, ...]:
    """Take out the cards that astropy cannot parse, and say which."""
    dropped = []
    for card in list(header.cards):
        try:
            str(card.value)
        except error:
            dropped.append(card.keyword)
    for keyword in dict.fromkeys(dropped):
        header.remove(keyword, remove_all=True)
    return tuple(f"not used: the header's card {keyword} cannot be read" for keyword in dict.fromkeys(dropped))


def _axes(header: Any, shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """x and y are the last two; others are named by CTYPE; a single nameless one is taken for z, and said."""
    names = []
    for number in range(len(shape), 0, -1):
        kind = str(header.get(f"CTYPE{number}", "")).upper().partition("-")[0].strip()
        names.append("x" if number == 1 else "y" if number == 2 else AXIS_TYPES.get(kind, "?"))
    found = "".join(names)
    if found.count("?") == 1:
        return found.replace("?", "z"), ("the file does not name its axes; its planes were taken for z",)
    if "?" in found or len(set(found)) != len(found):
        raise ValueError(
            f"The file has {len(shape)} dimensions {shape} without names for all of them. Name them, for example --file-axes "
            f"{'tczyx'[-len(shape) :]}."
        )
    return found, ()


def _voxel(header: Any, axes: str) -> tuple[dict[str, float], list[str]]:
    """Voxel sizes where the header gives lengths; those of the sky are angles and no concern of ours."""
    sizes, units = {}, {}
    for number, axis in enumerate(reversed(axes), start=1):
        unit, size = str(header.get(f"CUNIT{number}", "")), header.get(f"CDELT{number}")
        if micrometres(unit) is not None and isinstance(size, int | float) and axis in "zyx":
            sizes[axis], units[axis] = abs(float(size)), unit
    return believed_voxel(sizes, units)
