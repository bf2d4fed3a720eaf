"""What a camera sees of a larger domain, and how the rest is continued when a filter needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deconlab.lazytorch import Tensor, torch
from deconlab.operators.linear_operator import Selection


class Crop(Selection):
    """The box of ``out_shape`` that begins at ``offset`` within ``in_shape``; its adjoint surrounds with zeros."""

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], offset: Sequence[int]) -> None:
        for domain, field, start in zip(in_shape, out_shape, offset, strict=True):
            if start < 0 or start + field > domain:
                raise ValueError(
                    f"A box of {tuple(out_shape)} at {tuple(offset)} does not lie within {tuple(in_shape)}: each offset "
                    f"must be >= 0 and offset + size <= the domain's size."
                )
        self.in_shape, self.out_shape, self.offset = tuple(in_shape), tuple(out_shape), tuple(offset)
        self.box: Any = (..., *(slice(o, o + n) for o, n in zip(self.offset, self.out_shape, strict=True)))

    def forward(self, x: Tensor) -> Tensor:
        return x[self.box]

    def adjoint(self, y: Tensor) -> Tensor:
        if self.in_shape == self.out_shape:
            return y
        margins = [
            margin
            for domain, field, start in zip(self.in_shape, self.out_shape, self.offset, strict=True)
            for margin in (domain - start - field, start)
        ]
        return torch.nn.functional.pad(y, margins[::-1])

    def extend(self, y: Tensor) -> Tensor:
        """Around the torus from the last plane back to the first: both sides mirrored, one faded into the other."""
        for axis, (domain, field, start) in enumerate(zip(self.in_shape, self.out_shape, self.offset, strict=True)):
            dim = axis - len(self.in_shape)
            gap = domain - field
            if gap:
                position = torch.arange(gap, device=y.device)
                leaving = y.index_select(dim, field - 1 - mirrored(position, field))
                arriving = y.index_select(dim, mirrored(gap - 1 - position, field))
                fraction = (position.to(y.dtype) + 0.5) / gap
                fade = (fraction * fraction * (3 - 2 * fraction)).reshape([-1] + [1] * (-dim - 1))
                y = torch.cat([y, leaving + fade * (arriving - leaving)], dim).roll(start, dim)
        return y


def mirrored(index: Tensor, size: int) -> Tensor:
    """Indices >= 0 folded into 0 … size − 1 by mirrors at both ends (… 2 1 0 0 1 2 …)."""
    folded = index % (2 * size)
    return torch.minimum(folded, 2 * size - 1 - folded)
