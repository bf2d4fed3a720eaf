"""The prior that few wavelet coefficients are large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from deconlab.functionals._functional import Proximable
from deconlab.functionals._groups import DetailNorm
from deconlab.functionals._iterated import NormOfMap
from deconlab.lazytorch import Tensor
from deconlab.operators import Circulant, UndecimatedWavelet, Wavelet
from deconlab.operators.differences import relative_scale
from deconlab.operators.wavelet import Family
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class WaveletSparsity(NormOfMap):
    """λ Σ |(Wx)ⱼ| over all bands but the approximation, which is not thresholded, so that brightness is kept.

    Haar for objects with sharp edges, splines (degree 1, 3, 5; smoother and less local) for others. ``undecimated`` takes all
    shifts of the transform at once (cycle spinning): no blocks, and a volume of memory for each band.
    The prox is exact, without inner steps, where W is orthonormal: decimated, 2^levels dividing every size, unconstrained.
    Elsewhere it is approximate, see :class:`~deconlab.functionals.NormOfMap`; splitting methods use (g, W), exact always.

    An axis gets at most so many levels that two coefficients are left, and one level less for each factor of 2 by which
    its voxels are coarser (``spacing``).
    """

    family: Annotated[Family, Doc("wavelet family")] = "haar"
    levels: Annotated[int, Ge(1), Doc("number of levels: the coarsest detail is 2^levels voxels wide")] = 3
    undecimated: Annotated[bool, Doc("take all shifts of the transform (cycle spinning)")] = False
    spacing: tuple[float, ...] | None = None

    def pair(self, shape: tuple[int, ...]) -> tuple[Proximable, Circulant]:
        scale = relative_scale(shape, self.spacing)
        levels = tuple(
            max(min(self.levels + round(math.log2(s)), n.bit_length() - 2), 0)
            for n, s in zip(shape, scale, strict=True)
        )
        if self.undecimated:
            return DetailNorm(self.weight, (slice(0, 1),)), UndecimatedWavelet(shape, self.family, levels)
        decimated = Wavelet(shape, self.family, levels)
        return DetailNorm(self.weight, decimated.approximation), decimated

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        g, W = self.pair(tuple(v.shape))
        if W.in_shape == W.out_shape:
            return W.adjoint(g.prox(W.forward(v), t))
        return super().prox(v, t)
