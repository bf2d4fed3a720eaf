"""What was done, as plain data: the record that a restored image carries, and of which a recipe is read.

Everything in it is words, numbers, lists and mappings, so that JSON and YAML hold it and give the same back.
"""

from __future__ import annotations

import dataclasses
import hashlib
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab import __version__, api, engine, functionals, methods, schema
from deconlab import psf as psfs
from deconlab.functionals import Prior
from deconlab.image import SPATIAL
from deconlab.lazytorch import torch
from deconlab.methods import Method
from deconlab.prior_for_data import follows_intensity
from deconlab.problem import Box, Constraint, Free, NonNegative

if TYPE_CHECKING:
    from deconlab.channel_psf import ChannelPSF
    from deconlab.image import Image
    from deconlab.restore import Outcome

VERSION = 1
"""Of the record's layout. A reader refuses a later one."""
KEY = "deconvolution"
"""Where the record lies in the history of an image."""
ELSEWHERE = ("device", "dtype", "force")  # settings that are recorded as what they came to, or must be said each time
_CONSTRAINTS: dict[type, str] = {Free: "free", NonNegative: "non-negative"}


def record(
    image: Image, said: Mapping[str, Any], source: ChannelPSF, outcomes: Sequence[Outcome], count: int
) -> dict[str, Any]:
    """What was done to ``image`` when it was restored.

    said: the settings of :func:`deconlab.restore.restore_volumes` that were given. In ``settings`` are those that differ from
        the defaults; ``defaults`` are the others, and what held where nothing was said.
    count: how many volumes there are, of which ``outcomes`` tells those that were reached.
    """
    given, default = settings(said), defaults(said)
    known, told = source.image, source.told()
    found: dict[str, Any] = {
        "recipe": VERSION,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "input": {
            "axes": image.axes,
            "shape": list(image.data.shape),
            "dtype": str(image.data.dtype),
            "volumes": count,
        },
        "settings": {name: value for name, value in given.items() if default.get(name) != value},
        "defaults": {name: value for name, value in default.items() if given.get(name, value) == value},
        "files": {
            name: {"file": str(value), "sha256": digest(Path(value))}
            for name, value in given.items()
            if name in ("psf", "weights", "start") and isinstance(value, str) and Path(value).is_file()
        },
        "computing": computing(outcomes),
        "software": {
            "deconlab": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "voxel_um": {
            axis: {"value": known.voxel_um[axis], "source": known.voxel_sources.get(axis, "file")}
            for axis in SPATIAL
            if axis in known.voxel_um
        },
        "psf": told,
        "volumes": [volume(outcome, told["channels"][outcome.volume.channel]["steps"]) for outcome in outcomes],
    }
    if KEY in image.history:
        found["before"] = image.history[KEY]
    return {name: plain(value) for name, value in found.items()}


def refuse_restored(image: Image) -> None:
    """Raise ValueError for an image that deconlab has made itself, and say what was done."""
    before = image.history.get(KEY)
    if before is None:
        return
    volumes = before.get("volumes", ()) if isinstance(before, Mapping) else ()
    done = sorted({f"{each.get('method')}, {each.get('reason')}" for each in volumes if each.get("method")})
    raise ValueError(
        f"The image was restored by deconlab before ({'; '.join(done) or 'how is not known'}). To restore it again "
        f"amplifies noise and artefacts: take the measured image, or say --force (force=True) if this is what you want."
    )


def volume(outcome: Outcome, steps: Sequence[str]) -> dict[str, Any]:
    """How one volume went. ``method`` and ``prior`` have the numbers that were chosen from the data.

    Notes on its PSF are left out: they are the ``steps`` of its channel.
    """
    return {
        "where": dict(outcome.volume.where),
        "method": outcome.method,
        "prior": outcome.prior,
        "iterations": outcome.iterations,
        "reason": outcome.reason,
        "seconds": round(outcome.seconds, 3),
        "background": float(outcome.background),
        "notes": [note for note in outcome.notes if note not in steps],
    }


def computing(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Where it was computed, as far as the last bits depend on it."""
    device, dtype = next(((o.device, o.dtype) for o in outcomes if o.device), ("cpu", "float32"))
    kernel = engine.status().kernel if device == "cpu" and dtype == "float32" else None
    return {
        "device": device,
        "threads": torch.get_num_threads(),
        "dtype": dtype,
        "engine": kernel or "plain",
        "machine": f"{platform.system()} {platform.machine()}",
    }


def settings(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as plain data by the same names; a method given as an object as its name and parameters."""
    found: dict[str, Any] = {}
    for name, value in said.items():
        if value is None or name in ELSEWHERE:
            continue
        if name in ("psf", "weights") and isinstance(value, str):
            value = Path(value)
        if isinstance(value, Method) and _is_said_by_parameters(value):
            found[name] = methods.registry.name_of(type(value))
            found |= {key: plain(item) for key, item in schema.asdict(value).items() if item is not None}
        else:
            found[name] = plain(value)
    return found


def _is_said_by_parameters(method: Method) -> bool:
    """Whether a method's name and its parameters make it again: it is registered, and holds no arrays besides."""
    names = {parameter.name for parameter in schema.parameters(type(method))}
    facts = [getattr(method, field.name) for field in dataclasses.fields(method) if field.name not in names]
    return type(method) in methods.registry.all().values() and all(fact is None for fact in facts)


def defaults(said: Mapping[str, Any]) -> dict[str, Any]:
    """What holds where nothing is said, for this method and prior: a later version may have other defaults.

    A λ that nobody gave is none of them: it goes with the image's signal, and each volume's is in its own entry.
    """
    method = said.get("method", "richardson-lucy")
    cls = methods.registry.get(method) if isinstance(method, str) else type(method)
    prior = said.get("prior") or cls.default_prior
    prior_cls: Any = functionals.registry.get(prior) if isinstance(prior, str) else type(prior)
    constraint = api.default_constraint(cls)
    found: dict[str, Any] = {
        "prior": plain(prior),
        "constraint": _CONSTRAINTS[type(constraint)],
        "boundary": "open",
        **({} if issubclass(cls, methods.DirectMethod) else {"start": "flat"}),
    }
    for part, declaring in api.parts(cls, prior_cls).items():
        if part in ("method", "counts") or (part == "prior" and isinstance(prior, str)):
            found |= {p.name: plain(p.default) for p in schema.parameters(declaring) if p.default is not None}
            if part == "prior" and follows_intensity(cls, prior_cls):
                found.pop("weight", None)  # it is each volume's own, and in its notes
    stops = {"stop", *(p.name for rule in api.STOP_RULES for p in schema.parameters(rule))}
    if not issubclass(cls, methods.DirectMethod) and all(said.get(name) is None for name in stops):
        found["iterations"] = 30
    return found


def plain(value: Any) -> Any:
    """``value`` as words, numbers, lists and mappings.

    Of an array its shape and a digest are kept, of an object of a registry its name and fields. What cannot be made again
    from its record is ``{"object": its repr}``.
    """
    if isinstance(value, np.generic):  # before the next: NumPy's float64 is a float, too
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Path):
        return str(value.resolve())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Constraint):
        if type(value) is Box:
            return [value.lower, value.upper]
        return _CONSTRAINTS.get(type(value)) or {"object": repr(value)}
    if isinstance(value, Prior | psfs.PSFModel):
        return _object(value)
    data = value if isinstance(value, np.ndarray | torch.Tensor) else getattr(value, "data", None)  # an Image or a PSF
    if isinstance(data, torch.Tensor):
        data = data.detach().cpu().numpy()
    if isinstance(data, np.ndarray):
        numbers = np.ascontiguousarray(data)
        return {"array": list(data.shape), "sha256": hashlib.sha256(numbers.tobytes()).hexdigest()}
    return {"object": repr(value)}


def _object(value: Any) -> Any:
    registry: Any = functionals.registry if isinstance(value, Prior) else psfs.registry
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    try:
        name = registry.name_of(type(value))
    except ValueError:
        return {"object": repr(value)}  # somebody's own class, or a sum
    kept = {key: plain(item) for key, item in fields.items() if item is not None}
    return {"name": name, **kept}


def digest(path: Path) -> str:
    """The SHA-256 of a file, as ``sha256sum`` gives it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
