"""Numbers of an objective, and the checks that optics must pass."""

from __future__ import annotations

import math
from typing import Any


def nyquist_um(na: float, index: float, emission_nm: float) -> tuple[float, float]:
    """Largest voxel (axial, lateral) in µm of a widefield image: λ / (2 (n - √(n² - NA²))) and λ / (4 NA).

    From the support of the widefield OTF, whose half-extents are (n - √(n² - NA²)) / λ and 2 NA / λ.
    """
    wavelength = emission_nm / 1000
    return wavelength / (2 * (index - math.sqrt(index**2 - na**2))), wavelength / (4 * na)


def refuse_aperture(owner: str, na: float, **indices: float) -> None:
    """Raise if no ray of the aperture could pass one of the media before the objective's own immersion."""
    for name, index in indices.items():
        if na >= index:
            raise ValueError(
                f"{owner}: na {na:g} must be below {name} {index:g}: NA = n sin θ. Check both; an oil objective "
                f"(NA up to 1.49) is used with immersion_index 1.515, a water one (up to 1.27) with 1.333, a dry one "
                f"with 1. Only the sample's index may lie below NA."
            )


def refuse_wavelength(owner: str, name: str, value: float) -> None:
    """Raise if a wavelength in nm looks like one in µm, or like no light at all."""
    if 0 < value < 100:
        hint = f"{value:g} µm is {value * 1000:g} nm: give that." if value >= 0.1 else "Give it in nm, such as 520."
        raise ValueError(f"{owner}: {name} {value:g} nm is no light that an objective images. {hint}")


def refuse_wavelengths(model: Any) -> None:
    """:func:`refuse_wavelength` for every field of ``model`` in nm that is light."""
    for name in ("emission_nm", "excitation_nm", "depletion_nm"):
        value = getattr(model, name, None)
        if isinstance(value, int | float):
            refuse_wavelength(type(model).__name__, name, value)


def refuse_length(owner: str, name: str, value: float, longest_um: float) -> None:
    """Raise if a length in µm looks like one in nm."""
    if value > longest_um:
        raise ValueError(
            f"{owner}: {name} {value:g} µm is longer than any in use ({longest_um:g} µm). "
            f"{value:g} nm is {value / 1000:g} µm: give that."
        )
