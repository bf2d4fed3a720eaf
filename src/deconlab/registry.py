"""Name -> class. The files of a folder are the entries; they are loaded on use; other packages add theirs by entry point.

A file ``richardson_lucy.py`` is the entry ``richardson-lucy`` and holds one concrete subclass of the folder's base class.
Files whose name begins with an underscore are no entries. Listing names loads nothing.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """The entries of one package: ``names()``, ``get(name)`` and ``all()``.

    ``base`` is given as a function, since importing the base class may itself be what loading is put off for.
    """

    def __init__(self, package: str, base: Callable[[], type[T]], what: str) -> None:
        self.package, self.base, self.what = package, base, what
        self._loaded: dict[str, type[T]] = {}

    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order."""
        return tuple(sorted({*self._files(), *self._entry_points()}))

    def get(self, name: str) -> type[T]:
        """The class called ``name``. A name that is not there is a ValueError with the nearest that is."""
        key = name.replace("_", "-").lower()
        if key not in self._loaded:
            self._loaded[key] = self._load(key, name)
        return self._loaded[key]

    def all(self) -> dict[str, type[T]]:
        """Every entry by its name. Loads them all."""
        return {name: self.get(name) for name in self.names()}

    def name_of(self, cls: type[T]) -> str:
        """The name under which ``cls`` is found."""
        local = cls.__module__.rpartition(".")
        if local[0] == self.package and local[2].replace("_", "-") in self._files():
            return local[2].replace("_", "-")
        for name in self._entry_points():
            if self.get(name) is cls:
                return name
        raise ValueError(f"{cls.__name__} is not a registered {self.what}.")

    def _load(self, key: str, asked: str) -> type[T]:
        if key in self._files():
            return self._class_in(importlib.import_module(f"{self.package}.{key.replace('-', '_')}"))
        external = self._entry_points()  # a look through everything that is installed: only where it is needed
        if key in external:
            found: type[T] = external[key].load()
            if not (isinstance(found, type) and issubclass(found, self.base())):
                raise TypeError(f"The entry point {key!r} gives {found!r}, which is no {self.base().__name__}.")
        else:
            near = difflib.get_close_matches(key, self.names(), n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(self.names())}."
            raise ValueError(f"Unknown {self.what} {asked!r}. {hint}")
        return found

    def _class_in(self, module: object) -> type[T]:
        base, name = self.base(), getattr(module, "__name__", "")
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, base)
            and value.__module__ == name
            and not inspect.isabstract(value)
        ]
        if len(own) != 1:
            raise TypeError(f"{name} must hold exactly one concrete {base.__name__}; it holds {len(own)}.")
        return own[0]

    def _files(self) -> tuple[str, ...]:
        path = importlib.import_module(self.package).__path__
        return tuple(
            item.name.replace("_", "-")
            for item in pkgutil.iter_modules(path)
            if not item.name.startswith("_") and not item.ispkg
        )

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.package)}
