"""How far every PSF is from its reference: what tests/test_psf_references.py and test_psf_optics.py hold to tolerances.

    python benchmarks/psf_accuracy.py --reference FOLDER [--json docs/psf/accuracy.json]

The references are those of the tests, and so are the models beside them: own quadratures in float64, and files of other
programs. Deviations are of PSFs of sum 1 in float64: the largest over the peak, Σ|a - b|, and ‖a - b‖ / ‖b‖. Where a
reference takes midpoints for the area of a pixel, so does deconlab here (it integrates otherwise).
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from deconlab.psf import GibsonLanni, SamplingWarning, _rotational, registry
from deconlab.psf._lateral import Cell

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))


@contextmanager
def midpoints(count: int) -> Iterator[None]:
    """Pixels are sampled at count × count midpoints instead of being integrated over."""
    integrated = _rotational.area
    cell = Cell((np.arange(count) - count // 2) / count, np.full(count, 1 / count))
    _rotational.area = lambda *_: cell  # type: ignore[assignment]
    try:
        yield
    finally:
        _rotational.area = integrated


def cases(folder: Path) -> Iterator[tuple[str, str, str, Callable[[], Any], np.ndarray]]:
    """Name of the reference, of the model, how pixels are sampled, what renders it, and the reference."""
    import test_psf_optics as optics
    import test_psf_references as references

    def rendered(model: Any, values: np.ndarray, voxel: Any, count: int = 0) -> Callable[[], Any]:
        def made() -> Any:
            if not count:
                return model.render(values.shape, voxel, dtype=torch.float64).data.numpy()
            with midpoints(count):
                return model.render(values.shape, voxel, dtype=torch.float64).data.numpy()

        return made

    for name in [*optics.POINT, *optics.AREA]:
        model, values = optics.reference(folder, name)
        count = 9 if name in optics.AREA else 0
        yield (
            name,
            called(model),
            f"{count} × {count} midpoints" if count else "points",
            rendered(model, values, optics.VOXEL, count),
            values,
        )
    for name, (model, voxel, _, flipped) in references.RENDERED.items():
        values = np.load(folder / f"{name}.npz")["psf"].astype(float)
        values = (values[::-1] if flipped else values) / values.sum()
        count = 3 if name.startswith("psfmodels") else 0
        how = f"{count} × {count} midpoints" if count else "area" if model.pixel_integration else "points"
        yield name, called(model), how, rendered(model, values, voxel, count), values
    for name, model in references.PROFILES.items():
        values = np.load(folder / f"{name}.npz")["psf"].astype(float)
        z = torch.arange(-80, 81, dtype=torch.float64) * 0.05
        r = torch.arange(401, dtype=torch.float64) * 0.01
        yield (
            name,
            called(model),
            "profile over z and r",
            lambda model=model, z=z, r=r: model._profile(z, r).numpy(),
            values,
        )
    values = np.load(folder / "airy2d_na0.5.npz")["psf"].astype(float)
    airy = GibsonLanni(na=0.5, emission_nm=610, immersion_index=1.0, pixel_integration=False)
    yield "airy2d_na0.5", called(airy), "points", rendered(airy, values, (0.05, 0.05)), values
    values = np.load(folder / "confocal_vec_1AU.npz")["psf"].astype(float)
    confocal = registry.get("confocal")(na=1.4, excitation_nm=488, emission_nm=525, immersion_index=1.515)  # type: ignore[call-arg]
    yield (
        "confocal_vec_1AU",
        called(confocal),
        "points; exact pinhole",
        rendered(confocal, values, (0.1, 0.05, 0.05)),
        values,
    )


def called(model: Any) -> str:
    return registry.name_of(type(model))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, required=True, help="folder with the reference PSFs (npz)")
    parser.add_argument("--json", type=Path, help="file to write the numbers to: docs/make_psf_page.py takes them")
    arguments = parser.parse_args()
    rows = []
    for name, model, how, render, values in cases(arguments.reference):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SamplingWarning)  # some references have large voxels
            found = np.asarray(render())
        if how.startswith("profile"):
            found, values = found / found.max(), values / values.max()
        else:
            values = values / values.sum()
        off = abs(found - values)
        rows.append(
            {
                "reference": name,
                "model": model,
                "pixels": how,
                "largest": float(off.max() / values.max()),
                "l1": float(off.sum() / values.sum()),
                "l2": float(np.linalg.norm(off) / np.linalg.norm(values)),
            }
        )
        print(f"{name:48}{model:14}{how:24}{rows[-1]['largest']:10.1e}{rows[-1]['l1']:10.1e}{rows[-1]['l2']:10.1e}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
