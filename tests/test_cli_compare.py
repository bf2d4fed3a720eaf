"""``deconlab compare`` on files, and the held-out stop; every wish and every mistake answered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from click.testing import CliRunner, Result

from deconlab import compare, io
from deconlab.api import prepare
from deconlab.cli import main
from deconlab.comparison import Comparison
from deconlab.held_out import held_out_iterations
from deconlab.image import Channel, Image
from deconlab.methods import registry
from deconlab.solve import iterate

PROFILE = np.exp(-(np.arange(-4, 5) ** 2) / 4)
PSF = np.outer(PROFILE, PROFILE) / PROFILE.sum() ** 2


def scene(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    truth = np.zeros((20, 22))
    truth[6:13, 8:15] = 80
    truth[3, 4] = 300
    clean = scipy.ndimage.convolve(truth, PSF, mode="constant")
    return np.random.default_rng(seed).poisson(clean + 5).astype(np.float32), truth.astype(np.float32)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    data, truth = scene()
    for name, array in (("cells", data), ("truth", truth), ("psf", PSF)):
        io.write(tmp_path / f"{name}.tif", Image(array, "yx"))
    io.write(tmp_path / "two.ome.tif", Image(np.stack([data, scene(1)[0]]), "cyx", {}, (Channel("a"), Channel("b"))))
    return tmp_path


def run(files: Path, *arguments: object, image: str = "cells.tif", methods: str = "richardson-lucy,wiener") -> Result:
    fixed = ["compare", files / image, "--methods", methods, "--psf", files / "psf.tif", "--background", "5"]
    return CliRunner().invoke(main, list(map(str, [*fixed, *arguments])))


def bad(result: Result, code: int = 1) -> str:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_a_table_and_a_picture_are_written(files: Path) -> None:
    result = run(
        files, "--reference", files / "truth.tif", "--set", "rl-tv.weight=0.003", "--iterations", 8, "--seconds", "0.02",
        methods="richardson-lucy,rl-tv,admm:l1,wiener",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    text = (files / "cells_comparison.md").read_text(encoding="utf-8")
    assert text.startswith("# cells.tif\n\n| method | prior | stop | reason |")
    record = json.loads((files / "cells_comparison.json").read_text(encoding="utf-8"))
    rows = record["rows"]
    assert [(row["method"], row["stop"]) for row in rows] == [
        *[(name, "own") for name in ("richardson-lucy", "rl-tv", "admm:l1", "wiener")],
        *[(name, "equal time") for name in ("richardson-lucy", "rl-tv", "admm:l1")],
    ]
    assert [row["prior"] for row in rows[:4]] == [None, "total-variation, λ = 0.003", "l1, λ = 0.01", None]
    data, truth = scene()
    same = compare(data, PSF, ["rl-tv"], own={"rl-tv": {"weight": 0.003}}, iterations=8, reference=truth, background=5)
    assert rows[1]["psnr"] == pytest.approx(same.rows[0].psnr, rel=1e-4)
    assert rows[1]["iterations"] == same.rows[0].iterations
    from PIL import Image as Pillow

    with Pillow.open(files / "cells_comparison.png") as picture:
        assert picture.width > 6 * 360
        assert picture.height > 2 * 320
    assert "cells_comparison.png exists already. Say --overwrite" in bad(run(files))
    assert run(files, "--overwrite", "--iterations", 2, "--seconds", "0.01").exit_code == 0


def test_one_volume_of_several_is_compared_and_named(files: Path) -> None:
    result = run(files, "--channel", 1, "--iterations", 3, "--seconds", 0.01, image="two.ome.tif")
    assert result.exit_code == 0, result.output
    assert "of 2 volumes, channel 1 (b) is compared" in result.output
    assert (files / "two_comparison.md").read_text(encoding="utf-8").startswith("# two.ome.tif: channel 1 (b)\n")
    rows = json.loads((files / "two_comparison.json").read_text(encoding="utf-8"))["rows"]
    alone = compare(scene(1)[0], PSF, ["wiener"], background=5)
    assert rows[1]["chi2"] == pytest.approx(alone.rows[0].chi2, rel=1e-5)
    assert "--channel 2 does not exist: the image has 2, counted from 0" in bad(
        run(files, "--channel", 2, "--overwrite", image="two.ome.tif")
    )


def test_a_mask_a_model_and_a_limit_reach_the_methods(files: Path) -> None:
    data, _ = scene()
    mask = np.ones(data.shape, np.float32)
    mask[2:4, 2:4] = 0
    spoilt = data.copy()
    spoilt[2:4, 2:4] = 60000
    io.write(files / "mask.tif", Image(mask, "yx"))
    io.write(files / "spoilt.tif", Image(spoilt, "yx"))
    for image in ("cells.tif", "spoilt.tif"):
        done = run(
            files, "--weights", files / "mask.tif", "--limit-extension", 3, "--start", files / "cells.tif", "--threads", 1,
            "--voxel-um", "0.1", "0.1", "--iterations", 4, "--seconds", 0.01, image=image,
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    first, second = (
        json.loads((files / f"{name}_comparison.json").read_text(encoding="utf-8"))["rows"]
        for name in ("cells", "spoilt")
    )
    assert first[0]["chi2"] == second[0]["chi2"]
    assert first[1]["reason"].startswith("Wiener cannot solve this problem: it cannot honour weights")


def test_mistakes_are_answered(files: Path) -> None:
    assert "--output names the picture, which is a PNG" in bad(run(files, "-o", files / "a.txt"))
    assert "folder" in bad(run(files, "-o", files / "none" / "a.png"))
    assert "--set is NAME.PARAMETER=VALUE, such as rl-tv.weight=0.01, not 'weight=3'" in bad(
        run(files, "--set", "weight=3"), 2
    )
    assert "Unknown parameter 'weigth'. Did you mean 'weight'?" in bad(
        run(files, "--set", "rl-tv.weigth=3", methods="rl-tv")
    )
    assert "Settings for fista, which is not compared" in bad(run(files, "--set", "fista.weight=3"))
    assert "Unknown method 'fisto'. Did you mean 'fista'" in bad(run(files, methods="fisto"))
    assert "rl-tv cannot use the prior 'l1': there are total-variation" in bad(run(files, methods="rl-tv:l1"))
    assert "must be equal" in bad(run(files, "--reference", files / "psf.tif"))
    data, _ = scene()
    with pytest.raises(ValueError, match="Unknown stop 'best'; there are discrepancy, held-out"):
        compare(data, PSF, ["wiener"], stop="best")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="No method of the comparison gave a result"):
        Comparison((), {}, data).picture(files / "x.png")
    line = Comparison((), {("wiener", "own"): data[0]}, data[0])
    with pytest.raises(ValueError, match="lines"):
        line.picture(files / "x.png")


def test_held_out_light_stops_near_the_best_iteration() -> None:
    """Within 0.3 dB of the oracle, where a tenth and ten times as many iterations lose more."""
    data, truth = scene()
    ready = prepare(data, PSF, "richardson-lucy", background=5)
    found = held_out_iterations(ready, 400)
    errors = {}
    with torch.no_grad():
        for step in iterate(ready.method, ready.problem):  # type: ignore[arg-type]
            errors[step.index] = float((ready.in_image(step.x) - torch.from_numpy(truth)).square().mean())
            if step.index == 400:
                break
    best = min(errors.values())
    assert 10 * np.log10(errors[found.iterations] / best) < 0.3
    assert found.tried >= 2 * found.iterations
    assert found.reason == f"held-out light best predicted at {found.iterations} of {found.tried} iterations"
    assert held_out_iterations(ready, 400).scores == found.scores  # seeded
    short = held_out_iterations(ready, 2)
    assert short.reason == "held-out light still better predicted at 2 iterations, the most allowed"


def test_held_out_light_never_reads_what_is_masked_and_needs_iterations() -> None:
    data, _ = scene()
    weights = np.ones_like(data)
    weights[2:4, 2:4] = 0
    settings: dict[str, Any] = {"background": 5, "weights": weights, "read_noise": 1.5}
    scores = []
    for junk in (0.0, float("nan")):
        spoilt = data.copy()
        spoilt[2:4, 2:4] = junk
        scores.append(held_out_iterations(prepare(spoilt, PSF, "richardson-lucy", **settings), 20).scores)
    assert scores[0] == scores[1]
    with pytest.raises(TypeError, match="Wiener is direct: it has no iterations to be chosen"):
        held_out_iterations(prepare(data, PSF, "wiener"))


@pytest.mark.parametrize("name", ["fista", "condat-vu", "one-step-late", "l-bfgs-b", "rl-tv", "tikhonov-inverse"])
def test_a_default_weight_keeps_with_the_unit_of_intensity(name: str) -> None:
    """16 times the counts give 16 times the result, with no λ given."""
    data, _ = scene()
    one, many = (prepare(data * scale, PSF, name, 5, background=5 * scale, dtype=torch.float64) for scale in (1, 16))
    from deconlab.testing._examples import advance

    x, y = (advance(ready.method, ready.problem, 5).x for ready in (one, many))
    np.testing.assert_allclose(y / 16, x, rtol=1e-6, atol=1e-6 * float(x.abs().max()))
    assert any("λ = " in note and "by default" in note for note in one.notes)
    given = prepare(data, PSF, name, 5, weight=0.5)
    assert given.problem.prior.weight == 0.5
    assert not any("by default; what" in note for note in given.notes)


def test_every_prior_runs_from_the_command_line_with_a_method_that_takes_it(files: Path) -> None:
    from deconlab import functionals
    from deconlab.functionals import Prior
    from deconlab.methods import admissible_priors

    tried = set()
    for method in ("admm", "l-bfgs-b", "one-step-late", "conjugate-tikhonov-miller", "richardson-lucy"):
        for prior in admissible_priors(registry.get(method)):
            if prior in tried:
                continue
            tried.add(prior)
            arguments = ["run", files / "cells.tif", "--psf", files / "psf.tif", "--method", method, "--prior", prior]
            written = ["--iterations", 2, "-o", files / f"{prior}.tif", "--voxel-um", "0.1", "0.1"]
            result = CliRunner().invoke(main, list(map(str, [*arguments, *written])))
            assert result.exit_code == 0, result.output
            assert np.isfinite(io.read(files / f"{prior}.tif").data).all()
            described = CliRunner().invoke(main, list(map(str, [*arguments, "--help"]))).output
            assert "--prior" in described
            assert ("--weight NUMBER" in described) == (prior != "zero")
    assert tried == {name for name, cls in functionals.registry.all().items() if issubclass(cls, Prior)}
    refused = ["run", str(files / "cells.tif"), "--method", "rl-tv", "--prior", "l1"]
    result = CliRunner().invoke(main, refused)
    assert result.exit_code == 2
    assert "rl-tv cannot use the prior 'l1': there is total-variation alone." in " ".join(result.output.split())


def test_methods_are_listed_by_what_they_solve() -> None:
    text = CliRunner().invoke(main, ["methods"]).output
    places = [
        text.index(f"{heading}:")
        for heading in ("Closed form", "Photon noise with a prior", "Least squares with a prior")
    ]
    assert places == sorted(places)
    assert all(f"  {name} " in text for name in registry.names())
    one = " ".join(CliRunner().invoke(main, ["methods", "rl-tv"]).output.split())
    cls = registry.get("rl-tv")
    assert f"{cls.transforms} real FFTs per step on a periodic problem; {cls.buffers} volumes of memory at most" in one
    assert "When to use it: photon counts, dim; cells" in " ".join(
        CliRunner().invoke(main, ["methods", "admm"]).output.split()
    )
    assert replace(cls()).buffers == cls.buffers
