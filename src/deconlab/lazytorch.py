"""The one lazy ``torch``: files that declare parameters import it, so that listing, help and schema cost no torch.

``from deconlab.lazytorch import torch`` gives the module to type checkers and a stand-in at run time; the stand-in
imports torch when one of its attributes is first asked for, and keeps what it has been asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:

    class _LazyTorch:
        def __getattr__(self, name: str) -> Any:
            import importlib

            value = getattr(importlib.import_module("torch"), name)
            self.__dict__[name] = value
            return value

    class _OnlyForAnnotations(type):
        def __instancecheck__(cls, instance: object) -> bool:
            raise TypeError("deconlab.lazytorch.Tensor is for annotations; write isinstance(x, torch.Tensor).")

    class Tensor(metaclass=_OnlyForAnnotations):
        """``torch.Tensor`` in annotations, which are never evaluated."""

    torch = _LazyTorch()

__all__ = ["Tensor", "torch"]
