"""Models of optics with a pupil of any phase and amplitude: they give the pupil, the Cartesian engine does the rest."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _propagation, _radial
from deconlab.psf._lateral import POINT, area
from deconlab.psf._layers import Apodisation, Field, Layers, apodised, root
from deconlab.psf._model import Grid, Intensity, PSFModel
from deconlab.psf._propagation import Box, Plane
from deconlab.units import Doc, Gt, Nm, Um

if TYPE_CHECKING:
    from torch import Tensor

_HELD = 0.95  # part of every plane's light that the default extent holds


@dataclass(frozen=True)
class PupilModel(Layers, PSFModel):
    """An objective whose pupil has a phase and an amplitude. Subclasses give :meth:`_mask` and :meth:`_boxes`."""

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]
    optics: Annotated[Field, Doc("vectorial (Richards-Wolf) or scalar (Debye)")] = field(
        default="vectorial", kw_only=True
    )
    polarisation: Annotated[
        Literal["circular", "x", "y"],
        Doc("of vectorial light: circular (also unpolarised, and dipoles of all directions), or along x or y"),
    ] = field(default="circular", kw_only=True)
    apodisation: Annotated[
        Apodisation | None, Doc("amplitude over the pupil; default: uniform if scalar, aplanatic if vectorial")
    ] = field(default=None, kw_only=True)
    defocus_um: Annotated[Um, Doc("focus of the middle plane, in µm beyond the nominal one")] = field(
        default=0.0, kw_only=True
    )
    pixel_integration: Annotated[
        bool, Doc("integrate over the area of each pixel, as a camera does, instead of sampling its centre")
    ] = field(default=True, kw_only=True)

    modality: ClassVar[str | None] = "widefield"
    samples: ClassVar[int] = 256  # across the pupil, at least

    @abstractmethod
    def _mask(self, at: Plane, stop: float) -> Tensor:
        """What the pupil multiplies the light by, at every sample: phase and smooth amplitude."""

    def _boxes(self, stop: float) -> list[tuple[complex, float, Box]]:
        """Parts of the pupil with sharp edges, the factor of each field and that of its intensity; they add."""
        return [(1.0, 1.0, Box(stop))]

    def _swing(self) -> float:
        """How far the mask's phase swings from the middle to the edge, in radians."""
        return 0.0

    def _notes(self) -> tuple[str, ...]:
        return ()

    @property
    def rotational(self) -> bool:
        """Rarely: a pupil of any shape."""
        return False

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture(type(self).__name__, self.na, immersion_index=self.immersion_index)
        self.refuse_layers(self.na, self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        _optics.refuse_wavelengths(self)
        self.refuse_thick_layers()
        if isinstance(self.defocus_um, int | float):
            _optics.refuse_length(type(self).__name__, "defocus_um", abs(self.defocus_um), 1000)

    def when_none(self, name: str) -> str:
        return (
            f"apodisation {self._weight}" if name == "apodisation" else self.when_no_layer(name, self.immersion_index)
        )

    @property
    def _weight(self) -> Apodisation:
        return self.apodisation or ("aplanatic" if self.optics == "vectorial" else "uniform")

    @property
    def wavenumber(self) -> float:
        """2π/λ in vacuum, rad/µm."""
        return 2000 * math.pi / self.emission_nm

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm at which nothing of the image is lost."""
        return _optics.nyquist_um(self.na, self.immersion_index, self.emission_nm)

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: that of the open pupil."""
        return _optics.widefield_border(self.na, self.immersion_index, self.emission_nm)

    def best_focus_um(self) -> float:
        """Where a plain pupil looks sharpest behind these layers, in µm from the middle plane; 2-D PSFs are taken there."""
        return _radial.best_focus_um(self._plain()) - float(self.defocus_um)

    def _plain(self) -> _radial.Pupil:
        ni = self.immersion_index
        return self.pupil(self.na, ni, self.emission_nm, self.components(ni, "scalar", "uniform"))

    def _fields(self, at: Plane) -> list[Tensor]:
        """The pupils of the fields whose intensities add, without mask: E of light along x and y, or a scalar."""
        ni = self.immersion_index
        q = at.radius
        weight = apodised(ni, self._weight)(q.clamp(max=ni * (1 - 1e-9)))
        if self.optics == "scalar":
            return [weight.to(torch.complex128)]
        ns, _, ng, _ = self.layer_indices(ni)
        ci, cg, cs = root(ni, q) / ni, root(ng, q) / ng, root(ns, q) / ns
        ts = 2 * ni * ci / (ni * ci + ng * cg) * 2 * ng * cg / (ng * cg + ns * cs)
        tp = 2 * ni * ci / (ng * ci + ni * cg) * 2 * ng * cg / (ns * cg + ng * cs)
        cos, sin = at.qx / q, at.qy / q
        mean, half = (ts + tp * cs) / 2, (ts - tp * cs) / 2
        twice_cos, twice_sin = cos**2 - sin**2, 2 * sin * cos
        along_x = [mean - half * twice_cos, -half * twice_sin, tp * at.qx / ns]
        along_y = [-half * twice_sin, mean + half * twice_cos, tp * at.qy / ns]
        chosen = {
            "x": along_x,
            "y": along_y,
            "circular": [along_x[0], math.sqrt(2) * along_x[1], along_x[2], *along_y[1:]],
        }
        return [weight * part for part in chosen[self.polarisation]]

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm: optics have a scale.")
        pixel = grid.voxel_um[-2], grid.voxel_um[-1]
        z, notes = grid.offsets(0), self._notes()
        if grid.ndim == 2:
            z = torch.tensor([self.best_focus_um()], dtype=torch.float64)
            notes = (
                *notes,
                f"Two dimensions: the slice {float(z):+.3g} µm from the middle plane stands for the whole",
            )
        cell = area(max(pixel), 2000 * self.na / self.emission_nm, 3) if self.pixel_integration else POINT
        y, x = (_inside(grid.offsets(axis), size, cell.points) for axis, size in zip((-2, -1), pixel, strict=True))
        share = torch.from_numpy(cell.weights)
        drawn = []
        light, planes = self._planes(z, y, x)
        for plane in planes:
            binned = plane.view(grid.shape[-2], len(share), grid.shape[-1], len(share))
            drawn.append(torch.einsum("iajb,a,b->ij", binned, share, share).to(dtype=dtype, device=device))
        data = torch.stack(drawn)
        sums = (light / (pixel[0] * pixel[1])).expand(len(z))
        return Intensity(data if grid.ndim == 3 else data[0], sums, notes=notes)

    def _planes(self, z: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Iterator[Tensor]]:
        """The light of a whole plane, and each plane at the places y, x."""
        plain = self._plain()
        k, z = self.wavenumber, z + self.defocus_um
        still = z.detach()
        reach = math.hypot(float(y.abs().max()), float(x.abs().max()))
        edge = torch.linspace(0, plain.stop, 129, dtype=torch.float64)
        path = plain.path(edge).real.detach() - torch.stack([still.min(), still.max()])[:, None] * plain.defocus(edge)
        path = path - path.diff(dim=1).mean() * torch.arange(129)  # what shifts the plane as a whole costs nothing
        kinked = plain.stop > 0.999 * min(plain.branches)
        slopes = path.diff(dim=1).abs().quantile(0.9 if kinked else 1.0, dim=1)  # at the root the slope has no bound
        steepest = float(slopes.max()) * 128 * k + reach * k * plain.stop
        at = _propagation.plane(plain.stop, steepest + self._swing(), min(plain.branches), self.samples)
        q = at.radius
        weights = torch.zeros_like(q, dtype=torch.complex128)
        power = torch.zeros_like(q)
        for factor, share, box in self._boxes(plain.stop):
            part = at.weights(box)
            weights, power = weights + factor * part, power + share * part
        total = plain.path(q)
        within = q.clamp(max=self.immersion_index)
        mask = self._mask(at, plain.stop)
        fields = [part * mask for part in self._fields(at)]
        moving = plain.defocus(within)
        light = _propagation.energy(fields, power, torch.exp(-2 * k * total.imag), k)
        planes = _propagation.intensity(
            [part * weights for part in fields], at, lambda plane: k * (total - plane * moving), k, z, y, x
        )
        return light, planes

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        if grid.voxel_um is None:
            raise ValueError(f"{type(self).__name__} needs voxel_um, the voxel size in µm: optics have a scale.")
        z = grid.offsets(0) if grid.ndim == 3 else torch.tensor([self.best_focus_um()], dtype=torch.float64)
        ends = z[[0, len(z) // 2, -1]] if len(z) > 2 else z
        half = min(limit_um, 2.0 * self.emission_nm / 1000 / self.na)
        while half < limit_um:
            step = self.emission_nm / 4000 / self.na
            side = (torch.arange(2 * math.ceil(half / step) + 1) - math.ceil(half / step)).double() * step
            light, planes = self._planes(ends, side, side)
            held = [float(plane.detach().sum() * step**2 / light) for plane in planes]
            if min(held) >= _HELD:
                break
            half = min(limit_um, half * 1.25)
        deep = (grid.shape[0] * grid.voxel_um[0] / 2,) if grid.ndim == 3 else ()
        return (*deep, half, half)


def _inside(offsets: Tensor, size: float, points: Any) -> Tensor:
    """Where each pixel is sampled along one side."""
    inner = torch.from_numpy(np.asarray(points, dtype=np.float64)) * size
    return (offsets[:, None] + inner).flatten()
