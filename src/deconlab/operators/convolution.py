"""Periodic convolution with a PSF."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from deconlab import fourier
from deconlab.lazytorch import Tensor
from deconlab.operators.linear_operator import Circulant


class Convolution(Circulant):
    """Hx = h ∗ x on the periodic grid ``shape``, for a PSF h centred on voxel n // 2, in any number of dimensions.

    F(Hx) = ĥ · F x with the optical transfer function ĥ = F h, F(Hᵀy) = ĥ* · F y, and ‖H‖² = max |ĥ|² exactly.
    A PSF larger than the grid is wrapped around. Costs two real transforms per application; ĥ takes one complex number for
    every two voxels. The PSF is used as it is: normalising it is the business of :mod:`deconlab.psf`.
    """

    def __init__(self, psf: Tensor, shape: Sequence[int]) -> None:
        if psf.ndim != len(shape):
            raise ValueError(
                f"The PSF has {psf.ndim} dimensions {tuple(psf.shape)} but the grid has {len(shape)} {tuple(shape)}: "
                f"they must have the same number."
            )
        if not psf.is_floating_point():
            raise TypeError(f"The PSF must be of a floating-point dtype, not {psf.dtype}; convert it first.")
        self.psf = psf
        self.in_shape = self.out_shape = tuple(shape)
        if psf.requires_grad:
            self.otf  # noqa: B018  (recorded now: kept from within no_grad, it would cut off the PSF)

    @cached_property
    def otf(self) -> Tensor:
        """ĥ on the half grid; made when first asked for, since the compiled engine keeps its own."""
        return fourier.rfftn(fourier.to_origin(self.psf, self.in_shape), len(self.in_shape))

    def with_psf(self, psf: Tensor) -> Convolution:
        """The same grid with another PSF."""
        return Convolution(psf, self.in_shape)

    def forward(self, x: Tensor) -> Tensor:
        return fourier.filter(x, self.otf, self.in_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        return fourier.filter(y, self.otf, self.in_shape, conjugate=True)

    def normal(self, x: Tensor) -> Tensor:
        """HᵀHx in two transforms instead of four."""
        return fourier.filter(x, self.normal_symbol(x), self.in_shape)

    def normal_symbol(self, like: Tensor) -> Tensor:
        return (self.otf.real.square() + self.otf.imag.square()).to(dtype=like.dtype, device=like.device)

    @property
    def norm_squared(self) -> float:
        return float(self.normal_symbol(self.psf).detach().max())
