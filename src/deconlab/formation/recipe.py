"""A simulation as plain data: names and numbers that repeat it, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from deconlab import psf as psfs
from deconlab import schema
from deconlab.formation import phantoms
from deconlab.formation.camera import Camera
from deconlab.formation.simulate import Simulation, simulate

if TYPE_CHECKING:
    from deconlab.formation.phantom import Phantom
    from deconlab.psf import PSFModel


@dataclass(frozen=True)
class Recipe:
    """What :func:`~deconlab.formation.simulate.simulate` is told, with a PSF model rather than an array.

    ``margin`` None: as far as the PSF reaches by its default extent, so that a restoration which computes the PSF from the
    same optics reckons with the same light.

    >>> from deconlab.formation.phantoms.spikes import Spikes
    >>> from deconlab.psf import Gaussian
    >>> recipe = Recipe(Spikes(count=3), Gaussian(fwhm_um=0.3), Camera(), (32,), (0.1,))
    >>> Recipe.from_data(recipe.as_data()) == recipe
    True
    """

    phantom: Phantom
    psf: PSFModel
    camera: Camera
    shape: tuple[int, ...]
    voxel_um: tuple[float, ...]
    photons: float = 200.0
    seed: int = 0
    oversampling: int = 2
    margin: tuple[int, ...] | None = None

    def run(self) -> Simulation:
        """Simulate. Raises what ``simulate`` raises."""
        return simulate(
            self.phantom, self.psf, shape=self.shape, voxel_um=self.voxel_um, camera=self.camera, photons=self.photons,
            seed=self.seed, oversampling=self.oversampling, margin=self.margin,
        )  # fmt: skip

    def as_data(self) -> dict[str, Any]:
        """Names and numbers, as JSON can hold them. ValueError for a camera with measured maps, which are no numbers."""
        if self.camera.sensor is not None:
            raise ValueError("A camera with measured pixel maps (sensor) cannot be written as a recipe; keep the maps.")
        return {
            "phantom": {"name": phantoms.registry.name_of(type(self.phantom)), **_fields(self.phantom)},
            "psf": {"name": psfs.registry.name_of(type(self.psf)), **schema.asdict(self.psf)},
            "camera": schema.asdict(self.camera),
            "shape": list(self.shape),
            "voxel_um": list(self.voxel_um),
            "photons": self.photons,
            "seed": self.seed,
            "oversampling": self.oversampling,
            "margin": None if self.margin is None else list(self.margin),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`as_data` describes. ValueError for parts that are missing and for unknown names."""
        missing = [name for name in ("phantom", "psf", "camera", "shape", "voxel_um") if name not in data]
        if missing:
            raise ValueError(f"The recipe lacks {', '.join(missing)}. Is it one that `deconlab simulate` wrote?")
        phantom, model = dict(data["phantom"]), dict(data["psf"])
        rest = {name: data[name] for name in ("photons", "seed", "oversampling") if name in data}
        margin = data.get("margin")
        return cls(
            _make(phantoms.get(phantom.pop("name")), phantom),
            _make(psfs.registry.get(model.pop("name")), model),
            _make(Camera, data["camera"]),
            tuple(data["shape"]),
            tuple(data["voxel_um"]),
            margin=None if margin is None else tuple(margin),
            **rest,
        )


def _fields(phantom: Phantom) -> dict[str, Any]:
    """All fields of a phantom; those that are no parameters, such as given positions, only where they differ."""
    found = schema.asdict(phantom)
    for field in fields(phantom):  # type: ignore[arg-type]  # every phantom is a dataclass
        value = getattr(phantom, field.name)
        if field.name not in found and value != field.default:
            found[field.name] = _listed(value)
    return found


def _listed(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_listed(part) for part in value]
    return value.item() if hasattr(value, "item") else value


def _make(cls: Any, values: Mapping[str, Any]) -> Any:
    declared = {field.name for field in fields(cls) if field.name != "sensor"}
    unknown = sorted(set(values) - declared)
    if unknown:
        raise ValueError(
            f"{cls.__name__} has no parameter {', '.join(unknown)}. There are: {', '.join(sorted(declared))}."
        )
    return cls(**{name: _tuple(value) for name, value in values.items()})


def _tuple(value: Any) -> Any:
    return (
        tuple(_tuple(part) for part in value) if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
