"""Point-spread functions: one file per model, and the intake of measured ones.

>>> from deconlab.psf import GibsonLanni
>>> psf = GibsonLanni(na=1.4, emission_nm=520, immersion_index=1.515).render((9, 33, 33), (0.2, 0.08, 0.08))
>>> tuple(psf.data.shape), round(float(psf.data.sum()), 6)
((9, 33, 33), 1.0)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deconlab.registry import Registry

if TYPE_CHECKING:
    from deconlab.psf._arbitrary import ArbitraryPupil
    from deconlab.psf._as_given import as_given
    from deconlab.psf._facts import Facts
    from deconlab.psf._for_image import for_image, said_of_limit
    from deconlab.psf._measured import measured
    from deconlab.psf._modality import PRESETS, for_modality, preset
    from deconlab.psf._model import PSF, PSFModel, PSFWarning, SamplingWarning
    from deconlab.psf._optics import otf_support
    from deconlab.psf.airy import Airy
    from deconlab.psf.annular import Annular
    from deconlab.psf.astigmatic import Astigmatic
    from deconlab.psf.born_wolf import BornWolf
    from deconlab.psf.cardinal_sine import CardinalSine
    from deconlab.psf.circular_pupil import CircularPupil
    from deconlab.psf.confocal import Confocal
    from deconlab.psf.cosine import Cosine
    from deconlab.psf.debye import Debye
    from deconlab.psf.double_helix import DoubleHelix
    from deconlab.psf.double_helix_gaussian import DoubleHelixGaussian
    from deconlab.psf.four_pi import FourPi
    from deconlab.psf.gaussian import Gaussian
    from deconlab.psf.gaussian_fit import GaussianFit
    from deconlab.psf.gaussian_mixture import GaussianMixture
    from deconlab.psf.gibson_lanni import GibsonLanni
    from deconlab.psf.ism import ISM
    from deconlab.psf.koehler import Koehler
    from deconlab.psf.light_sheet import LightSheet
    from deconlab.psf.lorentz import Lorentz
    from deconlab.psf.moffat import Moffat
    from deconlab.psf.multiphoton import Multiphoton
    from deconlab.psf.oriented_gaussian import OrientedGaussian
    from deconlab.psf.phase_mask import PhaseMask
    from deconlab.psf.polychromatic import Polychromatic
    from deconlab.psf.richards_wolf import RichardsWolf
    from deconlab.psf.spinning_disk import SpinningDisk
    from deconlab.psf.sted import STED
    from deconlab.psf.sted_lorentzian import STEDLorentzian
    from deconlab.psf.stokseth import Stokseth
    from deconlab.psf.torok_varga import TorokVarga
    from deconlab.psf.variable_index import VariableIndex
    from deconlab.psf.zernike import Zernike

_WHERE = {
    "Airy": "airy",
    "Annular": "annular",
    "ArbitraryPupil": "_arbitrary",
    "Astigmatic": "astigmatic",
    "BornWolf": "born_wolf",
    "CardinalSine": "cardinal_sine",
    "CircularPupil": "circular_pupil",
    "Confocal": "confocal",
    "Cosine": "cosine",
    "Debye": "debye",
    "DoubleHelix": "double_helix",
    "DoubleHelixGaussian": "double_helix_gaussian",
    "Facts": "_facts",
    "FourPi": "four_pi",
    "Gaussian": "gaussian",
    "GaussianFit": "gaussian_fit",
    "GaussianMixture": "gaussian_mixture",
    "GibsonLanni": "gibson_lanni",
    "ISM": "ism",
    "Koehler": "koehler",
    "LightSheet": "light_sheet",
    "Lorentz": "lorentz",
    "Moffat": "moffat",
    "Multiphoton": "multiphoton",
    "OrientedGaussian": "oriented_gaussian",
    "PRESETS": "_modality",
    "PSF": "_model",
    "PSFModel": "_model",
    "PSFWarning": "_model",
    "PhaseMask": "phase_mask",
    "Polychromatic": "polychromatic",
    "RichardsWolf": "richards_wolf",
    "STED": "sted",
    "STEDLorentzian": "sted_lorentzian",
    "SamplingWarning": "_model",
    "SpinningDisk": "spinning_disk",
    "Stokseth": "stokseth",
    "TorokVarga": "torok_varga",
    "VariableIndex": "variable_index",
    "Zernike": "zernike",
    "as_given": "_as_given",
    "for_image": "_for_image",
    "for_modality": "_modality",
    "measured": "_measured",
    "otf_support": "_optics",
    "preset": "_modality",
    "said_of_limit": "_for_image",
}


def _base() -> type[PSFModel]:
    from deconlab.psf._model import PSFModel

    return PSFModel


registry: Registry[PSFModel] = Registry("deconlab.psf", _base, "PSF model")


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"deconlab.psf.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'deconlab.psf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "ISM",
    "PRESETS",
    "PSF",
    "STED",
    "Airy",
    "Annular",
    "ArbitraryPupil",
    "Astigmatic",
    "BornWolf",
    "CardinalSine",
    "CircularPupil",
    "Confocal",
    "Cosine",
    "Debye",
    "DoubleHelix",
    "DoubleHelixGaussian",
    "Facts",
    "FourPi",
    "Gaussian",
    "GaussianFit",
    "GaussianMixture",
    "GibsonLanni",
    "Koehler",
    "LightSheet",
    "Lorentz",
    "Moffat",
    "Multiphoton",
    "OrientedGaussian",
    "PSFModel",
    "PSFWarning",
    "PhaseMask",
    "Polychromatic",
    "RichardsWolf",
    "STEDLorentzian",
    "SamplingWarning",
    "SpinningDisk",
    "Stokseth",
    "TorokVarga",
    "VariableIndex",
    "Zernike",
    "as_given",
    "for_image",
    "for_modality",
    "measured",
    "otf_support",
    "preset",
    "registry",
    "said_of_limit",
]
