"""The registry: files of a folder are the entries, and other packages may add theirs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

import deconlab.registry
from deconlab import functionals, methods
from deconlab.functionals import Fidelity, Prior
from deconlab.lazytorch import Tensor
from deconlab.registry import Registry

ENTRY = "from shelf._base import Animal\n\n\nclass {name}(Animal):\n    def sound(self):\n        return '{name}'\n"
BASE = "import abc\n\n\nclass Animal(abc.ABC):\n    @abc.abstractmethod\n    def sound(self): ...\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[object]]:
    """A package on disk with two entries, a private file, a subpackage, and two files that break the rule."""
    folder = tmp_path / "shelf"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "__init__.py").write_text("")
    (folder / "__init__.py").write_text("")
    (folder / "_base.py").write_text(BASE)
    (folder / "barn_owl.py").write_text(
        ENTRY.format(name="BarnOwl").replace("class BarnOwl", "class _Bird(Animal):\n    pass\n\n\nclass BarnOwl")
    )
    (folder / "cat.py").write_text(ENTRY.format(name="Cat"))
    (folder / "two.py").write_text(ENTRY.format(name="One") + ENTRY.format(name="Two"))
    (folder / "none.py").write_text("from shelf.cat import Cat\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Registry("shelf", lambda: sys.modules["shelf._base"].Animal, "animal")
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        del sys.modules[name]


def test_names_are_files_and_load_nothing(shelf: Registry[object]) -> None:
    assert shelf.names() == ("barn-owl", "cat", "none", "two")
    assert not [name for name in sys.modules if name.startswith("shelf.")]


def test_an_entry_is_the_one_concrete_class_of_its_file(shelf: Registry[object]) -> None:
    owl = shelf.get("barn-owl")
    assert owl.__name__ == "BarnOwl"
    assert shelf.get("Barn_Owl") is owl
    assert shelf.name_of(owl) == "barn-owl"
    assert "shelf.cat" not in sys.modules, "only what is asked for is loaded"
    for name, count in (("two", 2), ("none", 0)):
        with pytest.raises(TypeError, match=f"shelf.{name} must hold exactly one concrete Animal; it holds {count}"):
            shelf.get(name)


def test_a_name_that_is_not_there_is_met_with_the_nearest(shelf: Registry[object]) -> None:
    with pytest.raises(ValueError, match=r"Unknown animal 'brn-owl'. Did you mean 'barn-owl'\?"):
        shelf.get("brn-owl")
    with pytest.raises(ValueError, match=r"Unknown animal 'xyz'. There are: barn-owl, cat, none, two"):
        shelf.get("xyz")
    with pytest.raises(ValueError, match="Unknown animal '_base'"):
        shelf.get("_base")
    with pytest.raises(ValueError, match="str is not a registered animal"):
        shelf.name_of(str)


def test_other_packages_add_entries(shelf: Registry[object], monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = ModuleType("foreign")
    shelf.get("cat")
    animal = sys.modules["shelf._base"].Animal
    foreign.Dog = type("Dog", (animal,), {"sound": str})  # type: ignore[attr-defined]
    foreign.Stone = type("Stone", (), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "foreign", foreign)
    points = [EntryPoint("dog", "foreign:Dog", "shelf"), EntryPoint("stone", "foreign:Stone", "shelf")]
    monkeypatch.setattr(deconlab.registry, "entry_points", lambda group: points if group == "shelf" else [])
    assert set(shelf.names()) == {"barn-owl", "cat", "dog", "none", "stone", "two"}
    assert shelf.get("dog") is foreign.Dog
    with pytest.raises(TypeError, match=r"The entry point 'stone' gives .*, which is no Animal"):
        shelf.get("stone")
    points.pop()
    assert shelf.name_of(foreign.Dog) == "dog"


def test_the_packages_own_registries() -> None:
    names = {
        "biggs-andrews", "conjugate-tikhonov-miller", "iterative-constrained-tikhonov-miller", "landweber",
        "laplacian-regularised-inverse", "naive-inverse", "projected-landweber", "richardson-lucy", "scaled-heavy-ball",
        "tikhonov-inverse", "tikhonov-miller", "truncated-inverse", "wiener",
    }  # fmt: skip
    assert names <= set(methods.registry.names())
    for name, cls in methods.registry.all().items():
        assert methods.registry.name_of(cls) == name
        assert getattr(methods, cls.__name__) is cls
    terms = functionals.registry.all()
    assert {"laplacian", "least-squares", "poisson", "tikhonov", "zero"} <= set(terms)
    assert all(issubclass(cls, Fidelity | Prior) for cls in terms.values())
    with pytest.raises(ValueError, match=r"Unknown method 'richardson-lucie'. Did you mean 'richardson-lucy'\?"):
        methods.registry.get("richardson-lucie")
    with pytest.raises(AttributeError, match=r"module 'deconlab.methods' has no attribute 'Lucy'"):
        methods.Lucy  # noqa: B018


def test_lazy_tensor_is_for_annotations_only() -> None:
    with pytest.raises(TypeError, match=r"is for annotations; write isinstance\(x, torch.Tensor\)"):
        isinstance(3, Tensor)
