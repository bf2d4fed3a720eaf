"""Every kind of microscope from simulation to restoration: it works, or asks at once for all that is missing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from deconlab import io, schema
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.optics import model_for
from deconlab.psf import PRESETS, for_modality, registry
from deconlab.psf._modality import MODELS

SMALL = ("--iterations", 1, "--limit-extension", 4)


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_simulated_is_restored_by_the_line_that_is_printed(name: str, tmp_path: Path) -> None:
    axial, lateral = PRESETS[name].make().nyquist_um() or (1, 1)
    sizes = (f"{0.9 * axial:.3g}", f"{0.9 * lateral:.3g}", f"{0.9 * lateral:.3g}")
    told = call(
        "simulate", "--preset", name, "--phantom", "beads", "--shape", 3, 12, 12, "--voxel-um", *sizes, "--margin",
        0, 0, 0, "--oversampling", 1, "-o", tmp_path / "lab",
    )  # fmt: skip
    words = shlex.split(told.strip().splitlines()[-1])
    assert words[:2] == ["deconlab", "run"]
    call(*words[1:], *SMALL, "-o", tmp_path / "a.tif")
    text = call("run", words[2], "--preset", name, *SMALL, "-o", tmp_path / "b.tif")
    assert f"PSF by {PRESETS[name].model}: " in text
    simulated, restored = io.read(tmp_path / "lab/psf.ome.tif").data, io.read(tmp_path / "b.tif")
    told = restored.history["deconvolution"]["psf"]["channels"][0]["steps"][0]
    for key, value in PRESETS[name].values.items():
        assert f"{key} {value:g} " in told if isinstance(value, float) else f"{key} {value} " in told
    assert np.isfinite(restored.data).all()
    assert simulated.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kind", MODELS)
def test_a_file_that_says_its_kind_alone_is_asked_for_the_rest_in_one_message(kind: str, tmp_path: Path) -> None:
    channel = Channel("", Optics().known("file", modality=kind))
    image = Image(np.random.default_rng(0).poisson(20, (3, 12, 12)).astype(np.uint16), "zyx", {}, (channel,))
    io.write(tmp_path / "a.ome.tif", image, dtype="uint16")
    name = MODELS[kind]
    text = one_line(call("run", tmp_path / "a.ome.tif", code=1))
    assert f"To compute the PSF with {name}, this is missing" in text
    needed = [p.flag for p in schema.parameters(registry.get(name)) if p.required]
    for flag in (*needed, "--voxel-um"):
        assert f"({flag})" in text
    given = {
        "--na": 1.2, "--immersion-index": 1.333, "--emission-nm": 600, "--excitation-nm": 520, "--depletion-nm": 700,
    }  # fmt: skip
    flags = [word for flag in needed for word in (flag, given[flag])]
    sizes = ("--voxel-um", *(0.8 * s for s in (0.1, 0.02, 0.02)))
    by_model = call(
        "run", tmp_path / "a.ome.tif", "--psf-model", name, *flags, *sizes, *SMALL, "-o", tmp_path / "b.tif"
    )
    by_kind = call("run", tmp_path / "a.ome.tif", "--modality", kind, *flags, *sizes, *SMALL, "-o", tmp_path / "c.tif")
    assert f"PSF by {name}: " in by_model
    assert f"PSF by {name}: " in by_kind
    assert np.array_equal(io.read(tmp_path / "b.tif").data, io.read(tmp_path / "c.tif").data)


def test_one_decision_names_the_model_of_a_widefield_and_of_an_unknown_microscope() -> None:
    plain = Image(np.zeros((3, 4, 5), np.float32), "zyx")
    said = Image(
        np.zeros((3, 4, 5), np.float32), "zyx", {}, (Channel("", Optics().known("file", modality="widefield")),)
    )
    assert model_for(plain) == model_for(said) == registry.name_of(for_modality("widefield")) == "torok-varga"
    assert "default: by the microscope, else torok-varga" in one_line(call("run", "--help"))
    assert "default: torok-varga" in one_line(call("simulate", "--help"))


def test_spelling_of_a_kind_does_not_matter() -> None:
    def of(word: str) -> Any:
        return Image(np.zeros((3, 4, 5), np.float32), "zyx", {}, (Channel("", Optics().known("file", modality=word)),))

    assert model_for(of("Airyscan")) == "ism"
    assert model_for(of("TIRF")) == "torok-varga"  # which then refuses: it is widefield
    assert model_for(of("confocal"), "Spinning-Disk") == "spinning-disk"


def test_a_preset_of_another_model_than_the_one_named_is_refused(tmp_path: Path) -> None:
    text = call("simulate", "--preset", "sted-oil", "--psf", "confocal", "-o", tmp_path / "x", code=2)
    assert "The preset sted-oil is of the PSF model sted, not confocal" in one_line(text)
    text = call("simulate", "--depletion-nm", 700, "-o", tmp_path / "x", code=2)
    assert (
        "--depletion-nm is no parameter of the PSF model here, but of sted: name the one that you mean with --psf."
        in one_line(text)
    )
