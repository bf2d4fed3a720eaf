"""``deconlab simulate``: a measurement of known truth, as files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab import schema
from deconlab.cli._generated import PSF_MODEL, GeneratedCommand
from deconlab.cli.flags import Declared, GroupedOption, Numbers, option, options, peek
from deconlab.schema import Parameter

if TYPE_CHECKING:
    from deconlab.formation.data_term import DataTerm
    from deconlab.formation.recipe import Recipe
    from deconlab.formation.simulate import Simulation

PHANTOM, CAMERA = "filaments", "ideal"
SHAPES = {3: (32, 128, 128), 2: (256, 256), 1: (512,)}
VOXELS_UM = {3: (0.2, 0.1, 0.1), 2: (0.1, 0.1), 1: (0.1,)}
FILES = ("truth", "psf", "mean", "data")


def simulate_flags(arguments: Sequence[str]) -> list[GroupedOption]:
    """The flags of the phantom, PSF model and camera that the command line names."""
    from deconlab import psf
    from deconlab.formation import phantoms
    from deconlab.formation.camera import PRESETS, Camera, preset
    from deconlab.psf._modality import PRESETS as PSFS
    from deconlab.psf._modality import preset_of

    phantom = peek(arguments, "--phantom") or PHANTOM
    chosen = peek(arguments, "--preset")
    start = None if chosen is None else preset_of(chosen)
    model = peek(arguments, "--psf") or (PSF_MODEL if start is None else start.model)
    values = {} if start is None else start.values
    camera_name = peek(arguments, "--camera") or CAMERA
    camera = preset(camera_name)
    found = [
        _choice(
            "--phantom", "Phantom", phantoms.names(), "What is looked at; the flags below are this one's.", PHANTOM
        ),
        *options(phantoms.get(phantom), "Phantom"),
        _choice("--psf", "PSF", psf.registry.names(), "PSF model; the flags below are this one's.", PSF_MODEL),
        _choice("--preset", "PSF", tuple(PSFS), "Starting point of the PSF: its numbers stand where no flag is given."),
        *(
            option(replace(parameter, default=values.get(parameter.name, parameter.default)), "PSF", bounded=False)
            for parameter in schema.parameters(psf.registry.get(model))
        ),
        _choice("--camera", "Camera", tuple(PRESETS), "Camera; the flags below change it.", CAMERA),
    ]
    declared = (replace(parameter, default=getattr(camera, parameter.name)) for parameter in schema.parameters(Camera))
    return found + [option(parameter, "Camera") for parameter in declared]


def _choice(flag: str, group: str, names: Sequence[str], text: str, default: str = "") -> GroupedOption:
    return GroupedOption(
        [flag], group=group, type=click.Choice(names), metavar="NAME", help=f"{text} There are: {', '.join(names)}.",
        fact=f"default: {default}" if default else "optional",
    )  # fmt: skip


def _number(name: str, kind: type, text: str, default: Any, group: str = "Camera", **bounds: Any) -> GroupedOption:
    return option(Parameter(name, kind, default, text, **bounds), group)


@click.command(
    cls=GeneratedCommand,
    name="simulate",
    generate=simulate_flags,
    params=[
        GroupedOption(
            ["--shape"], group="Phantom", type=Numbers(int, "Z Y X"), fact="px; default: 32 128 128, 256 256, or 512",
            help="Voxels of the data.",
        ),
        GroupedOption(
            ["--voxel-um"], group="Phantom", type=Numbers(float, "Z Y X"), fact="µm; default: 0.2 0.1 0.1",
            help="Voxel size of the data.",
        ),
        _number("seed", int, "seed of scene and noise: the same gives the same bits", 0, "Phantom", at_least=0),
        _number("photons", float, "photons of the brightest pixel, background not counted", 200.0, above=0),
        GroupedOption(
            ["--oversampling"], group="Computing", type=Declared(Parameter("oversampling", int, 2, "", at_least=1)),
            fact=">= 1; default: 2", help="Fine voxels per voxel and axis, on which light is drawn and blurred.",
        ),
        GroupedOption(
            ["--margin"], group="Computing", type=Numbers(int, "Z Y X"), fact="px; default: as far as the PSF reaches",
            help="Voxels beyond the field from which light comes in.",
        ),
        GroupedOption(
            ["-o", "--output"], group="Output", type=click.Path(file_okay=False, path_type=Path),
            required=True, help="Folder for the files.",
        ),
        GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace files that exist."),
    ],
)  # fmt: skip
def command(output: Path, overwrite: bool, **given: Any) -> None:
    """Simulate a measurement of known truth: a phantom, blurred by a PSF and taken by a camera.

    Writes data.ome.tif (the measurement, in ADU), truth.ome.tif (the object, in photo-electrons), mean.ome.tif (the data
    without noise, in photo-electrons), psf.ome.tif, and recipe.json, which repeats it; weights.ome.tif as well if pixels are
    dead or saturated. The data carry their optics and voxel size, so that `deconlab run` finds them; the line that
    restores them is printed.

    The scene is drawn and blurred on finer voxels and on a wider field, then cropped and binned.
    """
    from deconlab import __version__, io
    from deconlab.formation.data_term import data_term

    recipe = recipe_of(given)
    files = {name: output / f"{name}.ome.tif" for name in (*FILES, "weights")}
    written = output / "recipe.json"
    if output.exists():
        for path in files.values():
            io.check_writable(path, overwrite=overwrite)
        if written.exists() and not overwrite:
            raise FileExistsError(f"{written} exists already. Say --overwrite to replace it, or name another folder.")
    simulated = recipe.run()
    output.mkdir(parents=True, exist_ok=True)
    record = {"deconlab": __version__, **recipe.as_data()}
    term = data_term(simulated.camera, simulated.data)
    arrays = {name: getattr(simulated, name) for name in FILES}
    files["weights"].unlink(missing_ok=True)  # of an earlier simulation
    if not (term.weights > 0).all():
        arrays["weights"] = (term.weights > 0).astype("uint8")
    write(arrays, recipe, files, record, overwrite)
    written.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    click.echo(str(output))
    words = ["deconlab", "run", str(files["data"]), *restoring(simulated, recipe, term)]
    if "weights" in arrays:
        words += ["--weights", str(files["weights"])]
    click.echo(shlex.join(words), err=True)


def recipe_of(given: dict[str, Any]) -> Recipe:
    """What the flags describe. Raises UsageError for what the PSF model needs and was not given."""
    from deconlab import psf
    from deconlab.formation import phantoms
    from deconlab.formation.camera import Camera, preset
    from deconlab.formation.recipe import Recipe
    from deconlab.psf._modality import preset_of

    given = {name: value for name, value in given.items() if value is not None}
    phantom = phantoms.get(given.pop("phantom", PHANTOM))
    chosen = given.pop("preset", None)
    start = None if chosen is None else preset_of(chosen)
    name = given.pop("psf", PSF_MODEL if start is None else start.model)
    model = psf.registry.get(name)
    if start is not None and name != start.model:
        raise click.UsageError(
            f"The preset {chosen} is of the PSF model {start.model}, not {name}: leave out one of them."
        )
    camera = given.pop("camera", CAMERA)

    def taken(cls: type) -> dict[str, Any]:
        return {p.name: given.pop(p.name) for p in schema.parameters(cls) if p.name in given}

    optics = {**({} if start is None else start.values), **taken(model)}
    settings, size = taken(Camera), taken(phantom)
    lacking = [p.flag for p in schema.parameters(model) if p.required and p.name not in optics]
    if lacking:
        raise click.UsageError(f"The PSF model {name} needs {', '.join(lacking)}.")
    ndim = len(given.get("shape", ())) or len(given.get("voxel_um", ())) or max(phantom.dimensions)
    given.setdefault("shape", SHAPES[ndim])
    given.setdefault("voxel_um", VOXELS_UM[ndim])
    return Recipe(phantom(**size), model(**optics), preset(camera, **settings), **given)


def write(
    arrays: dict[str, Any], recipe: Recipe, files: dict[str, Path], record: dict[str, Any], overwrite: bool
) -> None:
    """The images, each with voxel size, optics and the recipe."""
    from deconlab import io
    from deconlab.image import OPTICS_UNITS, Channel, Image, Optics

    told = {name: value for name, value in schema.asdict(recipe.psf).items() if name in OPTICS_UNITS}
    channel = Channel(record["phantom"]["name"], Optics().known("file", **told, modality=type(recipe.psf).modality))
    axes = "zyx"[-len(recipe.shape) :]
    for name, array in arrays.items():
        image = Image(
            array, axes, dict(zip(axes, recipe.voxel_um, strict=True)), (channel,),
            history={"simulation": {"holds": name, **record}},
        )  # fmt: skip
        io.write(files[name], image, dtype=array.dtype.name, overwrite=overwrite)


def restoring(simulated: Simulation, recipe: Recipe, term: DataTerm) -> list[str]:
    """The flags of `deconlab run` that say how the camera counts, and of the optics what a file has no place for."""
    from deconlab import psf
    from deconlab.image import OPTICS_UNITS

    flags = counting(simulated, term)
    name = psf.registry.name_of(type(recipe.psf))
    words = [] if name == PSF_MODEL else ["--psf-model", name]
    for parameter in schema.parameters(type(recipe.psf)):
        value = getattr(recipe.psf, parameter.name)
        if parameter.name not in OPTICS_UNITS and value != parameter.default:
            flags[parameter.name] = value
    for flag, value in flags.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{flag.replace('_', '-')}")
        else:
            words += [f"--{flag.replace('_', '-')}", f"{value:.6g}" if isinstance(value, float) else str(value)]
    return words


def counting(simulated: Simulation, term: DataTerm) -> dict[str, Any]:
    """Offset, gain, read noise and background of the median pixel, where they are not those of a photon counter."""
    import numpy as np

    from deconlab.formation.exposure import binned
    from deconlab.formation.sensor import sensor_of

    camera, lateral = simulated.camera, simulated.data.shape[-2:]
    sensor = binned(sensor_of(camera, tuple(n * camera.binning for n in lateral)), camera)
    gain = float(np.median(sensor.gain)) * camera.em_gain
    found = {
        "offset": (float(np.median(sensor.offset)), 0.0),
        "gain": (gain, 1.0),
        "read_noise": (float(np.sqrt(np.median(term.read_variance))), 0.0),
        "background": (float(np.median(term.background)) * gain, 0.0),
    }
    return {name: value for name, (value, none) in found.items() if value != none}
