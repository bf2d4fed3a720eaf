"""The files of a job: their names, and what would go wrong with them, known before anything is computed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from deconlab.cli._job import Job
    from deconlab.image import Image
    from deconlab.restore import Volume


def default_output(source: Path) -> Path:
    """``cells.ome.tif`` -> ``cells_deconvolved.ome.tif``, in the same folder."""
    return source.with_name(f"{stem(source)}_deconvolved.ome.tif")


def is_done(job: Job, settings: Mapping[str, Any]) -> bool:
    """Whether the output of a job is there, whole, newer than the input, and made with the same settings.

    A format that cannot say how it was made is taken at its word.
    """
    from deconlab import io, provenance

    output = job.output
    if not output.exists() or output.stat().st_mtime_ns < job.source.stat().st_mtime_ns:
        return False
    record = io.read(output, lazy=True).history.get(provenance.KEY)
    if record is None:
        return True
    volumes = record["volumes"]
    if len(volumes) < record["input"]["volumes"] or any(each["reason"] == "interrupted" for each in volumes):
        return False
    before, now = record["settings"], told({"method": "richardson-lucy", **settings})
    known = {**record["defaults"], **before}
    kept = told({name: value for name, value in job.flags.items() if name not in before and value is not False})
    same = all(name in now for name in before) and all(known.get(name) == value for name, value in now.items())
    return same and record.get("flags", {}) == kept


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are recorded."""
    from deconlab import provenance

    found = provenance.settings({name: value for name, value in settings.items() if not callable(value)})
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def stem(path: Path) -> str:
    """A file's name without its ending, .ome.tif being one."""
    return re.sub(r"(\.ome)?\.[^.]*$", "", path.name, flags=re.IGNORECASE) or path.name


def beside(path: Path | None, volume: Volume) -> Path | None:
    """The file that belongs to one volume: the one named, with the volume's place in its name if there are several."""
    return None if path is None else path.with_name(f"{path.stem}{volume.suffix}{path.suffix}")


def check_beside(path: Path, pattern: str, *, replace: bool) -> None:
    """Raise if a file of ours cannot be written, or would be lost: ``path``, and those beside it that match ``pattern``."""
    if not path.parent.exists():
        raise FileNotFoundError(f"The folder {path.parent} does not exist; make it first.")
    found = [path, *path.parent.glob(pattern)]
    exists = [each for each in found if each.exists()]
    if exists and not replace:
        raise FileExistsError(f"{exists[0]} exists already. Say --overwrite to replace it, or name another.")


def same_shape(reference: Image, image: Image, path: Path) -> NDArray[Any]:
    """The reference's numbers, if they belong to the image voxel by voxel."""
    if reference.data.shape != image.data.shape:
        raise ValueError(f"{path} has shape {reference.data.shape}, the image {image.data.shape}; they must be equal.")
    return reference.data


def described(image: Image) -> str:
    """``z 64 × y 256 × x 256, voxel 0.2 × 0.1 × 0.1 µm``."""
    sizes = " × ".join(f"{axis} {size}" for axis, size in zip(image.axes, image.data.shape, strict=True))
    known = [f"{image.voxel_um[axis]:.6g}" if axis in image.voxel_um else "?" for axis in image.spatial_axes]
    return f"{sizes}, voxel {' × '.join(known)} µm"
