"""The number of iterations at which a restoration of part of the light best predicts the light that was held out.

The data are split into y₁ of a fraction p of the light and y₂ of the rest, with independent noise: whole counts by thinning,
all others by Gaussian recorruption. The method runs on y₁/p, and every estimate is scored where it matters, in the deblurred
domain,

    s(k) = ‖W(m(y₂/(1 − p) − b − Hxₖ))‖²,  W = ĥ*/(|ĥ|² + β)

with m = 0 where a weight is 0. Its expectation is the in-band error of the image and a constant; the plain held-out likelihood
forgives what the blur hides, and smooths too much or stops too early. The run on all data then takes the best k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from deconlab import fourier
from deconlab.api import Prepared
from deconlab.assess.residual import split_counts
from deconlab.lazytorch import Tensor, torch
from deconlab.methods import IterativeMethod
from deconlab.operators.linear_operator import total_of
from deconlab.solve import iterate
from deconlab.stopping import scheduled

FRACTION, BETA = 0.8, 0.01


@dataclass(frozen=True)
class HeldOut:
    """What the search found: the best number of iterations, how many were tried, and the scores by iteration."""

    iterations: int
    tried: int
    scores: dict[int, float]

    @property
    def reason(self) -> str:
        if self.iterations == self.tried:
            return f"held-out light still better predicted at {self.tried} iterations, the most allowed"
        return f"held-out light best predicted at {self.iterations} of {self.tried} iterations"


def held_out_iterations(ready: Prepared, most: int = 500, *, seed: int = 0) -> HeldOut:
    """Search the number of iterations of ``ready``'s method, ``most`` at most, on a split of its data.

    Scored at every iteration up to 10 and at every tenth of those done from there on; ends when twice as many as the best have
    brought nothing better. The data must be in photo-electrons (``gain``). Cost: the iterations tried, and two transforms and
    a forward application for a score.

    Raises TypeError for a direct method, which has no iterations.
    """
    method, problem, H = ready.method, ready.problem, ready.blur
    if not isinstance(method, IterativeMethod):
        raise TypeError(f"{type(method).__name__} is direct: it has no iterations to be chosen by held-out light.")
    fidelity = problem.fidelity
    image = H.measured.forward(fidelity.y)
    weights = None if fidelity.weights is None else H.measured.forward(fidelity.weights)
    counts = image if weights is None else torch.where(weights > 0, image, 0.0)
    first, second = (H.data(part, fidelity.background) for part in _split(counts, ready.counts.read_noise**2, seed))
    held = second - fidelity.background
    mask = None if fidelity.weights is None else (fidelity.weights > 0).to(held)
    deblur = _deblurring(ready, held)
    scores: dict[int, float] = {}
    best, index = 1, 0
    with torch.no_grad():
        for iteration in iterate(method, problem.with_data(y=first), ready.start):
            index = iteration.index
            finished = method.finished(problem, iteration.state) is not None or index >= most
            if scheduled(index) or finished:
                error = held - H.forward(iteration.x)
                error = error if mask is None else error * mask
                spectrum = fourier.rfftn(error, error.ndim) * deblur
                scores[index] = float(total_of(fourier.irfftn(spectrum, tuple(error.shape)).square()))
                best = index if scores[index] < scores[best] else best
            if finished or index >= 2 * best + 10:
                break
    return HeldOut(best, index, scores)


def _split(counts: Tensor, read_variance: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two images of the whole's brightness, from 80 % and 20 % of the light."""
    array = counts.detach().cpu().numpy().astype(np.float64)
    whole = read_variance == 0 and bool(np.all(array == np.rint(array))) and bool(np.all(array >= 0))
    first, second = split_counts(array, FRACTION, seed, None if whole else read_variance)
    return torch.as_tensor(first / FRACTION).to(counts), torch.as_tensor(second / (1 - FRACTION)).to(counts)


def _deblurring(ready: Prepared, like: Tensor) -> Tensor:
    """W on the half grid of the data."""
    shape = tuple(like.shape)
    otf = fourier.rfftn(fourier.to_origin(ready.blur.convolution.psf.to(like), shape), like.ndim)
    return otf.conj() / (otf.abs().square() + BETA)
