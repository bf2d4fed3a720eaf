"""The optics of a run: what a user and a file say, where each value is from, what is missing, and the PSF they make."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deconlab import psf, schema
from deconlab.psf._modality import DEFAULT, MODELS, kind_of, preset_of

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.psf import PSFModel

DEFAULT_MODEL = DEFAULT
BY_CHANNEL = ("emission_nm", "excitation_nm")  # what differs between the channels of one image
VOXEL_FLAG = "--voxel-um"
TOO_COARSE = 100.0  # times the largest voxel that holds what the optics deliver
_PLAIN = {
    "na": "the numerical aperture",
    "emission_nm": "the emission wavelength",
    "excitation_nm": "the excitation wavelength",
    "immersion_index": "the refractive index of the immersion",
}


@dataclass(frozen=True)
class Fact:
    """A parameter of a PSF model, and who said its value: "user", "file", "preset", "default", or "" where nobody did."""

    name: str
    value: Any
    source: str
    unit: str = ""

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.name} {value}{' ' + self.unit if self.unit else ''} ({self.source})"


def facts(
    image: Image, channel: int, model: type[PSFModel], given: Mapping[str, Any], preset: str | None = None
) -> tuple[Fact, ...]:
    """Every parameter of ``model`` for one channel: what was given, else what the file says, the preset, the default.

    A preset's emission wavelength is that of one channel: where there are several, each is asked for.
    """
    start = dict(preset_of(preset).values) if preset else {}
    if len(image.channels) > 1:
        start.pop("emission_nm", None)
    found = []
    for parameter in schema.parameters(model):
        value, source = given.get(parameter.name), "user"
        if isinstance(value, tuple):
            value = value[channel]
        known = image.channels[channel].optics.facts.get(parameter.name)
        if value is None and known is not None:
            value, source = known.value, known.source
        elif value is None and start.get(parameter.name) is not None:
            value, source = start[parameter.name], "preset"
        elif value is None:
            value, source = (None, "") if parameter.required else (parameter.default, "default")
        found.append(Fact(parameter.name, value, source, parameter.unit))
    return tuple(found)


def models(
    image: Image, name: str, given: Mapping[str, Any], modality: str | None = None, preset: str | None = None
) -> list[tuple[PSFModel, tuple[Fact, ...]]]:
    """The PSF model of every channel, and the facts it is made of. ``given`` and ``modality`` are the user's words, and
    ``preset`` names the starting point that stands where they and the file are silent.

    Raises ValueError, once, with all that is missing; and for a channel that was not acquired as the model assumes.
    """
    cls = psf.registry.get(name)
    channels = range(len(image.channels))
    for channel in channels:
        _refuse_modality(image, channel, name, cls, modality)
    _refuse_number_of_wavelengths(image, given)
    told = [facts(image, channel, cls, given, preset) for channel in channels]
    _refuse_missing(image, name, told, preset)
    made = [(_made(image, channel, cls, found), found) for channel, found in enumerate(told)]
    for model, _ in made:
        _refuse_voxel(image, model)
    _warn_of_depth(made[0][0])
    _warn_of_pinhole(image, made[0][1])
    return made


def described(name: str, model: PSFModel, found: Sequence[Fact]) -> str:
    """One line: the model, every value with its source, and what was assumed."""
    told = ", ".join(str(fact) for fact in found if fact.source != "default")
    assumed = ", ".join(
        text for fact in found if fact.source == "default"
        for text in [model.when_none(fact.name) if fact.value is None else str(fact).rpartition(" (")[0]] if text
    )  # fmt: skip
    return f"PSF by {name}: {told}" + (f"; by default: {assumed}" if assumed else "")


def extended_axes(image: Image) -> str:
    """The spatial axes along which an image has more than one voxel: those of its restoration."""
    axes = image.spatial_axes
    return "".join(axis for axis in axes if image.data.shape[image.axes.index(axis)] > 1) or axes[-1:]


def model_for(image: Image, modality: str | None = None, model: str | None = None, preset: str | None = None) -> str:
    """The registry name of the PSF model: the user's, the preset's, or that for the kind of microscope the image is of.

    A kind without a model, and channels of different kinds, get the default, which then says what it cannot compute.
    Raises ValueError for a preset that is not there, or is of another model than the user's.
    """
    if preset is not None:
        start = preset_of(preset)
        if model is not None and psf.registry.get(model) is not psf.registry.get(start.model):
            raise ValueError(
                f"The preset {preset!r} is of the PSF model {start.model}, not {model}: leave out --psf-model, or name "
                f"the numbers of {model} themselves."
            )
        return start.model
    if model is not None:
        return model
    said = {modality or channel.optics.get("modality") for channel in image.channels}
    kind = said.pop() if len(said) == 1 else None
    return MODELS.get(kind_of(kind), DEFAULT_MODEL) if kind else DEFAULT_MODEL


def _refuse_modality(image: Image, channel: int, name: str, cls: type[PSFModel], said: str | None) -> None:
    """A confocal image is never restored with a widefield PSF."""
    found = said or image.channels[channel].optics.get("modality")
    if found is None or cls.modality is None or kind_of(found) == cls.modality:
        return
    whom = "you" if said else "the file"
    remedy = "." if said else f"; or --modality {cls.modality} if the file is wrong."
    raise ValueError(
        f"{_capital(_channel(image, channel))} was acquired as {found!r} according to {whom}, and {name} computes the PSF of "
        f"a {cls.modality} microscope. Give a measured PSF with --psf, or a Gaussian of the right width with --psf-model "
        f"gaussian{remedy}"
    )


def _refuse_number_of_wavelengths(image: Image, given: Mapping[str, Any]) -> None:
    """One emission is not taken for several channels; one excitation is, since a laser may excite several dyes."""
    count = len(image.channels)
    for name, first in (("emission_nm", 460), ("excitation_nm", 405)):
        value = given.get(name)
        values = value if isinstance(value, tuple) else (value,)
        if value is None or len(values) == count or (name == "excitation_nm" and not isinstance(value, tuple)):
            continue
        raise ValueError(
            f"The image has {count} channel{'s' if count > 1 else ''}, and {len(values)} {name.removesuffix('_nm')} "
            f"wavelength{'s are' if len(values) > 1 else ' is'} given ({', '.join(f'{v:g}' for v in values)} nm): give one "
            f"for each, such as --{name.replace('_', '-')} {','.join(str(first + 60 * index) for index in range(count))}."
        )


def _made(image: Image, channel: int, cls: type[PSFModel], found: tuple[Fact, ...]) -> PSFModel:
    """The model; what it refuses is said with the channel and who said the values."""
    try:
        return cls(**{fact.name: fact.value for fact in found})
    except (TypeError, ValueError) as error:
        said = ", ".join(str(fact) for fact in found if fact.source not in ("", "default"))
        where = f"{_capital(_channel(image, channel))}: " if len(image.channels) > 1 else ""
        raise type(error)(f"{where}{error} What was said: {said}.") from error


def _refuse_missing(image: Image, name: str, told: list[tuple[Fact, ...]], preset: str | None) -> None:
    plain = {p.name: f"the {re.split('[,;(]', p.help)[0].strip()}" for p in schema.parameters(psf.registry.get(name))}
    plain |= _PLAIN
    lacking: dict[str, list[int]] = {}
    for channel, found in enumerate(told):
        for fact in found:
            if fact.source == "":
                lacking.setdefault(fact.name, []).append(channel)
    sentences = []
    for parameter, channels in lacking.items():
        which = "" if len(channels) == len(told) else f" of {', '.join(_channel(image, c) for c in channels)}"
        sentences.append(f"{plain[parameter]}{which} (--{parameter.replace('_', '-')})")
    unknown = " ".join(axis for axis in extended_axes(image) if axis not in image.voxel_um)
    if unknown:
        sentences.append(f"the voxel size along {unknown} ({VOXEL_FLAG})")
    if sentences:
        also = "" if name == DEFAULT_MODEL or preset else f" together with --psf-model {name}"
        raise ValueError(
            f"To compute the PSF with {name}, this is missing: {'; '.join(sentences)}. The file does not say it and it is "
            f"never guessed. Give it{also}, or a PSF with --psf{'' if preset else ', or start from numbers of a --preset'}."
        )


def _refuse_voxel(image: Image, model: PSFModel) -> None:
    """Nanometres taken for µm are a thousand times too many; nobody samples a hundred times too coarsely by intent."""
    limits = model.nyquist_um()
    if limits is None:
        return
    axes = extended_axes(image)
    for axis in axes:
        limit = limits[0] if axis == "z" else limits[1]
        if image.voxel_um[axis] > TOO_COARSE * limit:
            sizes = [image.voxel_um[a] for a in axes]
            told, meant = (" × ".join(f"{size * scale:g}" for size in sizes) for scale in (1, 1e-3))
            raise ValueError(
                f"The voxel size {told} µm along {', '.join(axes)} cannot be true: along {axis} it is "
                f"{image.voxel_um[axis] / limit:.0f} times what these optics resolve ({limit:.3g} µm). Voxel sizes are in µm: "
                f"if nm were meant, say {VOXEL_FLAG} {meant.replace(' × ', ' ')}."
            )


def _warn_of_depth(model: PSFModel) -> None:
    sample, immersion = getattr(model, "sample_index", None), getattr(model, "immersion_index", None)
    if sample is not None and sample != immersion and getattr(model, "depth_um", None) == 0:
        warnings.warn(
            f"The sample's index {sample:g} differs from the immersion's {immersion:g}, but at depth 0 that has no effect on "
            f"the PSF: say how deep the object lies, --depth-um.",
            stacklevel=4,
        )


def _warn_of_pinhole(image: Image, found: tuple[Fact, ...]) -> None:
    """A file gives the pinhole as it is in the microscope, which says nothing without the magnification before it."""
    pinhole = {fact.name: fact.source for fact in found if fact.name in ("pinhole_au", "backprojected_pinhole_um")}
    size = image.channels[0].optics.get("pinhole_um")
    if size is None or not pinhole or "user" in pinhole.values():
        return
    taken = ", ".join(str(fact) for fact in found if fact.name in pinhole and fact.value is not None)
    warnings.warn(
        f"The file gives the pinhole as {size:g} µm. How large that is in the sample depends on a magnification that it does "
        f"not give, so that it is not used{f'; {taken} stands' if taken else ', and the default stands'}: say --pinhole-au or "
        f"--backprojected-pinhole-um.",
        stacklevel=4,
    )


def _channel(image: Image, channel: int) -> str:
    name = image.channels[channel].name
    return f"channel {channel} ({name})" if name else f"channel {channel}" if len(image.channels) > 1 else "the image"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
