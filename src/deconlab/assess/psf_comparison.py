"""Two PSFs beside each other: how far apart they are, and how wide and how high each is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deconlab.assess.metrics import as_array
from deconlab.assess.width import fwhm_line

if TYPE_CHECKING:
    from deconlab.psf import PSF


@dataclass(frozen=True)
class PSFComparison:
    """Distances of two PSFs of sum 1 on one grid; the second is the reference.

    ``l1`` is Σ|a - b|, ``l2`` is ‖a - b‖ / ‖b‖, ``largest`` is max|a - b| / max b, ``peak`` is max a / max b. Widths are
    full widths at half maximum through the brightest voxel, z y x, in µm (in voxels where these have no size); None where
    the grid is too small for them.
    """

    l1: float
    l2: float
    largest: float
    peak: float
    fwhm: tuple[float | None, ...]
    reference_fwhm: tuple[float | None, ...]
    unit: str

    def lines(self) -> list[str]:
        """One line for each number."""
        axes = "zyx"[-len(self.fwhm) :]
        widths = [
            f"FWHM along {axis}: {_said(a, self.unit)}, reference {_said(b, self.unit)}"
            for axis, a, b in zip(axes, self.fwhm, self.reference_fwhm, strict=True)
        ]
        return [
            f"Σ|a - b| = {self.l1:.3g}",
            f"‖a - b‖ / ‖b‖ = {self.l2:.3g}",
            f"max|a - b| / max b = {self.largest:.3g}",
            f"max a / max b = {self.peak:.5g}",
            *widths,
        ]


def compare_psfs(psf: PSF, reference: PSF) -> PSFComparison:
    """How far ``psf`` is from ``reference``: both of sum 1, on grids of the same voxels; the larger is cropped.

    Grids are aligned by their voxels ``n // 2``, cropped to what both have, and normalised to sum 1 there. Raises
    ValueError where dimensions or voxel sizes differ.

    >>> from deconlab.psf import Gaussian
    >>> a, b = (Gaussian(fwhm_px=width).render((33, 33)) for width in (3, 3.3))
    >>> 1.1 < compare_psfs(a, b).peak < 1.21
    True
    """
    a, b = as_array(psf.data), as_array(reference.data)
    if a.ndim != b.ndim:
        raise ValueError(f"The PSFs have {a.ndim} and {b.ndim} axes: compare two of the same dimension.")
    sizes = psf.voxel_um, reference.voxel_um
    if None not in sizes and any(
        abs(one - other) > 1e-6 * other for one, other in zip(sizes[0] or (), sizes[1] or (), strict=True)
    ):
        raise ValueError(f"The PSFs have voxels of {sizes[0]} and {sizes[1]} µm: render both on the same.")
    shared = tuple(min(one, other) for one, other in zip(a.shape, b.shape, strict=True))
    a, b = (
        whole[tuple(slice(n // 2 - m // 2, n // 2 - m // 2 + m) for n, m in zip(whole.shape, shared, strict=True))]
        for whole in (a, b)
    )
    a, b = a / a.sum(), b / b.sum()
    known = psf.voxel_um or reference.voxel_um
    voxel = known or (1.0,) * a.ndim
    widths = []
    for values in (a, b):
        top = np.unravel_index(int(values.argmax()), values.shape)
        found: list[float | None] = []
        for axis, size in enumerate(voxel):
            line = values[tuple(slice(None) if other == axis else place for other, place in enumerate(top))]
            try:
                found.append(fwhm_line(line, size))
            except ValueError:
                found.append(None)
        widths.append(tuple(found))
    return PSFComparison(
        l1=float(abs(a - b).sum()),
        l2=float((((a - b) ** 2).sum() / (b**2).sum()) ** 0.5),
        largest=float(abs(a - b).max() / b.max()),
        peak=float(a.max() / b.max()),
        fwhm=widths[0],
        reference_fwhm=widths[1],
        unit="µm" if known else "px",
    )


def _said(width: float | None, unit: str) -> str:
    return "beyond the grid" if width is None else f"{width:.4g} {unit}"
