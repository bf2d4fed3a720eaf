"""What happens to the light on its way and in time: scattering, drift and motion, flicker and bleaching."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.formation.camera import Camera
from deconlab.formation.grid import Grid


def scatter_with_depth(light: NDArray[np.float32], grid: Grid, camera: Camera) -> NDArray[np.float32]:
    """Light that leaves the specimen: of a plane z µm deep exp(−z/ℓ) is unscattered, the rest becomes haze.

    The haze of a plane is its light spread laterally by a Gaussian of σ = ``scattering_angle``·z, so that each plane's
    light is kept. Depth counts from the first plane of the field; the specimen is continued periodically sideways.
    ValueError if there is no depth to scatter in.
    """
    if camera.scattering_length_um is None:
        return light
    if grid.ndim != 3:
        raise ValueError(
            f"scattering_length_um needs depth: the data are {grid.ndim}-D. Leave it out, or simulate 3-D."
        )
    from scipy import fft

    out = light.copy()
    frequency_squared = np.add.outer(
        fft.fftfreq(light.shape[1], grid.fine_voxel_um[1]) ** 2,
        fft.rfftfreq(light.shape[2], grid.fine_voxel_um[2]) ** 2,
    )
    for plane in range(grid.margin[0] * grid.oversampling[0], light.shape[0]):
        z = (plane + 0.5) * grid.fine_voxel_um[0] + grid.origin_um[0]
        straight = np.exp(-z / camera.scattering_length_um)
        spread = np.exp(-2 * (np.pi * camera.scattering_angle * z) ** 2 * frequency_squared)
        seen = fft.irfft2(fft.rfft2(light[plane]) * (straight + (1 - straight) * spread), light.shape[1:])
        out[plane] = np.maximum(seen, 0)
    return out


def move(blurred: NDArray[np.float32], grid: Grid, camera: Camera, rng: np.random.Generator) -> NDArray[np.float32]:
    """Each plane of the stack (or the frame) where the specimen was when it was taken: k·drift + random motion.

    Shifts are made on the fine grid by linear interpolation, which keeps light positive; from beyond the margin comes
    nothing.
    """
    lateral = min(2, grid.ndim)
    planes = grid.shape[0] if grid.ndim == 3 else 1
    jitter = rng.standard_normal((planes, lateral)) * camera.motion_um
    path = np.arange(planes)[:, None] * np.array(camera.drift_um)[-lateral:] + jitter
    if not np.any(path):
        return blurred
    from scipy import ndimage

    shift_px = path / np.array(grid.fine_voxel_um[-lateral:])
    if grid.ndim < 3:
        still: NDArray[np.float32] = ndimage.shift(blurred, shift_px[0], order=1, mode="constant")
        return still
    out = blurred.copy()
    first = grid.margin[0] * grid.oversampling[0]
    for plane in range(first, first + planes * grid.oversampling[0]):
        shift = shift_px[(plane - first) // grid.oversampling[0]]
        ndimage.shift(blurred[plane], shift, order=1, mode="constant", output=out[plane])
    return out


def illumination(planes: int, camera: Camera, rng: np.random.Generator) -> NDArray[np.float64]:
    """Brightness of the specimen in each plane or frame: lamp flicker × what bleaching has left, 1 if both are off."""
    lamp = np.maximum(1 + camera.flicker * rng.standard_normal(planes), 0.0)
    left = (1 - camera.bleaching) ** np.arange(planes, dtype=np.float64)
    product: NDArray[np.float64] = lamp * left
    return product


def illuminate(image: NDArray[Any], camera: Camera, rng: np.random.Generator) -> NDArray[np.float64]:
    """The image under the lamp of its moment, shape (…, y, x): one brightness for each plane of the leading axes."""
    leading = image.shape[:-2]
    brightness = illumination(int(np.prod(leading, dtype=int)), camera, rng).reshape(
        leading + (1,) * min(2, image.ndim)
    )
    lit: NDArray[np.float64] = image * brightness
    return lit
