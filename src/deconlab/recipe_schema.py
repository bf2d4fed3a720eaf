"""What a recipe may say: one schema, made from the declarations that the command line and the documentation are made from.

It validates a recipe and names the line that is wrong, and is given out as JSON Schema for editors.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from deconlab import api, functionals, methods, optics, schema
from deconlab import psf as psfs
from deconlab.functionals import Prior
from deconlab.operators.blur import Boundary
from deconlab.provenance import VERSION
from deconlab.psf._modality import DEFAULT
from deconlab.recipe_yaml import Path
from deconlab.restore import restore_volumes
from deconlab.schema import Parameter
from deconlab.units import Doc, Ge, Gt, Seconds, Um, Unit


@dataclass(frozen=True)
class RunSettings:
    """The settings of a restoration that no method, prior, camera, stop rule or PSF model declares."""

    method: Annotated[str, Doc("restoration method, see `deconlab methods`")]
    prior: Annotated[str, Doc("what is known of the object beforehand")]
    boundary: Annotated[Boundary, Doc("what lies beyond the border")]
    extension_px: Annotated[
        int, Unit("px"), Ge(0), Doc("bound on how far beyond the border the object is estimated, along each axis")
    ]
    start: Annotated[str, Doc("flat, measured, wiener, or a file of the object to begin with")]
    psf: Annotated[str, Doc("file of a measured or computed PSF")]
    psf_voxel_um: Annotated[Um, Gt(0), Doc("voxel size of the PSF along z, y, x")]
    psf_model: Annotated[str, Doc("computes the PSF from optics")]
    preset: Annotated[str, Doc("named starting point of the optics, see `deconlab psf --list-presets`")]
    modality: Annotated[str, Doc("how the image was acquired, where the file is wrong about it")]
    voxel_um: Annotated[Um, Gt(0), Doc("voxel size along z, y, x, where the file is silent or wrong")]
    weights: Annotated[str, Doc("file that says how far each voxel is trusted")]


@dataclass(frozen=True)
class Computing:
    """Where it was computed."""

    device: Annotated[str, Doc("cpu, cuda, cuda:0, … or mps")]
    threads: Annotated[int, Ge(1), Doc("number of processor threads")]
    dtype: Annotated[Literal["float32", "float64"], Doc("precision of the computation")]
    engine: Annotated[str, Doc("instruction set of the compiled engine, or plain for torch alone")]
    machine: Annotated[str, Doc("operating system and processor")]


@dataclass(frozen=True)
class VolumeDone:
    """How one volume went; beside it ``where`` says its place and ``notes`` what was assumed."""

    iterations: Annotated[int, Ge(0), Doc("number of iterations that were done; a repetition does as many")]
    method: Annotated[str, Doc("the method with the numbers that it chose from the data")]
    prior: Annotated[str, Doc("the prior with the numbers that were chosen from the data")]
    reason: Annotated[str, Doc("why it ended")]
    seconds: Annotated[Seconds, Ge(0), Doc("how long it took")]
    background: Annotated[float, Doc("the background that was assumed, in the image's units")]


SEVERAL = ("voxel_um", "psf_voxel_um", "extension_px", *optics.BY_CHANNEL)
"""Settings that may be a list: a number for each axis, or for each channel."""
SECTIONS: Mapping[str, type] = {
    "recipe": int, "made": str, "input": dict, "settings": dict, "defaults": dict, "flags": dict, "files": dict,
    "computing": dict, "software": dict, "voxel_um": dict, "psf": dict, "volumes": list, "before": dict,
}  # fmt: skip
_KINDS = {dict: "a mapping", list: "a list", int: "a number", str: "text"}


def named(data: Mapping[str, Any]) -> tuple[str, str, str]:
    """The names of the method, prior and PSF model that a recipe speaks of. ValueError for one that there is not."""
    settings = {**section(data, "defaults"), **section(data, "settings")}
    method = str(settings.get("method", "richardson-lucy"))
    prior = settings.get("prior") or methods.registry.get(method).default_prior
    name = str(prior.get("name", "zero") if isinstance(prior, dict) else prior)
    if not issubclass(functionals.registry.get(name), Prior):
        raise ValueError(f"{name!r} is a data term, not a prior.")
    origin = section(data, "psf").get("from")
    model = str(settings.get("psf_model") or (origin if origin in psfs.registry.names() else DEFAULT))
    psfs.registry.get(model)
    return method, name, model


def section(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of a recipe, empty if it is not there."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def declared(method: str, prior: str, model: str) -> dict[str, Parameter | None]:
    """Every setting that a restoration takes, with its declaration; None where its value is checked by the run itself."""
    prior_cls: Any = functionals.registry.get(prior)
    classes = api.parts(methods.registry.get(method), prior_cls).values()
    arguments = [*inspect.signature(restore_volumes).parameters, *inspect.signature(api.prepare).parameters]
    found: dict[str, Parameter | None] = dict.fromkeys(
        name for name in arguments if name not in ("image", "watch", "force", "out", "settings", "parameters")
    )
    declaring: list[type] = [RunSettings, psfs.registry.get(model), *classes]
    for cls in declaring:
        found |= {parameter.name: parameter for parameter in schema.parameters(cls)}
    return found


def faults(data: Any) -> Iterator[tuple[Path, str]]:
    """All that is wrong with a recipe: where, and a sentence."""
    if not isinstance(data, dict):
        yield (), "this is no recipe: it must hold `recipe: 1` and `settings:`"
        return
    version = data.get("recipe")
    if not isinstance(version, int) or version < 1:
        yield ("recipe",) if "recipe" in data else (), f"a recipe begins with `recipe: {VERSION}`, its version"
        return
    if version > VERSION:
        yield ("recipe",), f"recipe version {version} is of a later deconlab; this one reads up to {VERSION}: update it"
        return
    wrong = [*_unknown(data, tuple(SECTIONS), ())]
    for name, kind in SECTIONS.items():
        if name in data and (not isinstance(data[name], kind) or isinstance(data[name], bool)):
            wrong.append(((name,), f"{name} must be {_KINDS[kind]}, not {data[name]!r}"))
    if "settings" not in data:
        wrong.append(((), "there are no settings; give at least `settings: {method: richardson-lucy}`"))
    yield from wrong
    try:
        names = declared(*named(data))
    except ValueError as error:
        key = next((k for k in ("method", "prior", "psf_model") if repr(_setting(data, k)) in str(error)), None)
        part = "settings" if key in section(data, "settings") else "defaults"
        yield (() if key is None else (part, key)), str(error).rstrip(".")
        return
    for part in ("settings", "defaults"):
        yield from _settings(section(data, part), names, (part,))
    yield from _facts(data)


def _setting(data: Mapping[str, Any], name: str) -> Any:
    return {**section(data, "defaults"), **section(data, "settings")}.get(name)


def _unknown(found: Mapping[str, Any], known: Sequence[str], at: Path) -> Iterator[tuple[Path, str]]:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            yield (*at, name), f"{name} is not known; {hint}"


def _settings(given: Mapping[str, Any], names: Mapping[str, Parameter | None], at: Path) -> Iterator[tuple[Path, str]]:
    yield from _unknown(given, tuple(names), at)
    for name, value in given.items():
        if name == "constraint" and not _is_constraint(value):
            yield (*at, name), f"constraint must be free, non-negative or [lower, upper], not {value!r}"
        parameter = names.get(name)
        if parameter is None or (isinstance(value, dict) and {"name", "array", "object"} & set(value)):
            continue
        values = value if isinstance(value, list) and name in SEVERAL else [value]
        if isinstance(value, list) and name in SEVERAL and not value:
            yield (*at, name), f"{name} is an empty list; give a number for each, or leave it out"
        for index, each in enumerate(values):
            place = (*at, name, index) if values is value else (*at, name)
            yield from _value(parameter, each, place)


def _is_constraint(value: Any) -> bool:
    if isinstance(value, dict):
        return "object" in value
    if isinstance(value, list):
        return len(value) == 2 and all(type(bound) in (int, float) for bound in value)
    return value in ("free", "non-negative")


def _value(parameter: Parameter, value: Any, at: Path) -> Iterator[tuple[Path, str]]:
    try:
        schema.validate(parameter, value, "")
    except (TypeError, ValueError) as error:
        yield at, str(error).removeprefix(": ").rstrip(".")


def _facts(data: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The parts that code has written and a repetition reads."""
    yield from _declared(section(data, "computing"), Computing, ("computing",))
    done = {parameter.name: parameter for parameter in schema.parameters(VolumeDone)}
    for index, volume in enumerate(data.get("volumes") or () if isinstance(data.get("volumes"), list) else ()):
        at: Path = ("volumes", index)
        if not isinstance(volume, dict):
            yield at, f"a volume must be a mapping, not {volume!r}"
            continue
        yield from _unknown(volume, ("where", "notes", *done), at)
        yield from _declared({k: v for k, v in volume.items() if k in done}, VolumeDone, at)
        if "iterations" not in volume:
            yield at, "a volume must say its iterations"
        where = volume.get("where", {})
        if not isinstance(where, dict) or not all(type(place) is int and place >= 0 for place in where.values()):
            yield (*at, "where"), f"where must be the volume's place, such as {{c: 0, t: 3}}, not {where!r}"
    told = section(data, "voxel_um")
    places: list[tuple[Path, Any]] = [(("voxel_um", axis), fact) for axis, fact in told.items()]
    channels = section(data, "psf").get("channels", [])
    for index, channel in enumerate(channels if isinstance(channels, list) else (channels,)):
        if not isinstance(channel, dict) or not isinstance(channels, list):
            yield ("psf", "channels", index), f"channels must be a list of mappings with optics, not {channel!r}"
            continue
        places += [(("psf", "channels", index, "optics", n), fact) for n, fact in section(channel, "optics").items()]
    for at, fact in places:
        if not isinstance(fact, dict) or not {"value", "source"} <= set(fact):
            yield at, f"{at[-1]} must have a value and a source, not {fact!r}"
        elif at[0] == "voxel_um" and (type(fact["value"]) not in (int, float) or not fact["value"] > 0):
            yield at, f"the voxel size along {at[-1]} must be > 0 µm, not {fact['value']!r}"
    for name, file in section(data, "files").items():
        if not isinstance(file, dict) or "sha256" not in file:
            yield ("files", name), f"{name} must have a file and its sha256, not {file!r}"


def _declared(found: Mapping[str, Any], cls: type, at: Path) -> Iterator[tuple[Path, str]]:
    names: dict[str, Parameter | None] = {parameter.name: parameter for parameter in schema.parameters(cls)}
    yield from _settings(found, names, at)


def json_schema(method: str, prior: str, model: str) -> dict[str, Any]:
    """The schema as JSON Schema (draft 2020-12), for a recipe of this method, prior and PSF model."""
    names = declared(method, prior, model)

    def of(cls: type) -> dict[str, Any]:
        return {parameter.name: _json(parameter) for parameter in schema.parameters(cls)}

    properties = {name: {} if p is None else _json(p) for name, p in names.items()} | {"method": {"const": method}}
    settings = {"type": "object", "properties": properties, "additionalProperties": False}
    kinds = {dict: "object", list: "array", int: "integer", str: "string"}
    sections: dict[str, Any] = {name: {"type": kinds[kind]} for name, kind in SECTIONS.items()}
    volume = {
        "type": "object",
        "properties": {**of(VolumeDone), "where": {"type": "object"}, "notes": {"type": "array"}},
    }
    sections |= {
        "recipe": {"const": VERSION},
        "settings": settings,
        "defaults": settings,
        "computing": {"type": "object", "properties": of(Computing), "additionalProperties": False},
        "volumes": {"type": "array", "items": {**volume, "additionalProperties": False}},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"deconlab recipe: {method}",
        "type": "object",
        "properties": sections,
        "required": ["recipe", "settings"],
        "additionalProperties": False,
    }


def _json(parameter: Parameter) -> dict[str, Any]:
    kind = {float: "number", int: "integer", bool: "boolean", str: "string"}[parameter.kind]
    limits = {
        "exclusiveMinimum": parameter.above, "exclusiveMaximum": parameter.below,
        "minimum": parameter.at_least, "maximum": parameter.at_most,
    }  # fmt: skip
    one: dict[str, Any] = {"type": kind, **{name: limit for name, limit in limits.items() if limit is not None}}
    if parameter.choices:
        words = {"enum": list(parameter.choices)}
        one = words if parameter.kind is str else {"anyOf": [one, words]}
    if parameter.length is not None:
        one = {"type": "array", "items": one, "minItems": parameter.length, "maxItems": parameter.length}
    elif parameter.name in SEVERAL:
        one = {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    unit = f" ({parameter.unit})" if parameter.unit else ""
    return {"description": parameter.help + unit, **one}
