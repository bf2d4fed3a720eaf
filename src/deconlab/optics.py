"""The optics of a run: what a user and a file say, where each value is from, what is missing, and the PSF they make."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deconlab import psf, schema

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.psf import PSFModel

DEFAULT_MODEL = "gibson-lanni"
"""The model of a widefield microscope, and of an image that does not say how it was acquired."""
BY_CHANNEL = ("emission_nm",)  # what differs between the channels of one image
VOXEL_FLAG = "--voxel-um"
_PLAIN = {
    "na": "the numerical aperture",
    "emission_nm": "the emission wavelength",
    "immersion_index": "the refractive index of the immersion",
}


@dataclass(frozen=True)
class Fact:
    """A parameter of a PSF model, and who said its value: "user", "file", "default", or "" where nobody did."""

    name: str
    value: Any
    source: str
    unit: str = ""

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        return f"{self.name} {value}{' ' + self.unit if self.unit else ''} ({self.source})"


def facts(image: Image, channel: int, model: type[PSFModel], given: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Every parameter of ``model`` for one channel: what was given, else what the file says, else the default."""
    found = []
    for parameter in schema.parameters(model):
        value, source = given.get(parameter.name), "user"
        if isinstance(value, tuple):
            value = value[channel]
        known = image.channels[channel].optics.facts.get(parameter.name)
        if value is None and known is not None:
            value, source = known.value, known.source
        elif value is None:
            value, source = (None, "") if parameter.required else (parameter.default, "default")
        found.append(Fact(parameter.name, value, source, parameter.unit))
    return tuple(found)


def models(
    image: Image, name: str, given: Mapping[str, Any], modality: str | None = None
) -> list[tuple[PSFModel, tuple[Fact, ...]]]:
    """The PSF model of every channel, and the facts it is made of. ``given`` and ``modality`` are the user's words.

    Raises ValueError, once, with all that is missing; and for a channel that was not acquired as the model assumes.
    """
    cls = psf.registry.get(name)
    channels = range(len(image.channels))
    for channel in channels:
        _refuse_modality(image, channel, name, cls, modality)
    _refuse_one_wavelength(image, given)
    told = [facts(image, channel, cls, given) for channel in channels]
    _refuse_missing(image, name, told)
    made = [(cls(**{fact.name: fact.value for fact in found}), found) for found in told]
    _warn_of_depth(made[0][0])
    return made


def extended_axes(image: Image) -> str:
    """The spatial axes along which an image has more than one voxel: those of its restoration."""
    axes = image.spatial_axes
    return "".join(axis for axis in axes if image.data.shape[image.axes.index(axis)] > 1) or axes[-1:]


def model_for(image: Image, modality: str | None = None) -> str:
    """The registry name of the PSF model for the kind of microscope that the user or the file names.

    A kind without a model, and channels of different kinds, get the default, which then says what it cannot compute.
    """
    said = {modality or channel.optics.get("modality") for channel in image.channels}
    kind = said.pop() if len(said) == 1 else None
    if kind is None or kind == psf.registry.get(DEFAULT_MODEL).modality:
        return DEFAULT_MODEL
    try:
        return psf.registry.name_of(psf.for_modality(kind))
    except ValueError:
        return DEFAULT_MODEL


def _refuse_modality(image: Image, channel: int, name: str, cls: type[PSFModel], said: str | None) -> None:
    """A confocal image is never restored with a widefield PSF."""
    found = said or image.channels[channel].optics.get("modality")
    if found is None or cls.modality is None or found == cls.modality:
        return
    whom = "you" if said else "the file"
    remedy = "." if said else f"; or --modality {cls.modality} if the file is wrong."
    raise ValueError(
        f"{_capital(_channel(image, channel))} was acquired as {found!r} according to {whom}, and {name} computes the PSF of "
        f"a {cls.modality} microscope. Give a measured PSF with --psf, or a Gaussian of the right width with --psf-model "
        f"gaussian{remedy}"
    )


def _refuse_one_wavelength(image: Image, given: Mapping[str, Any]) -> None:
    value = given.get("emission_nm")
    count = len(image.channels)
    if value is None or (len(value) if isinstance(value, tuple) else 1) == count:
        return
    values = value if isinstance(value, tuple) else (value,)
    raise ValueError(
        f"The image has {count} channel{'s' if count > 1 else ''}, and {len(values)} emission "
        f"wavelength{'s are' if len(values) > 1 else ' is'} given ({', '.join(f'{v:g}' for v in values)} nm): give one for "
        f"each, such as --emission-nm {','.join(str(460 + 60 * index) for index in range(count))}."
    )


def _refuse_missing(image: Image, name: str, told: list[tuple[Fact, ...]]) -> None:
    lacking: dict[str, list[int]] = {}
    for channel, found in enumerate(told):
        for fact in found:
            if fact.source == "":
                lacking.setdefault(fact.name, []).append(channel)
    sentences = []
    for parameter, channels in lacking.items():
        which = "" if len(channels) == len(told) else f" of {', '.join(_channel(image, c) for c in channels)}"
        sentences.append(f"{_PLAIN.get(parameter, parameter)}{which} (--{parameter.replace('_', '-')})")
    unknown = " ".join(axis for axis in extended_axes(image) if axis not in image.voxel_um)
    if unknown:
        sentences.append(f"the voxel size along {unknown} ({VOXEL_FLAG})")
    if sentences:
        also = "" if name == DEFAULT_MODEL else f" together with --psf-model {name}"
        raise ValueError(
            f"To compute the PSF with {name}, this is missing: {'; '.join(sentences)}. The file does not say it and it is "
            f"never guessed. Give it{also}, or a PSF with --psf."
        )


def _warn_of_depth(model: PSFModel) -> None:
    sample, immersion = getattr(model, "sample_index", None), getattr(model, "immersion_index", None)
    if sample is not None and sample != immersion and getattr(model, "depth_um", None) == 0:
        warnings.warn(
            f"The sample's index {sample:g} differs from the immersion's {immersion:g}, but at depth 0 that has no effect on "
            f"the PSF: say how deep the object lies, --depth-um.",
            stacklevel=4,
        )


def _channel(image: Image, channel: int) -> str:
    name = image.channels[channel].name
    return f"channel {channel} ({name})" if name else f"channel {channel}" if len(image.channels) > 1 else "the image"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
