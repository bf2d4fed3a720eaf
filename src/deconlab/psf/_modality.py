"""From the word for a kind of microscope, as files have it, to the model of its PSF; and starting points by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deconlab.psf._model import PSFModel

MODELS: Mapping[str, str] = MappingProxyType(
    {
        "widefield": "torok-varga",
        "confocal": "confocal",
        "spinning disk": "spinning-disk",
        "multi-photon": "multiphoton",
        "light sheet": "light-sheet",
        "STED": "sted",
        "ISM": "ism",
        "4Pi": "four-pi",
    }
)
"""The model to take for each kind of microscope, by its registry name.

A widefield one gets Török-Varga: light is a vector, and at high NA the scalar model (Gibson-Lanni) is off by much more than any
quadrature: 20 % of the PSF's norm at NA 1.4, with spots drawn 9 % too narrow, and 1 % at NA 0.25 (docs/psf.md has the
table). It costs three times as much, tenths of a second; and it is what the other kinds are made of.
"""

DEFAULT = MODELS["widefield"]
"""The model of an image that does not say how it was taken."""

_OTHER_WORDS = {
    "airyscan": "ISM",
    "image scanning": "ISM",
    "two-photon": "multi-photon",
    "2-photon": "multi-photon",
    "three-photon": "multi-photon",
    "multiphoton": "multi-photon",
    "laser scanning confocal": "confocal",
    "spim": "light sheet",
    "lightsheet": "light sheet",
    "epifluorescence": "widefield",
    "wide field": "widefield",
}


def for_modality(modality: str) -> type[PSFModel]:
    """The class of PSF models for a kind of microscope, such as "confocal"; spelling of case and hyphens does not matter.

    Raises ValueError for a kind that has no model here (TIRF, structured illumination, localisation, bright field).

    >>> for_modality("Spinning-Disk").__name__
    'SpinningDisk'
    """
    from deconlab.psf import registry

    found, known = kind_of(modality), _known()
    if found not in MODELS:
        near = difflib.get_close_matches(_plain(modality), known, n=1, cutoff=0.7)
        hint = f"Did you mean {known[near[0]]!r}? " if near else ""
        raise ValueError(
            f"There is no PSF model for {modality!r} microscopes. {hint}There are models for: {', '.join(MODELS)}. "
            f"Give a measured PSF, or name a model yourself."
        )
    return registry.get(MODELS[found])


def kind_of(modality: str) -> str:
    """The word for a kind of microscope that :data:`MODELS` has, whatever its spelling; as it is, if there is none.

    >>> kind_of("Spinning-Disk"), kind_of("Airyscan"), kind_of("TIRF")
    ('spinning disk', 'ISM', 'TIRF')
    """
    return _known().get(_plain(modality), modality)


def _known() -> dict[str, str]:
    return {_plain(word): word for word in MODELS} | {_plain(word): kind for word, kind in _OTHER_WORDS.items()}


def _plain(word: str) -> str:
    return "".join(letter for letter in word.lower() if letter.isalnum())


@dataclass(frozen=True)
class Preset:
    """A starting point: a model by its registry name, and the numbers that it starts from."""

    model: str
    doc: str
    values: Mapping[str, Any]

    def make(self, **values: Any) -> PSFModel:
        """The model with the preset's numbers, ``values`` put over them."""
        from deconlab.psf import registry

        return registry.get(self.model)(**{**self.values, **values})


_OIL = {"na": 1.4, "immersion_index": 1.515}
_WATER = {"na": 1.2, "immersion_index": 1.333}
_GREEN = {"excitation_nm": 488.0, "emission_nm": 525.0}

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "widefield-oil": Preset("torok-varga", "widefield, oil 1.4, green", {**_OIL, "emission_nm": 525.0}),
        "widefield-water": Preset("torok-varga", "widefield, water 1.2, green", {**_WATER, "emission_nm": 525.0}),
        "widefield-air": Preset(
            "torok-varga", "widefield, dry 0.75, green", {"na": 0.75, "immersion_index": 1.0, "emission_nm": 525.0}
        ),
        "confocal-oil": Preset("confocal", "confocal, oil 1.4, green, 1 AU", {**_OIL, **_GREEN, "pinhole_au": 1.0}),
        "confocal-water": Preset(
            "confocal", "confocal, water 1.2, green, 1 AU", {**_WATER, **_GREEN, "pinhole_au": 1.0}
        ),
        "spinning-disk-oil": Preset(
            "spinning-disk",
            "spinning disk, oil 1.4 at 100 ×, green, pinholes of 50 µm at 250 µm",
            {**_OIL, **_GREEN, "backprojected_pinhole_um": 0.5, "spacing_um": 2.5},
        ),
        "two-photon-water": Preset(
            "multiphoton",
            "two photons of 920 nm, water 1.0, not descanned",
            {"na": 1.0, "immersion_index": 1.333, "excitation_nm": 920.0, "photon_order": 2},
        ),
        "light-sheet-water": Preset(
            "light-sheet",
            "light sheet of NA 0.1, detection water 1.0, green",
            {"na": 1.0, "immersion_index": 1.333, **_GREEN, "illumination_na": 0.1},
        ),
        "sted-oil": Preset(
            "sted",
            "pulsed STED with a vortex, oil 1.4, far red, saturation 20",
            {**_OIL, "excitation_nm": 640.0, "emission_nm": 670.0, "depletion_nm": 775.0, "saturation": 20.0},
        ),
        "airyscan-oil": Preset(
            "ism",
            "image scanning with 37 detectors of 0.2 AU, oil 1.4, green",
            {**_OIL, **_GREEN, "detector_rings": 3, "detector_au": 0.2},
        ),
        "four-pi-oil": Preset(
            "four-pi", "4Pi of type C, oil 1.46, green", {"na": 1.46, "immersion_index": 1.518, **_GREEN, "kind": "C"}
        ),
    }
)
"""Named starting points. Every number is one to look at, and to replace by your microscope's."""


def preset(name: str, **values: Any) -> PSFModel:
    """The model of a named starting point, with ``values`` put over its numbers.

    >>> preset("confocal-oil", pinhole_au=0.7).pinhole_au
    0.7
    """
    return preset_of(name).make(**values)


def preset_of(name: str) -> Preset:
    """The starting point of that name. Raises ValueError, with the nearest there is."""
    if name not in PRESETS:
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"There is no preset {name!r}. {hint}There are: {', '.join(PRESETS)}.")
    return PRESETS[name]
