"""Recipes: run → recipe → run is bit-equal, whatever ended the first run; what differs is said; what is wrong is pointed at."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from numpy.typing import NDArray

import deconlab
from deconlab import engine, io, methods, observers, recipe_schema, schema
from deconlab.cli import main
from deconlab.functionals import TotalVariation
from deconlab.image import Channel, Image, Optics
from deconlab.problem import Box
from deconlab.psf import Gaussian
from deconlab.recipe import Recipe
from deconlab.restore import restore
from deconlab.stopping import RelativeChange

VOXEL = {"z": 0.3, "y": 0.14, "x": 0.14}
KNOWN = {"na": 0.8, "immersion_index": 1.0, "modality": "widefield"}
KERNEL = np.exp(-np.add.outer(np.arange(-3, 4) ** 2, np.arange(-3, 4) ** 2) / 2.5)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def good(*arguments: object) -> str:
    result = invoke("run", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


def bad(*arguments: object, code: int = 1) -> str:
    result = invoke("run", *arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert "fault of deconlab" not in result.output
    return " ".join(result.output.split())


def counts(*shape: int, seed: int = 1) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    return rng.poisson(20 + 200 * (rng.random(shape) > 0.95)).astype(np.uint16)


def channel(name: str, emission_nm: float, **known: Any) -> Channel:
    return Channel(name, Optics().known("file", **{**KNOWN, "emission_nm": emission_nm, **known}))


def record(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = io.read(path).history["deconvolution"]
    return found


def same(a: Path, b: Path) -> bool:
    return io.read(a).data.tobytes() == io.read(b).data.tobytes()


@pytest.fixture
def plane(tmp_path: Path) -> Path:
    """A plane without any metadata, and a PSF beside it."""
    io.write(tmp_path / "psf.tif", Image(KERNEL, "yx"))
    io.write(tmp_path / "plane.tif", Image(counts(14, 15), "yx"), dtype="uint16")
    return tmp_path / "plane.tif"


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Two channels and three times that say everything about their optics."""
    image = Image(counts(2, 3, 2, 10, 11), "ctzyx", VOXEL, (channel("DAPI", 460.0), channel("GFP", 520.0)))
    io.write(tmp_path / "series.ome.tif", image, dtype="uint16")
    return tmp_path / "series.ome.tif"


@pytest.mark.parametrize("method", methods.registry.names())
def test_a_recipe_repeats_every_method_bit_by_bit(method: str, plane: Path) -> None:
    out, again = plane.with_name("out.tif"), plane.with_name("again.tif")
    flags = ["--background", "auto", "--offset", 3, "--boundary", "periodic", "-o", out]
    if issubclass(methods.registry.get(method), methods.IterativeMethod):
        flags += ["--iterations", 3]
    good(plane, "--psf", plane.with_name("psf.tif"), "--method", method, *flags)
    text = good("--recipe", out.with_suffix(".yaml"), "-o", again)
    assert same(out, again)
    assert "differs from the recipe" not in text
    first, second = record(out), record(again)
    for part in ("input", "settings", "defaults", "files", "computing", "software", "psf"):
        assert first[part] == second[part], part
    assert [v["iterations"] for v in first["volumes"]] == [v["iterations"] for v in second["volumes"]]
    assert first["settings"] == {
        "psf": str(plane.with_name("psf.tif")), "method": method, "background": "auto", "offset": 3.0,
        "boundary": "periodic", **({"iterations": 3} if "--iterations" in flags else {}),
    }  # fmt: skip


def test_the_recipe_beside_the_output_is_that_in_its_metadata_and_tells_all(plane: Path) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 2, "--dtype", "float64")
    beside = plane.with_name("plane_deconvolved.yaml")
    data = yaml.safe_load(beside.read_text(encoding="utf-8"))
    assert data == record(plane.with_name("plane_deconvolved.ome.tif"))
    assert data["input"]["file"] == str(plane)
    assert data["flags"] == {"dtype": "float64"}
    assert data["computing"] == {
        "device": "cpu", "threads": torch.get_num_threads(), "dtype": "float64", "engine": "plain",
        "machine": data["computing"]["machine"],
    }  # fmt: skip
    assert set(data["software"]) == {"deconlab", "torch", "numpy", "python"}
    assert data["files"]["psf"]["sha256"] == hashlib.sha256(plane.with_name("psf.tif").read_bytes()).hexdigest()
    assert any("Normalised" in step for step in data["psf"]["channels"][0]["steps"])
    [volume] = data["volumes"]
    assert (volume["iterations"], volume["reason"]) == (2, "reached 2 iterations")
    good("--recipe", beside, "-o", plane.with_name("b.tif"))
    assert io.read(plane.with_name("b.tif")).data.dtype == np.float64
    assert same(plane.with_name("plane_deconvolved.ome.tif"), plane.with_name("b.tif"))
    good("--recipe", plane.with_name("b.tif"), "-o", plane.with_name("c.tif"))  # an output is a recipe too
    assert same(plane.with_name("c.tif"), plane.with_name("b.tif"))


def test_optics_are_recorded_for_each_channel_with_value_unit_and_source(series: Path) -> None:
    good(series, "--iterations", 1, "--sample-index", 1.33, "--depth-um", 1, "-o", series.with_name("o.ome.tif"))
    data = record(series.with_name("o.ome.tif"))
    green = data["psf"]["channels"][1]
    assert green["name"] == "GFP"
    assert green["optics"]["emission_nm"] == {"value": 520.0, "unit": "nm", "source": "file"}
    assert green["optics"]["sample_index"] == {"value": 1.33, "source": "user"}
    assert green["optics"]["coverslip_um"] == {"value": 170.0, "unit": "µm", "source": "default"}
    assert data["voxel_um"]["z"] == {"value": 0.3, "source": "file"}


def test_a_given_psf_keeps_what_the_file_says_of_the_optics(series: Path, tmp_path: Path) -> None:
    io.write(tmp_path / "psf.tif", Image(np.stack([KERNEL / 2, KERNEL, KERNEL / 2]), "zyx"))
    good(series, "--iterations", 1, "--psf", tmp_path / "psf.tif", "-o", tmp_path / "o.tif", "--voxel-um", 1, 1, 1)
    data = record(tmp_path / "o.tif")
    assert data["psf"]["channels"][0]["optics"]["na"] == {"value": 0.8, "source": "file"}
    assert data["voxel_um"]["x"] == {"value": 1.0, "source": "user"}


def test_a_run_that_time_ended_is_repeated_with_as_many_iterations(series: Path) -> None:
    out, again = series.with_name("o.ome.tif"), series.with_name("p.ome.tif")
    good(series, "--max-seconds", 0.01, "-o", out)
    done = [(v["where"], v["iterations"]) for v in record(out)["volumes"]]
    good("--recipe", out.with_name("o.yaml"), "-o", again)
    assert [(v["where"], v["iterations"]) for v in record(again)["volumes"]] == done
    assert same(out, again)
    good("--recipe", again.with_name("p.yaml"), "-o", out, "--overwrite")  # and the recipe of the repetition is as good
    assert same(out, again)


@pytest.mark.parametrize("rule", [("--discrepancy", 50), ("--relative-change", 0.2)])
def test_a_run_that_a_rule_ended_is_repeated(series: Path, rule: tuple[str, float]) -> None:
    out, again = series.with_name("o.ome.tif"), series.with_name("p.ome.tif")
    good(series, *rule, "-o", out)
    good("--recipe", out.with_name("o.yaml"), "-o", again)
    assert same(out, again)
    assert record(out)["settings"][rule[0][2:].replace("-", "_")] == rule[1]


def test_a_run_that_ctrl_c_ended_is_repeated(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends after iteration 3 of volume 2 of 6; the others are 0, then as now."""
    out, again = series.with_name("o.ome.tif"), series.with_name("p.ome.tif")
    plain = observers.Progress.__call__

    def interrupting(self: observers.Progress, iteration: Any) -> None:
        if self.label.startswith("volume 2") and iteration.index == 3:
            signal.raise_signal(signal.SIGINT)
        plain(self, iteration)

    monkeypatch.setattr(observers.Progress, "__call__", interrupting)
    assert invoke("run", series, "--iterations", 5, "-o", out).exit_code == 130
    monkeypatch.setattr(observers.Progress, "__call__", plain)
    assert [(v["iterations"], v["reason"]) for v in record(out)["volumes"]] == [
        (5, "reached 5 iterations"),
        (3, "interrupted"),
    ]
    text = good("--recipe", out.with_name("o.yaml"), "-o", again)
    assert "4 of 6 volumes were not restored" in text
    assert same(out, again)
    image = io.read(series)  # of another image all volumes are restored
    io.write(series.with_name("other.ome.tif"), image.replace_data(image.data[::-1].copy()), dtype="uint16")
    text = good(series.with_name("other.ome.tif"), "--recipe", out.with_name("o.yaml"))
    assert "the recipe tells nothing of channel 0 (DAPI), time 2; it gets 5 iterations" in text
    assert text.count("the recipe tells nothing") == 1
    other = record(series.with_name("other_deconvolved.ome.tif"))
    assert [v["iterations"] for v in other["volumes"]] == [5, 3, 5, 5, 5, 5]


def test_threads_are_those_of_then(plane: Path) -> None:
    before = torch.get_num_threads()
    try:
        good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1, "--threads", 2)
        torch.set_num_threads(1)
        recipe = plane.with_name("plane_deconvolved.yaml")
        good("--recipe", recipe, "-o", plane.with_name("b.tif"))
        assert record(plane.with_name("b.tif"))["computing"]["threads"] == 2
        text = good("--recipe", recipe, "-o", plane.with_name("c.tif"), "--threads", 1)
        assert "threads 2 → 1: the last digits may differ" in text
        image = io.read(plane)
        torch.set_num_threads(1)
        assert Recipe.load(recipe).run(image).history["deconvolution"]["computing"]["threads"] == 2
        assert torch.get_num_threads() == 1
        assert Recipe.load(recipe).run(image, threads=1).history["deconvolution"]["computing"]["threads"] == 1
    finally:
        torch.set_num_threads(before)


def test_flags_come_before_the_recipe_and_are_said(plane: Path) -> None:
    good(
        plane, "--psf", plane.with_name("psf.tif"), "--method", "tikhonov-miller", "--weight", 0.1, "--iterations", 4,
        "--background", 5,
    )  # fmt: skip
    recipe = plane.with_name("plane_deconvolved.yaml")
    text = good(
        "--recipe", recipe, "-o", plane.with_name("b.tif"), "--weight", 0.2, "--iterations", 2, "--start", "measured"
    )
    assert "differs from the recipe: weight 0.1 → 0.2" in text
    assert "differs from the recipe: iterations 4 → 2" in text
    assert "differs from the recipe: start flat → measured" in text
    psf, image = io.read(plane.with_name("psf.tif")).data, io.read(plane).data
    expected = deconlab.deconvolve(image, psf, "tikhonov-miller", 2, weight=0.2, background=5.0, start="measured")
    assert np.array_equal(io.read(plane.with_name("b.tif")).data, expected.x)


def test_another_method_leaves_out_what_has_no_place_in_it(plane: Path) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--method", "tikhonov-miller", "--weight", 0.1, "--iterations", 4)
    recipe = plane.with_name("plane_deconvolved.yaml")
    text = good("--recipe", recipe, "--method", "richardson-lucy", "-o", plane.with_name("b.tif"))
    assert "weight 0.1 has no place in it and is left out" in text
    assert "method tikhonov-miller → richardson-lucy" in text
    assert record(plane.with_name("b.tif"))["volumes"][0]["iterations"] == 4
    good("--recipe", recipe, "--method", "wiener", "-o", plane.with_name("c.tif"))
    psf, image = io.read(plane.with_name("psf.tif")).data, io.read(plane).data
    assert np.array_equal(io.read(plane.with_name("c.tif")).data, deconlab.deconvolve(image, psf, "wiener").x)
    good("--recipe", recipe, "--prior", "laplacian", "--weight", 0.3, "-o", plane.with_name("d.tif"))
    expected = deconlab.deconvolve(image, psf, "tikhonov-miller", 4, prior="laplacian", weight=0.3)
    assert np.array_equal(io.read(plane.with_name("d.tif")).data, expected.x)


def test_a_psf_and_a_psf_model_take_each_others_place(series: Path, tmp_path: Path) -> None:
    io.write(tmp_path / "psf.tif", Image(np.stack([KERNEL / 2, KERNEL, KERNEL / 2]), "zyx"))
    good(series, "--iterations", 1, "--psf-model", "gaussian", "--fwhm-um", 0.3, "-o", tmp_path / "a.ome.tif")
    text = good("--recipe", tmp_path / "a.yaml", "--psf", tmp_path / "psf.tif", "-o", tmp_path / "b.ome.tif")
    assert "fwhm_um 0.3 has no place in it" in text
    good(series, "--iterations", 1, "--psf", tmp_path / "psf.tif", "-o", tmp_path / "c.ome.tif")
    assert same(tmp_path / "b.ome.tif", tmp_path / "c.ome.tif")
    good("--recipe", tmp_path / "c.yaml", "--psf-model", "gaussian", "--fwhm-um", 0.3, "-o", tmp_path / "d.ome.tif")
    assert same(tmp_path / "d.ome.tif", tmp_path / "a.ome.tif")
    text = good("--recipe", tmp_path / "a.yaml", "--psf-model", "gibson-lanni", "-o", tmp_path / "e.ome.tif")
    good(series, "--iterations", 1, "--psf-model", "gibson-lanni", "-o", tmp_path / "f.ome.tif")
    assert same(tmp_path / "e.ome.tif", tmp_path / "f.ome.tif")


def test_another_image_gives_its_own_optics_and_the_recipe_what_it_lacks(series: Path, tmp_path: Path) -> None:
    good(series, "--iterations", 2, "--background", "auto", "-o", tmp_path / "a.ome.tif")
    data = counts(2, 2, 10, 11, seed=5)
    partly = Image(data, "czyx", {"y": 0.12, "x": 0.12}, (channel("A", 480.0, na=0.7), Channel("B")))
    io.write(tmp_path / "other.ome.tif", partly, dtype="uint16")
    text = good(tmp_path / "other.ome.tif", "--recipe", tmp_path / "a.yaml")
    assert f"another image, {tmp_path / 'other.ome.tif'} in place of {series}" in text
    found = record(tmp_path / "other_deconvolved.ome.tif")
    first, second = (entry["optics"] for entry in found["psf"]["channels"])
    assert [first[name]["source"] for name in ("na", "emission_nm", "immersion_index")] == ["file"] * 3
    assert second["emission_nm"] == {"value": 520.0, "unit": "nm", "source": "recipe"}
    assert found["voxel_um"] == {
        "z": {"value": 0.3, "source": "recipe"},
        "y": {"value": 0.12, "source": "file"},
        "x": {"value": 0.12, "source": "file"},
    }
    full = Image(data, "czyx", {"z": 0.3, "y": 0.12, "x": 0.12}, (channel("A", 480.0, na=0.7), channel("B", 520.0)))
    expected = restore(full, iterations=2, background="auto")
    assert np.array_equal(io.read(tmp_path / "other_deconvolved.ome.tif").data, expected.data)
    assert io.read(tmp_path / "other_deconvolved.ome.tif").voxel_um["z"] == 0.3


def test_of_channels_that_do_not_match_only_what_is_common_is_taken(series: Path, tmp_path: Path) -> None:
    good(series, "--iterations", 2, "-o", tmp_path / "a.ome.tif")
    io.write(tmp_path / "one.tif", Image(counts(2, 10, 11), "zyx"), dtype="uint16")
    text = bad(tmp_path / "one.tif", "--recipe", tmp_path / "a.yaml")
    assert "this is missing: the emission wavelength (--emission-nm)" in text
    good(tmp_path / "one.tif", "--recipe", tmp_path / "a.yaml", "--emission-nm", 500)
    optics = record(tmp_path / "one_deconvolved.ome.tif")["psf"]["channels"][0]["optics"]
    assert (optics["na"], optics["emission_nm"]["source"]) == ({"value": 0.8, "source": "recipe"}, "user")


def test_files_that_have_changed_or_moved_are_noticed(plane: Path) -> None:
    psf = plane.with_name("psf.tif")
    mask = np.ones((14, 15))
    mask[3, 4] = 0
    for name, array in (("mask", mask), ("start", np.full((14, 15), 20.0))):
        io.write(plane.with_name(f"{name}.tif"), Image(array, "yx"))
    good(
        plane, "--psf", psf, "--iterations", 2, "--weights", plane.with_name("mask.tif"), "--start",
        plane.with_name("start.tif"),
    )  # fmt: skip
    recipe, again = plane.with_name("plane_deconvolved.yaml"), plane.with_name("b.tif")
    assert sorted(record(plane.with_name("plane_deconvolved.ome.tif"))["files"]) == ["psf", "start", "weights"]
    good("--recipe", recipe, "-o", again)
    assert same(plane.with_name("plane_deconvolved.ome.tif"), again)
    moved = plane.parent / "elsewhere"
    moved.mkdir()
    for path in plane.parent.glob("*.*"):
        path.rename(moved / path.name)
    good("--recipe", moved / recipe.name, "-o", moved / "c.tif")
    assert same(moved / "c.tif", moved / "b.tif")
    io.write(moved / "psf.tif", Image(KERNEL**2, "yx"), overwrite=True)
    io.write(moved / "plane.tif", Image(counts(14, 15, seed=9), "yx"), dtype="uint16", overwrite=True)
    text = " ".join(good("--recipe", moved / recipe.name, "-o", moved / "d.tif").split())
    assert f"the file of psf, {moved / 'psf.tif'}, is not the one of then" in text
    (moved / "psf.tif").unlink()
    text = bad("--recipe", moved / recipe.name, "-o", moved / "e.tif")
    assert "there is no file" in text
    assert "psf.tif, nor one of its name beside the recipe" in text
    (moved / "plane.tif").unlink()
    assert "plane.tif, nor one of its name" in bad("--recipe", moved / recipe.name, "--psf", moved / "start.tif")


def test_an_input_that_has_changed_is_said(plane: Path) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1)
    io.write(plane, Image(counts(14, 15, seed=9), "yx"), dtype="uint16", overwrite=True)
    text = good("--recipe", plane.with_name("plane_deconvolved.yaml"), "--overwrite")
    assert f"{plane} has changed since" in text


def test_another_machine_is_told_of(plane: Path) -> None:
    """Edited as if it came from a workstation: its GPU, its versions and its threads are not here."""
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1)
    recipe = plane.with_name("plane_deconvolved.yaml")
    data = yaml.safe_load(recipe.read_text())
    data["computing"] |= {"device": "cuda:7", "threads": 1, "engine": "none"}
    data["software"] |= {"torch": "1.0", "deconlab": "0.0.1"}
    recipe.write_text(yaml.safe_dump(data))
    text = good("--recipe", recipe, "-o", plane.with_name("b.tif"))
    now = "cuda" if torch.cuda.is_available() else "cpu"
    assert f"device cuda:7 → {now}: the last digits may differ" in text
    assert f"torch 1.0 → {torch.__version__}: the last digits may differ" in text
    assert "deconlab 0.0.1 →" in text
    assert f"engine none → {engine.status().kernel or 'plain'}" in text
    good("--recipe", recipe, "-o", plane.with_name("c.tif"), "--device", "cpu")
    assert same(plane.with_name("c.tif"), plane.with_name("plane_deconvolved.ome.tif"))


def test_more_threads_than_processors_are_warned_of(plane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1)
    before = torch.get_num_threads()
    monkeypatch.setattr("deconlab.repetition.os.cpu_count", lambda: 1)
    recipe = plane.with_name("plane_deconvolved.yaml")
    recipe.write_text(recipe.read_text().replace(f"threads: {before}", "threads: 2"))
    try:
        text = good("--recipe", recipe, "-o", plane.with_name("b.tif"))
    finally:
        torch.set_num_threads(before)
    assert "2 threads, as then, on 1 processor: slow; --threads 1 is faster" in text


WRONG = [
    ("weight: 0.1", "weight: -1", "line {n}: weight must be >= 0, not -1."),
    ("weight: 0.1", "weight: a lot", "line {n}: weight must be a number, not 'a lot'."),
    ("weight: 0.1", "wieght: 0.1", "line {n}: wieght is not known; did you mean weight?"),
    ("iterations: 2", "iterations: 0", "line {n}: iterations must be >= 1, not 0."),
    (
        "boundary: open",
        "boundary: ajar",
        "line {n}: boundary must be one of open, periodic, reflect, zero, not 'ajar'.",
    ),
    ("method: tikhonov-miller", "method: tikhonov-muller", "line {n}: Unknown method 'tikhonov-muller'. Did you mean"),
    ("prior: tikhonov", "prior: tychonov", "line {n}: Unknown data term or prior 'tychonov'. Did you mean 'tikhonov'?"),
    ("prior: tikhonov", "prior: poisson", "line {n}: 'poisson' is a data term, not a prior."),
    ("recipe: 1", "recipe: 9", "line {n}: recipe version 9 is of a later deconlab; this one reads up to 1: update it."),
    ("recipe: 1", "recipe: one", "line {n}: a recipe begins with `recipe: 1`, its version."),
    ("recipe: 1", "recipee: 1", "line 1: a recipe begins with `recipe: 1`, its version."),
    ("computing:", "computed:", "line {n}: computed is not known; did you mean computing?"),
    ("  threads: 1", "  threads: 0", "line {n}: threads must be >= 1, not 0."),
    ("  threads: 1", "  thread: 1", "line {n}: thread is not known; did you mean threads?"),
    ("  dtype: float32\n", "  dtype: float16\n", "line {n}: dtype must be one of float32, float64, not 'float16'."),
    ("  iterations: 2\n  reason", "  iterations: -2\n  reason", "line {n}: iterations must be >= 0, not -2."),
    ("- where: {}", "- were: {}", "line {n}: were is not known; did you mean where?"),
    ("- where: {}", "- where: {c: -1}", "line {n}: where must be the volume's place, such as {{c: 0, t: 3}}, not"),
    ("files:", "files: []\nfils:", "line {n}: files must be a mapping, not []."),
    ("settings:", "settings: [", "this is no YAML"),
    ("voxel_um: [0.2, 0.1]", "voxel_um: [0.2, 0]", "line {n}: voxel_um must be > 0 µm, not 0."),
    (
        "voxel_um: [0.2, 0.1]",
        "voxel_um: []",
        "line {n}: voxel_um is an empty list; give a number for each, or leave it out.",
    ),
    ("  y: {value: 0.2, source: user}", "  y: 0.2", "line {n}: y must have a value and a source, not 0.2."),
    ("background: auto", "background: dark", "line {n}: background must be a number or 'auto', not 'dark'."),
    ("  psf: ", "  offset: 3\n  psf: ", "is there twice"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG)
def test_the_wrong_line_is_named(right: str, wrong: str, message: str, plane: Path) -> None:
    good(
        plane, "--psf", plane.with_name("psf.tif"), "--method", "tikhonov-miller", "--weight", 0.1, "--iterations", 2,
        "--background", "auto", "--voxel-um", 0.2, 0.1, "--offset", 1, "--prior", "tikhonov",
    )  # fmt: skip
    recipe = plane.with_name("plane_deconvolved.yaml")
    text = recipe.read_text(encoding="utf-8")
    assert right in text, text
    recipe.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    changed = recipe.read_text(encoding="utf-8")
    number = changed[: changed.index(wrong)].count("\n") + 1
    said = bad("--recipe", recipe)
    assert message.format(n=number) in said
    assert f"{recipe}" in said


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("recipe: 1\nsettings:\n  method: richardson-lucy\n  gain: 0\n  iterations: x\n")
    result = invoke("recipe", "check", tmp_path / "r.yaml")
    assert result.exit_code == 1
    assert f"{tmp_path / 'r.yaml'}, line 4: gain must be > 0 ADU/e⁻, not 0." in result.output
    assert f"{tmp_path / 'r.yaml'}, line 5: iterations must be a whole number, not 'x'." in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is no recipe: it must hold `recipe: 1` and `settings:`."),
        ("- 1\n", "line 1: this is no recipe"),
        ("recipe: 1\n", "there are no settings; give at least `settings: {method: richardson-lucy}`."),
        ("recipe: 1\nsettings: 3\n", "line 2: settings must be a mapping, not 3."),
        ("recipe: 1\nsettings: {}\nvolumes: {}\n", "line 3: volumes must be a list, not {}."),
        ("recipe: 1\nsettings: {}\nvolumes: [3]\n", "line 3: a volume must be a mapping, not 3."),
        ("recipe: 1\nsettings: {psf_model: airey}\n", "Unknown PSF model 'airey'"),
        ("recipe: 1\nsettings: {zzz: 1}\n", "zzz is not known; there are "),
        ("recipe: 1\nsettings: {boundary: no}\n", "boundary must be one of open, periodic, reflect, zero, not False."),
        ("recipe: 1\nsettings: {psf: [1, 2]}\n", "psf must be of type str, not [1, 2]."),
        ("recipe: 1\nmade: 3\nsettings: {}\n", "line 2: made must be text, not 3."),
        ("recipe: 1\nsettings: {}\nvolumes: [{}]\n", "line 3: a volume must say its iterations."),
        (
            "recipe: 1\nsettings: {}\npsf: {channels: [3]}\n",
            "line 3: channels must be a list of mappings with optics, not 3.",
        ),
        (
            "recipe: 1\nsettings: {}\npsf: {channels: {}}\n",
            "line 3: channels must be a list of mappings with optics, not {}.",
        ),
        (
            "recipe: 1\nsettings: {}\nvoxel_um:\n  z: {value: 0, source: file}\n",
            "line 4: the voxel size along z must be > 0 µm, not 0.",
        ),
        ("recipe: 1\nsettings: {}\nfiles: {psf: a.tif}\n", "line 3: psf must have a file and its sha256, not 'a.tif'."),
        (
            "recipe: 1\nsettings:\n  constraint: positive\n",
            "line 3: constraint must be free, non-negative or [lower, upper], not 'positive'.",
        ),
        ("recipe: 1\nsettings: &all\n  prior: *all\n", "line 2: this is nested more than 20 deep; no recipe is."),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ValueError) as raised:
        Recipe.load(tmp_path / "r.yaml")
    assert message in str(raised.value)


def test_bytes_are_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is no text, let alone a recipe"):
        Recipe.load(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{name: gaussian, fwhm: 3}", "line 2: .*unexpected keyword argument 'fwhm'"),
        ("{name: gaussian, fwhm_um: -3}", "line 2: Gaussian: fwhm_um must be > 0 µm, not -3."),
        ("{name: gausian}", "line 2: Unknown PSF model 'gausian'"),
    ],
)
def test_an_object_that_cannot_be_made_is_pointed_at(value: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(f"recipe: 1\nsettings: {{psf: {value}}}\n")
    with pytest.raises(ValueError, match=message):
        Recipe.load(tmp_path / "r.yaml").run(Image(counts(8, 8), "yx", {"y": 0.1, "x": 0.1}))


def test_the_settings_repeat_it_by_themselves(series: Path) -> None:
    image = io.read(series)
    first = restore(image, max_seconds=0.005)
    again = restore(image, **Recipe.of(first).settings())
    assert again.data.tobytes() == first.data.tobytes()


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_parameters_of_a_psf_model_keep_the_model(series: Path) -> None:
    """A pinhole that was given is the confocal model's: it is not dropped, nor given to the model of a widefield image."""
    image = io.read(series)
    confocal = Image(image.data, image.axes, image.voxel_um, (channel("A", 520.0, modality="confocal"),) * 2)
    first = restore(confocal, iterations=1, excitation_nm=488.0, pinhole_au=1.0)
    assert first.history["deconvolution"]["psf"]["from"] == "confocal"
    with pytest.raises(ValueError, match="acquired as 'widefield' according to the file, and confocal computes"):
        Recipe.of(first).run(image)
    found = restore(image, iterations=1, na=0.75)  # one that every model has is given to the image's own
    again = Recipe.of(found).run(confocal, excitation_nm=488.0).history["deconvolution"]
    assert again["psf"]["from"] == "confocal"
    assert again["psf"]["channels"][0]["optics"]["na"] == {"value": 0.75, "source": "user"}


def test_a_psf_named_by_a_relative_path_is_found_from_elsewhere(plane: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plane.parent)
    first = restore(io.read("plane.tif"), psf="psf.tif", iterations=1)
    monkeypatch.chdir("/")
    assert Recipe.of(first).run(io.read(plane)).data.tobytes() == first.data.tobytes()


def test_another_precision_is_said(plane: Path) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1)
    recipe = plane.with_name("plane_deconvolved.yaml")
    text = good("--recipe", recipe, "-o", plane.with_name("b.tif"), "--dtype", "float64")
    assert "dtype float32 → float64: the last digits may differ" in text


def test_a_recipe_by_hand_needs_its_settings_alone(plane: Path) -> None:
    recipe = plane.with_name("mine.yaml")
    recipe.write_text("recipe: 1\nsettings: {psf: psf.tif, iterations: 3, background: 1e1}\n")
    text = good(plane, "--recipe", recipe)
    assert "3 iterations, reached 3 iterations" in text
    data = record(plane.with_name("plane_deconvolved.ome.tif"))
    assert (data["settings"]["background"], data["settings"]["method"]) == (10.0, "richardson-lucy")
    assert "the recipe does not say which file it is of; name an image." in bad("--recipe", recipe)
    found = Recipe.load(recipe).run(io.read(plane))
    assert np.array_equal(found.data, io.read(plane.with_name("plane_deconvolved.ome.tif")).data)


def test_files_that_are_no_recipes(plane: Path) -> None:
    assert "There is no recipe" in bad("--recipe", plane.with_name("no.yaml"))
    assert "was not restored by deconlab: there is no recipe in its metadata" in bad("--recipe", plane)
    assert "Missing argument 'IMAGE'" in bad(code=2)


def test_flags_of_the_command_line_are_kept_and_checked(plane: Path) -> None:
    """Those that are no settings in Python: how the file was read, what was written."""
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1, "--series", 0, "--dtype", "uint16", "--quiet")
    recipe = plane.with_name("plane_deconvolved.yaml")
    assert yaml.safe_load(recipe.read_text())["flags"] == {"series": 0, "dtype": "uint16"}
    good("--recipe", recipe, "-o", plane.with_name("b.tif"))
    assert io.read(plane.with_name("b.tif")).data.dtype == np.uint16
    text = recipe.read_text()
    recipe.write_text(text.replace("  series: 0", "  series: -1"))
    number = text[: text.index("  series: 0")].count("\n") + 1
    assert f"{recipe}, line {number}: --series must be >= 0, not -1." in bad("--recipe", recipe)
    recipe.write_text(text.replace("  series: 0", "  serie: 0"))
    assert f"line {number}: serie is no flag of `deconlab run`; did you mean series?" in bad("--recipe", recipe)
    recipe.write_text(text.replace("  series: 0", "  qqqq: 0"))
    assert "qqqq is no flag of `deconlab run`." in bad("--recipe", recipe)


def test_every_flag_of_run_that_matters_can_be_said_by_a_recipe() -> None:
    """A flag is a setting that the schema knows, or is kept among the flags; those that change no number are neither."""
    import click

    from deconlab.cli import _repeat
    from deconlab.cli.run import command

    known = set(recipe_schema.declared("tikhonov-miller", "tikhonov", "gibson-lanni"))
    ctx = command.make_context("run", ["a.tif", "--method", "tikhonov-miller"])
    matter = {option.name for option in command.get_params(ctx) if _repeat._has_influence(option)}
    assert {p.name for p in schema.parameters(methods.registry.get("tikhonov-miller"))} <= matter & known
    assert {"weights", "psf", "na", "gain", "discrepancy", "boundary", "extension_px", "series", "dtype"} <= matter
    assert not {"output", "overwrite", "history", "debug", "quiet", "threads", "device", "recipe", "force"} & matter
    assert all(isinstance(option, click.Parameter) for option in command.get_params(ctx))


def test_what_was_restored_before_is_refused_without_force(plane: Path) -> None:
    psf = plane.with_name("psf.tif")
    good(plane, "--psf", psf, "--iterations", 2, "-o", plane.with_name("a.tif"))
    text = bad(plane.with_name("a.tif"), "--psf", psf)
    assert "restored by deconlab before (RichardsonLucy(), reached 2 iterations)" in text
    assert "take the measured image, or say --force (force=True)" in text
    good(plane.with_name("a.tif"), "--psf", psf, "--iterations", 3, "--force")
    twice = record(plane.with_name("a_deconvolved.ome.tif"))
    assert twice["before"]["volumes"][0]["iterations"] == 2
    assert "force" not in {**twice["settings"], **twice.get("flags", {})}
    assert "restored by deconlab before" in bad("--recipe", plane.with_name("a_deconvolved.yaml"), "--overwrite")
    good("--recipe", plane.with_name("a_deconvolved.yaml"), "-o", plane.with_name("b.tif"), "--force")
    assert same(plane.with_name("b.tif"), plane.with_name("a_deconvolved.ome.tif"))
    damaged = Image(counts(8, 8), "yx", history={"deconvolution": "yes"})
    with pytest.raises(ValueError, match="how is not known"):
        restore(damaged, psf=KERNEL)


def test_a_recipe_in_the_way_is_kept(plane: Path) -> None:
    plane.with_name("plane_deconvolved.yaml").write_text("mine")
    assert "plane_deconvolved.yaml exists already" in bad(plane, "--psf", plane.with_name("psf.tif"))
    assert plane.with_name("plane_deconvolved.yaml").read_text() == "mine"


OBJECTS: list[dict[str, Any]] = [
    {"psf": Gaussian(fwhm_um=0.3), "voxel_um": (0.1, 0.1)},
    {"psf_model": "gaussian", "fwhm_um": 0.3, "voxel_um": (0.1, 0.1), "extension_px": (2, 3)},
    {
        "psf": Gaussian(fwhm_um=0.3),
        "voxel_um": (0.1, 0.1),
        "method": methods.registry.get("tikhonov-miller")(),
        "constraint": None,
    },
    {
        "psf": Gaussian(fwhm_um=0.3),
        "voxel_um": [0.1, 0.2],
        "method": "fista",
        "prior": TotalVariation(weight=0.05, spacing=(2.0, 1.0)),
        "constraint": Box(0.0, 900.0),
    },
    {"psf_model": "gaussian", "fwhm_um": 0.3, "voxel_um": (0.1, 0.1), "stop": RelativeChange(0.05)},
    {"psf_model": "gaussian", "fwhm_um": np.float64(0.3), "voxel_um": (0.1, 0.1), "dtype": torch.float64},
]


@pytest.mark.parametrize("settings", OBJECTS)
def test_what_python_was_given_as_objects_is_repeated(settings: dict[str, Any], tmp_path: Path) -> None:
    image = Image(counts(16, 17), "yx")
    first = restore(image, **settings, **({} if "stop" in settings else {"iterations": 3}))
    Recipe.of(first).save(tmp_path / "r.yaml")
    recipe = Recipe.load(tmp_path / "r.yaml")
    assert recipe.data == json.loads(json.dumps(first.history["deconvolution"]))
    again = recipe.run(image)
    assert again.data.tobytes() == first.data.tobytes()
    assert (
        again.history["deconvolution"]["volumes"][0]["method"] == first.history["deconvolution"]["volumes"][0]["method"]
    )


def test_what_was_not_kept_is_asked_for(tmp_path: Path) -> None:
    image = Image(counts(16, 17), "yx")
    Recipe.of(restore(image, psf=KERNEL, iterations=2)).save(tmp_path / "r.yaml")
    recipe = Recipe.load(tmp_path / "r.yaml")
    with pytest.raises(ValueError, match=r"r.yaml, line \d+: psf was an array of shape \[7, 7\].*give it again: psf=…"):
        recipe.run(image)
    assert np.array_equal(recipe.run(image, psf=KERNEL).data, restore(image, psf=KERNEL, iterations=2).data)

    class Own(Box):
        pass

    Recipe.of(restore(image, method="fista", psf=KERNEL, iterations=2, constraint=Own(0.0, 1e4))).save(
        tmp_path / "s.yaml"
    )
    with pytest.raises(ValueError, match="constraint was the object"):
        Recipe.load(tmp_path / "s.yaml").run(image, psf=KERNEL)


def test_show_check_and_schema(plane: Path) -> None:
    good(plane, "--psf", plane.with_name("psf.tif"), "--iterations", 1)
    output = plane.with_name("plane_deconvolved.ome.tif")
    shown = invoke("recipe", "show", output)
    assert yaml.safe_load(shown.output) == yaml.safe_load(output.with_name("plane_deconvolved.yaml").read_text())
    checked = invoke("recipe", "check", output, output.with_name("plane_deconvolved.yaml"))
    assert checked.exit_code == 0
    assert checked.output.count("nothing is wrong") == 2
    found = json.loads(invoke("recipe", "schema", "--method", "tikhonov-miller").output)
    settings = found["properties"]["settings"]["properties"]
    assert settings["weight"]["minimum"] == 0
    assert settings["method"] == {"const": "tikhonov-miller"}
    assert settings["boundary"]["enum"] == ["open", "periodic", "reflect", "zero"]
    assert {"type": "array", "items": {"exclusiveMinimum": 0.0, "type": "number"}, "minItems": 1} in settings[
        "voxel_um"
    ]["anyOf"]
    assert "Unknown method" in invoke("recipe", "schema", "--method", "nonsense").output
    assert "laplacian" not in json.dumps(found)


def test_help_with_a_recipe_lists_the_flags_of_its_method(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("recipe: 1\nsettings: {method: tikhonov-miller, prior: laplacian}\n")
    text = " ".join(invoke("run", "--recipe", tmp_path / "r.yaml", "--help").output.split())
    assert "here: tikhonov-" in text
    assert "--weight" in text


def test_the_page_on_recipes_shows_a_recipe_and_messages_that_are_right(plane: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "recipes.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    recipe = plane.with_name("cells.yaml")
    recipe.write_text(example)
    plane.with_name("psf.tif").rename(plane.with_name("bead.tif"))
    good(plane, "--recipe", recipe)
    recipe.write_text(example.replace("gain: 0.46", "gain: 0").replace("psf:", "pfs:"))
    told = bad("--recipe", recipe).replace(f"{plane.parent}/", "")
    shown = [line.strip() for line in page.splitlines() if line.startswith("    cells.yaml, line")]
    assert len(shown) == 2
    for line in shown:
        assert line in told
    for part in recipe_schema.SECTIONS:
        assert f"`{part}`" in page or part in ("made", "recipe", "psf", "software", "voxel_um")
