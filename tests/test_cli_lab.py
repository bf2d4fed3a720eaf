"""simulate, score and experiment on the command line: files that explain themselves, and mistakes that are named."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from deconlab import io, psf
from deconlab.assess import metrics
from deconlab.cli import main
from deconlab.cli.simulate import simulate_flags
from deconlab.formation import phantoms
from deconlab.formation.camera import Camera, preset
from deconlab.formation.exposure import expected_electrons
from deconlab.formation.recipe import Recipe
from deconlab.formation.sensor import sensor_of
from deconlab.image import Image
from deconlab.psf import Gaussian, TorokVarga

OPTICS = ("--na", "0.8", "--emission-nm", "520", "--immersion-index", "1.0")
FIELD = ("--shape", "6", "24", "25", "--voxel-um", "0.3", "0.14", "0.14", "--margin", "3", "6", "6")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(*arguments: object) -> Result:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def lab(folder: Path, *more: str) -> Result:
    return run("simulate", "--psf", "torok-varga", *OPTICS, *FIELD, "-o", folder, *more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A laboratory as the command writes it, and the line that it prints."""
    path = tmp_path_factory.mktemp("a") / "lab"
    more = (
        "--phantom",
        "vesicles",
        "--count",
        "5",
        "--camera",
        "scmos",
        "--photons",
        "150",
        "--background",
        "4",
        "--seed",
        "3",
    )
    return path, lab(path, *more).stderr.strip().splitlines()[-1]


def test_the_files_are_the_simulation_with_its_optics(folder):
    path, _ = folder
    assert sorted(p.name for p in path.iterdir()) == [
        "data.ome.tif", "mean.ome.tif", "psf.ome.tif", "recipe.json", "truth.ome.tif",
    ]  # fmt: skip
    recipe = json.loads((path / "recipe.json").read_text())
    same = Recipe.from_data(recipe).run()
    for name in ("truth", "psf", "mean", "data"):
        image = io.read(path / f"{name}.ome.tif")
        assert np.array_equal(image.data, getattr(same, name))
        assert image.data.dtype == getattr(same, name).dtype
        assert image.voxel_um == {"z": 0.3, "y": 0.14, "x": 0.14}
        facts = image.channels[0].optics
        assert [facts.get(n) for n in ("na", "emission_nm", "immersion_index", "modality")] == [
            0.8,
            520,
            1.0,
            "widefield",
        ]
        assert image.history["simulation"]["holds"] == name
        assert image.history["simulation"]["phantom"] == recipe["phantom"]
    assert recipe["photons"] == 150
    assert recipe["camera"]["background"] == 4
    assert same.camera == replace(preset("scmos"), background=4.0)


def test_the_same_seed_gives_the_same_files_to_the_bit(tmp_path):
    small = ("--psf", "gaussian", "--fwhm-um", "0.3", "--fwhm-axial-um", "0.6", *FIELD[:8], "--camera", "scmos")
    for name in ("a", "b"):
        run("simulate", *small, "--seed", "5", "-o", tmp_path / name)
    run("simulate", *small, "--seed", "6", "-o", tmp_path / "c")
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    ids = {f: re.search(rb"urn:uuid:[-0-9a-f]{36}", (tmp_path / f / "data.ome.tif").read_bytes())[0] for f in "abc"}
    assert ids["a"] == ids["b"] != ids["c"]


def test_run_on_the_data_needs_no_option_to_find_the_optics(folder, tmp_path):
    path, line = folder
    result = run("run", path / "data.ome.tif", "--iterations", "2", "-o", tmp_path / "a.ome.tif")
    assert "na 0.8 (file), emission_nm 520 nm (file), immersion_index 1 (file)" in result.output
    words = shlex.split(line)
    assert words[:3] == ["deconlab", "run", str(path / "data.ome.tif")]
    said = dict(zip(words[3::2], words[4::2], strict=True))
    assert set(said) == {"--offset", "--gain", "--read-noise", "--background"}
    camera = replace(preset("scmos"), background=4.0)
    dark = np.median(expected_electrons(np.zeros((24, 25)), camera)) * np.median(sensor_of(camera, (24, 25)).gain)
    expected = {"--offset": 100, "--gain": 2.1, "--read-noise": 1.0, "--background": dark}
    for flag, value in expected.items():
        assert float(said[flag]) == pytest.approx(value, rel=0.08)
    restored = tmp_path / "b.ome.tif"
    run(*words[1:], "--iterations", "10", "-o", restored)
    data, mean, truth = (io.read(path / f"{name}.ome.tif").data for name in ("data", "mean", "truth"))
    light = (data - float(said["--offset"]) - float(said["--background"])) / float(said["--gain"])
    background = np.median(expected_electrons(np.zeros((24, 25)), camera))
    assert light.mean() == pytest.approx(mean.mean() - background, rel=0.02)
    assert metrics.correlation(io.read(restored).data, truth) > metrics.correlation(data, truth)


def test_what_a_file_has_no_place_for_is_in_the_line_that_restores(tmp_path):
    line = lab(tmp_path, "--coverslip-um", "160", "--depth-um", "2", "--sample-index", "1.0").stderr.splitlines()[-1]
    assert shlex.split(line)[3:] == ["--coverslip-um", "160"]
    other = tmp_path / "gaussian"
    result = run("simulate", "--psf", "gaussian", "--fwhm-um", "0.3", "--no-pixel-integration", *FIELD, "-o", other)
    words = shlex.split(result.stderr.splitlines()[-1])
    assert words[3:] == ["--psf-model", "gaussian", "--fwhm-um", "0.3", "--no-pixel-integration"]
    run(*words[1:], "--iterations", "1")


def test_dead_and_saturated_pixels_are_masked_in_a_file_of_weights(tmp_path):
    more = ("--dead-pixels", "0.02", "--phantom", "beads", "--overwrite")
    words = shlex.split(lab(tmp_path, *more).stderr.splitlines()[-1])
    assert words[-2:] == ["--weights", str(tmp_path / "weights.ome.tif")]
    dead = sensor_of(Camera(dead_pixels=0.02), (24, 25)).dead
    assert dead.any()
    weights = io.read(tmp_path / "weights.ome.tif").data
    assert np.array_equal(weights == 0, np.broadcast_to(dead, weights.shape))
    run(*words[1:], "--iterations", "1")
    assert "--weights" not in lab(tmp_path, "--overwrite").stderr
    assert not (tmp_path / "weights.ome.tif").exists()


def test_files_are_not_replaced_unless_asked_for(tmp_path):
    lab(tmp_path)
    (tmp_path / "data.ome.tif").unlink()
    arguments = ("simulate", *OPTICS, *FIELD, "-o", tmp_path)
    assert "truth.ome.tif exists already. Say --overwrite" in invoke(*arguments).output
    for name in ("truth", "psf", "mean"):
        (tmp_path / f"{name}.ome.tif").unlink()
    assert (
        "recipe.json exists already. Say --overwrite to replace it, or name another folder" in invoke(*arguments).output
    )
    run(*arguments, "--overwrite")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--na", "-0.8"), "na must be > 0"),
        (("--na", "nan"), "--na must be a finite number, not nan"),
        (("--emission-nm", "nan"), "--emission-nm must be a finite number nm, not nan"),
        (
            ("--full-well", "50", "--offset", "100"),
            "a full well of 50 e⁻ is 50 ADU at 1 ADU/e⁻, which is below the offset",
        ),
        (
            ("--bit-depth", "8", "--photons", "1000"),
            "1000 photons are 1000 ADU (gain 1 ADU/e⁻, offset 0), but 8 bits end at",
        ),
        (("--diameter-um", "40"), "Filaments: a filament's diameter of 40 × 40 × 40 µm lies outside the field of view"),
        (("--photons", "0"), "--photons must be > 0, not 0.0"),
        (("--photons", "-3"), "--photons must be > 0, not -3.0"),
        (("--phantom", "filamnts"), "Unknown phantom 'filamnts'. Did you mean 'filaments'?"),
        (("--psf", "gibson-lani"), "Did you mean 'gibson-lanni'?"),
        (("--camera", "scmoss"), "Unknown camera 'scmoss'. Did you mean 'scmos'?"),
        (("--shape", "9", "9"), "margin must be 2 whole numbers >= 0, one per axis, not (3, 6, 6)"),
        (("--phantom", "spikes"), "Spikes is made for 1-D, not for the 3-D shape (6, 24, 25)"),
    ],
)
def test_bad_input_is_named(arguments, message, tmp_path):
    result = invoke("simulate", *OPTICS, *FIELD, "-o", tmp_path / "lab", *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "lab").exists()


def test_optics_that_are_missing_are_all_named(tmp_path):
    result = invoke("simulate", "--na", "0.8", "-o", tmp_path)
    assert result.exit_code == 2
    assert "The PSF model torok-varga needs --emission-nm, --immersion-index." in result.output


def test_no_flag_of_simulate_is_declared_twice_in_any_combination():
    command = main.get_command(click.Context(main), "simulate")
    assert command is not None
    for phantom, model in itertools.product(phantoms.names(), psf.registry.names()):
        found = [*command.params, *simulate_flags(["--phantom", phantom, "--psf", model])]
        flags = Counter(name for flag in found for name in (*flag.opts, *flag.secondary_opts))
        variables = Counter(flag.name for flag in found)
        assert [name for name, times in (flags + variables).items() if times > 1] == []


def test_help_shows_the_named_cameras_defaults():
    assert "default: 0.82" in run("simulate", "--camera", "scmos", "--help").output
    assert "default: 0.62" in run("simulate", "--camera", "ccd", "--help").output


@pytest.mark.parametrize("name", phantoms.names())
def test_recipes_of_every_phantom_repeat_it(name):
    cls = phantoms.get(name)
    ndim = max(cls.dimensions)
    recipe = Recipe(cls(), Gaussian(fwhm_um=0.4), preset("ccd"), (8,) * ndim, (0.2,) * ndim, 90.0, 4, 1, (2,) * ndim)
    assert Recipe.from_data(json.loads(json.dumps(recipe.as_data()))) == recipe


def test_recipes_that_cannot_be_are_refused():
    recipe = Recipe(
        phantoms.get("beads")(), TorokVarga(na=0.8, emission_nm=520, immersion_index=1), Camera(), (9, 9), (1, 1)
    )
    data = recipe.as_data()
    with pytest.raises(ValueError, match=r"The recipe lacks psf, shape\. Is it one that"):
        Recipe.from_data({name: value for name, value in data.items() if name not in ("psf", "shape")})
    with pytest.raises(ValueError, match=r"Camera has no parameter gian\. There are: autofluorescence"):
        Recipe.from_data({**data, "camera": {"gian": 2.0}})
    measured = replace(recipe, camera=Camera(sensor=sensor_of(Camera(), (9, 9))))
    with pytest.raises(ValueError, match=r"measured pixel maps \(sensor\) cannot be written as a recipe"):
        measured.as_data()


def save(path: Path, data: np.ndarray, axes: str, **voxel_um: float) -> Path:
    io.write(path, Image(data.astype(np.float32), axes, voxel_um))
    return path


def test_score_prints_and_writes_the_metrics(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((2, 16, 17, 18)).astype(np.float32)
    image = truth + 0.1 * rng.standard_normal(truth.shape).astype(np.float32)
    size = {"z": 0.2, "y": 0.1, "x": 0.1}
    a, b = save(tmp_path / "a.ome.tif", image, "czyx", **size), save(tmp_path / "t.ome.tif", truth, "czyx", **size)
    output = run("score", a, b).output
    written = json.loads((tmp_path / "a_score.json").read_text())
    assert [volume["where"] for volume in written["volumes"]] == [{"c": 0}, {"c": 1}]
    for index, volume in enumerate(written["volumes"]):
        for name, value in metrics.score(image[index], truth[index]).items():
            assert volume[name] == pytest.approx(value)
        assert f"{volume['psnr']:.6g}" in output
        assert {f"resolution_{axis}_um" for axis in "zyx"} <= set(volume)
    assert "c 1" in output
    assert "exists already. Say --overwrite" in invoke("score", a, b).output
    run("score", a, b, "--overwrite", "--data-range", "2")
    again = json.loads((tmp_path / "a_score.json").read_text())
    assert again["volumes"][0]["data_range"] == 2


def test_score_of_equal_planes_without_sizes(tmp_path):
    truth = np.arange(80.0).reshape(8, 10)
    a, b = save(tmp_path / "a.tif", truth, "yx"), save(tmp_path / "b.tif", truth, "yx")
    output = run("score", a, b, "-o", tmp_path / "s.json").output
    (volume,) = json.loads((tmp_path / "s.json").read_text())["volumes"]
    assert volume["psnr"] is None  # infinite, which JSON cannot say
    assert volume["nrmse"] == 0
    assert "inf" in output
    assert "resolution" not in output


def test_score_of_an_empty_channel_is_none_and_the_others_are_scored(tmp_path):
    truth = np.random.default_rng(0).random((2, 12, 13))
    truth[0] = 0
    a, b = save(tmp_path / "a.ome.tif", truth + 0.1, "cyx"), save(tmp_path / "b.ome.tif", truth, "cyx")
    run("score", a, b, "-o", tmp_path / "s.json")
    empty, full = json.loads((tmp_path / "s.json").read_text())["volumes"]
    assert all(empty[name] is None for name in ("psnr", "ssim", "nrmse", "snr", "correlation", "flux_bias"))
    assert full["psnr"] == pytest.approx(20, abs=0.2)


def test_score_refuses_voxels_of_another_size(tmp_path):
    data = np.arange(80.0).reshape(8, 10)
    a, b = (
        save(tmp_path / "a.ome.tif", data, "yx", y=0.3, x=0.1),
        save(tmp_path / "b.ome.tif", data, "yx", y=0.1, x=0.1),
    )
    result = invoke("score", a, b)
    assert result.exit_code == 1
    assert "differ (y: 0.3 and 0.1 µm)" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("other", "output", "message"),
    [
        ("b.tif", "s.json", "they must be equal."),
        ("a.tif", "no/s.json", "does not exist; make it first."),
        ("c.tif", "s.json", "There is no file"),
    ],
)
def test_score_refuses(tmp_path, other, output, message):
    a = save(tmp_path / "a.tif", np.arange(80.0).reshape(8, 10), "yx")
    save(tmp_path / "b.tif", np.arange(40.0).reshape(8, 5), "yx")
    result = invoke("score", a, tmp_path / other, "-o", tmp_path / output)
    assert result.exit_code == 1
    assert message in result.output


def test_experiment_writes_table_numbers_and_picture(tmp_path, monkeypatch):
    from deconlab.experiments import resolution

    small = {"shape": (128, 84, 48), "scattered": 5}
    monkeypatch.setattr(resolution.Resolution.__init__, "__defaults__", _with(resolution.Resolution, small))
    out = tmp_path / "out"
    arguments = (
        "experiment",
        "resolution",
        "-o",
        out,
        "--method",
        "tikhonov-inverse",
        "--weights",
        "1",
        ".1",
        ".01",
        ".001",
    )
    output = run(*arguments).output
    data = json.loads((out / "resolution.json").read_text())
    assert data["settings"]["weights"] == [1, 0.1, 0.01, 0.001]
    assert [o["setting"] for o in data["outcomes"]] == ["", "λ = 1", "λ = 0.1", "λ = 0.01", "λ = 0.001"]
    assert (out / "resolution.md").read_text() in output
    assert (out / "resolution.png").stat().st_size < 200_000
    assert "resolution.md exists already. Say --overwrite" in invoke(*arguments).output
    assert "'resolutoin' is not 'resolution'" in invoke("experiment", "resolutoin", "-o", out).output
    assert "--photons must be > 0, not 0.0" in invoke("experiment", "resolution", "-o", out, "--photons", "0").output


def _with(cls: type, changes: dict[str, object]) -> tuple[object, ...]:
    names = list(cls.__dataclass_fields__)
    return tuple(changes.get(name, default) for name, default in zip(names, cls.__init__.__defaults__, strict=True))
