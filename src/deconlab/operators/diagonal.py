"""A factor for each voxel: how much of the light a pixel takes."""

from __future__ import annotations

from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import LinearOperator


class Diagonal(LinearOperator):
    """``factors``·x, voxel by voxel: a flat field, an illumination, a mask. It is its own adjoint; ‖H‖² = max factors².

    The factors are put on x's device and into its precision. Raises ValueError for factors that are not finite.
    """

    def __init__(self, factors: Tensor) -> None:
        if factors.device.type != "meta" and not bool(torch.isfinite(factors).all()):
            bad = int((~torch.isfinite(factors)).sum())
            raise ValueError(f"{bad} of {factors.numel()} factors are NaN or infinite; use 0 where no light is taken.")
        self.factors = factors
        self.in_shape = self.out_shape = tuple(factors.shape)

    def forward(self, x: Tensor) -> Tensor:
        return self.factors.to(x) * x

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)

    @property
    def norm_squared(self) -> float:
        return float(self.factors.abs().max()) ** 2
