"""Better resolution? Beads at known distances, a Gaussian PSF, noise, and what restorations make of them.

The object (128³ voxels of 0.1 µm) holds point beads on the lines (x = 16, z = 16) and (x = 16, y = 16), one every 0.5, 0.75,
1, 1.25, 1.5, 2 and 3 FWHM of the PSF (in an order that keeps close pairs apart), and others scattered. The PSF is a
Gaussian of σ = 1.2 px laterally and 3.6 px axially (FWHM 2.82 and 8.46 px). Everything lies so far from the border that the
image may be taken for periodic. Each method is run over what trades noise against sharpness: iterations, or λ.

For each restoration: the median FWHM of isolated beads; which spacings are resolved (a dip of 26.5 % between the two, as at
Rayleigh's distance); and the false peaks, local maxima where no bead is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from deconlab import api, methods, psf, schema
from deconlab.assess.width import RAYLEIGH_DIP, false_peaks, fit_peak, two_point_dip
from deconlab.formation.camera import Camera
from deconlab.formation.phantoms.beads import Beads
from deconlab.formation.simulate import Simulation, simulate
from deconlab.units import Doc, Ge, Gt

Floats = NDArray[np.float64]

VOXEL_UM = 0.1
SIGMA_PX = (3.6, 1.2)
FWHM_PX = tuple(2 * float(np.sqrt(2 * np.log(2))) * sigma for sigma in SIGMA_PX)
"""Axial, lateral."""
LINE_PX = 16
SPACINGS = (3.0, 0.5, 2.0, 0.75, 1.5, 1.0, 1.25)
"""Distances between neighbours on a line, in FWHM and in their order along it."""
FIRST_PX = (24, 40)
"""The first bead on the axial and on the lateral line."""
TOLERANCE = 0.5
"""A peak belongs to a bead that is at most so many FWHM away, along each axis."""
FAINTEST = 0.1
"""A local maximum counts as a peak from this fraction of the median bead's value."""


@dataclass(frozen=True)
class Resolution:
    """The experiment's settings. Raises ValueError for values out of bounds, and for a field that cannot hold the lines."""

    photons: Annotated[float, Gt(0), Doc("photons of the brightest pixel, background not counted")] = 60.0
    background: Annotated[float, Ge(0), Doc("background in photons per pixel")] = 10.0
    iterations: Annotated[
        tuple[int, int, int, int], Ge(1), Doc("numbers of iterations at which iterative methods are looked at")
    ] = (10, 30, 100, 300)
    weights: Annotated[tuple[float, float, float, float], Gt(0), Doc("weights λ of methods with a prior")] = (
        0.1,
        0.01,
        0.001,
        0.0001,
    )
    scattered: Annotated[int, Ge(1), Doc("beads besides those on the two lines, each by itself")] = 40
    seed: Annotated[int, Ge(0), Doc("seed of the scattered beads and of the noise")] = 1
    shape: tuple[int, int, int] = (128, 128, 128)

    def __post_init__(self) -> None:
        schema.check(self)
        least = tuple(first + round(sum(SPACINGS) * width) + 12 for first, width in zip(FIRST_PX, FWHM_PX, strict=True))
        if self.shape[0] < least[0] or self.shape[1] < least[1] or self.shape[2] < 48:
            raise ValueError(
                f"The two lines of beads need a field of at least {(*least, 48)} voxels, not {self.shape}."
            )


@dataclass(frozen=True, eq=False)
class Scene:
    """The simulated measurement, and where its beads are: ``places`` (N, 3) in voxels, z y x, the ``isolated`` among them,
    and the coordinates along the two ``lines`` (axial, lateral)."""

    simulation: Simulation
    places: Floats
    isolated: Floats
    lines: tuple[Floats, Floats]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One restoration. Pairs are (axial, lateral); ``dips`` are in the order of :func:`spacings`.

    ``seen`` is the section x = 16, rows z and columns y, and holds both lines. ``false_on_lines`` counts along the two lines,
    ``false_in_volume`` in 3-D.
    """

    method: str
    setting: str
    fwhm_px: tuple[float, float]
    dips: tuple[tuple[float, ...], tuple[float, ...]]
    false_on_lines: int
    false_in_volume: int
    seen: NDArray[np.float32]

    @property
    def resolved(self) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
        """Which spacings show Rayleigh's dip, axially and laterally."""
        axial, lateral = (tuple(dip >= RAYLEIGH_DIP for dip in dips) for dips in self.dips)
        return axial, lateral

    @property
    def finest(self) -> tuple[float, float]:
        """The smallest spacing, in FWHM, from which on all larger ones are resolved; infinite if none is."""
        found = []
        for verdicts in self.resolved:
            best = float("inf")
            for spacing, resolved in reversed(list(zip(spacings(), verdicts, strict=True))):
                if not resolved:
                    break
                best = spacing
            found.append(best)
        return found[0], found[1]

    @property
    def profiles(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """f(16, 16, z) and f(16, y, 16)."""
        return self.seen[:, LINE_PX], self.seen[LINE_PX]


def spacings() -> tuple[float, ...]:
    """The spacings in FWHM, ascending."""
    return tuple(sorted(SPACINGS))


def run(
    settings: Resolution | None = None,
    names: Sequence[str] = ("laplacian-regularised-inverse", "projected-landweber"),
    report: Callable[[str], None] = lambda _: None,
) -> tuple[Scene, list[Outcome]]:
    """Simulate, restore with every method named at every setting, and assess; the measurement itself comes first
    (its widths and pairs are those of its expectation, its false peaks those of its noise).

    An iterative method is run once and looked at on the way, one whose dial is the weight of its prior once for every λ, any
    other as it is by default. ``report`` is told what is being done. Costs about 0.06 s an iteration on two free cores.
    ValueError for an unknown method.
    """
    settings = Resolution() if settings is None else settings
    classes = {name: methods.registry.get(name) for name in names}
    report("simulating")
    found = scene(settings)
    data = found.simulation.data.astype(np.float32)
    expected = found.simulation.mean - settings.background
    outcomes = [assessed(found, data - settings.background, "measurement", "", without_noise=expected)]
    for name, cls in classes.items():
        report(name)
        if issubclass(cls, methods.IterativeMethod):
            outcomes += _over_iterations(found, data, name, settings)
            continue
        dials: list[dict[str, Any]] = [{}]
        if cls.dial == "weight":
            dials = [{"weight": weight} for weight in settings.weights]
        for dial in dials:
            x = api.deconvolve(data, _psf(found), name, **_known(settings), **dial).x
            outcomes.append(assessed(found, x, name, f"λ = {dial['weight']:g}" if dial else "default"))
    return found, outcomes


def scene(settings: Resolution) -> Scene:
    """Place the beads, blur them on finer voxels, and take the picture with an ideal camera."""
    axial, lateral = (
        first + np.concatenate([[0.0], np.cumsum(SPACINGS)]) * width
        for first, width in zip(FIRST_PX, FWHM_PX, strict=True)
    )
    rng = np.random.default_rng(settings.seed)
    on_lines = [(z, LINE_PX, LINE_PX) for z in axial] + [(LINE_PX, y, LINE_PX) for y in lateral]
    alone = _scatter(rng, settings)
    places = np.array([*on_lines, *alone], np.float64)
    beads = Beads(diameter_um=0, positions_um=tuple(tuple((place + 0.5) * VOXEL_UM) for place in places))
    simulation = simulate(
        beads,
        psf.Gaussian.from_sigma(sigma_um=SIGMA_PX[1] * VOXEL_UM, sigma_axial_um=SIGMA_PX[0] * VOXEL_UM),
        shape=settings.shape,
        voxel_um=(VOXEL_UM,) * 3,
        camera=Camera(background=settings.background),
        photons=settings.photons,
        seed=settings.seed,
        oversampling=(1, 3, 3),  # odd, so that a bead in the middle of a voxel is a single fine one
        margin=(16, 8, 8),
    )
    return Scene(simulation, places, np.array(alone, np.float64), (axial, lateral))


def assessed(found: Scene, x: Any, method: str, setting: str, without_noise: Any = None) -> Outcome:
    """The numbers of one restoration ``x`` of the scene.

    Of a measurement, whose noise makes dips of its own, widths and pairs are judged ``without_noise``.
    """
    image = np.asarray(x, np.float64)
    judged = image if without_noise is None else np.asarray(without_noise, np.float64)
    dips, on_lines = [], 0
    for axis, (places, width) in enumerate(zip(found.lines, FWHM_PX, strict=True)):
        line = (slice(None), LINE_PX, LINE_PX) if axis == 0 else (LINE_PX, slice(None), LINE_PX)
        pairs = sorted(zip(SPACINGS, itertools.pairwise(places), strict=True))
        dips.append(tuple(two_point_dip(judged[line], 1.0, (float(a), float(b))).dip for _, (a, b) in pairs))
        on_lines += false_peaks(image[line], 1.0, places.tolist(), TOLERANCE * width, FAINTEST)
    widths = [_median_width(judged, found.isolated, axis, width) for axis, width in enumerate(FWHM_PX)]
    return Outcome(
        method, setting, (widths[0], widths[1]), (dips[0], dips[1]), on_lines, _false_in_volume(image, found.places),
        image[:, :, LINE_PX].astype(np.float32),
    )  # fmt: skip


def _over_iterations(found: Scene, data: NDArray[np.float32], name: str, settings: Resolution) -> list[Outcome]:
    """One run, looked at on the way. Landweber may take almost twice its default step, as the PSF sums to 1."""
    outcomes: list[Outcome] = []

    def look(iteration: Any) -> None:
        if iteration.index in settings.iterations:
            x = iteration.x.cpu().numpy()
            outcomes.append(assessed(found, x, name, f"{iteration.index} iterations"))

    faster: dict[str, Any] = {"step_size": 1.9} if name in ("landweber", "projected-landweber") else {}
    api.deconvolve(data, _psf(found), name, max(settings.iterations), observers=[look], **_known(settings), **faster)
    return outcomes


def _known(settings: Resolution) -> dict[str, Any]:
    return {"background": settings.background, "boundary": "periodic", "voxel_um": (VOXEL_UM,) * 3}


def _psf(found: Scene) -> psf.PSF:
    from deconlab.lazytorch import torch

    return psf.PSF(torch.from_numpy(found.simulation.psf), found.simulation.voxel_um)


def _scatter(rng: np.random.Generator, settings: Resolution) -> list[tuple[int, ...]]:
    """Beads on whole voxels, far from the lines and the border, and 3 FWHM from each other along one axis at least."""
    low, high = (20, 10, 36), tuple(n - m for n, m in zip(settings.shape, (20, 10, 8), strict=True))
    wide = np.array([FWHM_PX[0], FWHM_PX[1], FWHM_PX[1]])
    placed: list[tuple[int, ...]] = []
    for _ in range(1000):
        place = tuple(int(i) for i in rng.integers(low, high))
        if all(np.max(np.abs(np.subtract(place, other)) / wide) >= 3 for other in placed):
            placed.append(place)
        if len(placed) == settings.scattered:
            return placed
    raise ValueError(
        f"Only {len(placed)} of {settings.scattered} beads fit into the field, each by itself: ask for fewer."
    )


def _median_width(image: Floats, isolated: Floats, axis: int, width: float) -> float:
    """The median FWHM along an axis of the beads that a Gaussian can be fitted to; NaN where there is none."""
    along, reach, widths = (0, 1)[axis], round(1.4 * width), []
    for place in isolated.astype(int):
        index: list[Any] = [*place]
        index[along] = slice(place[along] - reach, place[along] + reach + 1)
        try:
            widths.append(fit_peak(image[tuple(index)], 1.0).fwhm_um[0])
        except ValueError:
            continue
    return float(np.median(widths)) if widths else float("nan")


def _false_in_volume(image: Floats, places: Floats) -> int:
    """Local maxima among 26 neighbours that rise above a tenth of the median bead and belong to none."""
    from scipy import ndimage

    at_beads = image[tuple(np.rint(places).astype(int).T)]
    high = (image > FAINTEST * np.median(at_beads)) & (image == ndimage.maximum_filter(image, 3))
    plateaus, count = ndimage.label(high, np.ones((3,) * image.ndim))  # equal neighbours are one peak
    if count == 0:
        return 0
    peaks = np.array(ndimage.center_of_mass(high, plateaus, np.arange(1, count + 1)))
    wide = np.array([FWHM_PX[0], FWHM_PX[1], FWHM_PX[1]])
    nearest = np.full(len(peaks), np.inf)
    for place in places:
        nearest = np.minimum(nearest, np.max(np.abs(peaks - place) / wide, axis=1, initial=0.0))
    return int(np.count_nonzero(nearest > TOLERANCE))
