"""``deconlab psf``: what it tells, draws, compares and writes; presets and their place among the sources of a value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image as Picture

from deconlab import io
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.optics import facts, models
from deconlab.psf import PRESETS, Confocal, TorokVarga, for_image, registry
from deconlab.restore import restore

OPTICS = ("--na", "0.8", "--emission-nm", "520", "--immersion-index", "1")
GRID = ("--shape", 5, 33, 31, "--voxel-um", 0.3, 0.14, 0.14)
VOXEL = {"z": 0.2, "y": 0.1, "x": 0.1}


def call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return re.sub(r"\s+", " ", result.output)


def image(folder: Path, *emissions: float | None, shape: tuple[int, ...] = (4, 16, 16), **known: Any) -> Path:
    channels = tuple(
        Channel(f"dye {index}", Optics().known("file", **{**known, "emission_nm": emission}))
        for index, emission in enumerate(emissions)
    )
    several = len(emissions) > 1
    data = np.random.default_rng(0).poisson(20, (len(emissions),) * several + shape).astype(np.uint16)
    io.write(folder / "a.ome.tif", Image(data, "c" * several + "zyx", VOXEL, channels), dtype="uint16")
    return folder / "a.ome.tif"


def test_without_a_file_to_write_it_tells_the_numbers_alone() -> None:
    text = call("psf", *OPTICS)
    model = TorokVarga(na=0.8, emission_nm=520, immersion_index=1)
    assert text.startswith("PSF by torok-varga na 0.8 (user) emission_nm 520 nm (user) immersion_index 1 (user)")
    assert "depth_um 0 µm (default)" in text
    assert f"FWHM, lateral: {1000 * (model.facts().fwhm_lateral_um or 0):.1f} nm" in text
    assert "largest voxel by Nyquist, lateral: 162.5 nm" in text  # 520 / (4 × 0.8)
    assert "Abbe's limit λ / 2 NA: 325.0 nm" in text
    assert "best focus from the nominal one: 0.0 nm" in text
    assert "extent" not in text


def test_presets_and_models_are_listed_with_every_number() -> None:
    text = call("psf", "--list-presets")
    for name, preset in PRESETS.items():
        assert f"{name}: {preset.doc} {preset.model}: " in text
        for key, value in preset.values.items():
            assert f"{key} {value:g}" in text if isinstance(value, float) else f"{key} {value}" in text
    text = call("psf", "--list-models")
    assert all(f"{name} (" in text for name in registry.names())
    assert "torok-varga (widefield, the default)" in text


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_tells_its_numbers_and_gives_way_to_flags(name: str) -> None:
    text = call("psf", "--preset", name, "--na", 0.7)
    assert f"PSF by {PRESETS[name].model} na 0.7 (user)" in text or "na 0.7 (user)" in text
    for key, value in PRESETS[name].values.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        assert key == "na" or re.search(rf"{key} {re.escape(shown)}( nm| µm)? \(preset\)", text)
    assert f"of {name}" in call("psf", "--preset", name, "--help")


def test_the_file_holds_optics_and_the_whole_account(tmp_path: Path) -> None:
    text = call("psf", *OPTICS, *GRID, "--sample-index", 1, "-o", tmp_path / "p.ome.tif")
    found = io.read(tmp_path / "p.ome.tif")
    assert found.channels[0].optics.get("na") == 0.8
    assert found.channels[0].optics.get("modality") == "widefield"
    [told] = found.history["psf"]
    rendered = TorokVarga(na=0.8, emission_nm=520, immersion_index=1).render((5, 33, 31), (0.3, 0.14, 0.14))
    assert told["parameters"]["na"] == [0.8, "", "user"]
    assert told["parameters"]["depth_um"] == [0.0, "µm", "default"]
    assert told["captured_per_plane"] == pytest.approx(rendered.captured_per_plane)
    assert told["numbers"]["nyquist_lateral_um"] == pytest.approx(0.1625)
    assert told["mebibytes"] == pytest.approx(5 * 33 * 31 * 4 / 2**20)
    lost = " ".join(f"{100 * (1 - held):.1f}" for held in rendered.captured_per_plane)
    assert f"loses {1 - rendered.captured:.2%} of the light of its planes, of each (first to last): {lost} %" in text


def test_what_an_image_sees_is_told_with_the_domain_of_its_restoration(tmp_path: Path) -> None:
    path = image(tmp_path, 520.0, shape=(3, 16, 17), na=0.8, immersion_index=1.0)
    text = call("psf", path, "-o", tmp_path / "p.tif")
    psf = io.read(tmp_path / "p.tif").data.shape
    assert psf[0] == 5
    assert psf == TorokVarga(na=0.8, emission_nm=520, immersion_index=1).extent(3, (0.2, 0.1, 0.1))
    domain = " × ".join(str(n + m - 1) for n, m in zip((3, 16, 17), psf, strict=True))
    assert f"estimates the object on {domain} voxels" in text
    assert "na 0.8 (file)" in text


def test_a_limit_of_memory_ends_the_extent_and_is_said(tmp_path: Path) -> None:
    path = image(tmp_path, 520.0, shape=(64, 8, 8), na=1.4, immersion_index=1.515)
    text = call("psf", path, "--limit-mib", 1, "-o", tmp_path / "p.tif")
    shape = io.read(tmp_path / "p.tif").data.shape
    assert shape[0] == 127
    assert 0.9 * 2**18 < np.prod(shape) <= 2**18
    assert f"The limit of 1 MiB for a PSF ends it at {' × '.join(map(str, shape))} voxels: its planes hold" in text
    small = for_image(TorokVarga(na=1.4, emission_nm=520, immersion_index=1.515), (3, 8, 8), (0.2, 0.08, 0.08))
    assert not any("limit" in note for note in small.notes)


def test_a_note_that_was_warned_of_is_said_once(tmp_path: Path) -> None:
    text = call("psf", *OPTICS, "--shape", 3, 9, 9, "--voxel-um", 1, 0.3, 0.3, "-o", tmp_path / "p.tif")
    assert text.count("Sampled below Nyquist") == 1


def test_plots_one_for_each_channel(tmp_path: Path) -> None:
    call("psf", *OPTICS, *GRID, "--plot", tmp_path / "one.png", "-q")
    with Picture.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"
        orange = np.abs(np.asarray(picture).astype(int) - (255, 176, 0)).sum(2) == 0
    assert orange.sum() > 100  # the border of the OTF
    path = image(tmp_path, 460.0, 520.0, na=0.8, immersion_index=1.0)
    text = call("psf", path, "--plot", tmp_path / "two.png")
    assert all((tmp_path / f"two_c{channel}.png").exists() for channel in (0, 1))
    assert text.index("channel 0 dye 0") < text.index("channel 1 dye 1")
    assert "png exists already. Say --overwrite" in call("psf", path, "--plot", tmp_path / "two.png", code=1)


def test_two_files_are_compared(tmp_path: Path) -> None:
    for name, na in (("a", 0.8), ("b", 0.7)):
        call("psf", "--na", na, *OPTICS[2:], *GRID, "-o", tmp_path / f"{name}.tif")
    a, b = (io.read(tmp_path / f"{name}.tif").data.astype(float) for name in "ab")
    text = call("psf", "--compare", tmp_path / "a.tif", tmp_path / "b.tif")
    a, b = a / a.sum(), b / b.sum()
    assert f"Σ|a - b| = {abs(a - b).sum():.3g}" in text
    assert f"‖a - b‖ / ‖b‖ = {np.linalg.norm(a - b) / np.linalg.norm(b):.3g}" in text
    assert f"max a / max b = {a.max() / b.max():.5g}" in text
    assert "FWHM along x" in text


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    one = np.ones((3, 4, 5), np.float32)
    io.write(tmp_path / "one.ome.tif", Image(one, "zyx", VOXEL))
    io.write(tmp_path / "two.ome.tif", Image(np.stack([one, one]), "czyx", VOXEL))
    io.write(tmp_path / "series.ome.tif", Image(np.stack([one, one]), "tzyx", VOXEL))
    io.write(tmp_path / "dark.ome.tif", Image(0 * one, "zyx", VOXEL))
    one_file = tmp_path / "one.ome.tif"
    assert "two.ome.tif holds 2 PSFs and" in call("psf", "--compare", tmp_path / "two.ome.tif", one_file, code=1)
    assert "a PSF has no times" in call("psf", "--compare", one_file, tmp_path / "series.ome.tif", code=1)
    assert "dark.ome.tif is no PSF: its sum is 0" in call(
        "psf", "--compare", tmp_path / "dark.ome.tif", one_file, code=1
    )
    text = call("psf", "--compare", one_file, one_file, "-o", tmp_path / "p.tif", code=2)
    assert "--compare takes two files and nothing else, not --output" in text


def test_the_order_of_sources_is_user_file_preset_default() -> None:
    told = Image(
        np.zeros((4, 8, 8), np.float32), "zyx", VOXEL, (Channel("", Optics().known("file", na=1.3, emission_nm=510.0)),)
    )
    found = {f.name: (f.value, f.source) for f in facts(told, 0, Confocal, {"emission_nm": 520.0}, "confocal-oil")}
    assert found["na"] == (1.3, "file")
    assert found["emission_nm"] == (520.0, "user")
    assert found["excitation_nm"] == (488.0, "preset")
    assert found["depth_um"] == (0.0, "default")


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_a_preset_serves_a_run_and_is_recorded(tmp_path: Path) -> None:
    path = image(tmp_path, None, modality="confocal")
    text = call(
        "run", path, "--preset", "confocal-water", "--iterations", 1, "--limit-extension", 4, "-o", tmp_path / "o.tif"
    )
    assert "PSF by confocal: na 1.2 (preset)" in text
    told = io.read(tmp_path / "o.tif").history["deconvolution"]["psf"]
    assert told["preset"] == "confocal-water"
    assert told["channels"][0]["optics"]["excitation_nm"] == {"value": 488.0, "unit": "nm", "source": "preset"}
    planes = told["captured_per_plane"]["0"]
    assert len(planes) == 7
    lost = " ".join(f"{100 * (1 - held):.1f}" for held in planes)
    assert f"lost in each plane: {lost} %" in text
    again = call("run", "--recipe", tmp_path / "o.yaml", "-o", tmp_path / "again.tif")
    assert "pinhole_au 1 (preset)" in again
    assert np.array_equal(io.read(tmp_path / "again.tif").data, io.read(tmp_path / "o.tif").data)


def test_a_preset_has_the_wavelength_of_one_channel(tmp_path: Path) -> None:
    path = image(tmp_path, None, None, modality="widefield")
    text = call("run", path, "--preset", "widefield-oil", code=1)
    assert "this is missing: the emission wavelength (--emission-nm)" in text
    assert "together with" not in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--preset", "confocal-oi"), 2, "There is no preset 'confocal-oi'. Did you mean 'confocal-oil'?"),
        (("--preset", "confocal-oil", "--plot", "a.jpg"), 2, "--plot writes a PNG: name it so, a.png, not a.jpg."),
        (("--preset", "confocal-oil", "--psf-model", "sted"), 1, "is of the PSF model confocal, not sted"),
        (("--excitation-nm", 488), 2, "--excitation-nm is no parameter of the PSF model here, but of confocal"),
        (("--preset", "confocal-oil", "--excitation-nm", 600), 1, "must not be above emission_nm 525"),
        (("--preset", "confocal-oil", "--excitation-nm", 600), 1, "excitation_nm 600 nm (user), emission_nm 525 nm (preset)"),
    ],
)  # fmt: skip
def test_presets_and_flags_that_contradict_each_other(arguments: tuple[object, ...], code: int, message: str) -> None:
    assert message in call("psf", *arguments, code=code)


def test_a_given_psf_needs_no_preset(tmp_path: Path) -> None:
    path = image(tmp_path, 520.0)
    io.write(tmp_path / "psf.tif", Image(np.ones((3, 3, 3), np.float32), "zyx"))
    text = call("run", path, "--psf", tmp_path / "psf.tif", "--preset", "widefield-oil", code=2)
    assert "--preset would compute a PSF, but --psf gives one" in text
    with pytest.raises(ValueError, match="A PSF is given, so that none is computed: leave out --psf or --preset"):
        restore(io.read(path), psf=np.ones((3, 3, 3)), preset="widefield-oil")


def test_the_files_pinhole_is_in_another_plane() -> None:
    optics = Optics().known(
        "file",
        na=1.4,
        immersion_index=1.515,
        excitation_nm=488.0,
        emission_nm=525.0,
        pinhole_um=50.0,
        modality="confocal",
    )
    told = Image(np.zeros((4, 8, 8), np.float32), "zyx", VOXEL, (Channel("", optics),))
    with pytest.warns(
        UserWarning, match=r"pinhole as 50 µm.*so that it is not used, and the default stands: say --pinhole-au"
    ):
        models(told, "confocal", {})
    with pytest.warns(UserWarning, match=r"not used; pinhole_au 1 \(preset\) stands"):
        models(told, "confocal", {}, preset="confocal-oil")
    assert models(told, "confocal", {"pinhole_au": 1.0})  # nothing to warn of


def test_excitations_are_one_for_all_channels_or_one_for_each() -> None:
    channels = tuple(
        Channel("", Optics().known("file", na=1.2, immersion_index=1.333, emission_nm=e)) for e in (520.0, 600.0)
    )
    told = Image(np.zeros((2, 4, 8, 8), np.float32), "czyx", VOXEL, channels)
    assert [model.excitation_nm for model, _ in models(told, "confocal", {"excitation_nm": 488.0})] == [488, 488]  # type: ignore[attr-defined]
    made = models(told, "confocal", {"excitation_nm": (488.0, 561.0)})
    assert [model.excitation_nm for model, _ in made] == [488, 561]  # type: ignore[attr-defined]
    with pytest.raises(
        ValueError, match=r"2 channels, and 3 excitation wavelengths are given.*--excitation-nm 405,465"
    ):
        models(told, "confocal", {"excitation_nm": (488.0, 561.0, 640.0)})
    with pytest.raises(
        ValueError, match=r"Channel 0: Confocal: excitation_nm 561 must not be above emission_nm 520.*What was said: na"
    ):
        models(told, "confocal", {"excitation_nm": 561.0})
