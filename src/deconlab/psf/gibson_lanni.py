"""Gibson and Lanni: a scalar widefield PSF with the aberrations of sample, coverslip and immersion.

    I(r, z) = |∫₀^NA exp(i k L(q, z)) J₀(k q r) q dq|²
    L(q, z) = d √(ns² - q²) + tg √(ng² - q²) - tg* √(ng*² - q²) - ti* √(ni*² - q²) + ti(z) √(ni² - q²)
    ti(z)   = d + ni (tg*/ng* + ti*/ni* - tg/ng - d/ns) - (d + z)

with the depth d of the point below the coverslip, layers s (sample), g (coverslip), i (immersion), and an asterisk on
what the objective was designed for. Plane z is the one focused, nominally (as the stage moves), at d + z above the
coverslip; +z leads into the sample, and the middle plane of the grid is z = 0. Rays beyond the sample's index (NA > ns)
are evanescent: √ becomes imaginary and they fade with depth.

Cost: one Bessel table of (rays × radii) and one matrix product; 256 × 256 × 128 voxels take about 0.1 s.
Use it for widefield data with known optics; a vectorial model is more faithful above NA 1.
S. F. Gibson and F. Lanni, J. Opt. Soc. Am. A 8, 1601 (1991), doi:10.1364/JOSAA.8.001601; the form of ti(z):
F. Aguet, D. Van De Ville and M. Unser, IEEE Trans. Image Process. 17, 1144 (2008), doi:10.1109/TIP.2008.924393.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._radial import Component, Pupil
from deconlab.psf._rotational import RotationalModel
from deconlab.units import Doc, Ge, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor

_LONGEST_UM = {"depth_um": 5000, "coverslip_um": 2500, "design_coverslip_um": 2500, "design_immersion_um": 50000}


@dataclass(frozen=True)
class GibsonLanni(RotationalModel):
    """Scalar widefield PSF of an objective, with the layers before it.

    >>> GibsonLanni(na=1.4, emission_nm=520, immersion_index=1.515, sample_index=1.33, depth_um=2).best_focus_um() > 0.2
    True
    """

    sample_index: Annotated[float | None, Gt(0), Doc("index of refraction of the sample; default: the immersion's")] = (
        None
    )
    depth_um: Annotated[Um, Ge(0), Doc("depth of the point below the coverslip")] = 0.0
    coverslip_index: Annotated[float, Gt(0), Doc("index of refraction of the coverslip")] = 1.515
    coverslip_um: Annotated[Um, Ge(0), Doc("thickness of the coverslip")] = 170.0
    design_immersion_index: Annotated[
        float | None, Gt(0), Doc("immersion index the objective is made for; default: the actual one")
    ] = None
    design_coverslip_index: Annotated[
        float | None, Gt(0), Doc("coverslip index the objective is made for; default: the actual one")
    ] = None
    design_coverslip_um: Annotated[
        Um | None, Ge(0), Doc("coverslip thickness the objective is made for; default: the actual one")
    ] = None
    design_immersion_um: Annotated[Um, Gt(0), Doc("thickness of immersion (working distance) by design")] = 150.0
    supercritical: Annotated[
        Literal["evanescent", "truncated"],
        Doc("what becomes of rays beyond the sample's index: faded with depth, or cut"),
    ] = "evanescent"

    references: ClassVar[tuple[str, ...]] = ("10.1364/JOSAA.8.001601", "10.1109/TIP.2008.924393")

    def __post_init__(self) -> None:
        super().__post_init__()
        _, ni0, ng, ng0 = self._indices()
        _optics.refuse_aperture(
            type(self).__name__,
            self.na,
            coverslip_index=ng,
            design_immersion_index=ni0,
            design_coverslip_index=ng0,
        )

    def _look_for_swapped_units(self) -> None:
        super()._look_for_swapped_units()
        for name, longest in _LONGEST_UM.items():
            value = getattr(self, name)
            if isinstance(value, int | float):
                _optics.refuse_length(type(self).__name__, name, value, longest)

    def _indices(self) -> tuple[float, float, float, float]:
        """ns, ni*, ng, ng*."""
        ni, ng = self.immersion_index, self.coverslip_index
        return (
            ni if self.sample_index is None else self.sample_index,
            ni if self.design_immersion_index is None else self.design_immersion_index,
            ng,
            ng if self.design_coverslip_index is None else self.design_coverslip_index,
        )

    def _when_none(self, name: str) -> str:
        if name == "design_coverslip_um":
            return f"{name} {self.coverslip_um:g} µm"
        return f"{name} {self.coverslip_index if name == 'design_coverslip_index' else self.immersion_index:g}"

    def _pupil(self) -> Pupil:
        ni, d, tg, ti0 = self.immersion_index, self.depth_um, self.coverslip_um, self.design_immersion_um
        ns, ni0, ng, ng0 = self._indices()
        tg0 = tg if self.design_coverslip_um is None else self.design_coverslip_um
        gap = ni * (tg0 / ng0 + ti0 / ni0 - tg / ng - d / ns)

        def path(q: Tensor) -> Tensor:
            return d * _root(ns, q) + tg * _root(ng, q) - tg0 * _root(ng0, q) - ti0 * _root(ni0, q) + gap * _root(ni, q)

        lowest = min(ns, ni, ng, ni0, ng0)
        return Pupil(
            stop=min(self.na, ns) if self.supercritical == "truncated" else self.na,
            wavenumber=self.wavenumber,
            path=path,
            defocus=lambda q: torch.sqrt(ni**2 - q**2),
            components=(Component(torch.ones_like),),
            branch=lowest,
        )


def _root(index: float, q: Tensor) -> Tensor:
    return torch.sqrt((index**2 - q**2).to(torch.complex128))
