"""CPU time and error of PSF generators beside each other, in one run.

    python benchmarks/psf.py [--shapes 64x128x128 128x256x256] [--repeats 3] [--reference FOLDER]

Peers run where they are installed (psf-generator, psfmodels, MicroscPSF-Py: put them in an environment of their own beside
deconlab) and are skipped, with the reason, where not. All render an oil objective of NA 1.4 at 610 nm without mismatch, on
voxels of 200 × 100 × 100 nm. CPU time of the process, least of the repeats after one to warm up. The error is the largest
difference over the peak, both of sum 1, from an independent quadrature of the model that a generator computes: the matching
file of the reference folder (65 × 65 × 33 voxels), or "-" without the folder. The reference of pixel integration has 81
midpoints per pixel and is itself 1e-3 from the integral, which deconlab computes: tests/test_psf_optics.py extrapolates it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

VOXEL_UM = (0.2, 0.1, 0.1)
SMALL = (33, 65, 65)
Shape = tuple[int, int, int]
Render = Callable[[Shape], Any]


@dataclass(frozen=True)
class Row:
    """A generator, what it computes, and the reference of that."""

    group: str
    name: str
    make: Callable[[], Render]
    reference: str


def deconlab(model: str, **values: Any) -> Callable[[], Render]:
    def made() -> Render:
        from deconlab.psf import registry

        psf = registry.get(model)(na=1.4, emission_nm=610.0, immersion_index=1.515, **values)
        return lambda shape: psf.render(shape, VOXEL_UM).data.numpy()

    return made


def psf_generator(kind: str, n_pix_pupil: int, **values: Any) -> Callable[[], Render]:
    """Its steps span n - 1 intervals where it means n: they are scaled, so that it samples where the others do."""

    def made() -> Render:
        from psf_generator import propagators

        cls = getattr(propagators, f"{kind}SphericalPropagator")
        nodes = n_pix_pupil

        def render(shape: Shape) -> Any:
            planes, side = shape[0], shape[1]
            settings = {
                "n_pix_pupil": nodes, "n_pix_psf": side, "wavelength": 610, "na": 1.4, "n_i": 1.515, "n_i0": 1.515,
                "pix_size": 100 * (side - 1) / side, "defocus_step": 200 * (planes - 1) / planes, "n_defocus": planes,
                **values,
            }  # fmt: skip
            turns = [{"e0x": 1.0, "e0y": 0.0}, {"e0x": 0.0, "e0y": 1.0}] if kind == "Vectorial" else [{}]
            return sum(
                (abs(cls(**settings, **turn).compute_focus_field()) ** 2).sum(1).double().numpy() for turn in turns
            )

        return render

    return made


def psfmodels(model: str, oversample: int) -> Callable[[], Render]:
    def made() -> Render:
        import psfmodels as pm

        def render(shape: Shape) -> Any:
            return pm.make_psf(
                shape[0], shape[1], dxy=0.1, dz=0.2, NA=1.4, wvl=0.61, ns=1.515, ni=1.515, ni0=1.515, tg=170, tg0=170,
                ng=1.515, ng0=1.515, ti0=150, oversample_factor=oversample, model=model,
            )  # fmt: skip

        return render

    return made


def microscpsf() -> Render:
    import microscPSF.microscPSF as msPSF

    optics = {**msPSF.m_params, "NA": 1.4, "ns": 1.515, "ng": 1.515, "ng0": 1.515, "ni": 1.515, "ni0": 1.515}

    def render(shape: Shape) -> Any:
        z = (np.arange(shape[0]) - (shape[0] - 1) / 2) * 0.2
        return msPSF.gLXYZFocalScan(optics, 0.1, shape[1], -z, pz=0.0, wvl=0.61)

    return render


ROWS = (
    Row(
        "point",
        "deconlab GibsonLanni",
        deconlab("gibson-lanni", pixel_integration=False),
        "gl_scalar_oil_matched_point",
    ),
    Row(
        "point", "psf-generator spherical", psf_generator("Scalar", 257, cos_factor=True), "gl_scalar_oil_matched_point"
    ),
    Row("point", "psfmodels scalar sf 1", psfmodels("scalar", 1), "gl_scalar_oil_matched_point"),
    Row("point", "MicroscPSF-Py", lambda: microscpsf(), "gl_scalar_oil_matched_point"),
    Row("pixel", "deconlab GibsonLanni", deconlab("gibson-lanni"), "gl_scalar_oil_matched_pix9"),
    Row("pixel", "psfmodels scalar sf 3", psfmodels("scalar", 3), "gl_scalar_oil_matched_pix9"),
    Row(
        "vectorial",
        "deconlab TorokVarga",
        deconlab("torok-varga", pixel_integration=False),
        "vectorial_oil_matched_point",
    ),
    Row(
        "vectorial",
        "psf-generator spherical, x + y",
        psf_generator("Vectorial", 257, apod_factor=True),
        "vectorial_oil_matched_point",
    ),
    Row("vectorial", "psfmodels vectorial sf 1", psfmodels("vectorial", 1), "vectorial_oil_matched_point"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shapes", nargs="+", default=["64x128x128", "128x256x256"], help="z × y × x, as 64x128x128")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file to write the numbers to: docs/make_psf_page.py takes them")
    parser.add_argument("--reference", type=Path, help="folder with the reference PSFs (npz)")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    shapes = [tuple(int(size) for size in text.split("x")) for text in arguments.shapes]
    machine = [
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}",
        f"Python {platform.python_version()}, torch {torch.__version__}, {arguments.threads} thread(s), CPU seconds",
    ]
    print(*machine, sep="\n")
    head = "".join(f"{text:>14}{'ratio':>8}" for text in arguments.shapes)
    print(f"{'':11}{'':32}{head}{'error':>11}")
    ours: dict[tuple[str, int], float] = {}
    measured: list[dict[str, Any]] = []
    for row in ROWS:
        try:
            render = row.make()
        except ImportError as reason:
            print(f"{row.group:11}{row.name:32}skipped: {reason}")
            continue
        cells, times = "", []
        for place, shape in enumerate(shapes):
            seconds = least(render, shape, arguments.repeats)  # type: ignore[arg-type]
            base = ours.setdefault((row.group, place), seconds)
            cells += f"{seconds:14.3f}{seconds / base:8.1f}"
            times.append({"shape": list(shape), "seconds": seconds, "ratio": seconds / base})
        off = error(render, row.reference, arguments.reference)
        print(f"{row.group:11}{row.name:32}{cells}{'-' if off is None else format(off, '.1e'):>11}", flush=True)
        measured.append({"group": row.group, "name": row.name, "times": times, "error": off})
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": measured}, indent=1) + "\n", encoding="utf-8")


def least(render: Render, shape: Shape, repeats: int) -> float:
    """CPU seconds, least of the repeats, after one to warm up."""
    render(shape)
    found = []
    for _ in range(repeats):
        start = time.process_time()
        render(shape)
        found.append(time.process_time() - start)
    return min(found)


def error(render: Render, name: str, folder: Path | None) -> float | None:
    """max|a - b| / max b of what is rendered and the reference, on its grid."""
    if folder is None or not (folder / f"{name}.npz").exists():
        return None
    reference = np.load(folder / f"{name}.npz")["psf"].astype(float)
    found = np.asarray(render(SMALL), dtype=float)
    found, reference = found / found.sum(), reference / reference.sum()
    off = min(abs(found - reference).max(), abs(found[::-1] - reference).max())  # some count z the other way
    return float(off / reference.max())


if __name__ == "__main__":
    main()
