"""Numbers of an objective, and the checks that optics must pass."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Border = tuple[NDArray[np.float64], NDArray[np.float64]]

_SAMPLES = 161


def nyquist_um(na: float, index: float, emission_nm: float) -> tuple[float, float]:
    """Largest voxel (axial, lateral) in µm of a widefield image: λ / (2 (n - √(n² - NA²))) and λ / (4 NA).

    From the support of the widefield OTF, whose half-extents are (n - √(n² - NA²)) / λ and 2 NA / λ.
    """
    wavelength = emission_nm / 1000
    return wavelength / (2 * (index - math.sqrt(index**2 - na**2))), wavelength / (4 * na)


def otf_support(kr: Any, na: float, index: float, wavelength_um: float) -> Any:
    """Largest |kz| of a widefield OTF at each lateral frequency kr, per µm; NaN beyond the cutoff 2 NA / λ.

    |kz| <= (n/λ)(cos(asin((NA - k λ) / n)) - cos α): a torus, whose missing cone lies about kr = 0.
    """
    import numpy as np

    kr = np.abs(np.asarray(kr, np.float64))
    inside = kr <= 2 * na / wavelength_um
    sine = np.where(inside, np.abs(na - kr * wavelength_um) / index, 0.0)
    reach = index / wavelength_um * (np.sqrt(1 - sine**2) - math.sqrt(1 - (na / index) ** 2))
    return np.where(inside, reach, np.nan)


def widefield_border(na: float, index: float, wavelength_nm: float) -> Border:
    """:func:`otf_support` from 0 to the cutoff."""
    import numpy as np

    kr = np.linspace(0, 2000 * na / wavelength_nm, _SAMPLES)
    return kr, np.nan_to_num(otf_support(kr, na, index, wavelength_nm / 1000))


def opposed_border(na: float, index: float, wavelength_nm: float) -> Border:
    """Of two opposed objectives whose fields interfere: rays q of one beat with -q of the other."""
    import numpy as np

    kr = np.linspace(0, 2000 * na / wavelength_nm, _SAMPLES)
    return kr, 2000 / wavelength_nm * np.sqrt(index**2 - (kr * wavelength_nm / 2000) ** 2)


def added(first: Border, second: Border) -> Border:
    """Of a product of two intensities: the OTFs are convolved, and their supports added point by point.

    Lateral frequencies r and s at any angle add up to all between |r - s| and r + s.
    """
    import numpy as np

    (r, up), (s, more) = first, second
    kr = np.linspace(0, r[-1] + s[-1], _SAMPLES)
    least, most, total = np.abs(r[:, None] - s), r[:, None] + s, up[:, None] + more
    slack = kr[1] / 2
    return kr, np.array([total[(least <= k + slack) & (most >= k - slack)].max() for k in kr])


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
    excitation, emission = getattr(model, "excitation_nm", None), getattr(model, "emission_nm", None)
    if hasattr(model, "photon_order"):
        return  # several photons together excite what one of more energy would
    if isinstance(excitation, int | float) and isinstance(emission, int | float) and excitation > emission:
        raise ValueError(
            f"{type(model).__name__}: excitation_nm {excitation:g} must not be above emission_nm {emission:g}: light that is "
            f"emitted is red-shifted. Are the two exchanged?"
        )


def refuse_length(owner: str, name: str, value: float, longest_um: float) -> None:
    """Raise if a length in µm looks like one in nm."""
    if value > longest_um:
        raise ValueError(
            f"{owner}: {name} {value:g} µm is longer than any in use ({longest_um:g} µm). "
            f"{value:g} nm is {value / 1000:g} µm: give that."
        )
