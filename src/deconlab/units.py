"""Annotations that carry units, bounds and help text: how a parameter is declared, once.

    emission_nm: Annotated[Nm, Gt(0), Doc("wavelength of the emitted light")]

A field with a :class:`Doc` is a parameter that users set; a field without is a fact that code fills in.
Bounds are those of the ``annotated-types`` package, which validators of other libraries understand as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt


@dataclass(frozen=True)
class Doc:
    """Help text of a parameter: one sentence a user understands."""

    text: str


@dataclass(frozen=True)
class Unit:
    """Physical unit of a number, as it is printed."""

    symbol: str


Um = Annotated[float, Unit("µm")]
Nm = Annotated[float, Unit("nm")]
Px = Annotated[float, Unit("px")]
Adu = Annotated[float, Unit("ADU")]
AduPerElectron = Annotated[float, Unit("ADU/e⁻")]
Electrons = Annotated[float, Unit("e⁻")]
Seconds = Annotated[float, Unit("s")]

__all__ = ["Adu", "AduPerElectron", "Doc", "Electrons", "Ge", "Gt", "Le", "Lt", "Nm", "Px", "Seconds", "Um", "Unit"]
