"""The PSF of each channel of an image: from a file, from the caller, or computed from the optics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deconlab import optics, schema
from deconlab import psf as psfs
from deconlab.image import OPTICS_UNITS, SPATIAL, Image
from deconlab.lazytorch import torch
from deconlab.psf._modality import kind_of

if TYPE_CHECKING:
    from deconlab.optics import Fact
    from deconlab.psf import PSF


CENTRE = "centre"


@dataclass(eq=False)
class ChannelPSF:
    """``psf(channel, shape)`` samples the PSF of a channel, and keeps the one asked for last.

    ``image`` is the image with what is now known of its optics; ``facts`` are the optics of each channel and
    ``parameters`` the names of the settings that went into it: the PSF model's, and ``preset`` (both empty if the PSF was
    given).
    """

    image: Image
    sources: tuple[Any, ...]
    psf_voxel_um: tuple[float, ...] | None = None
    psf_origin: Any = None
    axes: str = SPATIAL
    facts: tuple[tuple[Fact, ...], ...] = ()
    parameters: tuple[str, ...] = ()
    origin: str = ""
    preset: str = ""
    notes: dict[int, tuple[str, ...]] = field(default_factory=dict)
    captured: dict[int, tuple[float, ...]] = field(default_factory=dict)
    _kept: tuple[Any, PSF] | None = None

    @classmethod
    def of(
        cls,
        image: Image,
        psf: Any,
        psf_voxel_um: Sequence[float] | None,
        model: str | None,
        modality: str | None,
        settings: Mapping[str, Any],
        psf_origin: Any = None,
        axes: str = SPATIAL,
    ) -> ChannelPSF:
        """From what :func:`deconlab.restore.restore_volumes` is told; raises if a PSF cannot be made for every channel.

        ``image`` has the axes along which is restored that are spatial; ``axes`` are all of them.
        """
        preset = settings.get("preset")
        _refuse_origin(psf, psf_voxel_um, psf_origin, axes)
        if psf is None:
            return replace(cls._computed(image, model, modality, settings, preset), axes=axes)
        if model is not None or preset is not None:
            flag = "--psf-model" if preset is None else "--preset"
            raise ValueError(f"A PSF is given, so that none is computed: leave out --psf or {flag}.")
        voxel = None if psf_voxel_um is None else tuple(float(size) for size in psf_voxel_um)
        if isinstance(psf, str | Path):
            from deconlab import io

            name = str(psf)
            psf = io.read(psf)
        else:
            name = type(psf).__name__
        sources = (
            _channels(psf, len(image.channels), name, axes) if isinstance(psf, Image) else (psf,) * len(image.channels)
        )
        if isinstance(psf, Image) and voxel is None and not set(axes) - set(SPATIAL):
            voxel = _voxel_um(psf)
        return cls(image, sources, voxel, None if psf_origin == CENTRE else psf_origin, axes, origin=name)

    @classmethod
    def _computed(
        cls, image: Image, model: str | None, modality: str | None, settings: Mapping[str, Any], preset: str | None
    ) -> ChannelPSF:
        modality = None if modality is None else kind_of(modality)
        model = optics.model_for(image, modality, model, preset)
        names = tuple(parameter.name for parameter in schema.parameters(psfs.registry.get(model)))
        given = {name: settings[name] for name in names if name in settings}
        given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        made = optics.models(image, model, given, modality, preset)
        channels = tuple(
            replace(channel, optics=channel.optics.known("user", **_said(found), modality=modality))
            for channel, (_, found) in zip(image.channels, made, strict=True)
        )
        return cls(
            replace(image, channels=channels),
            tuple(model for model, _ in made),
            facts=tuple(found for _, found in made),
            parameters=(*names, "preset"),
            origin=model,
            preset=preset or "",
        )

    @property
    def voxel_um(self) -> tuple[float, ...] | None:
        """The voxel size along the axes that are restored; None if it is not known."""
        return None if set(self.axes) - set(SPATIAL) else _voxel_um(self.image)

    def psf(self, channel: int, shape: Sequence[int], *, double: bool = False) -> PSF:
        """The PSF of a channel's volume of ``shape``, in double precision if a model renders it and that is wanted."""
        key = channel, tuple(shape)
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # two are not held at once
            dtype = torch.float64 if double else torch.float32
            if self.psf_origin is not None:
                made = psfs.as_given(self.sources[channel], self.psf_origin, len(shape), dtype)
            else:
                _refuse_left_out(self.sources[channel], self.image, len(shape))
                voxel_um = self.voxel_um
                made = psfs.for_image(
                    self.sources[channel], shape, voxel_um, psf_voxel_um=self.psf_voxel_um, dtype=dtype
                )
            if self.facts:  # the model's own line cannot say who said what
                line = optics.described(self.origin, self.sources[channel], self.facts[channel])
                made = replace(made, notes=(line, *made.notes[1:]))
            self._kept = key, made
            self.notes[channel] = made.notes
            self.captured[channel] = made.captured_per_plane
        return self._kept[1]

    def told(self) -> dict[str, Any]:
        """Where the PSFs are from, as plain data."""
        return {
            "from": self.origin,
            **({"preset": self.preset} if self.preset else {}),
            "captured_per_plane": {str(channel): list(parts) for channel, parts in self.captured.items()},
            "channels": [
                {
                    "name": channel.name,
                    "optics": self._told_optics(index),
                    "steps": list(self.notes.get(index, ())),
                }
                for index, channel in enumerate(self.image.channels)
            ],
        }

    def _told_optics(self, channel: int) -> dict[str, dict[str, Any]]:
        """What is known of a channel, and the parameters of its PSF: value, unit and who said it."""
        known = self.image.channels[channel].optics.facts
        told = [(name, fact.value, OPTICS_UNITS[name], fact.source) for name, fact in known.items()]
        told += [
            (fact.name, fact.value, fact.unit, fact.source) for fact in (self.facts[channel] if self.facts else ())
        ]
        return {
            name: {"value": value, **({"unit": unit} if unit else {}), "source": source}
            for name, value, unit, source in told
        }


def _refuse_origin(psf: Any, psf_voxel_um: Any, psf_origin: Any, axes: str) -> None:
    beyond = "".join(axis for axis in axes if axis not in SPATIAL)
    if beyond and psf is None:
        raise ValueError(
            f"Along {beyond} no PSF is computed from optics: give it with --psf, and with --psf-origin where it begins."
        )
    if "t" in axes and psf_origin is None:
        raise ValueError(
            "Along t it matters where the PSF begins: say --psf-origin first for a causal one, whose first value blurs nothing "
            "that was before; its voxel, counted from 0; or centre, to have it centred."
        )
    if psf_origin not in (None, CENTRE) and (psf is None or psf_voxel_um is not None):
        other = "--psf-voxel-um" if psf is not None else "a PSF computed from optics"
        raise ValueError(f"--psf-origin takes a PSF as it is given, with --psf; leave out {other}.")


def _channels(psf: Image, count: int, name: str, axes: str) -> tuple[Any, ...]:
    """The PSF of each channel, from an image of one PSF or of one for each."""
    own = len(psf.channels)
    if "c" in axes:
        return (psf.data.squeeze(),) * count
    times = psf.data.shape[psf.axes.index("t")] if "t" in psf.axes and "t" not in axes else 1
    if own not in (1, count) or times > 1:
        raise ValueError(
            f"The PSF {name} has {own} channels and {times} times; it must have one of each, or a channel for each of the "
            f"image's {count}."
        )
    parts = [
        psf.volume({axis: index if axis == "c" else 0 for axis in psf.axes if axis in "tc" and axis not in axes})
        for index in range(own)
    ]
    return tuple(parts[channel if own > 1 else 0].data.squeeze() for channel in range(count))


def _refuse_left_out(psf: Any, image: Image, ndim: int) -> None:
    """Say why a PSF that has as many axes as the image has too many: those of one voxel are left out."""
    single = [axis for axis in image.spatial_axes if axis not in optics.extended_axes(image)]
    shape = getattr(psf, "shape", ())
    extended = sum(size > 1 for size in shape)
    if single and extended > ndim:
        raise ValueError(
            f"The PSF extends along {extended} axes ({' × '.join(map(str, shape))}), and the image along "
            f"{', '.join(optics.extended_axes(image))} alone: axes of one voxel, here {', '.join(single)}, are left out. "
            f"Give a PSF of {ndim} axes, such as its plane in focus."
        )


def _voxel_um(image: Image) -> tuple[float, ...] | None:
    sizes = [image.voxel_um.get(axis) for axis in optics.extended_axes(image)]
    return None if None in sizes else tuple(float(size) for size in sizes if size is not None)


def _said(facts: Sequence[Fact]) -> dict[str, Any]:
    return {fact.name: fact.value for fact in facts if fact.source == "user" and fact.name in OPTICS_UNITS}
