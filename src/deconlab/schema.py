"""``parameters(cls)``: the one reader of dataclass fields.

Command-line flags, help texts, documentation tables, recipes and validation are all made from what it returns, so that a
parameter is written down once: in the dataclass that uses it.
"""

from __future__ import annotations

import builtins
import dataclasses
import math
import operator
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from deconlab.units import Doc, Ge, Gt, Le, Lt, Unit


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. ``default`` is :data:`REQUIRED` where a value must be given."""

    name: str
    kind: type
    default: Any
    help: str
    unit: str = ""
    optional: bool = False
    choices: tuple[str, ...] = ()  # all that is allowed, or beside a number the words that may stand in its place
    length: int | None = None  # of a fixed-length tuple; kind is the kind of its elements
    above: float | None = None  # exclusive bounds
    below: float | None = None
    at_least: float | None = None  # inclusive bounds
    at_most: float | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def flag(self) -> str:
        """The command-line flag: ``step_size`` -> ``--step-size``."""
        return "--" + self.name.replace("_", "-")

    @property
    def bounds(self) -> str:
        """The rule in words and signs, such as ``> 0 and <= 1``; empty where any value will do."""
        rules = ((">", self.above), (">=", self.at_least), ("<", self.below), ("<=", self.at_most))
        return " and ".join(f"{sign} {limit:g}" for sign, limit in rules if limit is not None)


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Any = _Required()


_known: dict[type, tuple[Parameter, ...]] = {}


def parameters(cls: type) -> tuple[Parameter, ...]:
    """The parameters that a dataclass declares, in their order: its fields whose annotation holds a ``Doc``."""
    if cls in _known:
        return _known[cls]
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls!r} is not a dataclass; only dataclasses declare parameters.")
    owners = {name: owner for owner in reversed(cls.__mro__) for name in owner.__dict__.get("__annotations__", {})}
    found: list[Parameter] = []
    for field in dataclasses.fields(cls):
        annotation = _evaluate(field.type, owners[field.name])
        metadata = getattr(annotation, "__metadata__", ())
        text = next((item.text for item in metadata if isinstance(item, Doc)), None)
        if text is not None and field.init:
            found.append(_read(field, annotation, text))
    _known[cls] = tuple(found)
    return _known[cls]


def check(instance: Any) -> None:
    """Raise for any parameter of ``instance`` that breaks its declaration; name the value, the rule and what to do.

    0-dimensional tensors pass unread: a hyper-parameter may be learned. Scalars of NumPy become Python's and lists
    tuples, so that what is printed can be read again and compared.
    """
    for parameter in parameters(type(instance)):
        value = getattr(instance, parameter.name)
        validate(parameter, value, type(instance).__name__)
        several = parameter.length is not None and value is not None
        plain = tuple(map(_plain, value)) if several else _plain(value)  # a tuple, since a list has no hash
        if plain is not value:
            object.__setattr__(instance, parameter.name, plain)


def validate(parameter: Parameter, value: Any, owner: str) -> None:
    """Raise TypeError or ValueError if ``value`` is not what ``parameter`` allows."""
    if value is None and parameter.optional:
        return
    where = f"{owner}: {parameter.name}"
    if parameter.length is not None:
        if not isinstance(value, tuple | list) or len(value) != parameter.length:
            raise ValueError(f"{where} must be {parameter.length} values, not {value!r}.")
        for element in value:
            _validate_scalar(parameter, element, where)
    else:
        _validate_scalar(parameter, value, where)


def _validate_scalar(parameter: Parameter, value: Any, where: str) -> None:
    if hasattr(value, "requires_grad"):
        return
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.kind is not str and isinstance(value, str) and value in parameter.choices:
        return
    if parameter.kind is str and parameter.choices:
        if value not in parameter.choices:
            raise ValueError(f"{where} must be one of {', '.join(parameter.choices)}, not {value!r}.")
        return
    if parameter.kind in (int, float):
        number = _number(value)
        if number is None or (parameter.kind is int and math.isfinite(number) and number != int(number)):
            kind = "a whole number" if parameter.kind is int else "a number"
            words = "".join(f" or {word!r}" for word in parameter.choices)
            raise TypeError(f"{where} must be {kind}{words}, not {value!r}.")
        rules = (
            (parameter.above, operator.gt),
            (parameter.at_least, operator.ge),
            (parameter.below, operator.lt),
            (parameter.at_most, operator.le),
        )
        if not math.isfinite(number) or not all(limit is None or holds(number, limit) for limit, holds in rules):
            raise ValueError(f"{where} must be {parameter.bounds or 'a finite number'}{unit}, not {value!r}.")
    elif not isinstance(value, parameter.kind):
        raise TypeError(f"{where} must be of type {parameter.kind.__name__}, not {value!r}.")


def _plain(value: Any) -> Any:
    is_scalar_of_numpy = hasattr(value, "dtype") and hasattr(value, "item") and not hasattr(value, "requires_grad")
    return value.item() if is_scalar_of_numpy else value


def _number(value: Any) -> float | None:
    """``value`` as a number, NumPy's scalars included; None for a truth value, a word or an array."""
    if isinstance(value, bool | str | bytes) or getattr(value, "ndim", 0) != 0 or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, OverflowError):
        return None


def asdict(instance: Any) -> dict[str, Any]:
    """The declared parameters of an instance and their values, in order."""
    return {parameter.name: getattr(instance, parameter.name) for parameter in parameters(type(instance))}


def _evaluate(annotation: Any, owner: type) -> Any:
    if not isinstance(annotation, str):
        return annotation
    if "Annotated" not in annotation:  # a fact, not a parameter: never evaluated, it may need torch
        return None
    scope: Mapping[str, Any] = vars(sys.modules[owner.__module__])
    return eval(annotation, {**vars(builtins), **vars(typing), **scope})


def _read(field: dataclasses.Field[Any], annotation: Any, text: str) -> Parameter:
    metadata = list(annotation.__metadata__)
    kind, optional = annotation.__origin__, False
    choices: tuple[str, ...] = ()
    if get_origin(kind) in (typing.Union, types.UnionType):
        members = [member for member in get_args(kind) if member is not type(None)]
        optional = len(members) < len(get_args(kind))
        words = [member for member in members if get_origin(member) is Literal]
        members = [member for member in members if member not in words] or words
        if len(members) != 1:
            raise TypeError(f"{field.name}: a parameter has one kind (and perhaps words and None), not {kind}.")
        choices = tuple(word for member in words for word in get_args(member))
        kind = members[0]
    length = None
    if get_origin(kind) is tuple:
        elements = get_args(kind)
        if Ellipsis in elements:
            raise TypeError(f"{field.name}: a parameter of several values has a fixed number of them, not {kind}.")
        kind, length = elements[0], len(elements)
    if get_origin(kind) is Annotated:
        metadata += kind.__metadata__
        kind = kind.__origin__
    if get_origin(kind) is Literal:
        choices, kind = get_args(kind), str
    unit = next((item.symbol for item in metadata if isinstance(item, Unit)), "")
    default = REQUIRED
    if field.default is not MISSING:
        default = field.default
    elif field.default_factory is not MISSING:
        default = field.default_factory()
    bound = {
        name: getattr(item, attribute)
        for item in metadata
        for name, cls, attribute in (
            ("above", Gt, "gt"),
            ("below", Lt, "lt"),
            ("at_least", Ge, "ge"),
            ("at_most", Le, "le"),
        )
        if isinstance(item, cls)
    }
    return Parameter(field.name, kind, default, text, unit, optional, choices, length, **bound)
