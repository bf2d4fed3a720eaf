"""Gibson and Lanni in a sample whose index of refraction changes with depth.

    L = Σ_i (d / N) √(n_i² - q²) + (the other layers, as GibsonLanni has them)

The sample between coverslip and point is N homogeneous layers; n runs from sample_index at the coverslip to deep_index at
the point: linear, n₁ + (n₂ - n₁) u; exponential, n₁ (n₂ / n₁)ᵘ; logarithmic, n₁ + (n₂ - n₁) ln(1 + (e - 1) u). The nominal
focus is the paraxial one of the layers.
Cost as GibsonLanni; where NA exceeds the indices, some ten rays more per layer.
S. Hiware et al., IEEE Int. Symp. Biomed. Imaging (2011) 1624, doi:10.1109/ISBI.2011.5872717.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from deconlab.lazytorch import torch
from deconlab.psf._layers import Apodisation, Field, root
from deconlab.psf._radial import Pupil
from deconlab.psf._rotational import LayeredModel
from deconlab.units import Doc, Ge, Gt, Le

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class VariableIndex(LayeredModel):
    """Widefield PSF behind a sample of changing index.

    >>> model = VariableIndex(na=1.3, emission_nm=520, immersion_index=1.515, sample_index=1.33, deep_index=1.4, depth_um=5)
    >>> model.best_focus_um() > 0
    True
    """

    deep_index: Annotated[
        float | None, Gt(0), Doc("index of refraction at the point; default: as at the coverslip")
    ] = field(default=None, kw_only=True)
    course: Annotated[
        Literal["linear", "logarithmic", "exponential"], Doc("how the index changes from the coverslip to the point")
    ] = field(default="linear", kw_only=True)
    layers: Annotated[int, Ge(1), Le(200), Doc("homogeneous layers that stand for the sample")] = field(
        default=32, kw_only=True
    )
    optics: Annotated[Field, Doc("scalar (as published), or vectorial as TorokVarga")] = field(
        default="scalar", kw_only=True
    )
    apodisation: Annotated[
        Apodisation | None, Doc("amplitude over the pupil; default: uniform if scalar, aplanatic if vectorial")
    ] = field(default=None, kw_only=True)

    references: ClassVar[tuple[str, ...]] = ("10.1109/ISBI.2011.5872717",)

    def indices(self) -> tuple[float, ...]:
        """n in the middle of each layer, from the coverslip to the point."""
        first = self.layer_indices(self.immersion_index)[0]
        last = first if self.deep_index is None else self.deep_index
        found = []
        for layer in range(self.layers):
            u = (layer + 0.5) / self.layers
            if self.course == "exponential":
                found.append(first * (last / first) ** u)
            else:
                found.append(first + (last - first) * (u if self.course == "linear" else math.log1p((math.e - 1) * u)))
        return tuple(found)

    def when_none(self, name: str) -> str:
        if name == "deep_index":
            return f"deep_index {self.layer_indices(self.immersion_index)[0]:g}"
        if name == "apodisation":
            return f"apodisation {self._weight}"
        return super().when_none(name)

    @property
    def _weight(self) -> Apodisation:
        return self.apodisation or ("aplanatic" if self.optics == "vectorial" else "uniform")

    def _pupil(self) -> Pupil:
        ni, depth, indices = self.immersion_index, self.depth_um, self.indices()
        ns = self.layer_indices(ni)[0]
        at_point = (
            self if self.deep_index is None else replace(self, sample_index=self.deep_index)
        )  # the dipole lies there
        plain = self.pupil(self.na, ni, self.emission_nm, at_point.components(ni, self.optics, self._weight))
        focus = ni * (1 / ns - sum(1 / n for n in indices) / self.layers)

        def path(q: Tensor) -> Tensor:
            sample = torch.zeros_like(q, dtype=torch.complex128)
            for n in indices:
                sample = sample + root(n, q) / self.layers
            return plain.path(q) + depth * (sample - root(ns, q) + focus * root(ni, q))

        stop = min(self.na, ns, *indices) if self.supercritical == "truncated" else self.na
        return replace(plain, path=path, stop=stop, branches=(*plain.branches, *indices))
