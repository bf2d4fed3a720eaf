"""deconlab restores sharp images by inverting how they were acquired.

Public names are loaded on use (PEP 562): importing deconlab does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from deconlab.api import Restoration, deconvolve
    from deconlab.comparison import compare
    from deconlab.errors import DeconvolutionError
    from deconlab.recipe import Recipe

_WHERE = {
    "Recipe": "recipe", "Restoration": "api", "compare": "comparison", "deconvolve": "api", "DeconvolutionError": "errors",
}  # fmt: skip
_PACKAGES = (
    "formation", "functionals", "image", "io", "methods", "observers", "operators", "problem", "psf", "recipe", "restore",
    "solve", "stopping", "testing",
)  # fmt: skip

__all__ = ["DeconvolutionError", "Recipe", "Restoration", "__version__", "compare", "deconvolve"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"deconlab.{_WHERE[name]}"), name)
    if name in _PACKAGES:
        return import_module(f"deconlab.{name}")
    raise AttributeError(f"module 'deconlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE, *_PACKAGES})
