"""Phantoms: one file each, found by name. ``get("filaments")`` is the class; ``names()`` loads none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deconlab.registry import Registry

if TYPE_CHECKING:
    from deconlab.formation.phantom import Phantom


def _base() -> type[Phantom]:
    from deconlab.formation.phantom import Phantom

    return Phantom


registry: Registry[Phantom] = Registry("deconlab.formation.phantoms", _base, "phantom")
names, get, all_phantoms = registry.names, registry.get, registry.all
