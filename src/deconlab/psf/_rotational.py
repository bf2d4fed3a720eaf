"""Models of optics with rotational symmetry: they give a profile over z and r, or a pupil, from which it follows."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import POINT, Lateral, area, step_um
from deconlab.psf._layers import Layers
from deconlab.psf._model import PSF, Grid, Intensity, PSFModel
from deconlab.units import Doc, Gt, Nm

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 0.95  # part of every plane's light that the default extent holds
_PLANES = 33  # enough of them to find the widest
_AT_ONCE = 2**25  # values of the profiles of a family held at once


@dataclass(frozen=True)
class RadialModel(PSFModel):
    """Optics that turn into themselves about the axis. Subclasses give the profile, its bandwidth and its light."""

    pixel_integration: Annotated[
        bool, Doc("integrate over the area of each pixel, as a camera does, instead of sampling its centre")
    ] = field(default=True, kw_only=True)

    @abstractmethod
    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        """I(z, r), (planes, radii), float64; z = 0 is the middle plane of the grid. ``r_um`` is evenly spaced."""

    @abstractmethod
    def _cutoff(self) -> float:
        """The highest lateral frequency of the profile, in cycles per µm."""

    @abstractmethod
    def _plane_light(self, z_um: Tensor) -> Tensor:
        """∫ I(z, r) 2πr dr of each plane, over all r."""

    @abstractmethod
    def best_focus_um(self) -> float:
        """Where the point looks sharpest, in µm from the nominal focus: not 0 where layers aberrate."""

    def _all_light(self, grid: Grid) -> float | None:  # noqa: ARG002  (only sheets of light bound it)
        """The light of all planes, where it is finite along z and known, in the scale of :meth:`_plane_light`."""
        return None

    def _notes(self) -> tuple[str, ...]:
        return ()

    @property
    def _twofold(self) -> bool:
        """Whether :meth:`_profiles` gives a factor of cos 2φ."""
        return False

    @property
    def rotational(self) -> bool:
        """Whether it stays as it is when turned about the optical axis."""
        return not self._twofold

    def _profiles(self, z_um: Tensor, r_um: Tensor) -> tuple[Tensor, Tensor | None]:
        """The profile, and the factor of cos 2φ if there is one."""
        return self._profile(z_um, r_um), None

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        lateral = self._lateral(grid)
        z, notes = self._planes(grid)
        data = self._pixels(lateral, *self._profiles(z, lateral.r_um), dtype, device)
        return self._scaled(data, grid, z, notes)

    def _lateral(self, grid: Grid) -> Lateral:
        pixel, cutoff = self._pixel(grid), self._cutoff()
        cell = area(max(pixel), cutoff) if self.pixel_integration else POINT
        return Lateral((grid.shape[-2], grid.shape[-1]), pixel, cutoff, cell, self._twofold)

    def _pixels(
        self, lateral: Lateral, mean: Tensor, twofold: Tensor | None, dtype: torch.dtype, device: torch.device | None
    ) -> Tensor:
        data = lateral.pixels(mean, dtype, device)
        if twofold is None:
            return data
        return (data + lateral.twofold(twofold, dtype, device)).clamp(min=0)  # rounding leaves -1e-9 of the peak

    def _pixel(self, grid: Grid) -> tuple[float, float]:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm: optics have a scale.")
        return grid.voxel_um[-2], grid.voxel_um[-1]

    def _planes(self, grid: Grid) -> tuple[Tensor, tuple[str, ...]]:
        if grid.ndim == 3:
            return grid.offsets(0), self._notes()
        z = torch.tensor([self.best_focus_um()], dtype=torch.float64)
        note = (
            f"Two dimensions: the slice in best focus ({round(float(z), 6) + 0.0:+.3g} µm from the nominal focus) stands for "
            "the whole; light from out of focus is not modelled"
        )
        return z, (*self._notes(), note)

    def _scaled(
        self, data: Tensor, grid: Grid, z: Tensor, notes: tuple[str, ...], light: Tensor | None = None
    ) -> Intensity:
        pixel = self._pixel(grid)
        sums = ((self._plane_light(z) if light is None else light) / (pixel[0] * pixel[1])).expand(len(z))
        whole = self._all_light(grid) if grid.ndim == 3 else None
        total = None if whole is None else whole / (pixel[0] * pixel[1])
        return Intensity(data if grid.ndim == 3 else data[0], sums, total, notes)

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        self._pixel(grid)
        z = self._some_planes(grid)
        step = 2 * step_um(self._cutoff())
        half = _radial.half_window_um(lambda r: self._profile(z, r), self._plane_light(z), step, _HELD, limit_um)
        deep = (grid.shape[0] * grid.voxel_um[0] / 2,) if grid.ndim == 3 and grid.voxel_um else ()
        return (*deep, half, half)

    def _some_planes(self, grid: Grid) -> Tensor:
        if grid.ndim == 2:
            return torch.tensor([self.best_focus_um()], dtype=torch.float64)
        z = grid.offsets(0)
        return z[torch.linspace(0, len(z) - 1, min(_PLANES, len(z))).round().long()]


@dataclass(frozen=True)
class RotationalModel(RadialModel):
    """An objective and its light. Subclasses give :meth:`_pupil`."""

    modality: ClassVar[str | None] = "widefield"

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]

    @abstractmethod
    def _pupil(self) -> _radial.Pupil:
        """The pupil; z = 0 is the middle plane of the grid."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture(type(self).__name__, self.na, immersion_index=self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        _optics.refuse_wavelengths(self)

    @property
    def wavenumber(self) -> float:
        """2π/λ in vacuum, rad/µm."""
        return 2000 * math.pi / self.emission_nm

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm at which nothing of the image is lost."""
        return _optics.nyquist_um(self.na, self.immersion_index, self.emission_nm)

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: the torus of :func:`deconlab.psf.otf_support`."""
        return _optics.widefield_border(self.na, self.immersion_index, self.emission_nm)

    def best_focus_um(self) -> float:
        """Where the point looks sharpest, in µm from the nominal focus: not 0 where layers aberrate."""
        return _radial.best_focus_um(self._pupil())

    def _profile(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        return _radial.intensity(self._pupil(), z_um, r_um)

    def _profiles(self, z_um: Tensor, r_um: Tensor) -> tuple[Tensor, Tensor | None]:
        return _radial.profiles(self._pupil(), z_um, r_um)

    @property
    def _twofold(self) -> bool:
        return bool(self._pupil().twofold)

    def _cutoff(self) -> float:
        pupil = self._pupil()
        return pupil.stop * pupil.wavenumber / math.pi

    def _plane_light(self, z_um: Tensor) -> Tensor:
        energy = _radial.plane_energy(self._pupil(), z_um)[..., None]
        return energy.expand(*energy.shape[:-1], len(z_um))


@dataclass(frozen=True)
class DeepModel(Layers, RadialModel):
    """Optics with layers, so that a point's depth matters."""

    if TYPE_CHECKING:  # parameters of the classes that this is mixed into
        na: float
        immersion_index: float

    together: ClassVar[bool] = True  # whether depth_um may be a column of depths while a profile is computed

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture(type(self).__name__, self.na, immersion_index=self.immersion_index)
        self.refuse_layers(self.na, self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        self.refuse_thick_layers()

    def when_none(self, name: str) -> str:
        return self.when_no_layer(name, self.immersion_index)

    def at_depths(
        self,
        depths_um: Sequence[float],
        shape: Sequence[int],
        voxel_um: Sequence[float],
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[PSF, ...]:
        """One PSF for each depth, as ``replace(model, depth_um=depth).render(shape, voxel_um)`` would give it.

        The Bessel table and the places of the pixels are worked out once for all depths. Planes are those of the stage:
        where indices differ, the focus lies :meth:`best_focus_um` from the middle.
        """
        depths = [float(depth) for depth in depths_um]
        if not depths:
            raise ValueError(f"{type(self).__name__}.at_depths needs at least one depth, in µm below the coverslip.")
        models = [replace(self, depth_um=depth) for depth in depths]  # so that every depth is checked
        grid, dtype, notes = self._asked(shape, voxel_um, dtype)
        if grid.ndim != 3:
            raise ValueError(f"at_depths renders stacks: give a shape of three sizes (z, y, x), not {grid.shape}.")
        place = None if device is None else torch.device(device)
        if not self.together:
            return tuple(m._finished(m._intensity(grid, dtype, place), grid, dtype, notes) for m in models)
        lateral, (z, said) = self._lateral(grid), self._planes(grid)
        count = max(1, _AT_ONCE // (len(z) * len(lateral.r_um)))
        psfs = []
        for first in range(0, len(depths), count):
            some = slice(first, first + count)
            column: Any = torch.tensor(depths[some], dtype=torch.float64)[:, None]
            family = replace(self, depth_um=column)
            means, twofolds = family._profiles(z, lateral.r_um)
            light = family._plane_light(z).expand(len(models[some]), len(z))
            for row, model in enumerate(models[some]):
                data = self._pixels(lateral, means[row], None if twofolds is None else twofolds[row], dtype, place)
                psfs.append(model._finished(model._scaled(data, grid, z, said, light[row]), grid, dtype, notes))
        return tuple(psfs)


@dataclass(frozen=True)
class LayeredModel(DeepModel, RotationalModel):
    """An objective, its light, and the layers before it. Subclasses give :meth:`_pupil`."""
