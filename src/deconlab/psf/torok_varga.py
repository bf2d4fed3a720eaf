"""Török and Varga: the vectorial PSF of an objective, with the layers before it and what their interfaces transmit.

    E = (I₀ + I₂ cos 2φ, I₂ sin 2φ, -2i I₁ cos φ),      I_m = ∫₀^NA A_m(q) exp(i k L(q, z)) J_m(k q r) q dq / √cos θi
    A₀ = ts + tp cos θs,      A₁ = tp sin θs,      A₂ = ts - tp cos θs

with Fresnel's coefficients ts and tp of both interfaces, the path L of GibsonLanni, q = n sin θ in every layer. A dipole
along x gives |I₀|² + |I₂|² + 2 Re(I₀ I₂*) cos 2φ, one along z 4|I₁|²; dipoles of all directions |I₀|² + 2|I₁|² + |I₂|².
Use it for widefield data of high aperture. Without mismatch it is RichardsWolf.
Cost: three times GibsonLanni's. P. Török and P. Varga, Appl. Opt. 36, 2305 (1997), doi:10.1364/AO.36.002305;
F. Aguet et al., Opt. Express 17, 6829 (2009), doi:10.1364/OE.17.006829; O. Haeberlé, Opt. Commun. 216, 55 (2003),
doi:10.1016/S0030-4018(02)02282-4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from deconlab.psf._layers import Apodisation, along
from deconlab.psf._radial import Pupil
from deconlab.psf._rotational import LayeredModel
from deconlab.units import Doc


@dataclass(frozen=True)
class TorokVarga(LayeredModel):
    """Vectorial widefield PSF of an objective, with the layers before it.

    >>> model = TorokVarga(na=1.4, emission_nm=520, immersion_index=1.515, sample_index=1.33, depth_um=2)
    >>> 0.2 < model.best_focus_um() < 0.6
    True
    """

    dipole: Annotated[
        Literal["isotropic", "x", "y", "z"], Doc("direction of the emitting dipoles; isotropic: they point everywhere")
    ] = field(default="isotropic", kw_only=True)
    apodisation: Annotated[
        Apodisation, Doc("amplitude over θ: aplanatic (√cos θ), none (1), or uniform over the pupil (cos θ)")
    ] = field(default="aplanatic", kw_only=True)

    references: ClassVar[tuple[str, ...]] = (
        "10.1364/AO.36.002305",
        "10.1364/OE.17.006829",
        "10.1016/S0030-4018(02)02282-4",
    )

    def best_focus_um(self) -> float:
        """Where a point of isotropic dipoles looks sharpest, in µm from the nominal focus."""
        if self.dipole != "isotropic":  # a dipole along z is dark on the axis
            return replace(self, dipole="isotropic").best_focus_um()
        return super().best_focus_um()

    def _pupil(self) -> Pupil:
        ni = self.immersion_index
        components = self.components(ni, "vectorial", self.apodisation)
        pupil = self.pupil(self.na, ni, self.emission_nm, components)
        return pupil if self.dipole == "isotropic" else along(pupil, f"dipole {self.dipole}")
