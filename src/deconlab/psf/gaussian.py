"""A Gaussian of free widths, in one to three dimensions.

    h(z, y, x) = N exp(-z²/2σz² - (y² + x²)/2σ²),      σ = FWHM / (2 √(2 ln 2))

integrated over each voxel (differences of erf) unless asked for at voxel centres. A good stand-in for confocal data,
for seeing, for camera blur; it has no cone of light out of focus, so it is wrong for widefield stacks.
B. Zhang, J. Zerubia and J.-C. Olivo-Marin, Appl. Opt. 46, 1819 (2007), doi:10.1364/AO.46.001819, say when it will do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.units import Doc, Gt, Px, Um

if TYPE_CHECKING:
    from torch import Tensor

_FWHM = 2 * math.sqrt(2 * math.log(2))  # in units of σ
_HELD = 0.9999  # part of the light that the default extent holds
_WIDTHS = ("fwhm_um", "fwhm_axial_um", "fwhm_px", "fwhm_axial_px")


@dataclass(frozen=True)
class Gaussian(PSFModel):
    """Gaussian PSF: give its full width at half maximum in µm, or in voxels where these have no size.

    >>> round(Gaussian.from_sigma(sigma_px=1.5).fwhm_px, 3)
    3.532
    """

    fwhm_um: Annotated[Um | None, Gt(0), Doc("full width at half maximum, laterally")] = None
    fwhm_axial_um: Annotated[Um | None, Gt(0), Doc("full width at half maximum along z; default: as laterally")] = None
    fwhm_px: Annotated[Px | None, Gt(0), Doc("full width at half maximum, laterally, in voxels")] = None
    fwhm_axial_px: Annotated[
        Px | None, Gt(0), Doc("full width at half maximum along z, in voxels; default: as laterally")
    ] = None
    pixel_integration: Annotated[bool, Doc("integrate over each voxel instead of sampling its centre")] = True

    dimensions: ClassVar[tuple[int, ...]] = (1, 2, 3)
    references: ClassVar[tuple[str, ...]] = ("10.1364/AO.46.001819",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.fwhm_um is None) == (self.fwhm_px is None):
            given = {name: getattr(self, name) for name in ("fwhm_um", "fwhm_px")}
            raise ValueError(f"Gaussian needs its width in one unit: give either fwhm_um or fwhm_px, not {given}.")
        other, unit = ("fwhm_axial_px", "fwhm_um") if self.fwhm_px is None else ("fwhm_axial_um", "fwhm_px")
        if getattr(self, other) is not None:
            raise ValueError(
                f"Gaussian: {other} {getattr(self, other):g} does not go with {unit}: give both in the same unit."
            )

    def _look_for_swapped_units(self) -> None:
        for name in ("fwhm_um", "fwhm_axial_um"):
            value = getattr(self, name)
            if isinstance(value, int | float):
                _optics.refuse_length("Gaussian", name, value, 1000)

    @classmethod
    def from_sigma(
        cls,
        sigma_um: float | None = None,
        sigma_axial_um: float | None = None,
        sigma_px: float | None = None,
        sigma_axial_px: float | None = None,
        pixel_integration: bool = True,
    ) -> Gaussian:
        """The Gaussian of these standard deviations."""
        sigmas = (sigma_um, sigma_axial_um, sigma_px, sigma_axial_px)
        widths = {n: None if s is None else s * _FWHM for n, s in zip(_WIDTHS, sigmas, strict=True)}
        return cls(**widths, pixel_integration=pixel_integration)

    def _sigmas_px(self, grid: Grid) -> tuple[float, ...]:
        lateral, axial = self.fwhm_um, self.fwhm_axial_um
        if lateral is None:
            lateral, axial = self.fwhm_px, self.fwhm_axial_px
        elif grid.voxel_um is None:
            raise ValueError(
                "Gaussian with fwhm_um needs voxel_um, the voxel size in µm; or give its width as fwhm_px."
            )
        assert lateral is not None  # one of the two was given: checked at construction
        widths = [lateral] * grid.ndim
        if grid.ndim == 3 and axial is not None:
            widths[0] = axial
        sizes = grid.voxel_um if self.fwhm_um is not None and grid.voxel_um else (1.0,) * grid.ndim
        for width, size in zip(widths, sizes, strict=True):
            if size > 20 * width:
                raise ValueError(
                    f"The voxel size {size:g} µm is {size / width:.0f} × the Gaussian's width {width:g} µm: it would "
                    f"vanish within one voxel. Sizes are in µm: {size:g} nm is {size / 1000:g}."
                )
        return tuple(width / _FWHM / size for width, size in zip(widths, sizes, strict=True))

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        sigmas = self._sigmas_px(grid)
        sides = [self._side(size, size // 2, sigma) for size, sigma in zip(grid.shape, sigmas, strict=True)]
        sums = [self._whole(sigma) for sigma in sigmas]
        data = torch.ones((), dtype=dtype, device=device)
        for side in sides:
            data = data[..., None] * side.to(dtype=dtype, device=device)
        planes = sides[0] if grid.ndim == 3 else torch.ones(1, dtype=torch.float64)
        lateral = sums[1:] if grid.ndim == 3 else sums
        return Intensity(data, planes * math.prod(lateral), total=math.prod(sums))

    def _side(self, count: int, centre: int, sigma: float) -> Tensor:
        if not self.pixel_integration:
            index = torch.arange(count, dtype=torch.float64) - centre
            return torch.exp(-(index**2) / (2 * sigma**2))
        edges = (torch.arange(count + 1, dtype=torch.float64) - centre - 0.5) / (sigma * math.sqrt(2))
        return torch.diff(torch.special.erf(edges)) / 2

    def _whole(self, sigma: float) -> float:
        reach = math.ceil(9 * sigma)
        return 1.0 if self.pixel_integration else float(self._side(2 * reach + 1, reach, sigma).sum())

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:  # noqa: ARG002
        reach = NormalDist().inv_cdf((1 + _HELD ** (1 / grid.ndim)) / 2)
        sizes = grid.voxel_um or (1.0,) * grid.ndim
        return tuple(reach * sigma * size for sigma, size in zip(self._sigmas_px(grid), sizes, strict=True))
