"""PSFs that are a formula of the place alone: of a width in µm that may grow out of focus, or of widths in pixels."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.units import Doc, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 0.95  # part of every plane's light that the default extent holds
_WIDEST = 20  # widths that the default extent has at most, where the light never ends
ENDLESS = 1000  # widths within which the light of an endless shape is counted
_GAUSS = 6  # points along each side of a pixel


@dataclass(frozen=True)
class ShapeModel(PSFModel):
    """Subclasses give a height over (y, x), per plane, and where it is finite the light of the plane."""

    endless: ClassVar[bool] = False  # whether its light is infinite

    pixel_integration: Annotated[bool, Doc("integrate over the area of each pixel instead of sampling its centre")] = (
        field(default=True, kw_only=True)
    )

    @abstractmethod
    def _height(self, y: Tensor, x: Tensor, z: Tensor) -> Tensor:
        """The height at places and planes that broadcast, in the unit of the model's widths."""

    @abstractmethod
    def _light(self, z: Tensor) -> Tensor:
        """∫∫ of the height over each plane; of an endless shape, within :data:`ENDLESS` widths."""

    @abstractmethod
    def _sizes(self, grid: Grid) -> tuple[float, ...]:
        """Size of a voxel in the unit of the model's widths."""

    @abstractmethod
    def _width(self, z: Tensor) -> Tensor:
        """Full width at half maximum in each plane."""

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        sizes = self._sizes(grid)
        self._refuse_coarse(sizes)
        y, x = (_places(grid.shape[axis], sizes[axis]) for axis in (-2, -1))
        z = _places(grid.shape[0], sizes[0]) if grid.ndim == 3 else torch.zeros(1, dtype=torch.float64)
        nodes, weights = (
            np.polynomial.legendre.leggauss(_GAUSS) if self.pixel_integration else (np.zeros(1), np.full(1, 2.0))
        )
        data = torch.zeros(len(z), len(y), len(x), dtype=torch.float64)
        for i, wy in zip(nodes / 2, weights / 2, strict=True):
            for j, wx in zip(nodes / 2, weights / 2, strict=True):
                down, right = (y + i * sizes[-2])[:, None], (x + j * sizes[-1])[None, :]
                data = data + wy * wx * self._height(down, right, z[:, None, None])
        light = self._light(z) / (sizes[-2] * sizes[-1])
        data, sums = data / light[:, None, None], torch.ones_like(light)
        note = f"The light of this shape has no end: parts are told of what lies within {ENDLESS} widths"
        shaped = data.to(dtype=dtype, device=device)
        return Intensity(shaped if grid.ndim == 3 else shaped[0], sums, notes=(note,) if self.endless else ())

    def _refuse_coarse(self, sizes: tuple[float, ...]) -> None:
        narrowest = float(self._width(torch.zeros(1, dtype=torch.float64)).min())
        for size in sizes[-2:]:
            if size > 20 * narrowest:
                raise ValueError(
                    f"A voxel is {size / narrowest:.0f} × as wide as {type(self).__name__} ({size:g} to {narrowest:g}): "
                    f"it would vanish within one voxel. Voxel sizes and widths in µm must both be in µm, not nm."
                )

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        sizes = self._sizes(grid)
        scale = (grid.voxel_um[-1] if grid.voxel_um else 1.0) / sizes[-1]  # µm, or voxels, per unit of the widths
        z = _places(grid.shape[0], sizes[0]) if grid.ndim == 3 else torch.zeros(1, dtype=torch.float64)
        z = z[[0, -1]] if len(z) > 1 else z
        half = self._holding(z, limit_um / scale) * scale
        deep = (grid.shape[0] * (grid.voxel_um[0] if grid.voxel_um else 1.0) / 2,) if grid.ndim == 3 else ()
        return (*deep, half, half)

    def _holding(self, z: Tensor, limit: float) -> float:
        """Half the side of the square that holds most of every plane's light."""
        width = float(self._width(z).max())
        light = self._light(z)
        if self.endless:
            return min(limit, _WIDEST / 2 * width)
        nodes, weights = (torch.from_numpy(part) for part in np.polynomial.legendre.leggauss(96))
        half = width
        while half < limit:
            side, share = half * nodes, half * weights
            height = self._height(side[:, None], side[None, :], z[:, None, None])
            if float(((height * share[:, None] * share).sum((1, 2)) / light).min()) >= _HELD:
                return half
            half *= 1.1
        return limit


@dataclass(frozen=True)
class GrowingShape(ShapeModel):
    """A shape in µm whose width grows out of focus by a factor f(z); each plane has the same light."""

    fwhm_um: Annotated[Um, Gt(0), Doc("full width at half maximum in focus")]
    growth: Annotated[
        Literal["linear", "parabolic", "exponential", "constant"],
        Doc("width out of focus, with u = |z - focus| / doubling: 1 + u, 1 + u², 2ᵘ, or 1"),
    ] = field(default="linear", kw_only=True)
    doubling_um: Annotated[Um, Gt(0), Doc("distance from focus at which the width is double")] = field(
        default=1.0, kw_only=True
    )

    references: ClassVar[tuple[str, ...]] = ("10.1111/j.1365-2818.2012.03675.x",)

    def _look_for_swapped_units(self) -> None:
        for name in ("fwhm_um", "doubling_um"):
            value = getattr(self, name)
            if isinstance(value, int | float):
                _optics.refuse_length(type(self).__name__, name, value, 100)

    def _sizes(self, grid: Grid) -> tuple[float, ...]:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm.")
        return grid.voxel_um

    def _factor(self, z: Tensor) -> Tensor:
        u = z.abs() / self.doubling_um
        if self.growth == "linear":
            return 1 + u
        if self.growth == "parabolic":
            return 1 + u**2
        return 2**u if self.growth == "exponential" else torch.ones_like(u)

    def _width(self, z: Tensor) -> Tensor:
        return self.fwhm_um * self._factor(z)

    def _sigma(self, z: Tensor) -> Tensor:
        return self._width(z) / (2 * math.sqrt(2 * math.log(2)))


@dataclass(frozen=True)
class FlatShape(ShapeModel):
    """A shape of the sky or of a camera: two dimensions, widths in pixels."""

    dimensions: ClassVar[tuple[int, ...]] = (2,)

    def _sizes(self, grid: Grid) -> tuple[float, ...]:
        return (1.0,) * grid.ndim


def pairs(text: str, owner: str, name: str, rule: str) -> list[tuple[float, float]]:
    """The numbers of "a:b a:b", also with commas between; an error that shows how where there are none."""
    found = []
    for item in text.replace(",", " ").split():
        left, colon, right = item.partition(":")
        try:
            found.append((float(left), float(right)))
        except ValueError:
            raise ValueError(f"{owner}: {name} {text!r} has {item!r}, which is no {rule}.") from None
        if not colon or not all(map(math.isfinite, found[-1])):
            raise ValueError(f"{owner}: {name} {text!r} has {item!r}, which is no {rule}.")
    if not found:
        raise ValueError(f"{owner}: {name} {text!r} is empty; it must be {rule} once or more.")
    return found


def _places(count: int, size: float) -> Tensor:
    return (torch.arange(count, dtype=torch.float64) - count // 2) * size
