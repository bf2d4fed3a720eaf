"""``simulate``: from a phantom, a PSF and a camera to data of known truth, without the inverse crime."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deconlab import fourier
from deconlab.formation.camera import Camera
from deconlab.formation.environment import illuminate, move, scatter_with_depth
from deconlab.formation.exposure import bin_lateral, expected_electrons, expose, pixels_per_bin
from deconlab.formation.grid import Grid
from deconlab.formation.phantom import Phantom

MOST_PHOTONS = 1e15
"""Per pixel: well within what random counts of 64 bits can hold."""


class RendersPSF(Protocol):
    """A PSF model: ``render`` gives an object whose ``data`` is centred on voxel ``n // 2``, over the ``extent`` it needs."""

    def extent(self, planes: int, voxel_um: tuple[float, ...], *, ndim: int) -> tuple[int, ...]: ...

    def render(self, shape: tuple[int, ...], voxel_um: tuple[float, ...]) -> Any: ...


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated measurement and what is known about it.

    Args:
        truth: the object in photo-electrons per voxel of the measurement (quantum efficiency included), float32: what a
            perfect restoration of ``data`` returns once the data are converted to electrons. Its sum differs from the
            mean's, since light crosses the borders of the field.
        psf: the PSF on the measurement's voxels, float32, sum 1, centred on ``n // 2``.
        mean: the expected electrons of each pixel, blur, background and dark electrons included: float32.
        data: the measurement in ADU, of the camera's dtype.
        camera: the camera that took it.
        voxel_um: size of a voxel.
        photons: the largest expected signal of a pixel, in photons.
        seed: repeats the simulation, bit for bit.
    """

    truth: NDArray[np.float32]
    psf: NDArray[np.float32]
    mean: NDArray[np.float32]
    data: NDArray[Any]
    camera: Camera
    voxel_um: tuple[float, ...]
    photons: float
    seed: int


def simulate(
    phantom: Phantom,
    psf: RendersPSF | NDArray[Any],
    *,
    shape: Sequence[int],
    voxel_um: Sequence[float],
    camera: Camera | None = None,
    photons: float = 200.0,
    seed: int = 0,
    oversampling: int | Sequence[int] = 2,
    margin: int | Sequence[int] | None = None,
) -> Simulation:
    """Simulate a measurement of ``phantom`` through ``psf`` by ``camera``.

    The phantom is drawn on voxels ``oversampling`` times finer and on a field ``margin`` voxels wider on each side,
    blurred there, then cropped and summed into the measurement's voxels: pixels integrate light, and light from
    outside the field reaches it. Restoring the data with the same program is thus not solving its own equation.
    Along z, a plane is the mean over its voxel's height.

    Args:
        phantom: what is looked at.
        psf: a PSF model, rendered on the fine voxels, or an array that is given on the fine voxels already
            (centred on ``n // 2``; it is normalised to sum 1).
        shape: of the data (z, y, x), (y, x) or (x,); after binning.
        voxel_um: size of the data's voxels, after binning.
        camera: None is an ideal photon counter (shot noise only).
        photons: expected photons of the brightest pixel of the blurred image, background not counted.
        seed: of scene, environment and noise. The pixel maps belong to the camera (``sensor_seed``).
        oversampling: fine voxels per sensor pixel, one number or one per axis.
        margin: voxels on each side from which light enters; default: half of the PSF's extent. It bounds the scene
            alone: a PSF model is rendered over its own extent (``psf.extent``) whatever the margin.

    Raises:
        ValueError: photons ≤ 0; a field without light; a bit depth that the brightest pixel exceeds; a phantom
            outside the field.

    Cost: one FFT pair over the fine, larger grid; about 12 bytes per fine voxel.
    """
    camera = Camera() if camera is None else camera
    if not (isinstance(photons, int | float | np.number) and math.isfinite(photons) and photons > 0):
        raise ValueError(f"photons must be a finite number > 0 (of the brightest pixel), not {photons!r}.")
    if photons > MOST_PHOTONS:
        raise ValueError(f"{photons:g} photons in a pixel are more than can be drawn; give at most {MOST_PHOTONS:g}.")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed must be a whole number >= 0, not {seed!r}.")
    if np.ndim(oversampling) == 0 and (
        not isinstance(oversampling, int | np.integer) or isinstance(oversampling, bool)
    ):
        raise ValueError(f"oversampling must be a whole number >= 1, or one per axis, not {oversampling!r}.")
    grid, delivered, reaches = _grids(psf, shape, voxel_um, camera, oversampling, margin)
    _check_environment(camera, grid.ndim)
    _warn_of_clipped_dark(camera)
    scene, environment, noise = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    with np.errstate(over="ignore", invalid="ignore"):  # said below, by name
        light = phantom.render(grid, int(scene.integers(2**63)))
    if not np.all(np.isfinite(light)):
        raise ValueError(f"The light of {phantom!r} is not finite: one of its numbers is too large.")
    fine_psf, psf_data = _render_psf(psf, grid, delivered, reaches)
    reach = zip(fine_psf.shape, grid.margin, grid.oversampling, strict=True)
    blurred = convolve(scatter_with_depth(light, grid, camera), fine_psf, [max(0, n // 2 - m * s) for n, m, s in reach])
    np.maximum(blurred, 0, out=blurred)  # FFT rounding leaves −1e-7 of the maximum
    peak = float(bin_lateral(grid.measure(blurred), camera.binning).max())
    if not peak > 1e-6 * float(blurred.max()):
        raise ValueError(
            f"No light of {type(phantom).__name__} reaches the field of view of {tuple(grid.field_um.tolist())} µm "
            f"with seed {seed}. Raise the phantom's count, or take another seed."
        )
    scale = photons / peak
    area = pixels_per_bin(camera, grid.ndim)
    moved = scale * grid.measure(move(blurred, grid, camera, environment))
    on_chip = camera.binning_place == "chip"
    _check_range(camera, photons if on_chip else float(moved.max()), area if on_chip else 1, area)
    image = illuminate(moved + camera.autofluorescence / area, camera, environment)
    truth = bin_lateral(grid.measure(light), camera.binning) * (scale * camera.quantum_efficiency)
    mean = bin_lateral(expected_electrons(image, camera), camera.binning)
    return Simulation(
        truth=truth.astype(np.float32),
        psf=psf_data,
        mean=mean.astype(np.float32),
        data=expose(image, camera, noise),
        camera=camera,
        voxel_um=delivered.voxel_um,
        photons=float(photons),
        seed=seed,
    )


def convolve(image: NDArray[Any], psf: NDArray[Any], pad: Sequence[int]) -> NDArray[np.float32]:
    """The linear convolution with a PSF centred on ``n // 2``, of the image's shape.

    ``pad`` zeros are appended per axis: with half of the PSF's extent all of the result is exact; with less, only that
    far from the border is spoilt by light that wraps around.
    """
    from deconlab.lazytorch import torch
    from deconlab.operators import Convolution, Crop

    size = fourier.good_shape([max(n + p, k) for n, p, k in zip(image.shape, pad, psf.shape, strict=True)])
    place = Crop(size, image.shape, (0,) * image.ndim)
    with torch.no_grad():
        blurred = Convolution(torch.from_numpy(np.asarray(psf, np.float32)), size).forward(
            place.adjoint(torch.from_numpy(np.asarray(image, np.float32)))
        )
        return np.ascontiguousarray(place.forward(blurred).numpy())


def _grids(
    psf: RendersPSF | NDArray[Any],
    shape: Sequence[int],
    voxel_um: Sequence[float],
    camera: Camera,
    oversampling: int | Sequence[int],
    margin: int | Sequence[int] | None,
) -> tuple[Grid, Grid, tuple[int, ...]]:
    """The fine grid in terms of sensor pixels, the grid of the delivered data, and how far a PSF model reaches in the
    latter's voxels (empty for an array)."""
    ndim = len(tuple(shape))
    if not hasattr(psf, "render") and np.ndim(psf) != ndim:
        raise ValueError(
            f"The PSF has {np.ndim(psf)} axes (shape {np.shape(psf)}), the data {ndim}; give equally many."
        )
    parts = (oversampling,) * ndim if isinstance(oversampling, int) else tuple(oversampling)
    around = (margin or 0,) * ndim if isinstance(margin, int | None) else tuple(margin)
    delivered = Grid(tuple(shape), tuple(voxel_um), parts, around)
    bins = [camera.binning if axis >= ndim - 2 else 1 for axis in range(ndim)]
    reaches: tuple[int, ...] = ()
    model: Any = psf
    if hasattr(model, "render"):
        extent = model.extent(delivered.shape[0] if ndim == 3 else 1, delivered.voxel_um, ndim=ndim)
        reaches = tuple(n // 2 for n in extent)
    if margin is not None or reaches:
        outside = delivered.margin if margin is not None else reaches
        around = tuple(m * b for m, b in zip(outside, bins, strict=True))
    else:
        around = tuple(-(-(n // 2) // s) for n, s in zip(np.shape(model), parts, strict=True))
    sensor_shape = tuple(n * b for n, b in zip(delivered.shape, bins, strict=True))
    pixel_um = tuple(v / b for v, b in zip(delivered.voxel_um, bins, strict=True))
    return Grid(sensor_shape, pixel_um, parts, around), delivered, reaches


def _render_psf(
    psf: Any, grid: Grid, delivered: Grid, reaches: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The PSF on the fine voxels, and on the data's."""
    if hasattr(psf, "render"):
        finer = [round(w / v) for w, v in zip(delivered.voxel_um, grid.fine_voxel_um, strict=True)]
        fine = psf.render(tuple(2 * r * s + 1 for r, s in zip(reaches, finer, strict=True)), grid.fine_voxel_um)
        coarse = psf.render(tuple(2 * r + 1 for r in reaches), delivered.voxel_um)
        return _normalised(fine.data), _normalised(coarse.data)
    fine_data = _normalised(psf)
    factors = [round(w / v) for w, v in zip(delivered.voxel_um, grid.fine_voxel_um, strict=True)]
    return fine_data, integrate(fine_data, factors)


def _normalised(psf: Any) -> NDArray[np.float32]:
    array = np.asarray(psf.detach().cpu() if hasattr(psf, "detach") else psf, np.float64)
    if array.min() < -1e-6 * array.max():
        raise ValueError(
            f"The PSF goes down to {array.min():g}; light is not negative. Subtract what is not light, or clip."
        )
    total = float(array.sum())
    if not (math.isfinite(total) and total > 0):
        raise ValueError(f"The PSF sums to {total:g}; it must be finite and have a sum > 0.")
    return (array / total).astype(np.float32)


def integrate(psf: NDArray[Any], factors: Sequence[int]) -> NDArray[np.float32]:
    """A fine PSF as larger pixels see it: integrated over ``factors`` fine voxels around each n-th one from the centre.

    Where a factor is even, the two end voxels count by half, so that the centre stays on a voxel.
    """
    out = np.asarray(psf, np.float64)
    for axis, factor in enumerate(factors):
        n = out.shape[axis]
        weights = np.ones(factor) if factor % 2 else np.r_[0.5, np.ones(factor - 1), 0.5]
        reach = -(-(n // 2 + factor) // factor)
        first = n // 2 - reach * factor - len(weights) // 2
        index = first + factor * np.arange(2 * reach + 1)[:, None] + np.arange(len(weights))
        valid = (index >= 0) & (index < n)
        taken = np.take(out, np.where(valid, index, 0), axis=axis)
        taken = np.moveaxis(taken, (axis, axis + 1), (-2, -1)) * np.where(valid, weights, 0.0)
        out = np.moveaxis(taken.sum(axis=-1), -1, axis)
    return np.asarray(out / out.sum(), np.float32)


def _check_environment(camera: Camera, ndim: int) -> None:
    """What acts from plane to plane needs planes."""
    for name in ("drift_um", "bleaching"):
        if ndim < 3 and np.any(np.asarray(getattr(camera, name)) != 0):
            raise ValueError(
                f"{name} acts from plane to plane: the data are {ndim}-D and would not change. Leave it out, or simulate 3-D."
            )


def _warn_of_clipped_dark(camera: Camera) -> None:
    """Codes end at 0: noise below it is cut off, and the mean of dark pixels rises."""
    spread = camera.read_noise * camera.gain
    if camera.bit_depth is not None and camera.offset < 4 * spread:
        warnings.warn(
            f"An offset of {camera.offset:g} ADU is less than 4 standard deviations of the read noise ({spread:g} ADU): codes "
            f"below 0 are cut off, and dark pixels come out too bright. Raise offset to {math.ceil(4 * spread)} or more.",
            stacklevel=3,
        )


def _check_range(camera: Camera, photons: float, pixels: int, area: int) -> None:
    """``photons``: of the brightest read-out, which is of ``pixels`` sensor pixels; ``area`` of them are a delivered one."""
    share = pixels / area
    if camera.top is None:
        return
    electrons = camera.quantum_efficiency * (photons + share * (camera.background + camera.autofluorescence))
    electrons = min(electrons, math.inf if camera.full_well is None else camera.full_well * pixels)
    multiplied = camera.gain * camera.em_gain
    codes = camera.offset + multiplied * electrons
    if codes > camera.top:
        raise ValueError(
            f"{photons:g} photons are {codes:.0f} ADU (gain {multiplied:g} ADU/e⁻, offset {camera.offset:g}), "
            f"but {camera.bit_depth} bits end at {camera.top}. Lower photons or gain, or raise bit_depth. "
            "To study saturation, set full_well."
        )
