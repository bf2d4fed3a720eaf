"""Declarations are read once, rightly, and hold values to their rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from deconlab import functionals, methods, psf, schema, stopping
from deconlab.lazytorch import Tensor
from deconlab.units import Adu, Doc, Ge, Gt, Le, Lt, Nm, Um


@dataclass(frozen=True)
class Base:
    """What a subclass inherits and may narrow."""

    epsilon: Annotated[float, Gt(0), Lt(1), Doc("a fraction")] = 0.5
    edges: Annotated[Literal["soft", "hard"], Doc("which edges")] = "soft"
    fact: Tensor | None = None

    def __post_init__(self) -> None:
        schema.check(self)


@dataclass(frozen=True)
class Everything(Base):
    """Every kind of parameter there is."""

    edges: Annotated[Literal["soft", "hard", "none"], Doc("one more")] = "hard"
    wavelength_nm: Annotated[Nm, Gt(0), Doc("wavelength")] = 520.0
    offset: Annotated[Adu | None, Doc("offset")] = None
    level: Annotated[float | Literal["auto"], Ge(0), Doc("a number or a word")] = "auto"
    count: Annotated[int, Ge(1), Le(99), Doc("how many")] = 3
    voxel_um: Annotated[tuple[Um, Um, Um] | None, Gt(0), Doc("voxel size")] = None
    names: Annotated[tuple[str, str], Doc("two words")] = ("a", "b")
    flag: Annotated[bool, Doc("whether")] = False
    made: Annotated[float, Doc("made afresh")] = field(default_factory=lambda: 7.0)
    hidden: Annotated[float, Doc("not for the user")] = field(default=1.0, init=False, repr=False)
    count_of_class: ClassVar[Annotated[int, Doc("of the class")]] = 3


@dataclass(frozen=True)
class Needy:
    amount: Annotated[float, Doc("must be given")]


def by_name(cls: type) -> dict[str, schema.Parameter]:
    return {parameter.name: parameter for parameter in schema.parameters(cls)}


def test_fields_with_a_doc_are_parameters_in_their_order() -> None:
    assert [p.name for p in schema.parameters(Everything)] == [
        "epsilon", "edges", "wavelength_nm", "offset", "level", "count", "voxel_um", "names", "flag", "made",
    ]  # fmt: skip
    assert schema.parameters(Everything) is schema.parameters(Everything), "read once"


def test_what_is_declared_is_what_is_read() -> None:
    found = by_name(Everything)
    assert found["epsilon"].bounds == "> 0 and < 1"
    assert found["epsilon"].default == 0.5
    assert found["edges"].choices == ("soft", "hard", "none")
    assert found["edges"].default == "hard"
    assert found["edges"].help == "one more"
    assert found["edges"].kind is str
    assert (found["wavelength_nm"].unit, found["wavelength_nm"].kind) == ("nm", float)
    assert found["wavelength_nm"].flag == "--wavelength-nm"
    assert (found["offset"].unit, found["offset"].optional) == ("ADU", True)
    assert (found["level"].kind, found["level"].choices, found["level"].at_least) == (float, ("auto",), 0)
    assert (found["count"].kind, found["count"].at_least, found["count"].at_most) == (int, 1, 99)
    assert found["count"].bounds == ">= 1 and <= 99"
    voxel = found["voxel_um"]
    assert (voxel.kind, voxel.length, voxel.unit, voxel.above, voxel.optional) == (float, 3, "µm", 0, True)
    assert (found["names"].kind, found["names"].length) == (str, 2)
    assert found["flag"].kind is bool
    assert found["made"].default == 7.0
    assert found["offset"].bounds == ""
    (needy,) = schema.parameters(Needy)
    assert needy.required
    assert repr(needy.default) == "required"
    assert not found["epsilon"].required
    assert schema.asdict(Base(epsilon=0.25)) == {"epsilon": 0.25, "edges": "soft"}


@pytest.mark.parametrize(
    "given",
    [
        {"epsilon": np.float32(0.25)},
        {"epsilon": np.float64(0.25)},
        {"epsilon": torch.tensor(5.0)},  # learned: passes unread
        {"wavelength_nm": 520},
        {"offset": -3.0},
        {"level": 0},
        {"level": "auto"},
        {"count": 5.0},
        {"count": np.int64(5)},
        {"count": np.uint8(5)},
        {"voxel_um": (0.2, 0.1, 0.1)},
        {"voxel_um": [1, 1, 1]},
        {"voxel_um": None},
        {"flag": True},
    ],
)
def test_good_values_pass(given: dict[str, Any]) -> None:
    assert Everything(**given)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"epsilon": 1.0}, ValueError, "Everything: epsilon must be > 0 and < 1, not 1.0"),
        ({"epsilon": 0}, ValueError, "epsilon must be > 0 and < 1, not 0"),
        ({"epsilon": math.nan}, ValueError, "epsilon must be > 0 and < 1, not nan"),
        ({"epsilon": "0.5"}, TypeError, "epsilon must be a number, not '0.5'"),
        ({"epsilon": True}, TypeError, "epsilon must be a number, not True"),
        ({"epsilon": None}, TypeError, "epsilon must be a number, not None"),
        ({"epsilon": 1j}, TypeError, "epsilon must be a number, not 1j"),
        ({"epsilon": np.array([0.1, 0.2])}, TypeError, "epsilon must be a number, not array"),
        ({"epsilon": 10**400}, TypeError, "epsilon must be a number, not 1000"),
        ({"edges": "mild"}, ValueError, "edges must be one of soft, hard, none, not 'mild'"),
        ({"wavelength_nm": -1.0}, ValueError, "wavelength_nm must be > 0 nm, not -1.0"),
        ({"wavelength_nm": math.inf}, ValueError, "wavelength_nm must be > 0 nm, not inf"),
        ({"offset": math.nan}, ValueError, "offset must be a finite number ADU, not nan"),
        ({"level": "none"}, TypeError, "level must be a number or 'auto', not 'none'"),
        ({"level": -1}, ValueError, "level must be >= 0, not -1"),
        ({"count": 2.5}, TypeError, "count must be a whole number, not 2.5"),
        ({"count": 100}, ValueError, "count must be >= 1 and <= 99, not 100"),
        ({"count": math.inf}, ValueError, "count must be >= 1 and <= 99, not inf"),
        ({"count": True}, TypeError, "count must be a whole number, not True"),
        ({"voxel_um": (1.0, 1.0)}, ValueError, r"voxel_um must be 3 values, not \(1.0, 1.0\)"),
        ({"voxel_um": 1.0}, ValueError, "voxel_um must be 3 values, not 1.0"),
        ({"voxel_um": (1.0, 0.0, 1.0)}, ValueError, "voxel_um must be > 0 µm, not 0.0"),
        ({"names": ("a", 3)}, TypeError, "names must be of type str, not 3"),
        ({"flag": 1}, TypeError, "flag must be of type bool, not 1"),
    ],
)
def test_bad_values_are_named_with_value_and_rule(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Everything(**given)


def test_scalars_of_numpy_become_pythons_own() -> None:
    made = Everything(epsilon=np.float64(0.25), count=np.int64(5), voxel_um=(np.float32(0.5), 1.0, 1))
    assert repr(made.epsilon) == "0.25"
    assert type(made.count) is int
    assert made.voxel_um == (0.5, 1.0, 1)
    assert made.voxel_um is not None
    assert type(made.voxel_um[0]) is float
    assert eval(repr(made), {**globals()}) == made
    assert hash(Everything(voxel_um=[0.5, 1.0, 1])) == hash(Everything(voxel_um=(0.5, 1.0, 1)))  # type: ignore[arg-type]
    learned = torch.tensor(0.3)
    assert Everything(epsilon=learned).epsilon is learned  # type: ignore[arg-type]


@dataclass(frozen=True)
class TwoKinds:
    amount: Annotated[int | str, Doc("which?")] = 1


@dataclass(frozen=True)
class AnyNumberOf:
    amounts: Annotated[tuple[float, ...], Doc("how many?")] = ()


def test_declarations_that_cannot_be_are_said() -> None:
    with pytest.raises(
        TypeError, match=r"amount: a parameter has one kind \(and perhaps words and None\), not int | str"
    ):
        schema.parameters(TwoKinds)
    with pytest.raises(TypeError, match="amounts: a parameter of several values has a fixed number of them"):
        schema.parameters(AnyNumberOf)
    with pytest.raises(TypeError, match="<class 'int'> is not a dataclass; only dataclasses declare parameters"):
        schema.parameters(int)


def test_every_declaration_of_the_package_can_be_read() -> None:
    """Each has help, and a default that obeys its own rules."""
    rules = [
        rule for rule in vars(stopping).values() if isinstance(rule, type) and issubclass(rule, stopping.DeclaredRule)
    ]
    entries = [
        *methods.registry.all().values(),
        *functionals.registry.all().values(),
        *psf.registry.all().values(),
        *rules,
    ]
    seen = 0
    for cls in entries:
        for parameter in schema.parameters(cls):
            seen += 1
            assert parameter.help, f"{cls.__name__}: {parameter.name}"
            assert not parameter.help.endswith(".")
            if not parameter.required:
                schema.validate(parameter, parameter.default, cls.__name__)
    assert seen > 30
