"""Born and Wolf: the paraxial, scalar widefield PSF of a perfect objective.

    I(r, z) = |∫₀¹ J₀(k NA r ρ) exp(-i k NA² z ρ² / (2 n)) ρ dρ|²

Exact in focus; the parabolic defocus makes it too long along z at high aperture (39 % at NA 1.4), where GibsonLanni
without aberrations is right. Given for comparison with other programs and for low apertures.
Cost as GibsonLanni. M. Born and E. Wolf, Principles of Optics, 7th ed. (1999), §8.8, doi:10.1017/CBO9781139644181.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deconlab.lazytorch import torch
from deconlab.psf import _optics
from deconlab.psf._radial import Component, Pupil
from deconlab.psf._rotational import RotationalModel


@dataclass(frozen=True)
class BornWolf(RotationalModel):
    """Paraxial widefield PSF of an objective without aberrations; symmetric about its focus.

    >>> BornWolf(na=0.5, emission_nm=520, immersion_index=1.0).best_focus_um()
    0.0
    """

    references: ClassVar[tuple[str, ...]] = ("10.1017/CBO9781139644181",)

    def best_focus_um(self) -> float:
        """0: nothing aberrates."""
        return 0.0

    def otf_border(self) -> _optics.Border | None:
        """See :meth:`PSFModel.otf_border`: of parabolic waves, |kz| <= kr (2 NA - λ kr) / 2n."""
        kr, _ = _optics.widefield_border(self.na, self.immersion_index, self.emission_nm)
        return kr, kr * (2 * self.na - self.emission_nm / 1000 * kr) / (2 * self.immersion_index)

    def _pupil(self) -> Pupil:
        return Pupil(
            stop=self.na,
            wavenumber=self.wavenumber,
            path=lambda q: torch.zeros_like(q, dtype=torch.complex128),
            defocus=lambda q: -(q**2) / (2 * self.immersion_index),
            components=(Component(torch.ones_like),),
        )
