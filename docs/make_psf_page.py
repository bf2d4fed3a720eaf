"""Writes docs/psf.md, and with --pictures the pictures in docs/psf, from the PSF models themselves.

The tables of accuracy and times are those of ``benchmarks/psf_accuracy.py --json docs/psf/accuracy.json`` and
``benchmarks/psf.py --json docs/psf/times.json``: run these first after a change of any model.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deconlab.psf import PRESETS, PSFModel, registry
from deconlab.psf._layers import Layers
from deconlab.psf._modality import DEFAULT, MODELS
from deconlab.psf._pupil import PupilModel
from deconlab.schema import parameters

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

FOLDER = Path(__file__).parent
PAGE = FOLDER / "psf.md"
DATA = FOLDER / "psf"

USE = {
    "airy": "images of space telescopes and of perfect optics in focus",
    "annular": "telescopes and objectives with a central obstruction",
    "astigmatic": "localisation with a cylindrical lens, when only widths are known",
    "born-wolf": "comparison with older programs; at NA 1.4 its axial width is 39 % too long",
    "cardinal-sine": "comparison with programs that offer it",
    "circular-pupil": "comparison with programs that offer it",
    "confocal": "confocal data; give the pinhole",
    "cosine": "tests that need a PSF without tails",
    "debye": "comparison with other scalar programs; low NA",
    "double-helix": "localisation with a double-helix phase plate",
    "double-helix-gaussian": "the same, when only its looks are known",
    "four-pi": "4Pi data, types A and C",
    "gaussian": "data of which only the width is known; 1-D signals; fits",
    "gaussian-fit": "quick restorations and starting values, when optics are known",
    "gaussian-mixture": "survey images whose PSF is catalogued so",
    "gibson-lanni": "comparison with the many programs that use it; NA below 0.3, where the vectorial one is a per cent away",
    "ism": "Airyscan and other detector arrays, one element or the reassigned sum",
    "koehler": "transmitted light, roughly",
    "light-sheet": "light-sheet data, where the sheet is thinnest",
    "lorentz": "spots with long tails, when only the width is known",
    "moffat": "stars through the atmosphere",
    "multiphoton": "two-photon and higher excitation, descanned or not",
    "oriented-gaussian": "spots that are longer one way, such as by motion",
    "phase-mask": "engineered foci: vortex, half moons, top-hat",
    "polychromatic": "widefield data through broad emission filters",
    "richards-wolf": "widefield data without mismatch; single polarisations",
    "spinning-disk": "spinning-disk data, whose pinholes see each other's light",
    "sted": "STED data with known saturation",
    "sted-lorentzian": "STED data of which only the resolution is known",
    "stokseth": "comparison with programs that use it",
    "torok-varga": "widefield data: the default",
    "variable-index": "samples whose index changes with depth, cleared tissue",
    "zernike": "objectives with known aberrations, phase retrieval",
}
PICTURED = (
    ("Török-Varga, oil 1.4", "widefield-oil", {}),
    ("the same, 10 µm deep in water", "widefield-oil", {"sample_index": 1.333, "depth_um": 10.0}),
    ("confocal, 1 AU", "confocal-oil", {}),
    ("two-photon, water 1.0", "two-photon-water", {}),
    ("light sheet, water 1.0", "light-sheet-water", {}),
    ("STED, saturation 20", "sted-oil", {}),
    ("4Pi, type C", "four-pi-oil", {}),
)
APERTURES = ((0.25, 1.0), (0.5, 1.0), (0.75, 1.0), (1.0, 1.333), (1.2, 1.333), (1.4, 1.515))


def page() -> str:
    """The page's text."""
    lines = [
        "# Point-spread functions",
        "",
        "Made by `docs/make_psf_page.py` from the models themselves. `deconlab psf --list-models` and `--list-presets` list",
        "them on the command line; `deconlab psf --psf-model NAME --help` has the parameters of one.",
        "",
        "    deconlab psf --preset confocal-oil --na 1.3                       # widths, resolution, largest voxels",
        "    deconlab psf cells.ome.tif -o psf.tif --plot psf.png              # as the file's optics make it",
        "    deconlab psf --compare psf.tif bead.tif                           # two PSFs beside each other",
        "    deconlab run cells.tif --preset widefield-water --voxel-um 0.25 0.1 0.1",
        "",
        "## Which one?",
        "",
        "A file that names its microscope gets the model of that; a flag (`--psf-model`, `--modality`) overrides it.",
        "",
        "| microscope | model |",
        "|---|---|",
        *(f"| {kind} | [{name}](#{name}) |" for kind, name in MODELS.items()),
        f"| not said | [{DEFAULT}](#{DEFAULT}) |",
        "",
        *default(),
        "",
        "## Models",
        "",
        "*Light*: vector or scalar waves, or a shape without waves. *Layers*: whether depth and mismatched indices of sample,",
        "coverslip and immersion are in it.",
        "",
        "| model | microscope | light | layers | use it for | source |",
        "|---|---|---|---|---|---|",
    ]
    for name, cls in registry.all().items():
        kind = cls.modality or "any"
        links = ", ".join(f"[{doi}](https://doi.org/{doi})" for doi in cls.references)
        layers = "yes" if issubclass(cls, Layers) else "no"
        lines.append(f"| [{name}](#{name}) | {kind} | {light(cls)} | {layers} | {USE[name]} | {links} |")
    lines += [
        "",
        "## Presets",
        "",
        *presets(),
        "",
        "## Pictures",
        "",
        *pictures(),
        "",
        "## Accuracy and speed",
        "",
        *proofs(),
    ]
    lines += ["", "## Each model", ""]
    for name, cls in registry.all().items():
        lines += section(name, cls)
    return "\n".join(lines).rstrip() + "\n"


def light(cls: type[PSFModel]) -> str:
    """Vector or scalar waves, or neither."""
    declared = {p.name: p for p in parameters(cls)}
    if "optics" in declared:
        return "vector or scalar" + (", any pupil" if issubclass(cls, PupilModel) else "")
    if cls.__name__ in ("TorokVarga", "RichardsWolf", "FourPi"):
        return "vector"
    return "scalar" if {"na", "emission_nm"} <= set(declared) and cls.__name__ != "GaussianFit" else "shape"


def default() -> list[str]:
    """Why the default is what it is: the scalar model beside the vectorial one."""
    import numpy as np

    rows = []
    for na, index in APERTURES:
        optics = {"na": na, "emission_nm": 525.0, "immersion_index": index}
        models = [registry.get(name)(**optics) for name in ("gibson-lanni", "torok-varga")]
        axial, lateral = models[0].nyquist_um() or (1.0, 1.0)
        a, b = (model.render((25, 65, 65), (axial, lateral, lateral)).data.double().numpy() for model in models)
        widths = [1000 * (model.facts().fwhm_lateral_um or 0) for model in models]
        off = np.linalg.norm(a - b) / np.linalg.norm(b)
        rows.append(f"| {na:g} in {index:g} | {off:.1%} | {widths[0]:.0f} nm | {widths[1]:.0f} nm |")
    return [
        f"The default is `{DEFAULT}`, decided once: light is a vector, and the scalar model of Gibson and Lanni draws the",
        "spot too narrow. At low NA both agree. The vectorial one costs some three times as much, tenths of a second.",
        "",
        "| NA | ‖scalar - vectorial‖ / ‖vectorial‖ | FWHM, scalar | FWHM, vectorial |",
        "|---|---|---|---|",
        *rows,
        "",
        "(525 nm, no mismatch, 25 × 65 × 65 voxels of Nyquist's size.)",
    ]


def presets() -> list[str]:
    """Every starting point with every number."""
    lines = [
        "Starting points, whose every number is here. What the file says takes its place, and a flag the place of both;",
        "where a value is from is printed and written into the result.",
        "",
        "| preset | model | what it is | numbers |",
        "|---|---|---|---|",
    ]
    for name, preset in PRESETS.items():
        units = {p.name: p.unit for p in parameters(registry.get(preset.model))}
        numbers = ", ".join(
            f"{key} {value:g} {units[key]}".rstrip() if isinstance(value, float) else f"{key} {value}"
            for key, value in preset.values.items()
        )
        lines.append(f"| `{name}` | [{preset.model}](#{preset.model}) | {preset.doc} | {numbers} |")
    return lines


def pictures() -> list[str]:
    """What the pictures show."""
    shown = "; ".join(label for label, _, _ in PICTURED)
    return [
        "Each column: xy (above, 3 µm wide) and xz (below, 3 × 6 µm), over four decades. From left to right: "
        + shown
        + ".",
        "",
        "![xy and xz of seven PSFs](psf/models.png)",
        "",
        "What `deconlab psf --preset confocal-oil --plot` draws: the PSF about its peak, the whole over five decades, and its",
        "OTF with the border that theory gives it.",
        "",
        "![a confocal PSF and its OTF](psf/confocal.png)",
    ]


def proofs() -> list[str]:
    """The measured tables."""
    accuracy = json.loads((DATA / "accuracy.json").read_text(encoding="utf-8"))
    times = json.loads((DATA / "times.json").read_text(encoding="utf-8"))
    lines = [
        "Times, in CPU seconds on one thread, beside other generators in one run of `benchmarks/psf.py` (an oil objective of",
        "NA 1.4 at 610 nm). *Error*: the largest difference over the peak from the matching quadrature; that of pixel",
        "integration takes 81 midpoints per pixel and is itself 1e-3 from the integral, which deconlab computes.",
        "",
        *(f"    {line}" for line in times["machine"]),
        "",
        "| | generator | " + " | ".join(size(entry["shape"]) for entry in times["rows"][0]["times"]) + " | error |",
        "|---|---|" + "---|" * len(times["rows"][0]["times"]) + "---|",
    ]
    for row in times["rows"]:
        cells = " | ".join(
            f"{entry['seconds']:.3g} s" + (f" ({entry['ratio']:.1f} ×)" if entry["ratio"] != 1 else "")
            for entry in row["times"]
        )
        lines.append(f"| {row['group']} | {row['name']} | {cells} | {row['error']:.1e} |")
    lines += [
        "",
        "Deviations from independent references (`benchmarks/psf_accuracy.py`): quadratures of our own equations by other",
        "code, kept as float32 and so exact to 3e-8, and files of other programs, which are as near as these are right",
        "(psfmodels and MicroscPSF interpolate linearly between radii; the Zernike pupil of psf-generator has a hard edge).",
        "",
        "| reference | model | pixels | max difference / peak | sum of differences | relative norm |",
        "|---|---|---|---|---|---|",
    ]
    for row in accuracy:
        numbers = " | ".join(f"{row[key]:.1e}" for key in ("largest", "l1", "l2"))
        lines.append(f"| {row['reference']} | {row['model']} | {row['pixels']} | {numbers} |")
    return lines


def size(shape: list[int]) -> str:
    return " × ".join(map(str, reversed(shape)))


def section(name: str, cls: type[PSFModel]) -> list[str]:
    """What one model says of itself."""
    text = (inspect.getdoc(sys.modules[cls.__module__]) or "").splitlines()
    own = [f"`{p.name}` ({p.help}{f'; {p.unit}' if p.unit else ''})" for p in parameters(cls)]
    return [f"### {name}", "", *text, "", "Parameters: " + ", ".join(own) + ".", ""]


def draw() -> None:
    """The pictures."""
    import numpy as np
    from PIL import Image

    from deconlab.assess.psf_picture import psf_picture
    from deconlab.psf import preset

    DATA.mkdir(exist_ok=True)
    columns: list[Picture] = []
    for _, name, values in PICTURED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # STED is finer than what is shown
            data = preset(name, **values).render((151, 121, 121), (0.04, 0.025, 0.025)).data.numpy()
        top = int(data.max((1, 2)).argmax())
        panels = []
        for plane, down in ((data[top], 1), (data[:, 60], 2)):
            grey = np.uint8(np.clip(1 + np.log10(np.maximum(plane / data.max(), 1e-9)) / 4, 0, 1) * 255 + 0.5)
            panels.append(Image.fromarray(grey).resize((128, 128 * down), Image.Resampling.BILINEAR))
        column = Image.new("L", (132, 128 + 256 + 8))
        column.paste(panels[0], (2, 2))
        column.paste(panels[1], (2, 134))
        columns.append(column)
    sheet = Image.new("L", (132 * len(columns), columns[0].height))
    for place, column in enumerate(columns):
        sheet.paste(column, (132 * place, 0))
    sheet.save(DATA / "models.png")
    model: Any = preset("confocal-oil")
    rendered = model.render((63, 129, 129), (0.1, 0.04, 0.04))
    psf_picture(rendered, DATA / "confocal.png", border=model.otf_border(), width=300)


if __name__ == "__main__":
    if "--pictures" in sys.argv[1:]:
        draw()
    PAGE.write_text(page(), encoding="utf-8")
