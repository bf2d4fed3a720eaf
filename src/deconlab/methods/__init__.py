"""Restoration methods, one file each. ``registry`` finds them by name; a file that is put here is found."""

from typing import Any

from deconlab.methods._method import (
    Claims,
    DirectMethod,
    IterativeMethod,
    Method,
    State,
    admissible_priors,
    claims,
    refusals,
    weight_refusals,
)
from deconlab.registry import Registry

registry: Registry[Method] = Registry("deconlab.methods", lambda: Method, "method")

__all__ = [
    "Claims",
    "DirectMethod",
    "IterativeMethod",
    "Method",
    "State",
    "admissible_priors",
    "claims",
    "refusals",
    "registry",
    "weight_refusals",
]


def __getattr__(name: str) -> Any:
    """The class of a method by its own name, ``deconlab.methods.RichardsonLucy``, loaded on use."""
    for cls in () if name.startswith("_") else registry.all().values():
        if cls.__name__ == name:
            return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
