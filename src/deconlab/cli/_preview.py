"""``--preview``: a picture of before and after, in one display range."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deconlab.volumes import split

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.restore import Restored

KINDS = ("z", "mip")


def preview(image: Image, restored: Restored, kind: str, offset: float, path: Path) -> str:
    """Write the picture of the first volume to ``path``; which volume it is, in words, empty if there is one only.

    kind: "z" shows the plane and the section through the brightest place, "mip" the greatest values along z.
    The image is drawn less the camera's offset and the background, in the range of the result.
    """
    from deconlab.assess.picture import side_by_side

    volume = next(split(image))
    before = np.asarray(image.volume(volume.where).data, np.float64) - offset - restored.outcomes[0].background
    pair = [_drawn(array, kind) for array in (before, np.asarray(restored.image.volume(volume.where).data))]
    sizes = [image.voxel_um.get(axis) for axis in image.spatial_axes]
    known = [float(size) for size in sizes if size is not None][-pair[0].ndim :]
    side_by_side({"image": pair[0], "restored": pair[1]}, path, voxel_um=known if len(known) == pair[0].ndim else None)
    return "" if volume.of == 1 else volume.label


def _drawn(array: NDArray[np.generic], kind: str) -> NDArray[np.generic]:
    if array.ndim == 3 and (kind == "mip" or len(array) == 1):
        flat: NDArray[np.generic] = array.max(0)
        return flat
    return array
