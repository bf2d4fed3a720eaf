"""Finite differences on a periodic grid, aware of anisotropic voxels."""

from __future__ import annotations

from collections.abc import Sequence

from deconlab import fourier
from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import Circulant


class Gradient(Circulant):
    """Forward differences along every axis, (Dx)ₐ[i] = sₐ (x[i + eₐ] − x[i]), stacked before the spatial axes.

    ``spacing`` is the voxel size in any unit; sₐ = min(spacing) / spacingₐ, so that a slope in physical space counts the
    same along each axis. The grid is periodic, hence DᵀD is diagonal in the Fourier basis. ‖D‖² <= 4 Σ sₐ².
    """

    def __init__(self, shape: Sequence[int], spacing: Sequence[float] | None = None) -> None:
        self.in_shape = tuple(shape)
        self.out_shape = (len(self.in_shape), *self.in_shape)
        self.scale = relative_scale(self.in_shape, spacing)

    def forward(self, x: Tensor) -> Tensor:
        d = len(self.in_shape)
        return torch.stack([s * (x.roll(-1, axis - d) - x) for axis, s in enumerate(self.scale)], -d - 1)

    def adjoint(self, y: Tensor) -> Tensor:
        d = len(self.in_shape)
        parts = [
            s * (part.roll(1, axis - d) - part)
            for axis, (s, part) in enumerate(zip(self.scale, y.unbind(-d - 1), strict=True))
        ]
        return torch.stack(parts).sum(0)

    @property
    def norm_squared(self) -> float:
        return 4.0 * sum(s * s for s in self.scale)

    def normal_symbol(self, like: Tensor) -> Tensor:
        total = sum(
            s * s * (2 - 2 * torch.cos(omega))
            for s, omega in zip(self.scale, fourier.frequencies(self.in_shape, like), strict=True)
        )
        assert isinstance(total, torch.Tensor)
        return total


class Laplacian(Circulant):
    """Second differences, (Lx)[i] = Σₐ sₐ² (x[i + eₐ] − 2 x[i] + x[i − eₐ]), with sₐ = min(spacing) / spacingₐ.

    Symmetric, periodic; its transfer function is l̂ = −Σₐ sₐ² (2 − 2 cos ωₐ), and ‖L‖² = (4 Σ sₐ²)² is attained on even
    grids (144 for isotropic voxels in 3-D).
    """

    def __init__(self, shape: Sequence[int], spacing: Sequence[float] | None = None) -> None:
        self.in_shape = self.out_shape = tuple(shape)
        self.scale = relative_scale(self.in_shape, spacing)

    def forward(self, x: Tensor) -> Tensor:
        d = len(self.in_shape)
        result = x * (-2.0 * sum(s * s for s in self.scale))
        for axis, s in enumerate(self.scale):
            result = result + (s * s) * (x.roll(1, axis - d) + x.roll(-1, axis - d))
        return result

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)

    @property
    def norm_squared(self) -> float:
        return (4.0 * sum(s * s for s in self.scale)) ** 2

    def normal_symbol(self, like: Tensor) -> Tensor:
        return Gradient(self.in_shape, [1 / s for s in self.scale]).normal_symbol(like).square()


def relative_scale(shape: Sequence[int], spacing: Sequence[float] | None) -> tuple[float, ...]:
    """min(spacing) / spacing along each axis; 1 without a spacing. Axes of one voxel have no differences."""
    if spacing is None:
        return (1.0,) * len(shape)
    if len(spacing) != len(shape) or not all(0 < step < float("inf") for step in spacing):
        raise ValueError(
            f"spacing must be {len(shape)} positive numbers, one for each axis of {tuple(shape)}, not {tuple(spacing)}."
        )
    return tuple(min(spacing) / step for step in spacing)
