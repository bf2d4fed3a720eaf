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
    from deconlab.psf._for_image import for_image
    from deconlab.psf._measured import measured
    from deconlab.psf._model import PSF, PSFModel, PSFWarning, SamplingWarning
    from deconlab.psf.born_wolf import BornWolf
    from deconlab.psf.gaussian import Gaussian
    from deconlab.psf.gibson_lanni import GibsonLanni

_WHERE = {
    "PSF": "_model",
    "PSFModel": "_model",
    "PSFWarning": "_model",
    "SamplingWarning": "_model",
    "BornWolf": "born_wolf",
    "Gaussian": "gaussian",
    "GibsonLanni": "gibson_lanni",
    "for_image": "_for_image",
    "measured": "_measured",
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
    "PSF",
    "BornWolf",
    "Gaussian",
    "GibsonLanni",
    "PSFModel",
    "PSFWarning",
    "SamplingWarning",
    "for_image",
    "measured",
    "registry",
]
