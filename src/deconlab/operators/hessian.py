"""Second derivatives on a periodic grid, aware of anisotropic voxels."""

from __future__ import annotations

from collections.abc import Sequence

from deconlab.lazytorch import Tensor, torch
from deconlab.operators.differences import Laplacian, relative_scale
from deconlab.operators.linear_operator import Circulant


class Hessian(Circulant):
    """All second differences, stacked before the spatial axes: first ∂ₐ∂ₐ for each axis, then √2 ∂ₐ∂ᵦ for each pair a < b.

    (∂ₐ∂ₐx)[i] = sₐ² (x[i + eₐ] − 2 x[i] + x[i − eₐ]) and (∂ₐ∂ᵦx)[i] = sₐsᵦ (x[i + eₐ + eᵦ] − x[i + eₐ] − x[i + eᵦ] + x[i]),
    with sₐ = min(spacing)/spacingₐ. With the factor √2 the 2-norm of the components is the Frobenius norm of the matrix, and
    HessᵀHess = LᵀL with the Laplacian L: ‖Hess‖² = (4 Σ sₐ²)², 144 for isotropic voxels in 3-D.

    With ``value`` above 0 that many times x itself is stacked behind, and the differences are multiplied by ``slope``:
    what joint sparsity of intensity and curvature needs.
    """

    def __init__(
        self,
        shape: Sequence[int],
        spacing: Sequence[float] | None = None,
        *,
        slope: float = 1.0,
        value: float = 0.0,
    ) -> None:
        self.in_shape = tuple(shape)
        self.scale = relative_scale(self.in_shape, spacing)
        self.slope, self.value = slope, value
        d = len(self.in_shape)
        self.pairs = [(a, b) for a in range(d) for b in range(a + 1, d)]
        self.components = d + len(self.pairs) + (1 if value > 0 else 0)
        self.out_shape = (self.components, *self.in_shape)

    def forward(self, x: Tensor) -> Tensor:
        d = len(self.in_shape)
        ahead = [x.roll(-1, axis - d) - x for axis in range(d)]
        parts = [
            (self.slope * s * s) * (ahead[axis] - ahead[axis].roll(1, axis - d)) for axis, s in enumerate(self.scale)
        ]
        for a, b in self.pairs:
            factor = self.slope * self.scale[a] * self.scale[b] * 2**0.5
            parts.append(factor * (ahead[a].roll(-1, b - d) - ahead[a]))
        if self.value > 0:
            parts.append(self.value * x)
        return torch.stack(parts, -d - 1)

    def adjoint(self, y: Tensor) -> Tensor:
        d = len(self.in_shape)
        parts = y.unbind(-d - 1)
        total = self.value * parts[-1] if self.value > 0 else torch.zeros_like(parts[0])
        for axis, s in enumerate(self.scale):
            part = parts[axis]
            curved = part.roll(1, axis - d) + part.roll(-1, axis - d) - 2 * part
            total = total + (self.slope * s * s) * curved
        for (a, b), part in zip(self.pairs, parts[d : d + len(self.pairs)], strict=True):
            factor = self.slope * self.scale[a] * self.scale[b] * 2**0.5
            back = part.roll(1, a - d) - part
            total = total + factor * (back.roll(1, b - d) - back)
        return total

    @property
    def norm_squared(self) -> float:
        """‖slope·Hess‖² + value²: attained on even grids."""
        return self.slope**2 * (4.0 * sum(s * s for s in self.scale)) ** 2 + self.value**2

    def normal_symbol(self, like: Tensor) -> Tensor:
        curvature = Laplacian(self.in_shape, [1 / s for s in self.scale]).normal_symbol(like)
        return self.slope**2 * curvature + self.value**2
