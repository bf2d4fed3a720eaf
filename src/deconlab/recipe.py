"""A recipe: what was done to an image, as data that repeats it, on that image bit for bit or on another.

>>> import numpy as np, deconlab
>>> from deconlab.image import Image
>>> from deconlab.recipe import Recipe
>>> image = Image(np.random.default_rng(0).poisson(50.0, (12, 12)), "yx")
>>> psf = deconlab.psf.Gaussian(fwhm_um=0.3)
>>> first = deconlab.restore.restore(image, psf=psf, voxel_um=(0.1, 0.1), iterations=3)
>>> recipe = Recipe.of(first)
>>> recipe.settings()["method"], recipe.data["volumes"][0]["reason"]
('richardson-lucy', 'reached 3 iterations')
>>> bool((recipe.run(image).data == first.data).all())
True
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deconlab import api, functionals, methods, provenance, recipe_schema, recipe_yaml, schema
from deconlab import psf as psfs
from deconlab.image import Image
from deconlab.lazytorch import torch
from deconlab.problem import Box, Free, NonNegative
from deconlab.recipe_schema import section
from deconlab.repetition import RecordedIterations, repeated
from deconlab.restore import restore

log = logging.getLogger("deconlab")
STOPPING = {"stop", *(p.name for rule in api.STOP_RULES for p in schema.parameters(rule))}
_HEADER = "# What deconlab did. `deconlab run --recipe {name} [IMAGE]` repeats it; flags of the command line come before it.\n"


@dataclass(frozen=True, eq=False)
class Recipe:
    """``data`` as :func:`deconlab.provenance.record` makes it; ``path`` is the file it was read from.

    A recipe may also be written by hand: ``recipe: 1`` and ``settings`` are enough.
    """

    data: Mapping[str, Any]
    path: Path | None = None
    lines: Mapping[recipe_yaml.Path, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | str) -> Recipe:
        """The recipe in a YAML (or JSON) file, or in the metadata of an image that deconlab has restored.

        Raises FileNotFoundError, and ValueError with everything that is wrong in it, each with its line.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no recipe {path}.")
        if path.suffix.lower() not in (".yaml", ".yml", ".json"):
            from deconlab import io

            return replace(cls.of(io.read(path)), path=path)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{path} is no text, let alone a recipe.") from None
        data, lines = recipe_yaml.parse(text, str(path))
        found = cls(data, path, lines)
        found.check()
        return found

    @classmethod
    def of(cls, image: Image) -> Recipe:
        """The recipe in an image's history. ValueError for an image that was not restored by deconlab."""
        data = image.history.get(provenance.KEY)
        if data is None:
            raise ValueError("The image was not restored by deconlab: there is no recipe in its metadata.")
        found = cls(data)
        found.check()
        return found

    def check(self) -> None:
        """Raise ValueError with everything that is wrong with the recipe, a line for each."""
        found = sorted(recipe_schema.faults(self.data), key=lambda fault: self.lines.get(fault[0], 0))
        wrong = [f"{self.where(at)}: {sentence}{'' if sentence.endswith('?') else '.'}" for at, sentence in found]
        if wrong:
            raise ValueError("\n".join(wrong))

    def where(self, at: recipe_yaml.Path) -> str:
        """``out.yaml, line 12``; without a file, the name of the place."""
        name = "The recipe" if self.path is None else str(self.path)
        while at and at not in self.lines:
            at = at[:-1]
        return f"{name}, line {self.lines[at]}" if at in self.lines else name

    def text(self, name: str = "RECIPE") -> str:
        """The recipe as YAML. ``name`` is the file's, for the comment at its head."""
        return _HEADER.format(name=name) + recipe_yaml.compose(self.data)

    def save(self, path: Path | str, partial: Path | None = None) -> None:
        """Write it as YAML, whole or not at all."""
        from deconlab import io

        path = Path(path)
        with io.replacing(path, partial) as written:
            written.write_text(self.text(path.name), encoding="utf-8")

    def with_run(self, source: Path, flags: Mapping[str, Any]) -> Recipe:
        """The recipe of a run from a file: with the file, and with those ``flags`` that are not among the settings."""
        rest = {
            name: provenance.plain(value)
            for name, value in flags.items()
            if name not in self.data["settings"] and value is not None and value is not False
        }
        file = {"file": str(source.resolve())} | ({"sha256": provenance.digest(source)} if source.is_file() else {})
        data = {**self.data, "input": {**file, **section(self.data, "input")}}
        if rest:
            data = {name: data[name] for name in ("recipe", "made", "input", "settings", "defaults")} | {
                "flags": rest,
                **{name: value for name, value in data.items() if name not in ("recipe", "made", "input", "settings")},
            }
        return replace(self, data=data)

    def carried_by(self, image: Image) -> Image:
        """The image with this recipe in its history."""
        return replace(image, history={**image.history, provenance.KEY: dict(self.data)})

    @property
    def input(self) -> Path:
        """The image that was restored. Raises ValueError where it is not recorded or not there any more."""
        found = section(self.data, "input").get("file")
        if found is None:
            raise ValueError(f"{self.where(('input',))}: the recipe does not say which file it is of; name an image.")
        return self.file(str(found), ("input", "file"))

    def file(self, name: str, at: recipe_yaml.Path) -> Path:
        """A file that the recipe speaks of: where it was, or beside the recipe."""
        beside = [] if self.path is None else [self.path.parent / Path(name).name, self.path.parent / name]
        for path in (Path(name), *beside):
            if path.exists():
                return path
        raise FileNotFoundError(f"{self.where(at)}: there is no file {name}, nor one of its name beside the recipe.")

    def settings(self, said: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The keyword arguments of :func:`deconlab.restore.restore` that repeat it, those ``said`` now before the recipe's.

        Of a part that is exchanged (another method, prior, PSF model; a PSF from a file for one that was computed) the
        recipe's parameters are left out. ``iterations`` is a function that tells the number that was done of each volume.
        Raises ValueError for what was an array or an object that was not kept.
        """
        kept = dict(said or {})
        for name, value in self._kept(kept).items():
            at = next((part, name) for part in ("settings", "defaults") if name in section(self.data, part))
            kept[name] = self._revived(name, value, at)
        done = self.data.get("volumes") or []
        if "iterations" not in kept and any(volume["iterations"] for volume in done):
            kept["iterations"] = RecordedIterations(done)
        return kept

    def _kept(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's settings, as data, that hold beside those said now."""
        given, found = section(self.data, "settings"), section(self.data, "defaults")
        method, prior, model = recipe_schema.named(self.data)
        cls, now = methods.registry.get(method), said.get("method", method)
        chosen = methods.registry.get(now) if isinstance(now, str) else type(now)
        dropped = set(said)
        if chosen is not cls or not isinstance(now, str):
            dropped |= _names(cls) | ({"constraint"} - set(given))
        of_prior = _names(functionals.registry.get(prior))
        if prior not in methods.admissible_priors(chosen):
            dropped |= {"prior", *of_prior}
        elif said.get("prior", prior) != prior:
            dropped |= of_prior
        of_model = {"psf_model", "modality", *_names(psfs.registry.get(model))}
        if said.get("psf_model", model) != model:
            dropped |= of_model
        if "psf" in said:
            dropped |= of_model | {"psf_voxel_um"}
        elif of_model & set(said):
            dropped |= {"psf", "psf_voxel_um"}
        if self.data.get("volumes"):
            dropped |= STOPPING  # what was done counts, not what was to end it
        return {name: value for name, value in {**found, **given}.items() if name not in dropped}

    def _revived(self, name: str, value: Any, at: recipe_yaml.Path) -> Any:
        """A setting's value, from the data that stand for it."""
        if isinstance(value, Mapping):
            if "name" in value:
                registry: Any = psfs.registry if name == "psf" else functionals.registry
                fields = {key: _tuple(item) for key, item in value.items() if key != "name"}
                try:
                    return registry.get(value["name"])(**fields)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"{self.where(at)}: {error}") from None
            was = f"an array of shape {value['array']}" if "array" in value else f"the object {value.get('object')}"
            raise ValueError(
                f"{self.where(at)}: {name} was {was}, given in Python and not kept in the recipe; give it again: {name}=…."
            )
        if name == "constraint":
            return {"free": Free(), "non-negative": NonNegative()}[value] if isinstance(value, str) else Box(*value)
        if name in ("psf", "weights") or (name == "start" and value not in ("flat", "measured", "wiener")):
            return self.file(str(value), at)
        return _tuple(value)

    def run(self, image: Image, *, threads: int | None = None, **said: Any) -> Image:
        """Repeat it on ``image``: on the one it is of, bit-equal on the same device and number of threads.

        ``said`` are settings of :func:`deconlab.restore.restore` that come before the recipe's. Every volume is given as
        many iterations as were done, whatever ended them then. Of another image, what it says of its own optics counts;
        what it does not say is taken from the recipe; what was estimated (background "auto", …) is estimated anew.
        """
        before = torch.get_num_threads()
        torch.set_num_threads(threads or section(self.data, "computing").get("threads", before))
        try:
            again = repeated(self.data, image, self.settings(said), said)
            for note in again.notes:
                log.info("differs from the recipe: %s", note)
            return restore(again.image, **again.settings)
        finally:
            torch.set_num_threads(before)


def _names(cls: type) -> set[str]:
    return {parameter.name for parameter in schema.parameters(cls)}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
