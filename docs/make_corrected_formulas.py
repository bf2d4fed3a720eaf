"""Makes the pictures and the table of corrected_formulas.md: each formula as it is often printed, and as it should be.

python docs/make_corrected_formulas.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deconlab import deconvolve, fourier
from deconlab.assess.metrics import nrmse
from deconlab.assess.picture import side_by_side
from deconlab.formation.camera import Camera
from deconlab.formation.phantoms.nuclei import Nuclei
from deconlab.formation.phantoms.resolution_star import ResolutionStar
from deconlab.formation.simulate import Simulation, simulate
from deconlab.functionals import LaplacianPrior, LeastSquares, PoissonLikelihood, TotalVariation
from deconlab.methods.wiener import Wiener
from deconlab.operators import blur
from deconlab.problem import NonNegative, Problem
from deconlab.psf import PSF

BEGIN, END = "<!-- numbers -->\n", "<!-- end of numbers -->\n"
HERE = Path(__file__).parent
BACKGROUND, SIZE = 20.0, 128
STRENGTHS = tuple(np.geomspace(1e-4, 1, 25).tolist())
MILLER_WEIGHT, MILLER_STEPS = 0.05, 12
TV_WEIGHT, TV_STEPS = 0.02, 60


@dataclass(frozen=True)
class Shown:
    """What one picture shows: the object, its image, and two restorations, in electrons."""

    truth: np.ndarray
    data: np.ndarray
    printed: np.ndarray
    corrected: np.ndarray


def comet() -> np.ndarray:
    """A PSF with a tail to one side, as motion or coma make it: its OTF is complex. Given on voxels half as large."""
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    core = np.exp(-(x**2 + y**2) / (2 * 1.8**2))
    tail = sum(np.exp(-(d / 16) - ((x - d) ** 2 + y**2) / (2 * 1.8**2)) for d in range(16))
    return core + tail


def star() -> Simulation:
    """Light in the middle alone, so that a periodic image is no mistake."""
    camera = Camera(background=BACKGROUND)
    phantom = ResolutionStar(spokes=24, diameter_um=9.0)
    return simulate(phantom, comet(), shape=(SIZE, SIZE), voxel_um=(0.1, 0.1), camera=camera, photons=2000, seed=1)


def filled() -> Simulation:
    """Light up to the border, and beyond."""
    camera = Camera(background=BACKGROUND)
    phantom = Nuclei(count=6, diameter_um=5.0, texture_um=0.6)
    return simulate(phantom, comet(), shape=(SIZE, SIZE), voxel_um=(0.1, 0.1), camera=camera, photons=500, seed=3)


def filtered(printed: Callable[[Any, Any, float], Any], method: str, dial: str) -> Shown:
    """A filter as printed, ``printed(ŷ, ĥ, strength)`` on the half grid of the periodic image, and the package's.

    Each has the strength (ε, ratio or λ) of STRENGTHS with which it comes nearest to the object.
    """
    found = star()
    y, psf = torch.from_numpy(found.data) - BACKGROUND, torch.from_numpy(found.psf)
    otf, spectrum = fourier.rfftn(fourier.to_origin(psf, y.shape), 2), fourier.rfftn(y, 2)
    settings = {"background": BACKGROUND, "boundary": "periodic"}
    wrong = [fourier.irfftn(printed(spectrum, otf, strength), y.shape).numpy() for strength in STRENGTHS]
    right = [deconvolve(found.data, PSF(psf), method, **settings, **{dial: strength}).x for strength in STRENGTHS]
    nearest = [min(tried, key=lambda x: nrmse(x, found.truth)) for tried in (wrong, right)]
    return Shown(found.truth, found.data - BACKGROUND, *nearest)


def held(otf: torch.Tensor, least: float) -> torch.Tensor:
    """max(ĥ, ε) as a program reads it: of a complex number, the real part is compared."""
    return torch.where(otf.real < least, least, otf)


def squared_frequency(otf: torch.Tensor) -> torch.Tensor:
    """ω² in rad² per px², on the half grid."""
    return sum(omega**2 for omega in fourier.frequencies((SIZE, SIZE), otf.real))


def naive() -> Shown:
    return filtered(lambda y, h, least: y / held(h, least), "naive-inverse", "epsilon")


def wiener() -> Shown:
    """With power spectra: the noise is white, of the data's mean; as printed over the data's, corrected over the object's."""
    found = star()
    y, psf, x = torch.from_numpy(found.data), torch.from_numpy(found.psf), torch.from_numpy(found.truth)
    light = y - BACKGROUND
    otf, spectrum = fourier.rfftn(fourier.to_origin(psf, y.shape), 2), fourier.rfftn(light, 2)
    noise = torch.full(otf.shape, float(y.mean()) * y.numel())
    wrong = fourier.irfftn(spectrum / (otf + noise / spectrum.abs().square().clamp(min=1e-6)), y.shape)
    seen = fourier.rfftn(x, 2).abs().square().clamp(min=1e-6)
    method = Wiener(noise_spectrum=noise, object_spectrum=seen)
    right = deconvolve(found.data, PSF(psf), method, background=BACKGROUND, boundary="periodic").x
    return Shown(found.truth, light.numpy(), wrong.numpy(), right)


def tikhonov() -> Shown:
    return filtered(lambda y, h, weight: y / (h + weight), "tikhonov-inverse", "weight")


def laplacian() -> Shown:
    return filtered(
        lambda y, h, weight: y / (h + weight * squared_frequency(h)), "laplacian-regularised-inverse", "weight"
    )


def step_size() -> Shown:
    """Tikhonov-Miller with γ = 1.9, below 2 as printed, and with 1/L."""
    found = star()
    psf = torch.from_numpy(found.psf)
    prior = LaplacianPrior(weight=MILLER_WEIGHT, spacing=(1.0, 1.0))
    H = blur(psf, (SIZE, SIZE), "periodic")
    problem = Problem(LeastSquares(H, torch.from_numpy(found.data), BACKGROUND), prior)
    x = problem.flat()
    for _ in range(MILLER_STEPS):
        x = x - 1.9 * (problem.fidelity.grad(x) + prior.grad(x))
    right = deconvolve(
        found.data, PSF(psf), "tikhonov-miller", MILLER_STEPS, prior=prior, background=BACKGROUND, boundary="periodic"
    ).x
    return Shown(found.truth, found.data - BACKGROUND, x.numpy(), right)


def richardson_lucy() -> Shown:
    """Ten steps with and without the denominator Hᵀw, on an image that goes on beyond its border and has a dead stripe."""
    found = filled()
    psf = torch.from_numpy(found.psf)
    weights = torch.ones(SIZE, SIZE)
    weights[60:66] = 0
    H = blur(psf, (SIZE, SIZE), "open")
    y = torch.from_numpy(found.data)
    x = torch.full(H.in_shape, float((y - BACKGROUND).mean()))
    for _ in range(10):
        x = x * H.adjoint(weights * y / (H.forward(x) + BACKGROUND))
    right = deconvolve(found.data, PSF(psf), "richardson-lucy", 10, background=BACKGROUND, weights=weights).x
    return Shown(found.truth, (found.data - BACKGROUND) * weights.numpy(), H.frame.forward(x).numpy(), right)


def total_variation() -> Shown:
    """RL-TV with the sign of its divergence as it is often printed, and Dey's: as many steps each."""
    found = filled()
    psf, y = torch.from_numpy(found.psf), torch.from_numpy(found.data)
    prior = TotalVariation(weight=TV_WEIGHT, spacing=(1.0, 1.0))
    H = blur(psf, (SIZE, SIZE), "open")
    _, D = prior.pair(H.in_shape)
    fidelity = PoissonLikelihood(H, y, BACKGROUND)
    x = Problem(fidelity, prior, NonNegative()).flat()
    for _ in range(TV_STEPS):
        slope = D.forward(x)
        size = torch.linalg.vector_norm(slope, dim=0)
        divergence = -D.adjoint(torch.where(size > 0, slope / size, 0.0))
        ratio = H.adjoint(y / (H.forward(x) + BACKGROUND)) / fidelity.sensitivity
        x = x * ratio.clamp(min=0) / (1 + TV_WEIGHT * divergence).clamp(min=0.1)
    right = deconvolve(found.data, PSF(psf), "rl-tv", TV_STEPS, prior=prior, background=BACKGROUND).x
    return Shown(found.truth, found.data - BACKGROUND, H.frame.forward(x).numpy(), right)


FORMULAS: dict[str, Callable[[], Shown]] = {
    "naive": naive, "wiener": wiener, "tikhonov": tikhonov, "laplacian": laplacian, "step_size": step_size,
    "richardson_lucy": richardson_lucy, "total_variation": total_variation,
}  # fmt: skip
TITLES = (
    "naive inverse",
    "Wiener",
    "Tikhonov inverse",
    "Laplacian-regularised inverse",
    "step size",
    "Richardson-Lucy",
    "RL-TV",
)


def draw(name: str, shown: Shown) -> None:
    """object, image, as printed, corrected: all in the object's range."""
    images = {"object": shown.truth, "image": shown.data, "as printed": shown.printed, "corrected": shown.corrected}
    # The object's light is concentrated; a restoration at the resolution of the data is compared at its own level.
    white = float(np.percentile(shown.corrected, 99.7))
    side_by_side(images, HERE / "pictures" / f"{name}.png", limits=(0, white), unit="electrons", width=SIZE * 2)


def main() -> None:
    page = HERE / "corrected_formulas.md"
    rows = ["| formula | NRMSE as printed | corrected |", "|---|---|---|"]
    for (name, make), title in zip(FORMULAS.items(), TITLES, strict=True):
        shown = make()
        draw(name, shown)
        rows.append(
            f"| {title} | {nrmse(shown.printed, shown.truth):.3g} | {nrmse(shown.corrected, shown.truth):.3g} |"
        )
    print("\n".join(rows))
    before, rest = page.read_text().split(BEGIN)
    page.write_text(before + BEGIN + "\n".join(rows) + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
