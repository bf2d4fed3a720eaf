"""What the camera does to light: expected electrons, and one noisy exposure in ADU."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deconlab.formation.camera import Camera
from deconlab.formation.grid import bin_sum
from deconlab.formation.sensor import Sensor, sensor_of


def expected_electrons(photons: NDArray[Any], camera: Camera) -> NDArray[np.float64]:
    """Mean electrons of each sensor pixel before saturation: η·f·(photons + background) + dark·t + c; dead pixels 0.

    ``photons`` are those of the blurred image per unbinned sensor pixel, shape (…, y, x); the stray light
    ``camera.background`` (per delivered pixel) is added here.
    """
    sensor = sensor_of(camera, photons.shape[-2:])
    stray = camera.background / pixels_per_bin(camera, photons.ndim)
    light = camera.quantum_efficiency * sensor.flat * (photons.astype(np.float64) + stray)
    mean = light + sensor.dark * camera.exposure_s + camera.clock_induced_charge
    return np.where(sensor.dead, 0.0, mean)


def expose(photons: NDArray[Any], camera: Camera, seed: int | np.random.Generator) -> NDArray[Any]:
    """One noisy exposure of ``photons`` (expected, per unbinned sensor pixel, shape (…, y, x)), in ADU.

    Returns ``camera.dtype``, its last two axes divided by ``camera.binning``. The same seed gives equal bits.
    ValueError for photons that are negative or not finite, or a shape that the binning does not divide.
    """
    if not np.all(np.isfinite(photons)) or np.min(photons, initial=0) < 0:
        raise ValueError(
            f"Photons must be finite and >= 0; they range from {np.min(photons):g} to {np.max(photons):g}."
        )
    if any(n % camera.binning for n in photons.shape[-2:]):
        raise ValueError(
            f"Binning {camera.binning} × {camera.binning} does not divide a sensor of {photons.shape[-2:]} pixels."
        )
    rng = np.random.default_rng(seed)
    sensor = sensor_of(camera, photons.shape[-2:])
    mean = expected_electrons(photons, camera)
    electrons = rng.poisson(mean).astype(np.float64) if camera.shot_noise else mean
    if camera.full_well is not None:
        electrons = np.minimum(electrons, camera.full_well)
    if camera.binning_place == "chip":
        electrons = bin_lateral(electrons, camera.binning)
        sensor = binned(sensor, camera)
    if camera.em_gain > 1:
        electrons = rng.standard_gamma(electrons) * camera.em_gain  # a sum of n exponentials; 0 stays 0
    if np.any(sensor.read_variance > 0):
        electrons = electrons + np.sqrt(sensor.read_variance) * rng.standard_normal(electrons.shape)
    codes = sensor.offset + sensor.gain * electrons
    if camera.top is not None:
        codes = np.clip(np.rint(codes), 0, camera.top)
    if camera.binning_place == "codes":
        codes = bin_lateral(codes, camera.binning)
    return codes.astype(camera.dtype)


def binned(sensor: Sensor, camera: Camera) -> Sensor:
    """The maps of the delivered pixels: a read-out per bin on the chip, or one per pixel when codes are summed.

    Gain and offset are such that electrons = (codes − offset)/gain; variances add up where pixels are read one by one.
    """
    if camera.binning == 1:
        return sensor
    b = camera.binning
    area = pixels_per_bin(camera, sensor.gain.ndim)
    chip = camera.binning_place == "chip"
    gain = bin_lateral(sensor.gain, b) / area
    variance = bin_lateral(sensor.read_variance * sensor.gain**2, b) / gain**2
    return Sensor(
        gain=gain,
        offset=bin_lateral(sensor.offset, b) / (area if chip else 1),
        read_variance=variance / (area if chip else 1),
        dark=bin_lateral(sensor.dark, b),
        flat=bin_lateral(sensor.flat * ~sensor.dead, b) / area,
        dead=bin_lateral(sensor.dead.astype(np.float64), b) > 0,
    )


def bin_lateral(array: NDArray[Any], binning: int) -> NDArray[Any]:
    """Sum ``binning`` pixels along each of the last two axes (the last one of a line)."""
    if binning == 1:
        return array
    lateral = min(2, array.ndim)
    return bin_sum(array, (1,) * (array.ndim - lateral) + (binning,) * lateral)


def pixels_per_bin(camera: Camera, ndim: int) -> int:
    """Sensor pixels that make one delivered pixel."""
    return int(camera.binning ** min(2, ndim))
