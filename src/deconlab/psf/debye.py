"""Scalar Debye: the exact defocus of a perfect, aplanatic objective, without polarisation.

    I(r, z) = |∫₀^α a(θ) J₀(k n r sin θ) exp(i k n z cos θ) sin θ dθ|²,      n sin α = NA

with a(θ) = √cos θ for an aplanatic objective, 1 without apodisation, cos θ for a pupil uniform in sin θ (Gibson-Lanni's).
For comparison with other programs, and where polarisation does not matter (below NA 0.7); RichardsWolf has it.
Cost as GibsonLanni. P. Debye, Ann. Phys. 335, 755 (1909), doi:10.1002/andp.19093351406; the weights:
M. Gu, Advanced Optical Imaging Theory (2000), §6, doi:10.1007/978-3-540-48471-4.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._layers import Apodisation, apodised
from deconlab.psf._radial import Component, Pupil
from deconlab.psf._rotational import RotationalModel
from deconlab.units import Doc


@dataclass(frozen=True)
class Debye(RotationalModel):
    """Scalar widefield PSF of an objective without aberrations.

    >>> Debye(na=0.5, emission_nm=520, immersion_index=1.0).best_focus_um()
    0.0
    """

    apodisation: Annotated[
        Apodisation, Doc("amplitude over θ: aplanatic (√cos θ), none (1), or uniform over the pupil (cos θ)")
    ] = field(default="aplanatic", kw_only=True)

    references: ClassVar[tuple[str, ...]] = ("10.1002/andp.19093351406", "10.1007/978-3-540-48471-4")

    def best_focus_um(self) -> float:
        """0: nothing aberrates."""
        return 0.0

    def _pupil(self) -> Pupil:
        n = self.immersion_index
        return Pupil(
            stop=self.na,
            wavenumber=self.wavenumber,
            path=lambda q: torch.zeros_like(q, dtype=torch.complex128),
            defocus=lambda q: torch.sqrt(n**2 - q**2),
            components=(Component(apodised(n, self.apodisation)),),
            branches=(n,),
        )
