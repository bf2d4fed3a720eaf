"""The Wiener filter with both its precisions drawn from the data, by Gibbs sampling.

    x̂ | γₙ, γₓ  ~  N(γₙ ĥ* ŷ/q, 1/q),  q = γₙ|ĥ|² + γₓ|l̂|²
    γₙ | x ~ Gamma(N/2 + 1, ‖y − Hx‖²/2),   γₓ | x ~ Gamma((N + 1)/2, ‖Lx‖²/2)

L is the Laplacian; the result is the mean of the conditional means after ``burn_in`` draws.

Guarantee: the posterior mean under white Gaussian noise and a Gaussian, smooth object, for periodic data; nothing has to be
chosen. Where noise is photon noise its mean strength is found. Negative values are allowed. In one to three dimensions; the
same ``seed`` gives the same result. Cost: three transforms and one for each draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from deconlab import fourier
from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._edges import Edges, prepare
from deconlab.methods._method import DirectMethod, State
from deconlab.operators import Circulant, Laplacian
from deconlab.operators.linear_operator import total_of
from deconlab.problem import Problem
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class GibbsState(State):
    """The restored object, with the means of the noise's variance 1/γₙ and of λ = γₓ/γₙ over the draws."""

    noise_variance: Tensor | None = None
    regularisation: Tensor | None = None


@dataclass(frozen=True)
class UnsupervisedWiener(DirectMethod[GibbsState, LeastSquares, Zero]):
    """Unsupervised Wiener-Hunt deconvolution (Orieux, Giovannelli & Rodet 2010)."""

    draws: Annotated[int, Ge(1), Doc("number of draws that are averaged")] = 60
    burn_in: Annotated[int, Ge(0), Doc("number of draws before these, which are forgotten")] = 30
    seed: Annotated[int, Ge(0), Doc("seed of the draws")] = 0
    edges: Annotated[Edges, Doc("how the image's edges are made fit for a periodic filter")] = "continue"

    blur: ClassVar[type] = Circulant
    honours_weights: ClassVar[bool] = False
    dial: ClassVar[str] = "draws"
    buffers: ClassVar[int] = 13
    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSAA.27.001593",)

    def apply(self, problem: Problem[LeastSquares, Zero]) -> GibbsState:
        import numpy as np

        seen, blur = problem.H.split()
        assert isinstance(blur, Circulant)
        shape = blur.in_shape
        data = prepare(problem.fidelity.y - problem.fidelity.background, seen, blur, self.edges)
        size, ndim = data.numel(), data.ndim
        scale = size**-0.5
        power, curvature = blur.normal_symbol(data), Laplacian(shape).normal_symbol(data)
        gain = power.sqrt()
        # Where hardly anything passes, the quotient by |ĥ| is of rounding errors: such frequencies count as not seen.
        inverse = torch.where(gain > torch.finfo(data.dtype).eps ** 0.5 * gain.max(), fourier.reciprocal(gain), 0.0)
        # Only |ĥ| and the data turned into its phase matter: |ŷ − ĥx̂| = |(ĥ*/|ĥ|)ŷ − |ĥ|x̂|.
        turned = fourier.rfftn(blur.adjoint(data), ndim) * inverse * scale
        twice = _multiplicity(shape, data)
        unseen = (total_of(data.square()) - _power(turned, twice)).clamp(min=0)
        generator = torch.Generator().manual_seed(self.seed)
        gamma = np.random.default_rng(self.seed)
        misfit, bend = 0.5 * total_of(data.square()), _power(turned * curvature.sqrt(), twice)
        total, noise, ratio = torch.zeros_like(turned), misfit * 0, misfit * 0
        for draw in range(self.burn_in + self.draws):
            noise_precision = 2 * gamma.standard_gamma(0.5 * size + 1) / misfit
            object_precision = 2 * gamma.standard_gamma(0.5 * (size + 1)) / bend
            precision = noise_precision.to(data) * power + object_precision.to(data) * curvature
            mean = noise_precision.to(data) * gain * turned * fourier.reciprocal(precision)
            white = torch.randn(shape, generator=generator, dtype=data.dtype).to(data.device)
            sample = mean + fourier.rfftn(white, ndim) * scale * fourier.reciprocal(precision.sqrt())
            misfit = _power(turned - gain * sample, twice) + unseen
            bend = _power(sample * curvature.sqrt(), twice)
            if draw >= self.burn_in:
                total = total + mean
                noise = noise + 1 / noise_precision
                ratio = ratio + object_precision / noise_precision
        x = fourier.irfftn(total * (1 / (self.draws * scale)), shape)
        return GibbsState(problem.project(x), None, noise / self.draws, ratio / self.draws)


def _multiplicity(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """How often each frequency of the half grid stands for one of the whole."""
    count = torch.full((shape[-1] // 2 + 1,), 2.0, dtype=like.dtype, device=like.device)
    count[0] = 1
    if shape[-1] % 2 == 0:
        count[-1] = 1
    return count


def _power(spectrum: Tensor, multiplicity: Tensor) -> Any:
    return total_of((spectrum.real.square() + spectrum.imag.square()) * multiplicity)
