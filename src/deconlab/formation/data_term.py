"""The data term that matches a camera: what restoration must know about the noise of its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from deconlab.formation.camera import Camera
from deconlab.formation.exposure import binned, pixels_per_bin
from deconlab.formation.sensor import sensor_of

if TYPE_CHECKING:
    from deconlab.functionals import LeastSquares, PoissonLikelihood
    from deconlab.lazytorch import Tensor
    from deconlab.operators import LinearOperator

Kind = Literal["poisson", "least-squares"]


@dataclass(frozen=True, eq=False)
class DataTerm:
    """How data relate to the blurred object Hx, all in photo-electrons of an undimmed pixel.

    y ≈ ``modulation``·Hx + ``background``, with the variance excess·(mean + ``read_variance``) for ``poisson``; the
    excess noise of an EM register is in ``weights`` (½: a quasi-likelihood with the right curvature). With
    ``read_variance`` > 0 it is the shifted Poisson likelihood: y + σ² against Hx + b + σ² (Snyder 1993,
    doi:10.1364/JOSAA.10.001014). For ``least-squares`` ``weights`` are 1/variance.

    Args:
        kind: which likelihood.
        y: data in electrons; 0 where the weight is 0.
        background: expected electrons without the object: stray light, autofluorescence, dark current.
        weights: 0 for dead and saturated pixels.
        read_variance: electrons², quantisation (1/12 ADU²) included.
        modulation: flat field; None where it is 1 throughout.
    """

    kind: Kind
    y: NDArray[np.float32]
    background: NDArray[np.float32]
    weights: NDArray[np.float32]
    read_variance: NDArray[np.float32]
    modulation: NDArray[np.float32] | None


def data_term(camera: Camera, data: NDArray[Any], kind: Kind | None = None) -> DataTerm:
    """What ``camera`` says about its ``data`` (ADU, shape (…, y, x) as delivered).

    Poisson if the camera has shot noise, shifted by its read variance; else least squares. ``kind="least-squares"``
    asks for weighted least squares in any case, with the variance excess·(max(m, b, 1) + read variance), where m is the
    mean over the 3ᵈ − 1 neighbours: a variance taken from the pixel itself would trust low counts more than high ones,
    and lose light (3 to 10 % of beads with 24 to 39 electrons per voxel, measured over the presets).
    The maps broadcast over planes. Brightness changes in time (flicker, bleaching) are not known to it.
    ValueError for an unknown kind, for Poisson data without shot noise, or a sensor of another shape.
    """
    if kind not in (None, "poisson", "least-squares"):
        raise ValueError(f"Unknown kind {kind!r} of data term. There are: poisson, least-squares.")
    if kind == "poisson" and not camera.shot_noise:
        raise ValueError("This camera has no shot noise (shot_noise=False): its data term is least-squares.")
    lateral = data.shape[-2:]
    sensor = binned(sensor_of(camera, tuple(n * camera.binning for n in lateral)), camera)
    area = pixels_per_bin(camera, data.ndim)
    codes = np.asarray(data, np.float64)
    gain = sensor.gain * camera.em_gain
    y = (codes - sensor.offset) / gain
    stray = camera.background + camera.autofluorescence
    dark = sensor.dark * camera.exposure_s + camera.clock_induced_charge * area
    background = camera.quantum_efficiency * sensor.flat * stray + dark
    rounding = 0.0 if camera.top is None else (area if camera.binning_place == "codes" else 1) / 12
    variance = (sensor.read_variance / camera.em_gain**2 + rounding / gain**2) / camera.excess
    usable = ~(_saturated(codes, y, camera, area) | sensor.dead)
    if kind is None:
        kind = "poisson" if camera.shot_noise else "least-squares"
    weights = np.where(usable, 1 / camera.excess, 0.0)
    if kind == "least-squares":
        mean = background + _mean_of_neighbours(y - background, usable)
        shot = np.maximum(mean, np.maximum(background, 1.0)) if camera.shot_noise else 0.0
        total = camera.excess * (shot + np.broadcast_to(variance, y.shape))
        weights = np.where(usable, 1 / total if np.all(total > 0) else 1.0, 0.0)

    def full(values: NDArray[Any]) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.broadcast_to(values, y.shape), np.float32)

    flat = None if np.all(sensor.flat == 1) else full(sensor.flat)
    return DataTerm(kind, full(np.where(usable, y, 0.0)), full(background), full(weights), full(variance), flat)


def to_fidelity(H: LinearOperator, term: DataTerm) -> PoissonLikelihood | LeastSquares:
    """The data term of a problem: ``term`` with the blur ``H``, whose ``out_shape`` is the data's.

    The object is in photo-electrons of an undimmed pixel, as ``Simulation.truth`` is. A flat field becomes part of the
    operator, :class:`~deconlab.operators.Diagonal` ∘ H, so that what it takes is not restored as dark; direct filters
    refuse that, for it is no convolution. Maps that are even become numbers, and weights that are 1 None.
    The tensors are on the CPU, in float32, and share the term's memory where they are not replaced.

    Raises ValueError if the shapes differ.
    """
    from deconlab.functionals import LeastSquares, PoissonLikelihood
    from deconlab.lazytorch import torch
    from deconlab.operators import Diagonal

    def level(values: NDArray[np.float32]) -> Tensor | float:
        return float(values.flat[0]) if values.min() == values.max() else torch.from_numpy(values)

    if tuple(H.out_shape) != term.y.shape:
        raise ValueError(
            f"The blur gives {tuple(H.out_shape)}, the camera's data have shape {term.y.shape}; they must be equal. "
            'Darkness around the image (boundary "zero") has no camera: choose another boundary.'
        )
    if term.modulation is not None:
        H = Diagonal(torch.from_numpy(term.modulation)) @ H
    weights = None if np.all(term.weights == 1) else torch.from_numpy(term.weights)
    y, background = torch.from_numpy(term.y), level(term.background)
    if term.kind == "least-squares":
        return LeastSquares(H, y, background, weights)
    return PoissonLikelihood(H, y, background, weights, level(term.read_variance))


def _mean_of_neighbours(signal: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The mean over the usable ones among the 3ᵈ − 1 neighbours of each pixel; 0 where there are none."""
    from scipy import ndimage

    def around(values: NDArray[np.float64]) -> NDArray[np.float64]:
        box = ndimage.uniform_filter(values, 3, mode="constant") * 3.0**values.ndim
        return np.asarray(box - values, np.float64)

    inside = usable.astype(np.float64)
    count = np.rint(around(inside))
    mean: NDArray[np.float64] = np.where(count > 0, around(np.where(usable, signal, 0.0)) / np.maximum(count, 1), 0.0)
    return mean


def _saturated(codes: NDArray[Any], y: NDArray[Any], camera: Camera, area: int) -> NDArray[np.bool_]:
    """Pixels at the end of the converter, or of the well within rounding and four standard deviations of its noise."""
    saturated = np.zeros(codes.shape, bool)
    if camera.top is not None:
        saturated |= codes >= camera.top * (area if camera.binning_place == "codes" else 1)
    if camera.full_well is not None:
        full = camera.full_well * area
        slack = 4 * np.sqrt(camera.read_noise**2 / camera.em_gain**2 + (full if camera.em_gain > 1 else 0.0))
        saturated |= y >= full - slack - 1 / (camera.gain * camera.em_gain)
    return saturated
