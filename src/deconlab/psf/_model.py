"""What every PSF model shares: checking what is asked, centring, normalising, and telling what the grid lost."""

from __future__ import annotations

import math
import numbers
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

from deconlab import schema
from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from torch import Tensor

    from deconlab.psf._facts import Facts
    from deconlab.psf._optics import Border

_AXES = "zyx"
_TOLD = 9  # planes whose lost light is told in a line; all are in captured_per_plane


class PSFWarning(UserWarning):
    """Something about a PSF that its user should see."""


class SamplingWarning(PSFWarning):
    """The voxels are larger than Nyquist's limit, so the image cannot hold what the optics deliver."""


@dataclass(frozen=True, eq=False)
class PSF:
    """A sampled point-spread function: ``data`` has sum 1 and its centre on voxel ``n // 2`` of every axis.

    ``captured`` is the part of the light that the grid holds: the grid's sum over that of an infinite grid of the same
    planes (of all planes where a model's light is finite along z); ``captured_per_plane`` the same for each plane. For
    a measured PSF it is the part of the measured light that was kept. ``notes`` tells what was done and assumed.
    """

    data: Tensor
    voxel_um: tuple[float, ...] | None = None
    captured: float = 1.0
    captured_per_plane: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """Where a PSF is wanted: ``shape`` voxels of size ``voxel_um``, the origin on voxel ``n // 2``."""

    shape: tuple[int, ...]
    voxel_um: tuple[float, ...] | None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def offsets(self, axis: int) -> Tensor:
        """Distance of every voxel of ``axis`` from the origin; in µm, or in voxels where they have no size. float64."""
        index = torch.arange(self.shape[axis], dtype=torch.float64) - self.shape[axis] // 2
        return index * self.voxel_um[axis] if self.voxel_um else index


@dataclass(frozen=True, eq=False)
class Intensity:
    """What a model computes: ``data`` in any scale, and in that scale the sum of each plane on an infinite grid.

    ``total`` is the sum over all planes, for models whose light is finite along z.
    """

    data: Tensor
    plane_sums: Tensor
    total: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PSFModel(ABC):
    """A point-spread function as a formula: a frozen dataclass of its parameters.

    A model gives :meth:`_intensity`; :meth:`render` does what all models share. ``eval(repr(model)) == model``.
    """

    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    modality: ClassVar[str | None] = None  # the kind of microscope that has it; None: any that it is fitted to
    references: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for parameter in schema.parameters(type(self)):
            value: Any = getattr(self, parameter.name)
            is_number = hasattr(value, "__float__") and not isinstance(value, bool)
            if parameter.kind is float and is_number and not hasattr(value, "requires_grad"):
                object.__setattr__(self, parameter.name, float(value))  # np.float64(1.4) is no literal
        self._look_for_swapped_units()
        schema.check(self)

    def _look_for_swapped_units(self) -> None:  # noqa: B027  (most models have nothing to look for)
        """Name micrometres given as nanometres and the reverse, before the bounds are checked."""

    @property
    def rotational(self) -> bool:
        """Whether it stays as it is when turned about the optical axis."""
        return True

    @abstractmethod
    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        """The intensity on ``grid``, of any scale, computed in float64 and returned as ``dtype`` on ``device``."""

    @abstractmethod
    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        """Half the extent that each axis needs; ``grid`` has the planes that are wanted and voxel sizes."""

    def nyquist_um(self) -> tuple[float, float] | None:
        """Largest voxel (axial, lateral) in µm at which the image is held whole; None if there is none."""
        return None

    def otf_border(self) -> Border | None:
        """Lateral frequencies kr and the largest |kz| at each, per µm, beyond which the OTF is 0; None if it has no end."""
        return None

    @final
    def render(
        self,
        shape: Sequence[int],
        voxel_um: Sequence[float] | None = None,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> PSF:
        """The PSF on ``shape`` voxels of ``voxel_um`` µm: centred on ``n // 2``, sum 1, float32 unless asked otherwise.

        The last three axes are z, y, x. Of optics, two axes are the slice in best focus. Raises ValueError or TypeError
        for a shape or voxel size that cannot be; warns with :class:`SamplingWarning` above Nyquist's voxel size.
        """
        grid, dtype, notes = self._asked(shape, voxel_um, dtype)
        raw = self._intensity(grid, dtype, None if device is None else torch.device(device))
        return self._finished(raw, grid, dtype, notes)

    def _asked(self, shape: Any, voxel_um: Any, dtype: Any) -> tuple[Grid, torch.dtype, list[str]]:
        grid = self._grid(shape, voxel_um)
        dtype = torch.float32 if dtype is None else dtype
        if dtype not in (torch.float32, torch.float64):
            raise TypeError(f"A PSF is rendered in float32 or float64, not {dtype}: give one of these as dtype.")
        coarse = self._sampling(grid)
        if coarse:
            warnings.warn(coarse, SamplingWarning, stacklevel=3)
        return grid, dtype, [coarse] if coarse else []

    def _finished(self, raw: Intensity, grid: Grid, dtype: torch.dtype, notes: list[str]) -> PSF:
        planes = raw.data if grid.ndim == 3 else raw.data[None]
        held = planes.detach().flatten(1).sum(1, dtype=torch.float64).cpu()
        total = float(held.sum())
        if not (math.isfinite(total) and total > 0):
            raise ValueError(
                f"{type(self).__name__} has no light on this grid (its sum is {total}): shape {grid.shape}, "
                f"voxel size {grid.voxel_um} µm. Check the parameters: {self!r}."
            )
        per_plane = tuple((held / raw.plane_sums.detach()).tolist())
        captured = total / (float(raw.plane_sums.detach().sum()) if raw.total is None else raw.total)
        notes = [self.describe(), *notes, *raw.notes, _captured(captured, per_plane, grid)]
        scale = planes.sum(dtype=torch.float64) if planes.requires_grad else total
        data = raw.data / scale
        return PSF(data.to(dtype), grid.voxel_um, captured, per_plane, tuple(notes))

    @final
    def extent(
        self, planes: int, voxel_um: Sequence[float] | None = None, max_voxels: int = 2**26, ndim: int | None = None
    ) -> tuple[int, ...]:
        """The shape that a PSF needs for an image of ``planes`` planes: odd sizes, ``2 * planes - 1`` planes.

        Laterally it grows until every plane holds 95 % of its light (a Gaussian: 99.99 %), or until the whole has
        ``max_voxels``. ``ndim`` is the number of sizes in ``voxel_um`` unless given.
        """
        self._count(planes)
        ndim = (len(voxel_um) if voxel_um is not None else 3) if ndim is None else ndim
        depth = 2 * int(planes) - 1 if ndim == 3 else 1
        if max_voxels < 9 * depth:
            raise ValueError(f"{depth} planes of at least 3 × 3 voxels do not fit in max_voxels = {max_voxels}.")
        grid = self._grid(((depth,) if ndim == 3 else ()) + (1,) * min(ndim, 2), voxel_um)
        voxel = grid.voxel_um or (1.0,) * ndim
        lateral = voxel[-2:]
        widest = _odd_below((max_voxels / depth) ** (1 / len(lateral)))
        halves = self._half_widths_um(grid, widest / 2 * max(lateral))
        sizes = [2 * max(0, math.ceil(half / size - 0.5 - 1e-9)) + 1 for half, size in zip(halves, voxel, strict=True)]
        if ndim == 3:
            sizes[0] = min(sizes[0], depth)
        lateral_sizes = sizes[-len(lateral) :]
        if math.prod(sizes) > max_voxels:
            shrink = (max_voxels / math.prod(sizes)) ** (1 / len(lateral))
            lateral_sizes = [max(1, _odd_below(size * shrink)) for size in lateral_sizes]
        return (*sizes[: ndim - len(lateral)], *lateral_sizes)

    def _count(self, planes: Any) -> None:
        if isinstance(planes, bool) or not isinstance(planes, numbers.Integral) or int(planes) < 1:
            raise ValueError(f"The number of planes must be a whole number >= 1, not {planes!r}.")

    @final
    def facts(self) -> Facts:
        """Widths, resolution, largest voxels, focal shift, and what they were made from."""
        from deconlab.psf._facts import facts

        return facts(self)

    @final
    def describe(self) -> str:
        """The model and every parameter, with the defaults marked, in one line."""
        given: list[str] = []
        assumed: list[str] = []
        for parameter in schema.parameters(type(self)):
            value = getattr(self, parameter.name)
            unit = f" {parameter.unit}" if parameter.unit else ""
            said = f"{parameter.name} {value:g}{unit}" if isinstance(value, float) else f"{parameter.name} {value}"
            is_default = not parameter.required and value == parameter.default
            if is_default and value is None:
                said = self.when_none(parameter.name)
            if said:
                (assumed if is_default else given).append(said)
        text = f"{type(self).__name__}: {', '.join(given)}"
        return f"{text}; by default: {', '.join(assumed)}" if assumed else text

    def when_none(self, name: str) -> str:  # noqa: ARG002  (subclasses say more)
        """What stands in for a parameter that is None, in words; empty if nothing does."""
        return ""

    def _grid(self, shape: Any, voxel_um: Any) -> Grid:
        name = type(self).__name__
        shape = shape.tolist() if hasattr(shape, "tolist") else shape
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise TypeError(f"The shape of a PSF must be a sequence of whole numbers, not {shape!r}.")
        for size in shape:
            if isinstance(size, bool) or not isinstance(size, numbers.Integral):
                raise TypeError(f"The shape of a PSF must be whole numbers, not {tuple(shape)!r}.")
            if size < 1:
                raise ValueError(f"Every size of a PSF must be >= 1, not {tuple(shape)!r}.")
        if len(shape) not in self.dimensions:
            allowed = " or ".join(str(n) for n in self.dimensions)
            raise ValueError(f"{name} has {allowed} dimensions; the shape {tuple(shape)!r} has {len(shape)}.")
        return Grid(tuple(int(size) for size in shape), self._voxel(voxel_um, len(shape)))

    def _voxel(self, voxel_um: Any, ndim: int) -> tuple[float, ...] | None:
        if voxel_um is None:
            return None
        voxel_um = voxel_um.tolist() if hasattr(voxel_um, "tolist") else voxel_um
        if isinstance(voxel_um, str) or not isinstance(voxel_um, Sequence):
            raise TypeError(f"The voxel size must be {ndim} numbers in µm ({_AXES[-ndim:]}), not {voxel_um!r}.")
        if len(voxel_um) != ndim:
            raise ValueError(f"The voxel size must be {ndim} numbers in µm ({_AXES[-ndim:]}), not {tuple(voxel_um)!r}.")
        for size in voxel_um:
            if isinstance(size, bool) or not isinstance(size, numbers.Real):
                raise TypeError(f"The voxel size must be numbers in µm, not {tuple(voxel_um)!r}.")
            if not (math.isfinite(float(size)) and float(size) > 0):
                raise ValueError(f"Every voxel size must be > 0 µm, not {tuple(voxel_um)!r}.")
        return tuple(float(size) for size in voxel_um)

    def _sampling(self, grid: Grid) -> str:
        limits = self.nyquist_um()
        if limits is None or grid.voxel_um is None:
            return ""
        axial, lateral = limits
        names = ("z", "y", "x")[-grid.ndim :]
        found = []
        for name, size, count in zip(names, grid.voxel_um, grid.shape, strict=True):
            limit = axial if name == "z" else lateral
            if size > (100 if name == "z" else 20) * limit:
                raise ValueError(
                    f"The voxel size {size:g} µm along {name} is {size / limit:.0f} × Nyquist's {limit:.3g} µm: the "
                    f"PSF would vanish within one voxel. Sizes are in µm: {size:g} nm is {size / 1000:g}."
                )
            if size > limit * (1 + 1e-6) and count > 1:
                found.append(f"{size:g} µm along {name} (limit {limit:.3g} µm)")
        return f"Sampled below Nyquist: {', '.join(found)}. Finer voxels would show more." if found else ""


def _odd_below(size: float) -> int:
    whole = int(size)
    return whole if whole % 2 else whole - 1


def _captured(captured: float, per_plane: tuple[float, ...], grid: Grid) -> str:
    worst = min(range(len(per_plane)), key=per_plane.__getitem__)
    size = math.prod(grid.shape) * 4 / 2**20
    text = f"The grid {' × '.join(map(str, grid.shape))} ({size:.3g} MiB) holds {captured:.2%} of the light"
    if grid.ndim < 3:
        return text
    count = min(_TOLD, len(per_plane))
    some = [round(step * (len(per_plane) - 1) / max(1, count - 1)) for step in range(count)]
    of = "each plane" if count == len(per_plane) else f"{count} planes from first to last"
    lost = " ".join(f"{100 * (1 - per_plane[plane]):.1f}" for plane in some)
    return f"{text}; plane {worst} holds least, {per_plane[worst]:.2%}; lost in {of}: {lost} %"
