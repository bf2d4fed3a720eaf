"""Light from outside the field: an open boundary explains it, a periodic one folds it in.

The scenes are larger than the field and blurred by SciPy, so that nothing of the package made the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import scipy.signal
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from deconlab.functionals import LeastSquares, PoissonLikelihood, Tikhonov
from deconlab.methods import registry
from deconlab.operators import blur
from deconlab.problem import NonNegative, Problem
from deconlab.psf import GibsonLanni
from deconlab.solve import solve
from deconlab.stopping import MaxIterations

Array = NDArray[Any]
BACKGROUND = 1.0


def scene(
    shape: Sequence[int], psf: Array, sigma: Sequence[float], density: float, seed: int
) -> tuple[Array, Array, Any]:
    """(object, its image without noise at 200 photons at most, generator): blobs, imaged where the whole PSF fits."""
    generator = np.random.default_rng(seed)
    truth = gaussian_filter(generator.random(shape) * (generator.random(shape) < density), sigma)
    clean = scipy.signal.fftconvolve(truth, psf, "valid").clip(0)
    scale = 200 / clean.max()
    return truth * scale, clean * scale, generator


def restored(y: Array, psf: Array, boundary: str) -> Array:
    H = blur(torch.as_tensor(psf), y.shape, boundary)
    data = H.data(torch.as_tensor(y, dtype=torch.float64), BACKGROUND)
    problem = Problem(PoissonLikelihood(H, data, BACKGROUND), constraint=NonNegative())
    x = solve(registry.get("richardson-lucy")(), problem, stop=MaxIterations(50)).x
    return H.frame.forward(x).numpy()


def centre(array: Array, shape: Sequence[int]) -> Array:
    """The middle of ``array``; ``array`` is larger by an even number of voxels."""
    return array[tuple(slice((m - n) // 2, (m - n) // 2 + n) for m, n in zip(array.shape, shape, strict=True))]


def outer(shape: Sequence[int]) -> NDArray[np.bool_]:
    """The outer 10 % of each axis, on either side."""
    zone = np.ones(shape, bool)
    zone[tuple(slice(round(0.1 * n), n - round(0.1 * n)) for n in shape)] = False
    return zone


def rms(errors: list[Array]) -> float:
    return float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


def compact_psf() -> Array:
    line = np.exp(-0.5 * ((np.arange(13) - 6) / 2.0) ** 2)
    return np.outer(line, line) / line.sum() ** 2


def test_a_compact_psf_leaves_the_border_as_good_as_the_centre() -> None:
    """Outer 10 %: at most 1.5 times the centre's error and half of the periodic restoration's, over five scenes."""
    shape, psf = (64, 64), compact_psf()
    zone = outer(shape)
    errors: dict[str, list[Array]] = {"outer": [], "centre": [], "periodic outer": []}
    for seed in range(5):
        truth, clean, generator = scene((104, 104), psf, (3, 3), 0.01, seed)
        y, x = centre(generator.poisson(clean + BACKGROUND), shape), centre(truth, shape)
        error = restored(y, psf, "open") - x
        errors["outer"].append(error[zone])
        errors["centre"].append(error[~zone])
        errors["periodic outer"].append((restored(y, psf, "periodic") - x)[zone])
    assert rms(errors["outer"]) <= 1.5 * rms(errors["centre"])
    assert rms(errors["outer"]) <= 0.5 * rms(errors["periodic outer"])


def test_a_widefield_psf_costs_little_for_what_lies_outside() -> None:
    """At most 1.15 times the same voxels' error when restored from a field one PSF larger, and less than periodic's."""
    shape, size = (12, 32, 32), (13, 33, 33)
    model = GibsonLanni(na=1.4, emission_nm=520, immersion_index=1.515)
    psf = model.render(size, (0.16, 0.09, 0.09), dtype=torch.float64).data.numpy()
    larger = [n + p - 1 for n, p in zip(shape, size, strict=True)]
    zone = outer(shape)
    errors: dict[str, list[Array]] = {"field": [], "larger field": [], "periodic": []}
    for seed in range(2):
        truth, clean, generator = scene(
            [n + p - 1 for n, p in zip(larger, size, strict=True)], psf, (0.8, 1.5, 1.5), 0.01, seed
        )
        wide = generator.poisson(clean + BACKGROUND)
        y, x = centre(wide, shape), centre(truth, shape)
        errors["field"].append((restored(y, psf, "open") - x)[zone])
        errors["larger field"].append((centre(restored(wide, psf, "open"), shape) - x)[zone])
        errors["periodic"].append((restored(y, psf, "periodic") - x)[zone])
    assert rms(errors["field"]) <= 1.15 * rms(errors["larger field"])
    assert rms(errors["field"]) < rms(errors["periodic"])


@pytest.mark.parametrize("method", ["tikhonov-inverse", "wiener"])
def test_a_filter_that_minds_its_edges_is_better_there(method: str) -> None:
    """Outer 10 %: continued beyond the border better than periodic, and the exact solution better still."""
    shape, psf = (64, 64), compact_psf()
    zone = outer(shape)
    errors: dict[str, list[Array]] = {}
    for seed in range(3):
        truth, clean, generator = scene((104, 104), psf, (3, 3), 0.01, seed)
        y = torch.as_tensor(centre(generator.poisson(clean), shape), dtype=torch.float64)
        x = centre(truth, shape)
        for boundary, edges in (("periodic", "continue"), ("open", "continue"), ("open", "taper"), ("open", "exact")):
            fidelity = LeastSquares(H := blur(torch.as_tensor(psf), shape, boundary), y)
            given = {"noise_to_signal": 0.01} if method == "wiener" else {}
            problem = Problem(fidelity) if method == "wiener" else Problem(fidelity, Tikhonov(0.01))
            found = solve(registry.get(method)(edges=edges, **given), problem, stop=MaxIterations(1)).x
            errors.setdefault(f"{boundary} {edges}", []).append((H.frame.forward(found).numpy() - x)[zone])
    found_rms = {name: rms(parts) for name, parts in errors.items()}
    assert found_rms["open continue"] < 0.9 * found_rms["periodic continue"], found_rms
    assert found_rms["open taper"] < 0.9 * found_rms["periodic continue"], found_rms
    assert found_rms["open exact"] < found_rms["open continue"], found_rms
