"""Richards and Wolf: the vectorial focus of a perfect, aplanatic objective.

    E(r, φ, z) = (I₀ + I₂ cos 2φ, I₂ sin 2φ, -2i I₁ cos φ)          for light polarised along x
    I₀ = ∫₀^α a(θ) sin θ (1 + cos θ) J₀(k n r sin θ) exp(i k n z cos θ) dθ
    I₁ = ∫₀^α a(θ) sin² θ J₁(…) exp(…) dθ,      I₂ = ∫₀^α a(θ) sin θ (1 - cos θ) J₂(…) exp(…) dθ,      a(θ) = √cos θ

Intensity: |E|², or |I₀|² + 2|I₁|² + |I₂|² for circular or unpolarised light, which is also the image of dipoles that
point everywhere. No layers: see TorokVarga for these.
Cost: three times GibsonLanni's. B. Richards and E. Wolf, Proc. R. Soc. A 253, 358 (1959), doi:10.1098/rspa.1959.0200.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf._layers import Apodisation, along, vectorial
from deconlab.psf._radial import Pupil
from deconlab.psf._rotational import RotationalModel
from deconlab.units import Doc


@dataclass(frozen=True)
class RichardsWolf(RotationalModel):
    """Vectorial PSF of an objective without aberrations.

    >>> psf = RichardsWolf(na=1.2, emission_nm=520, immersion_index=1.333, polarisation="x").render((17, 17), (0.1, 0.1))
    >>> bool(psf.data[8, 10] > psf.data[10, 8])
    True
    """

    polarisation: Annotated[
        Literal["circular", "x", "y"],
        Doc("of the light: circular (also unpolarised, and dipoles of all directions), or along x or y"),
    ] = field(default="circular", kw_only=True)
    apodisation: Annotated[
        Apodisation, Doc("amplitude over θ: aplanatic (√cos θ), none (1), or uniform over the pupil (cos θ)")
    ] = field(default="aplanatic", kw_only=True)

    references: ClassVar[tuple[str, ...]] = ("10.1098/rspa.1959.0200",)

    def best_focus_um(self) -> float:
        """0: nothing aberrates."""
        return 0.0

    def _pupil(self) -> Pupil:
        n = self.immersion_index
        pupil = Pupil(
            stop=self.na,
            wavenumber=self.wavenumber,
            path=lambda q: torch.zeros_like(q, dtype=torch.complex128),
            defocus=lambda q: torch.sqrt(n**2 - q**2),
            components=vectorial(n, n, n, self.apodisation),
            branches=(n,),
        )
        return pupil if self.polarisation == "circular" else along(pupil, self.polarisation)
