"""Mirror continuation of an image beyond its border."""

from __future__ import annotations

from collections.abc import Sequence

from deconlab.lazytorch import Tensor, torch
from deconlab.operators.crop import mirrored
from deconlab.operators.linear_operator import LinearOperator


class Reflect(LinearOperator):
    """x continued over ``out_shape`` by mirrors half a voxel beyond its border (… c b a | a b c | c b a …).

    x itself begins at ``offset``. The adjoint adds every mirror image back onto its voxel.
    """

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], offset: Sequence[int]) -> None:
        self.in_shape, self.out_shape, self.offset = tuple(in_shape), tuple(out_shape), tuple(offset)

    def forward(self, x: Tensor) -> Tensor:
        for dim, index in self._indices(x):
            x = x.index_select(dim, index)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        for dim, index in self._indices(y):
            shape = list(y.shape)
            shape[dim] = self.in_shape[dim]
            y = y.new_zeros(shape).index_add(y.ndim + dim, index, y)
        return y

    @property
    def norm_squared(self) -> float:
        """The largest number of times that one voxel is seen: exact, since ReflectᵀReflect is diagonal."""
        product = 1.0
        for _, index in self._indices(torch.empty(0)):
            product *= float(index.bincount().max())
        return product

    def _indices(self, like: Tensor) -> list[tuple[int, Tensor]]:
        ndim = len(self.in_shape)
        found = []
        for axis, (size, extended, start) in enumerate(zip(self.in_shape, self.out_shape, self.offset, strict=True)):
            position = torch.arange(extended, device=like.device) - start
            found.append((axis - ndim, mirrored(position % (2 * size), size)))
        return found
