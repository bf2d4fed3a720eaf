"""``deconlab demo``: simulate a stack of known truth, restore it from its file, and show what was gained."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deconlab.cli._command import DeconlabCommand
from deconlab.cli.flags import GroupedOption

if TYPE_CHECKING:
    from deconlab.formation.simulate import Simulation
    from deconlab.psf import TorokVarga

SHAPE, VOXEL_UM = (20, 96, 96), (0.3, 0.1, 0.1)
LEAST_GAIN_DB = 3.0


@click.command(
    cls=DeconlabCommand,
    name="demo",
    params=[GroupedOption(["--overwrite"], group="Output", is_flag=True, help="Replace the files of an earlier demo.")],
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("deconlab-demo"))
def command(folder: Path, overwrite: bool) -> None:
    """Simulate a widefield stack of known truth, restore it from its file, and show what was gained.

    Writes simulated.ome.tif, truth.ome.tif, simulated_deconvolved.ome.tif and demo.png into FOLDER (deconlab-demo), and
    fails if the restoration gains less than 3 dB of PSNR. Takes well under a minute.

    The scene is drawn on voxels half as large as the camera's and on a field twice as wide, so that light from outside
    the field comes in; the camera adds an offset, background, shot and read noise, and rounds to 16 bits.
    """
    from deconlab import io
    from deconlab.cli._job import Job

    files = {name: folder / f"{name}.ome.tif" for name in ("simulated", "truth", "simulated_deconvolved")}
    picture = folder / "demo.png"
    folder.mkdir(parents=True, exist_ok=True)
    for path in files.values():
        io.check_writable(path, overwrite=overwrite)
    if picture.exists() and not overwrite:
        raise FileExistsError(f"{picture} exists already. Say --overwrite to replace it, or name another folder.")
    click.echo("Simulating a widefield stack of fluorescent granules ...", err=True)
    model = microscope()
    simulated = simulation(model)
    write(simulated, model, files["simulated"], files["truth"])
    camera = simulated.camera
    flags = {
        "method": "scaled-heavy-ball",
        "iterations": 50,
        "offset": float(camera.offset),
        "gain": float(camera.gain),
        "read_noise": float(camera.read_noise),
        "background": float(camera.background * camera.quantum_efficiency * camera.gain),
    }
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", _text(value))]
    click.echo(shlex.join(["deconlab", "run", str(files["simulated"]), *words]), err=True)
    job = Job.from_flags(files["simulated"], {**flags, "overwrite": overwrite})
    job.check()
    code = job.run()
    if code:
        click.get_current_context().exit(code)
    before, after = judged(simulated, io.read(job.output).data, picture)
    click.echo(str(picture))
    click.echo(
        f"PSNR before {before:.2f} dB, after {after:.2f} dB: gained {after - before:.2f} dB.\n"
        f"(10 log10(range²/MSE) against the true object, in electrons. Both images are first scaled and shifted to fit the "
        f"truth best, so that brightness alone gains nothing.)"
    )
    if not after - before >= LEAST_GAIN_DB:
        raise click.ClickException(f"The restoration gained less than {LEAST_GAIN_DB:g} dB: something is wrong.")


def microscope() -> TorokVarga:
    """A water immersion objective without aberrations."""
    from deconlab.psf import TorokVarga

    return TorokVarga(na=0.9, emission_nm=520.0, immersion_index=1.333)


def simulation(model: TorokVarga) -> Simulation:
    """The stack, and the truth on its voxels in electrons."""
    from deconlab.formation import phantoms
    from deconlab.formation.camera import Camera
    from deconlab.formation.simulate import simulate

    granules = phantoms.get("beads")(count=22, diameter_um=1.0, brightness_spread=0.3)  # type: ignore[call-arg]
    return simulate(
        granules,
        model,
        shape=SHAPE,
        voxel_um=VOXEL_UM,
        camera=Camera(quantum_efficiency=0.8, read_noise=1.5, gain=2.0, offset=100.0, bit_depth=16, background=20.0),
        photons=1000.0,
        seed=3,
        margin=[size // 2 for size in model.extent(SHAPE[0], VOXEL_UM)],  # all that the restoration reckons with
    )


def write(simulated: Simulation, model: TorokVarga, data: Path, truth: Path) -> None:
    """Stack and truth as OME-TIFF, with everything that a microscope's software would write about its optics."""
    from deconlab import io
    from deconlab.image import Channel, Image, Optics

    optics = Optics().known(
        "file", na=model.na, emission_nm=model.emission_nm, immersion_index=model.immersion_index, modality="widefield"
    )
    voxel_um = dict(zip("zyx", simulated.voxel_um, strict=True))
    channels = (Channel("granules", optics),)
    for path, array, dtype in ((data, simulated.data, "uint16"), (truth, simulated.truth, "float32")):
        io.write(path, Image(array, "zyx", voxel_um, channels), dtype=dtype, overwrite=True)


def judged(simulated: Simulation, restored: Any, picture: Path) -> tuple[float, float]:
    """PSNR before and after, each image fitted to the truth; and the picture of just these images."""
    import numpy as np

    from deconlab.assess import metrics
    from deconlab.assess.picture import brightest, side_by_side

    truth, fitted = simulated.truth, {}
    for name, image in (("before", simulated.data), ("after", restored)):
        scale, shift = metrics.affine_fit(image, truth)
        fitted[name] = (scale * np.asarray(image, np.float64) + shift).astype(np.float32)
    before, after = (metrics.psnr(image, truth) for image in fitted.values())
    captions = {f"before, PSNR {before:.1f} dB": fitted["before"], f"after, {after:.1f} dB": fitted["after"]}
    third = len(truth) // 3
    z, y, x = brightest(truth[third:-third])
    at = z + third, y, x
    side_by_side({**captions, "truth": truth}, picture, voxel_um=simulated.voxel_um, at=at, unit="electrons (fitted)")
    return before, after


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
