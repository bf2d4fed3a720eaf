"""The camera: one frozen declaration of everything between the blurred light and the numbers in the file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from deconlab import schema
from deconlab.units import Adu, AduPerElectron, Doc, Electrons, Ge, Gt, Le, Lt, Seconds, Um, Unit

if TYPE_CHECKING:
    from deconlab.formation.sensor import Sensor

Photons = Annotated[float, Unit("photons/px")]
ElectronsPerSecond = Annotated[float, Unit("e⁻/px/s")]


@dataclass(frozen=True)
class Camera:
    """Photons → electrons → ADU. Every effect is off by default except shot noise, which light itself brings along.

    Order: blur → flat field, quantum efficiency, dark current → Poisson → full well → on-chip binning → EM gain
    (Gamma, excess noise factor 2) → ADC gain → read noise and offset → rounding to ``bit_depth`` → binning of codes.
    Per pixel i (Huang 2013, doi:10.1038/nmeth.2488, with g in ADU per electron):

        D_i = o_i + g_i·(G·Poisson(η·f_i·photons_i + dark_i·t + c) + σ_i·N(0, 1))

    The eight usual noise sources and the parameters that make them:

    1. shot noise: ``shot_noise``
    2. dark (thermal) noise: ``dark_current``, ``exposure_s``; also ``clock_induced_charge``
    3. read noise: ``read_noise``, ``read_noise_spread``; the multiplication noise of ``em_gain``
    4. sampling (finite pixels, aliasing): ``binning``, and the pixel integration of ``simulate``
    5. discretisation of amplitude at the well's and the converter's end: ``full_well``, ``gain``
    6. quantisation: ``bit_depth``
    7. sensor non-uniformity: ``gain_spread``, ``offset_spread``, ``vignetting``, ``hot_pixels``, ``dead_pixels``
    8. environment: ``background``, ``autofluorescence``, ``flicker``, ``bleaching``, ``drift_um``, ``motion_um``,
       ``scattering_length_um``

    ``sensor`` holds measured calibration maps; without it they are drawn from the spreads and ``sensor_seed``.
    ValueError if the full well ends below the offset, or the offset beyond the converter's range.
    """

    quantum_efficiency: Annotated[float, Gt(0), Le(1), Doc("photo-electrons per photon")] = 1.0
    shot_noise: Annotated[bool, Doc("Poisson noise of photo-electrons and dark current")] = True
    exposure_s: Annotated[Seconds, Gt(0), Doc("exposure time of a plane; it only scales the dark current")] = 1.0
    dark_current: Annotated[ElectronsPerSecond, Ge(0), Doc("thermal electrons")] = 0.0
    clock_induced_charge: Annotated[Electrons, Ge(0), Doc("spurious electrons per pixel and read-out")] = 0.0
    full_well: Annotated[Electrons | None, Gt(0), Doc("electrons at which a pixel saturates; none: never")] = None
    em_gain: Annotated[float, Ge(1), Doc("mean electron multiplication; 1: no EM register")] = 1.0
    read_noise: Annotated[Electrons, Ge(0), Doc("read noise (median over pixels), after any EM gain")] = 0.0
    gain: Annotated[AduPerElectron, Gt(0), Doc("ADC gain")] = 1.0
    offset: Annotated[Adu, Ge(0), Doc("value that stands for no light")] = 0.0
    bit_depth: Annotated[int | None, Ge(1), Le(31), Doc("bits of the converter; none: no rounding, no clipping")] = None
    binning: Annotated[int, Ge(1), Doc("pixels per side that are summed into one")] = 1
    binning_place: Annotated[
        Literal["chip", "codes"], Doc("sum electrons before the read-out (CCD), or codes after it (CMOS)")
    ] = "chip"

    gain_spread: Annotated[float, Ge(0), Doc("relative standard deviation of the pixels' gains")] = 0.0
    offset_spread: Annotated[Adu, Ge(0), Doc("standard deviation of the pixels' offsets")] = 0.0
    read_noise_spread: Annotated[float, Ge(0), Doc("standard deviation of the log of the pixels' read noise")] = 0.0
    hot_pixels: Annotated[float, Ge(0), Lt(1), Doc("fraction of pixels with a large dark current")] = 0.0
    hot_current: Annotated[ElectronsPerSecond, Ge(0), Doc("mean dark current of a hot pixel")] = 200.0
    dead_pixels: Annotated[float, Ge(0), Lt(1), Doc("fraction of pixels that never respond")] = 0.0
    vignetting: Annotated[float, Ge(0), Lt(1), Doc("loss of light in the corner of the field, quadratic in radius")] = (
        0.0
    )
    sensor_seed: Annotated[int, Ge(0), Doc("seed of the pixel maps: which camera of the series this is")] = 0

    background: Annotated[Photons, Ge(0), Doc("stray light, constant in time")] = 0.0
    autofluorescence: Annotated[Photons, Ge(0), Doc("diffuse emission of the specimen; it flickers and bleaches")] = 0.0
    flicker: Annotated[float, Ge(0), Doc("relative standard deviation of the lamp per plane or frame")] = 0.0
    bleaching: Annotated[float, Ge(0), Lt(1), Doc("fraction of the fluorescence lost per plane or frame")] = 0.0
    drift_um: Annotated[tuple[Um, Um], Doc("drift (y, x) from one plane to the next")] = (0.0, 0.0)
    motion_um: Annotated[Um, Ge(0), Doc("standard deviation of the random motion of a plane, per lateral axis")] = 0.0
    scattering_length_um: Annotated[Um | None, Gt(0), Doc("mean free path in the specimen; none: no scattering")] = None
    scattering_angle: Annotated[float, Gt(0), Doc("tangent of the angle by which scattered light is spread")] = 0.5

    sensor: Sensor | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        schema.check(self)
        if self.full_well is not None and self.full_well * self.gain <= self.offset:
            raise ValueError(
                f"Camera: a full well of {self.full_well:g} e⁻ is {self.full_well * self.gain:g} ADU at "
                f"{self.gain:g} ADU/e⁻, which is below the offset of {self.offset:g} ADU. "
                "Lower the offset, or raise the full well or the gain."
            )
        if self.top is not None and self.offset >= self.top:
            raise ValueError(
                f"Camera: an offset of {self.offset:g} ADU leaves no room below {self.top}, the end of "
                f"{self.bit_depth} bits. Lower the offset or raise bit_depth."
            )

    @property
    def top(self) -> int | None:
        """The converter's largest code; None without ``bit_depth``."""
        return None if self.bit_depth is None else 2**self.bit_depth - 1

    @property
    def dtype(self) -> np.dtype:
        """What ``expose`` returns: float32, or the smallest unsigned integer that holds all codes."""
        if self.top is None:
            return np.dtype(np.float32)
        largest = self.top * (self.binning**2 if self.binning_place == "codes" else 1)
        return np.dtype(np.uint8 if largest < 2**8 else np.uint16 if largest < 2**16 else np.uint32)

    @property
    def excess(self) -> float:
        """Excess noise factor F² of the multiplication: 2 with an EM register, else 1."""
        return 2.0 if self.em_gain > 1 else 1.0


def ccd() -> Camera:
    """Interline CCD, cooled, slow read-out. Typical values of the class; take your own from its test report."""
    return Camera(
        quantum_efficiency=0.62, exposure_s=0.1, dark_current=0.001, full_well=18_000, read_noise=6.0,
        gain=0.9, offset=200, bit_depth=14,
    )  # fmt: skip


def emccd() -> Camera:
    """Back-illuminated EMCCD, −70 °C, fast read-out, EM gain 200. Typical values of the class."""
    return Camera(
        quantum_efficiency=0.92, exposure_s=0.05, dark_current=0.001, clock_induced_charge=0.005, full_well=80_000,
        em_gain=200, read_noise=60.0, gain=0.08, offset=500, bit_depth=16,
    )  # fmt: skip


def scmos() -> Camera:
    """Scientific CMOS with its pixel maps (read noise median 1.0, log-normal tail). Typical values of the class."""
    return Camera(
        quantum_efficiency=0.82, exposure_s=0.05, dark_current=0.06, full_well=30_000, read_noise=1.0,
        read_noise_spread=0.35, gain=2.1, gain_spread=0.01, offset=100, offset_spread=0.6, bit_depth=16,
        binning_place="codes", hot_pixels=1e-4, dead_pixels=1e-5,
    )  # fmt: skip


PRESETS = {"ccd": ccd, "emccd": emccd, "scmos": scmos, "ideal": Camera}


def preset(name: str, **changes: object) -> Camera:
    """A camera by name (``PRESETS``), with ``changes`` to its parameters. An unknown name is a ValueError with a hint.

    >>> preset("scmos", bit_depth=12, gain=0.12).offset
    100
    """
    if name not in PRESETS:
        near = difflib.get_close_matches(name.lower(), PRESETS, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(PRESETS)}."
        raise ValueError(f"Unknown camera {name!r}. {hint}")
    return replace(PRESETS[name](), **changes)  # type: ignore[arg-type]
