"""Sample, coverslip and immersion: the layers that light passes on its way to the objective."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._radial import Component, Pupil
from deconlab.units import Doc, Ge, Gt, Um

if TYPE_CHECKING:
    from torch import Tensor

Apodisation = Literal["uniform", "aplanatic", "none"]
Field = Literal["vectorial", "scalar"]
_LONGEST_UM = {"depth_um": 5000, "coverslip_um": 2500, "design_coverslip_um": 2500, "design_immersion_um": 50000}


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The layers before an objective, as they are and as it was designed for.

    L(q, z) = d √(ns² - q²) + tg √(ng² - q²) - tg* √(ng*² - q²) - ti* √(ni*² - q²) + ti(z) √(ni² - q²)
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

    def layer_indices(self, immersion_index: float) -> tuple[float, float, float, float]:
        """ns, ni*, ng, ng*."""
        ng = self.coverslip_index
        return (
            immersion_index if self.sample_index is None else self.sample_index,
            immersion_index if self.design_immersion_index is None else self.design_immersion_index,
            ng,
            ng if self.design_coverslip_index is None else self.design_coverslip_index,
        )

    def refuse_layers(self, na: float, immersion_index: float) -> None:
        """Raise if the aperture cannot pass a layer other than the sample."""
        _, ni0, ng, ng0 = self.layer_indices(immersion_index)
        _optics.refuse_aperture(
            type(self).__name__, na, coverslip_index=ng, design_immersion_index=ni0, design_coverslip_index=ng0
        )

    def refuse_thick_layers(self) -> None:
        """Raise if a length looks like nanometres."""
        for name, longest in _LONGEST_UM.items():
            value = getattr(self, name)
            if isinstance(value, int | float):
                _optics.refuse_length(type(self).__name__, name, value, longest)

    def when_no_layer(self, name: str, immersion_index: float) -> str:
        """What stands in for a layer's number that was not given."""
        if name == "design_coverslip_um":
            return f"{name} {self.coverslip_um:g} µm"
        if name == "design_coverslip_index":
            return f"{name} {self.coverslip_index:g}"
        return f"{name} {immersion_index:g}" if name in ("sample_index", "design_immersion_index") else ""

    def path(self, ni: float) -> Callable[[Tensor], Tensor]:
        """L(q, 0) in µm; for a column of depths, one row for each."""
        d, tg, ti0 = self.depth_um, self.coverslip_um, self.design_immersion_um
        ns, ni0, ng, ng0 = self.layer_indices(ni)
        tg0 = tg if self.design_coverslip_um is None else self.design_coverslip_um
        gap = ni * (tg0 / ng0 + ti0 / ni0 - tg / ng - d / ns)

        def length(q: Tensor) -> Tensor:
            outer = tg * root(ng, q) - tg0 * root(ng0, q) - ti0 * root(ni0, q)
            return d * root(ns, q) + outer + gap * root(ni, q)

        return length

    def pupil(self, na: float, ni: float, wavelength_nm: float, components: tuple[Component, ...]) -> Pupil:
        """The pupil of these layers, for any field."""
        ns, ni0, ng, ng0 = self.layer_indices(ni)
        return Pupil(
            stop=min(na, ns) if self.supercritical == "truncated" else na,
            wavenumber=2000 * math.pi / wavelength_nm,
            path=self.path(ni),
            defocus=lambda q: torch.sqrt(ni**2 - q**2),
            components=components,
            branches=(ns, ni, ng, ni0, ng0),
        )

    def components(self, ni: float, field: Field, apodisation: Apodisation) -> tuple[Component, ...]:
        """The field of a point, averaged over the directions of its dipole."""
        if field == "scalar":
            return (Component(apodised(ni, apodisation)),)
        ns, _, ng, _ = self.layer_indices(ni)
        return vectorial(ni, ng, ns, apodisation)


def root(index: float, q: Tensor) -> Tensor:
    """n cos θ = √(n² - q²); imaginary, and positive so, beyond the index."""
    return torch.sqrt((index**2 - q**2).to(torch.complex128))


def apodised(ni: float, apodisation: Apodisation) -> Callable[[Tensor], Tensor]:
    """Amplitude over q, with which q dq is weighted: "none" is 1 / cos θ, since sin θ dθ = q dq / (n² cos θ)."""
    power = {"uniform": 0.0, "aplanatic": -0.5, "none": -1.0}[apodisation]
    return lambda q: (1 - (q / ni) ** 2) ** (power / 2)


def vectorial(ni: float, ng: float, ns: float, apodisation: Apodisation) -> tuple[Component, ...]:
    """I₀, I₁ and I₂ behind two interfaces; |I₀|² + 2|I₁|² + |I₂|² is the average over all dipoles.

    ts = 2 ni cos θi / (ni cos θi + ng cos θg) × 2 ng cos θg / (ng cos θg + ns cos θs); tp likewise, with n exchanged.
    """
    weight = apodised(ni, apodisation)

    def transmitted(q: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ci, cg, cs = root(ni, q) / ni, root(ng, q) / ng, root(ns, q) / ns
        ts = 2 * ni * ci / (ni * ci + ng * cg) * 2 * ng * cg / (ng * cg + ns * cs)
        tp = 2 * ni * ci / (ng * ci + ni * cg) * 2 * ng * cg / (ns * cg + ng * cs)
        return weight(q) * ts, weight(q) * tp, cs

    def transverse(sign: float) -> Callable[[Tensor], Tensor]:
        def amplitude(q: Tensor) -> Tensor:
            ts, tp, cs = transmitted(q)
            return ts + sign * tp * cs

        return amplitude

    def axial(q: Tensor) -> Tensor:
        return transmitted(q)[1] * q / ns

    return Component(transverse(1.0)), Component(axial, 1, 2.0), Component(transverse(-1.0), 2)


def along(pupil: Pupil, dipole: str) -> Pupil:
    """The pupil of light from a dipole, or of polarised illumination, rather than of the average over all of them.

    With E = (I₀ + I₂ cos 2φ, I₂ sin 2φ, -2i I₁ cos φ) for a field along x.
    """
    zero, one, two = pupil.components
    sign = -1.0 if dipole.endswith("y") else 1.0
    if dipole == "dipole z":
        return replace(pupil, components=(replace(one, weight=4.0),))
    if dipole in ("dipole x", "dipole y"):
        return replace(pupil, components=(zero, two), twofold=((0, 1, 2 * sign),))
    return replace(pupil, components=(zero, one, two), twofold=((0, 2, 2 * sign), (1, 1, 2 * sign)))
