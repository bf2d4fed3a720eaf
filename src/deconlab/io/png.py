"""PNG, and JPEG for reading: grey pictures, and colour channels where they are asked for by name."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.image import Channel, Image
from deconlab.io import record

DTYPES = ("uint8", "uint16")
COLOURS = ("red", "green", "blue")
_DEPTH_AT = 24  # the byte of a PNG that gives its bits per sample


def read(path: Path, *, axes: str | None = None, series: int = 0, lazy: bool = False) -> Image:
    """See :func:`deconlab.io.read`. A colour picture is refused, unless ``axes="yxc"`` asks for its channels."""
    del lazy  # a picture is one plane
    import PIL.Image

    if series != 0:
        raise ValueError(f"{path} has no series {series}; a picture is one image, number 0.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)  # microscopes make large pictures
        try:
            with PIL.Image.open(path) as picture:
                picture.load()
                mode, kind = picture.mode, str(picture.format)
                transparent = "A" in mode or "transparency" in picture.info
                kept = _record(picture.info.get(record.KEY))
                data: NDArray[Any] = np.asarray(picture)
        except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
            if isinstance(error, PermissionError):
                raise
            raise ValueError(
                f"{path} cannot be read as a picture ({error}). Is it truncated, or not a PNG or JPEG at all?"
            ) from error
    if transparent:
        raise ValueError(
            f"{path} is partly transparent (mode {mode}), as drawings are; a measured image has no alpha channel. Save it "
            f"without, or as TIFF."
        )
    if mode not in ("1", "L", "I", "I;16", "I;16B", "F", "RGB"):
        raise ValueError(
            f"{path} holds colours of mode {mode}, not measured numbers. Save it as grey values, or as TIFF."
        )
    notes: tuple[str, ...] = ()
    if kind == "JPEG":
        notes = ("JPEG is lossy and its grey values are not proportional to light: expect artefacts of both",)
    if mode != "RGB":
        if not data.dtype.isnative:
            data = data.astype(data.dtype.newbyteorder("="))
        image = Image(data, axes.lower() if axes else "yx", notes=notes)
        return record.restored(image, kept, arrange=axes is None, says_voxel=False)
    if axes is None:
        raise ValueError(
            f"{path} is a colour picture of shape {data.shape}. If its colours are channels that were measured, say "
            f"--file-axes yxc; if it is a photograph or a rendered figure, restore the image it was made from."
        )
    if axes.lower() != "yxc":
        raise ValueError(
            f"axes={axes!r} does not fit the colour picture {path}: its axes are y, x and c (--file-axes yxc)."
        )
    if kind == "PNG" and path.read_bytes()[_DEPTH_AT] == 16:
        raise ValueError(f"{path} has 16 bits for each colour, of which 8 could be read. Save it as TIFF.")
    return Image(data, "yxc", channels=tuple(Channel(name) for name in COLOURS), notes=notes)


def check(name: str, dtype: str, image: Image | None = None) -> None:
    """Raise for what cannot be written: see :class:`deconlab.io.Format`."""
    if not name.lower().endswith(".png"):
        raise ValueError(f"{name}: JPEG would lose what was restored. Write .tif, or .png with --dtype uint16.")
    if np.dtype(dtype).name not in DTYPES:
        raise ValueError(f"{name}: PNG holds no {dtype}. Write .tif, or say --dtype uint16 if the values fit.")
    if image is None:
        return
    extended = {axis for axis, n in zip(image.axes, image.data.shape, strict=True) if n > 1}
    if not {"y", "x"} <= set(image.axes) or extended - {"y", "x"}:
        raise ValueError(
            f"{name}: a PNG holds one plane of y and x, and this image has the axes {image.axes} of sizes "
            f"{image.data.shape}. Write .tif."
        )


def write(path: Path, image: Image, name: str) -> None:
    """Write one grey picture; what is known of it lies in a text of the file."""
    del name
    import PIL.Image
    from PIL.PngImagePlugin import PngInfo

    single = [image.axes.index(axis) for axis in image.axes if axis not in "yx"]
    plane = np.squeeze(np.asarray(image.data), tuple(single))
    plane = plane if image.axes.index("y") < image.axes.index("x") else plane.T
    text = PngInfo()
    text.add_text(record.KEY, json.dumps(record.of(image)), zip=True)
    plane = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))
    PIL.Image.fromarray(plane).save(path, format="PNG", pnginfo=text)


def _record(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError):
        return {}  # a text of that name by someone else
    return found if isinstance(found, dict) else {}
