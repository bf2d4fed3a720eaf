"""Microscopes that light a point and look at it: their PSF is a product of an illumination and a detection."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

from deconlab.lazytorch import torch
from deconlab.psf import _optics, _radial
from deconlab.psf._lateral import Ring, at_points, averaging, disc, radii, step_um
from deconlab.psf._layers import Field
from deconlab.psf._rotational import DeepModel, RadialModel
from deconlab.units import Doc, Ge, Gt, Nm, Um

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ProductModel(RadialModel):
    """A profile that is a product, so that its light in a plane is summed rather than known from the pupil."""

    na: Annotated[float, Gt(0), Doc("numerical aperture of the objective")]
    immersion_index: Annotated[
        float, Gt(0), Doc("index of refraction of the immersion medium (oil 1.515, water 1.333)")
    ]
    pixel_integration: Annotated[
        bool, Doc("integrate over the area of each pixel; a scanned point is sampled, so not by default")
    ] = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _optics.refuse_aperture(type(self).__name__, self.na, immersion_index=self.immersion_index)

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        _optics.refuse_wavelengths(self)

    @abstractmethod
    def _pupils(self) -> tuple[_radial.Pupil, ...]:
        """All pupils that take part; the focus lies among theirs."""

    def best_focus_um(self) -> float:
        """Where the point looks sharpest, in µm from the nominal focus: not 0 where layers aberrate."""
        still = torch.zeros(1, dtype=torch.float64)
        low, high, depth = zip(*(_radial.focal_range(pupil) for pupil in self._pupils()), strict=True)
        return _radial.sharpest(lambda z: self._profile(z, still)[:, 0], min(low), max(high), min(depth))

    def _plane_light(self, z_um: Tensor) -> Tensor:
        """Trapezoidal sum over radii beyond the cone of light, with the end correction at r = 0."""
        tangent = self.na / math.sqrt(self.immersion_index**2 - self.na**2)
        step = step_um(self._cutoff()) * 8 / 3
        reach = 1.5 * tangent * self._farthest(z_um) + 300 * step
        r = torch.arange(math.ceil(reach / step), dtype=torch.float64) * step
        profile = self._profile(z_um, r)
        return 2 * math.pi * step * ((profile * r).sum(-1) + step / 12 * profile[..., 0])

    def _farthest(self, z_um: Tensor) -> float:
        """The distance of the planes from where rays cross the axis, at most."""
        ends = [end for pupil in self._pupils() for end in _radial.focal_range(pupil)[:2]]
        return max(float(z_um.detach().max()) - min(ends), max(ends) - float(z_um.detach().min()))


@dataclass(frozen=True, kw_only=True)
class ScanningModel(ProductModel, DeepModel):
    """An objective through which a sample is lit and seen, with the layers before it."""

    optics: Annotated[
        Field, Doc("vectorial (Török-Varga, circular polarisation, isotropic dipoles) or scalar (Gibson-Lanni)")
    ] = "vectorial"

    def _farthest(self, z_um: Tensor) -> float:
        depth: Any = self.depth_um
        if hasattr(depth, "requires_grad"):  # a family: the deepest has the widest cone
            return replace(self, depth_um=float(depth.detach().max()))._farthest(z_um)
        return super()._farthest(z_um)

    def _at(self, wavelength_nm: float) -> _radial.Pupil:
        """The pupil for light of one wavelength."""
        ni = self.immersion_index
        components = self.components(ni, self.optics, "aplanatic" if self.optics == "vectorial" else "uniform")
        return self.pupil(self.na, ni, wavelength_nm, components)

    def _seen(self, pupil: _radial.Pupil, z_um: Tensor, r_um: Tensor, rings: tuple[Ring, ...]) -> Tensor:
        """The pupil's intensity convolved with rings, at any radii."""
        cutoff = cutoff_of(pupil)
        if len(rings) == 1 and rings[0].radius_um == 0:
            return _radial.intensity(pupil, z_um, r_um)
        step = step_um(cutoff)
        inner, matrix = averaging(len(radii(float(r_um.max()), step)), step, rings, cutoff)
        profile = _radial.intensity(pupil, z_um, inner) @ matrix
        return at_points(profile, step, r_um.numpy() * 0, r_um.numpy())


@dataclass(frozen=True, kw_only=True)
class PinholeModel(ScanningModel):
    """A scanning microscope with a pinhole before its detector."""

    excitation_nm: Annotated[Nm, Gt(0), Doc("wavelength of the exciting light, in vacuum")]
    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the detected light, in vacuum")]
    pinhole_au: Annotated[
        float | None, Ge(0), Doc("diameter of the pinhole, in Airy units 1.22 λ / NA; default: 1")
    ] = None
    backprojected_pinhole_um: Annotated[
        Um | None, Gt(0), Doc("diameter of the pinhole, projected back into the sample; instead of pinhole_au")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse_both_pinholes(self, self.pinhole_au, self.backprojected_pinhole_um)

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        if isinstance(self.backprojected_pinhole_um, int | float):
            _optics.refuse_length(type(self).__name__, "backprojected_pinhole_um", self.backprojected_pinhole_um, 20)

    def when_none(self, name: str) -> str:
        if name == "pinhole_au":
            return "" if self.backprojected_pinhole_um is not None else "pinhole_au 1"
        return super().when_none(name)

    @property
    def pinhole_radius_um(self) -> float:
        """Radius of the pinhole, projected back into the sample."""
        return pinhole_radius_um(self.na, self.emission_nm, self.pinhole_au, self.backprojected_pinhole_um)

    def nyquist_um(self) -> tuple[float, float]:
        """Largest voxel (axial, lateral) in µm: the bandwidths of excitation and emission add."""
        together = 1 / (1 / self.excitation_nm + 1 / self.emission_nm)
        return _optics.nyquist_um(self.na, self.immersion_index, together)

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: the supports of excitation and emission, added."""
        return sum_of_borders(self.na, self.immersion_index, self.excitation_nm, self.emission_nm)

    def _pupils(self) -> tuple[_radial.Pupil, ...]:
        return self._at(self.excitation_nm), self._at(self.emission_nm)

    def _cutoff(self) -> float:
        return sum(map(cutoff_of, self._pupils()))

    def _detection(self, z_um: Tensor, r_um: Tensor) -> Tensor:
        """What the pinhole lets pass of a point at r."""
        pupil = self._at(self.emission_nm)
        return self._seen(pupil, z_um, r_um, disc(self.pinhole_radius_um, cutoff_of(pupil)))


def sum_of_borders(na: float, index: float, *wavelengths_nm: float) -> _optics.Border:
    """The border of a product of widefield intensities."""
    borders = [_optics.widefield_border(na, index, wavelength) for wavelength in wavelengths_nm]
    return functools.reduce(_optics.added, borders)


def cutoff_of(pupil: _radial.Pupil) -> float:
    """Highest frequency of a pupil's intensity, 2 NA / λ, per µm."""
    return pupil.stop * pupil.wavenumber / math.pi


def pinhole_radius_um(
    na: float, emission_nm: float, pinhole_au: float | None, backprojected_pinhole_um: float | None
) -> float:
    """Half of the diameter given in µm, or in Airy units of 1.22 λ / NA."""
    if backprojected_pinhole_um is not None:
        return backprojected_pinhole_um / 2
    return (1.0 if pinhole_au is None else pinhole_au) * 0.61 * emission_nm / 1000 / na


def refuse_both_pinholes(model: object, pinhole_au: float | None, backprojected_pinhole_um: float | None) -> None:
    """Raise if the pinhole was given twice."""
    if pinhole_au is not None and backprojected_pinhole_um is not None:
        raise ValueError(
            f"{type(model).__name__}: the pinhole is given twice, as pinhole_au {pinhole_au:g} and backprojected_pinhole_um "
            f"{backprojected_pinhole_um:g}: give one of them."
        )
