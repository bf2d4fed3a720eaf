"""``restore``: series volume by volume, PSFs by channel, nothing guessed, and everything told."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import deconlab
from deconlab import io
from deconlab.image import Channel, Image, Optics
from deconlab.optics import facts, models
from deconlab.psf import SamplingWarning, TorokVarga
from deconlab.restore import Volume, Watch, is_constant, restore, restore_volumes, split, with_voxel_um

PSF = np.outer([1.0, 2, 1], [1, 2, 1]) / 16
KNOWN = {"na": 0.8, "immersion_index": 1.0, "modality": "widefield"}
VOXEL = {"z": 0.3, "y": 0.14, "x": 0.14}


def counts(*shape: int, seed: int = 0) -> NDArray[np.uint16]:
    rng = np.random.default_rng(seed)
    return rng.poisson(5 + 90 * (rng.random(shape) > 0.97)).astype(np.uint16)


def channel(name: str, emission_nm: float | None, **known: Any) -> Channel:
    return Channel(name, Optics().known("file", **{**KNOWN, "emission_nm": emission_nm, **known}))


@pytest.fixture
def series() -> Image:
    """Two channels and three times, axes in an unusual order."""
    data = counts(3, 16, 5, 2, 17)
    return Image(data, "tyzcx", VOXEL, (channel("DAPI", 460.0), channel("GFP", 520.0)))


def test_every_volume_is_restored_as_if_alone_with_the_psf_of_its_channel(series: Image) -> None:
    result = restore(series, iterations=3)
    assert (result.axes, result.data.shape, result.data.dtype) == ("tyzcx", series.data.shape, np.float32)
    assert result.voxel_um == VOXEL
    assert [c.name for c in result.channels] == ["DAPI", "GFP"]
    for where, volume in series.volumes():
        model = TorokVarga(na=0.8, emission_nm=(460, 520)[where["c"]], immersion_index=1.0)
        alone = deconlab.deconvolve(volume.data, model, iterations=3, voxel_um=(0.3, 0.14, 0.14))
        assert np.array_equal(result.volume(where).data, alone.x)


def test_history_tells_all_and_is_plain_data(series: Image, tmp_path: Path) -> None:
    result = restore(series, iterations=2, sample_index=1.33, depth_um=2.0, background=3.0)
    record = json.loads(json.dumps(result.history["deconvolution"]))
    assert record["software"]["deconlab"] == deconlab.__version__
    optics = record["psf"]["channels"][1]["optics"]
    assert optics["emission_nm"] == {"value": 520.0, "unit": "nm", "source": "file"}
    assert optics["sample_index"] == {"value": 1.33, "source": "user"}
    assert optics["coverslip_um"] == {"value": 170.0, "unit": "µm", "source": "default"}
    assert record["psf"]["channels"][0]["steps"][0].startswith(
        "PSF by torok-varga: na 0.8 (file), emission_nm 460 nm (file)"
    )
    assert len(record["volumes"]) == 6
    last = record["volumes"][-1]
    assert last["where"] == {"c": 1, "t": 2}
    assert (last["iterations"], last["reason"], last["background"]) == (2, "reached 2 iterations", 3.0)
    assert last["method"] == "RichardsonLucy()"
    assert result.channels[0].optics.facts["sample_index"].source == "user"
    io.write(tmp_path / "a.ome.tif", result)
    again = io.read(tmp_path / "a.ome.tif")
    assert again.history["deconvolution"] == record
    with pytest.raises(ValueError, match=r"restored by deconlab before \(RichardsonLucy\(\), reached 2 iter.*--force"):
        restore(again, psf=PSF[None], iterations=1)
    twice = restore(again, psf=PSF[None], iterations=1, force=True)
    assert twice.history["deconvolution"]["before"] == record


def test_volumes_come_channel_by_channel_with_names_for_files_and_people(series: Image) -> None:
    found = list(split(series))
    assert [(v.number, v.of, v.suffix) for v in found][:4] == [
        (1, 6, "_c0_t0"),
        (2, 6, "_c0_t1"),
        (3, 6, "_c0_t2"),
        (4, 6, "_c1_t0"),
    ]
    assert found[3].label == "channel 1 (GFP), time 0"
    [alone] = split(Image(counts(1, 4, 5), "cyx"))
    assert (alone.label, alone.suffix, alone.where) == ("the image", "", {"c": 0})


def test_everything_that_is_missing_is_asked_for_at_once() -> None:
    image = Image(counts(2, 4, 8, 8), "czyx", {"y": 0.1, "x": 0.1}, (channel("A", 460.0), channel("B", None)))
    with pytest.raises(ValueError) as raised:
        restore(image)
    message = str(raised.value)
    assert "the emission wavelength of channel 1 (B) (--emission-nm)" in message
    assert "the voxel size along z (--voxel-um)" in message
    assert "--na" not in message
    with pytest.raises(ValueError) as raised:
        restore(Image(counts(8, 8), "yx"))
    for flag in ("--na", "--emission-nm", "--immersion-index", "--voxel-um"):
        assert flag in str(raised.value)


@pytest.mark.filterwarnings("ignore::deconlab.psf.SamplingWarning")
def test_a_confocal_image_is_never_restored_with_a_widefield_psf() -> None:
    image = Image(counts(4, 16, 16), "zyx", VOXEL, (channel("A", 520.0, modality="confocal"),))
    with pytest.raises(
        ValueError, match=r"with confocal, this is missing: the excitation wavelength.*or a PSF with --psf"
    ):
        restore(image, iterations=1)
    with pytest.raises(ValueError, match=r"acquired as 'confocal' according to the file.*--psf"):
        restore(image, iterations=1, psf_model="gibson-lanni")
    with pytest.raises(ValueError, match="acquired as 'TIRF' according to you"):
        restore(image, iterations=1, modality="TIRF")
    result = restore(image, iterations=1, excitation_nm=488.0, psf_model="confocal")
    assert result.history["deconvolution"]["psf"]["from"] == "confocal"
    assert np.isfinite(restore(image, iterations=1, modality="widefield").data).all()
    assert np.isfinite(restore(image, iterations=1, psf=PSF[None]).data).all()
    assert np.isfinite(restore(image, iterations=1, psf_model="gaussian", fwhm_um=0.3).data).all()


def test_the_users_word_outranks_the_files(series: Image) -> None:
    found = facts(series, 1, TorokVarga, {"na": 0.7, "emission_nm": (470.0, 530.0)})
    assert {f.name: (f.value, f.source) for f in found if f.name in ("na", "emission_nm", "immersion_index")} == {
        "na": (0.7, "user"),
        "emission_nm": (530.0, "user"),
        "immersion_index": (1.0, "file"),
    }
    changed = restore(series, iterations=1, voxel_um=(0.25, 0.1, 0.1))
    assert changed.voxel_um == {"z": 0.25, "y": 0.1, "x": 0.1}


def test_one_wavelength_is_not_taken_for_two_channels(series: Image) -> None:
    with pytest.raises(
        ValueError, match=r"2 channels, and 1 emission wavelength is given \(520 nm\).*--emission-nm 460,520"
    ):
        restore(series, emission_nm=520.0)
    with pytest.raises(ValueError, match="1 channel, and 2 emission wavelengths are given"):
        models(Image(counts(8, 8), "yx", VOXEL, (channel("A", 520.0),)), "gibson-lanni", {"emission_nm": (1.0, 2.0)})


def test_an_index_mismatch_without_a_depth_is_warned_of() -> None:
    image = Image(counts(4, 16, 16), "zyx", VOXEL, (channel("A", 520.0),))
    with pytest.warns(UserWarning, match=r"index 1.33 differs from the immersion's 1, but at depth 0.*--depth-um"):
        restore(image, iterations=1, sample_index=1.33)


def test_a_constant_volume_is_copied_within_a_series_and_an_error_alone() -> None:
    data = counts(3, 12, 13)
    data[1] = 7
    with pytest.warns(UserWarning, match=r"time 1 is constant \(7 everywhere\): copied as it is"):
        found = restore_volumes(Image(data, "tyx"), psf=PSF, iterations=2)
    assert np.array_equal(found.image.data[1], data[1])
    assert [o.reason for o in found.outcomes] == ["reached 2 iterations", "constant: copied", "reached 2 iterations"]
    assert np.array_equal(found.image.data[2], deconlab.deconvolve(data[2], PSF, iterations=2).x)
    with pytest.raises(ValueError, match=r"constant \(every voxel is 7\)"):
        restore(Image(data[1], "yx"), psf=PSF)
    assert is_constant(data[0], np.zeros(data[0].shape))


def test_nan_is_found_before_anything_is_computed() -> None:
    data = counts(2, 3, 12, 13).astype(np.float32)
    data[1, 2, 4, 5] = np.nan
    image = Image(data, "ctyx", channels=(Channel("A"), Channel("B")))
    begun: list[Volume] = []
    with pytest.raises(ValueError, match=r"Channel 1 \(B\), time 2 of the image holds 1 NaN.*first at \(4, 5\)"):
        restore_volumes(image, psf=PSF, iterations=1, watch=lambda volume, _: begun.append(volume) or Watch())
    assert begun == []
    weights = np.isfinite(data)
    assert np.isfinite(restore(image, psf=PSF, iterations=1, weights=weights).data).all()


def test_weights_are_for_the_whole_image_or_for_every_volume() -> None:
    data = counts(2, 12, 13)
    mask = np.ones((12, 13))
    mask[3, 4] = 0
    image = Image(data, "tyx")
    one = restore(image, psf=PSF, iterations=2, weights=mask)
    whole = restore(image, psf=PSF, iterations=2, weights=np.stack([mask, mask]))
    assert np.array_equal(one.data, whole.data)
    assert np.array_equal(one.data[1], deconlab.deconvolve(data[1], PSF, iterations=2, weights=mask).x)
    with pytest.raises(ValueError, match=r"weights have shape \(5,\).*\(2, 12, 13\), or of one volume's \(12, 13\)"):
        restore(image, psf=PSF, weights=np.ones(5))


def test_axes_of_one_voxel_are_left_out_and_put_back() -> None:
    data = counts(14, 1, 15)
    result = restore(Image(data, "yzx", {"y": 0.14, "x": 0.14}, (channel("A", 520.0),)), iterations=2)
    flat = restore(Image(data[:, 0], "yx", {"y": 0.14, "x": 0.14}, (channel("A", 520.0),)), iterations=2)
    assert result.data.shape == (14, 1, 15)
    assert np.array_equal(result.data[:, 0], flat.data)
    assert any("light from out of focus is not modelled" in note for note in _steps(result))


def _steps(image: Image) -> list[str]:
    steps: list[str] = image.history["deconvolution"]["psf"]["channels"][0]["steps"]
    return steps


def test_a_psf_comes_from_a_file_with_its_own_voxel_size_or_channels(tmp_path: Path) -> None:
    y, x = np.mgrid[-10:11, -10:11]
    wide, narrow = (np.exp(-(y**2 + x**2) / (2 * s**2)) for s in (3.0, 2.0))
    io.write(tmp_path / "psf.tif", Image(wide, "yx", {"y": 0.05, "x": 0.05}))
    image = Image(counts(2, 20, 21), "cyx", {"y": 0.1, "x": 0.1})
    result = restore(image, psf=tmp_path / "psf.tif", iterations=2)
    assert any("resampled to the image's voxels, 2, 2" in note for note in _steps(result))
    io.write(tmp_path / "both.tif", Image(np.stack([wide, narrow]), "cyx", {"y": 0.1, "x": 0.1}))
    both = restore(image, psf=str(tmp_path / "both.tif"), iterations=2)
    expected = deconlab.deconvolve(image.data[1], narrow.astype(np.float32), iterations=2, voxel_um=(0.1, 0.1))
    assert np.abs(both.data[1] - expected.x).max() < 1e-4 * expected.x.max()
    io.write(tmp_path / "three.tif", Image(np.stack([wide, wide, narrow]), "cyx"))
    with pytest.raises(
        ValueError, match="3 channels and 1 times; it must have one of each, or a channel for each of the image's 2"
    ):
        restore(image, psf=tmp_path / "three.tif")
    with pytest.raises(ValueError, match="leave out --psf or --psf-model"):
        restore(image, psf=PSF, psf_model="gaussian")


def test_the_voxel_size_is_as_many_numbers_as_the_image_extends_along() -> None:
    image = Image(counts(1, 8, 8), "zyx")
    assert with_voxel_um(image, (0.2, 0.1, 0.1)).voxel_um == {"z": 0.2, "y": 0.1, "x": 0.1}
    assert with_voxel_um(image, (0.1, 0.1)).voxel_um == {"y": 0.1, "x": 0.1}
    for wrong in ((0.1,), (0.1, -0.1), (0.1, float("nan"))):
        with pytest.raises(ValueError, match="voxel size must be 2 numbers > 0 in µm, along y, x"):
            with_voxel_um(image, wrong)


def test_ctrl_c_ends_the_series_and_keeps_what_was_reached() -> None:
    image = Image(counts(3, 12, 13), "tyx")

    def watch(volume: Volume, _: Any) -> Watch:
        def press(iteration: Any) -> None:
            if volume.number == 2 and iteration.index == 3:
                signal.raise_signal(signal.SIGINT)

        return Watch((press,))

    with pytest.warns(UserWarning, match="1 of 3 volumes were not restored; they are 0"):
        found = restore_volumes(image, psf=PSF, iterations=9, watch=watch)
    assert found.interrupted
    assert [(o.reason, o.iterations) for o in found.outcomes] == [("reached 9 iterations", 9), ("interrupted", 3)]
    assert np.array_equal(found.image.data[1], deconlab.deconvolve(image.data[1], PSF, iterations=3).x)
    assert not found.image.data[2].any()


def test_precision_is_the_images_unless_asked_otherwise(series: Image) -> None:
    import torch

    image = Image(counts(12, 13).astype(np.float64), "yx")
    assert restore(image, psf=PSF, iterations=1).data.dtype == np.float64
    assert restore(image, psf=PSF, iterations=1, dtype=torch.float32).data.dtype == np.float32
    single = restore(series, iterations=1, dtype=torch.float64)
    assert single.data.dtype == np.float64


def test_an_undersampled_image_is_warned_of() -> None:
    image = Image(counts(16, 16), "yx", {"y": 0.5, "x": 0.5}, (channel("A", 520.0),))
    with pytest.warns(SamplingWarning, match="Sampled below Nyquist"):
        restore(image, iterations=1)
