"""Simple functions gᵢ for split priors: norms of each voxel's components, with their proximal maps."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from deconlab.fourier import differentiated
from deconlab.functionals._functional import Proximable
from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import total_of


class GroupNorm(Proximable):
    """λ Σ ‖uᵢ‖₂ over voxels i, the components of u lying along its first dimension. Prox: every group shrinks by tλ."""

    degree: ClassVar[int] = 1

    def __init__(self, weight: float | Tensor) -> None:
        self.weight = weight

    def value(self, x: Tensor) -> Tensor:
        return self.weight * total_of(lengths(x))

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        size, threshold = lengths(v), t * self.weight
        if differentiated(v, threshold):
            larger = size > threshold
            kept = torch.where(larger, 1 - threshold / torch.where(larger, size, 1.0), 0.0)
        else:
            kept = size.clamp_(min=torch.finfo(size.dtype).tiny).reciprocal_().mul_(-threshold).add_(1).clamp_(min=0)
        return kept * v


class DetailNorm(Proximable):
    """λ Σ |u| over all coefficients but those in ``spared``, the approximation band. Prox: soft threshold tλ of the rest."""

    degree: ClassVar[int] = 1

    def __init__(self, weight: float | Tensor, spared: tuple[Any, ...]) -> None:
        self.weight, self.spared = weight, spared

    def value(self, x: Tensor) -> Tensor:
        return self.weight * (total_of(x.abs()) - total_of(x[self.spared].abs()))

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        shrunk = soft_threshold(v, t * self.weight)
        shrunk[self.spared] = v[self.spared]
        return shrunk


class NuclearNorm(Proximable):
    """λ Σ (|e₁| + … + |e_d|), e the eigenvalues of each voxel's symmetric d × d matrix, d = 1, 2 or 3.

    The matrix's components lie along the first dimension as :class:`~deconlab.operators.Hessian` stacks them. Prox: soft
    threshold tλ of the eigenvalues. Eigenvalues come in closed form (d = 3: from the cosine of a third of an angle), and the
    threshold is applied as a polynomial of the matrix, so that no eigenvectors are needed.
    """

    degree: ClassVar[int] = 1

    def __init__(self, weight: float | Tensor) -> None:
        self.weight = weight

    def value(self, x: Tensor) -> Tensor:
        return self.weight * total_of(torch.stack(eigenvalues(x)).abs())

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        threshold: Any = t * self.weight
        # Newton's interpolation of the clipping function c at the eigenvalues: c(A) = Σ c[e₁…eⱼ] (A − e₁)…(A − eⱼ₋₁).
        found = eigenvalues(v)
        clipped = [value.clamp(-threshold, threshold) for value in found]
        if len(found) == 1:
            return v - clipped[0][None]
        if len(found) == 2:
            slope = _quotient(clipped[1] - clipped[0], found[1] - found[0])
            return v - _shifted(slope * v, clipped[0] - slope * found[0])
        first = _quotient(clipped[1] - clipped[0], found[1] - found[0])
        last = _quotient(clipped[2] - clipped[1], found[2] - found[1])
        second = _quotient(last - first, found[2] - found[0])
        square = _squared(v)
        linear = first - second * (found[0] + found[1])
        constant = clipped[0] - first * found[0] + second * found[0] * found[1]
        return v - _shifted(second * square + linear * v, constant)


def lengths(v: Tensor) -> Tensor:
    """‖vᵢ‖₂ of each voxel's components, which lie along the first dimension; a fresh tensor."""
    if differentiated(v):
        # Its derivative at 0 is finite; but it is ten times slower along this dimension.
        norms: Tensor = torch.linalg.vector_norm(v, dim=0)
        return norms
    total = v[0].square()
    for part in v[1:]:
        total.addcmul_(part, part)
    return total.sqrt_()


def soft_threshold(v: Tensor, threshold: Any) -> Tensor:
    """sign(v) · max(|v| − threshold, 0)."""
    return v - v.clamp(-threshold, threshold)


def eigenvalues(matrix: Tensor) -> list[Tensor]:
    """The eigenvalues, in falling order, of symmetric matrices stacked as a Hessian's components are."""
    if matrix.shape[0] == 1:
        return [matrix[0]]
    if matrix.shape[0] == 3:
        a, c, b = matrix[0], matrix[1], matrix[2] * math.sqrt(0.5)
        mean, radius = 0.5 * (a + c), torch.hypot(0.5 * (a - c), b)
        return [mean + radius, mean - radius]
    diagonal, off = matrix[:3], matrix[3:] * math.sqrt(0.5)
    mean = diagonal.mean(0)
    deviation = diagonal - mean
    size = torch.sqrt((deviation.square().sum(0) + 2 * off.square().sum(0)) / 6)
    xx, yy, zz = deviation / torch.where(size > 0, size, 1.0)
    xy, xz, yz = off / torch.where(size > 0, size, 1.0)
    determinant = xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz)
    angle = torch.acos((0.5 * determinant).clamp(-1, 1)) / 3
    largest = mean + 2 * size * torch.cos(angle)
    least = mean + 2 * size * torch.cos(angle + 2 * math.pi / 3)
    return [largest, 3 * mean - largest - least, least]


def _squared(matrix: Tensor) -> Tensor:
    """The square of 3 × 3 matrices, stacked in the same way."""
    r = math.sqrt(2.0)
    a, b, c = matrix[:3]
    ab, ac, bc = matrix[3:] / r
    return torch.stack(
        [
            a * a + ab * ab + ac * ac,
            b * b + ab * ab + bc * bc,
            c * c + ac * ac + bc * bc,
            r * (ab * (a + b) + ac * bc),
            r * (ac * (a + c) + ab * bc),
            r * (bc * (b + c) + ab * ac),
        ]
    )


def _shifted(matrix: Tensor, amount: Tensor) -> Tensor:
    """``matrix`` + amount · identity."""
    d = {3: 2, 6: 3}[matrix.shape[0]]
    return torch.cat([matrix[:d] + amount, matrix[d:]])


def _quotient(rise: Tensor, run: Tensor) -> Tensor:
    return torch.where(run == 0, 0.0, rise / torch.where(run == 0, 1.0, run))
