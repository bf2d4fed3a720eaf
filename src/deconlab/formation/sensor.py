"""Pixel maps of a sensor: gain, offset, read variance, dark current, flat field and dead pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from deconlab.formation.camera import Camera


@dataclass(frozen=True, eq=False)
class Sensor:
    """Calibration maps, one value per pixel before binning, shape (y, x) (or (x,) for a line camera).

    Args:
        gain: ADU per electron.
        offset: ADU without light.
        read_variance: variance of the read noise in electrons², after any EM gain.
        dark: dark current in electrons per second.
        flat: relative response to light, 1 where undimmed.
        dead: True where a pixel never responds.
    """

    gain: NDArray[np.float64]
    offset: NDArray[np.float64]
    read_variance: NDArray[np.float64]
    dark: NDArray[np.float64]
    flat: NDArray[np.float64]
    dead: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shapes = {name: np.shape(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(shapes.values())) != 1:
            listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"Sensor: all maps must have one shape; they have {listed}.")
        if not float(np.min(self.gain)) > 0:
            raise ValueError(f"Sensor: gain must be > 0 everywhere; its least value is {np.min(self.gain):g}.")
        for name in ("read_variance", "dark", "flat"):
            least = float(np.min(getattr(self, name)))
            if not least >= 0:
                raise ValueError(f"Sensor: {name} must be >= 0 everywhere; its least value is {least:g}.")


def sensor_of(camera: Camera, shape: tuple[int, ...]) -> Sensor:
    """The camera's maps for a sensor of ``shape`` pixels: those it was given, else drawn from its spreads and seed."""
    if camera.sensor is not None:
        if camera.sensor.gain.shape != shape:
            raise ValueError(
                f"Sensor: its maps have shape {camera.sensor.gain.shape}, but the image needs {shape} pixels "
                "(before binning). Crop the maps to the region that was read out."
            )
        return camera.sensor
    rng = np.random.default_rng([camera.sensor_seed, *shape])
    normal = rng.standard_normal((3, *shape))
    draw = rng.random((2, *shape))
    hot_current = rng.exponential(size=shape) * camera.hot_current
    centre = [(np.arange(n) + 0.5) / n * 2 - 1 for n in shape]
    radius_squared = sum(axis**2 for axis in np.ix_(*centre)) / len(shape)  # 1 in the corner
    return Sensor(
        gain=camera.gain * np.exp(camera.gain_spread * normal[0]),
        offset=camera.offset + camera.offset_spread * normal[1],
        read_variance=(camera.read_noise * np.exp(camera.read_noise_spread * normal[2])) ** 2,
        dark=camera.dark_current + np.where(draw[0] < camera.hot_pixels, hot_current, 0.0),
        flat=1 - camera.vignetting * np.broadcast_to(radius_squared, shape),
        dead=draw[1] < camera.dead_pixels,
    )
