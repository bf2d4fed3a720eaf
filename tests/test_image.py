"""Image, its axes and channels, and which values of a microscope are believed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from deconlab.image import (
    OPTICS_UNITS,
    Channel,
    Image,
    Known,
    Optics,
    believed,
    believed_voxel,
    micrometres,
)


def facts(**values: float | str) -> dict[str, Known]:
    return {name: Known(value, "file") for name, value in values.items()}


# What an image must be


def test_colour_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"holds colour samples \(axes 'yxs'.*split them"):
        Image(np.zeros((4, 5, 3)), "yxs")


@pytest.mark.parametrize("axes", ["yx", "zyxt", "yyx", "ayx", ""])
def test_axes_must_fit(axes: str) -> None:
    with pytest.raises(ValueError, match=rf"axes='{axes}' does not fit data of shape \(2, 3, 4\)"):
        Image(np.zeros((2, 3, 4)), axes)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"empty: its shape is \(0, 4\)"):
        Image(np.zeros((0, 4)), "yx")


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "S3", "O", "M8[s]"])
def test_only_real_numbers(dtype: str) -> None:
    with pytest.raises(TypeError, match="must be integer or floating-point"):
        Image(np.zeros((3, 4), dtype), "yx")


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", ">u2", "i8", "u8", "f2", ">f4", "f8"])
def test_any_integer_float_or_mask_is_an_image(dtype: str) -> None:
    assert Image(np.ones((3, 4), dtype), "yx").data.dtype == np.dtype(dtype)


def test_as_many_channels_as_the_axis_has() -> None:
    with pytest.raises(ValueError, match="2 channels are described, but the image has 3"):
        Image(np.zeros((3, 4, 5)), "cyx", channels=(Channel("a"), Channel("b")))
    with pytest.raises(ValueError, match="2 channels are described, but the image has 1"):
        Image(np.zeros((4, 5)), "yx", channels=(Channel("a"), Channel("b")))
    assert Image(np.zeros((3, 4, 5)), "cyx").channels == (Channel(),) * 3
    assert len(Image(np.zeros((4, 5)), "yx").channels) == 1


def test_new_data_must_have_the_old_shape() -> None:
    image = Image(np.zeros((4, 5)), "yx", {"x": 0.1, "y": 0.2})
    with pytest.raises(ValueError, match=r"new data have shape \(5, 4\), the image \(4, 5\)"):
        image.replace_data(np.zeros((5, 4)))
    other = image.replace_data(np.ones((4, 5)))
    assert other.data.sum() == 20
    assert other.voxel_um == image.voxel_um


# Volumes


@pytest.mark.parametrize("axes", ["".join(p) for p in itertools.permutations("tczyx")][::7])
def test_volumes_of_any_order_of_axes(axes: str) -> None:
    sizes = {"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}
    ordered = np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    data = ordered.transpose(["tczyx".index(axis) for axis in axes])
    assert data.shape == tuple(sizes[axis] for axis in axes)
    image = Image(data.copy(), axes, channels=tuple(Channel(name) for name in "abc"))
    copy = Image(np.zeros_like(data), axes)
    seen = set()
    for where, volume in image.volumes():
        assert volume.axes == "zyx"
        assert np.array_equal(volume.data, ordered[where["t"], where["c"]])
        assert volume.channels == (Channel("abc"[where["c"]]),)
        copy.put(where, volume.data)
        seen.add((where["t"], where["c"]))
    assert seen == set(itertools.product(range(2), range(3)))
    assert np.array_equal(copy.data, image.data)


def test_a_volume_is_a_view() -> None:
    image = Image(np.zeros((3, 4, 5)), "cyx")
    image.volume({"c": 1}).data[...] = 7
    assert image.data[1].min() == 7
    assert image.data[0].max() == 0


def test_an_image_without_other_axes_is_one_volume() -> None:
    image = Image(np.arange(20.0).reshape(5, 4), "xy")
    ((where, volume),) = list(image.volumes())
    assert where == {}
    assert volume.axes == "yx"
    assert np.array_equal(volume.data, image.data.T)


def test_the_spatial_voxel_is_known_or_not() -> None:
    data = np.zeros((3, 4, 5))
    assert Image(data, "xzy", {"x": 0.1, "y": 0.2, "z": 0.3}).spatial_voxel_um == (0.3, 0.2, 0.1)
    assert Image(data, "zyx", {"x": 0.1, "y": 0.2}).spatial_voxel_um is None
    assert Image(data, "tyx", {"x": 0.1, "y": 0.2}).spatial_voxel_um == (0.2, 0.1)
    assert Image(data, "tyx").spatial_axes == "yx"


# Which values are believed


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("na", 0.0, "a numerical aperture lies above 0 and below 1.8"),
        ("na", 2.5, "a numerical aperture lies above 0"),
        ("na", float("nan"), "a numerical aperture"),
        ("na", "high", "a numerical aperture"),
        ("immersion_index", 0.5, "an index of refraction lies between 1 and 2"),
        ("sample_index", 3.0, "an index of refraction lies between 1 and 2.5"),
        ("emission_nm", 0.0, "a wavelength lies between 150 and 3000 nm"),
        ("emission_nm", 0.52, "a wavelength lies between 150 and 3000 nm"),
        ("excitation_nm", -1.0, "a wavelength lies between 150 and 3000 nm"),
        ("pinhole_um", -1.0, "a pinhole is larger than 0 µm; files write −1 for none"),
        ("depth_um", -5.0, "a depth is at least 0 µm"),
        ("depth_um", float("inf"), "a depth is at least 0 µm"),
    ],
)
def test_a_value_that_cannot_be_true_is_named_and_not_used(name: str, value: float | str, why: str) -> None:
    optics = believed(facts(**{name: value}))
    assert optics.get(name) is None
    (reason,) = optics.rejected
    assert reason.startswith(f"{name} = {value} (file): ")
    assert why in reason


def test_every_value_that_can_be_true_is_kept() -> None:
    true = facts(
        na=1.4,
        immersion_index=1.515,
        sample_index=1.33,
        emission_nm=520.0,
        excitation_nm=488.0,
        modality="confocal",
        pinhole_um=50.0,
        depth_um=0.0,
    )
    assert set(true) == set(OPTICS_UNITS)
    assert believed(true) == Optics(true)


def test_an_aperture_beyond_its_immersion_discredits_both() -> None:
    optics = believed(facts(na=1.2, immersion_index=1.0, emission_nm=520.0))
    assert set(optics.facts) == {"emission_nm"}
    assert optics.rejected == (
        "na = 1.2 (file): it cannot reach the immersion's index 1.0, so one of the two is wrong",
        "immersion_index = 1.0 (file): an objective of NA 1.2 cannot work in it, so one of the two is wrong",
    )


def test_light_is_emitted_at_longer_waves_unless_two_photons_excite() -> None:
    optics = believed(facts(excitation_nm=610.5, emission_nm=488.6))
    assert optics.facts == {}
    assert optics.rejected == (
        "excitation_nm = 610.5 (file): it is longer than the emission, 488.6 nm, so one of the two is wrong",
        "emission_nm = 488.6 (file): it is shorter than the excitation, 610.5 nm, so one of the two is wrong",
    )
    assert believed(facts(excitation_nm=900.0, emission_nm=520.0, modality="multi-photon")).get("excitation_nm") == 900


def test_later_sources_go_over_earlier_ones() -> None:
    optics = Optics().known("file", na=1.3, emission_nm=None, modality="widefield").known("user", na=1.4)
    assert optics.facts == {"na": Known(1.4, "user"), "modality": Known("widefield", "file")}
    assert optics.get("emission_nm") is None
    assert optics.known("user", emission_nm=0.0).rejected[0].startswith("emission_nm = 0.0 (user)")


# Lengths


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        ("µm", 1), ("μm", 1), ("um", 1), ("UM", 1), ("micron", 1), ("microns", 1), ("Micrometer", 1),
        ("\\u00B5m", 1), ("\\u00b5m", 1), ("Âµm", 1), (" µm ", 1), ("nm", 1e-3), ("nanometer", 1e-3), ("mm", 1e3),
        ("m", 1e6), ("cm", 1e4), ("Å", 1e-4), ("pm", 1e-6), ("inch", 25400), ("in", 25400),
    ],
)  # fmt: skip
def test_units_in_their_spellings(unit: str, um: float) -> None:
    assert micrometres(unit) == um


@pytest.mark.parametrize("unit", ["pixel", "", "sec", "reference frame", "M", "Mm"])
def test_what_is_no_length(unit: str) -> None:
    assert micrometres(unit) is None


def test_voxels_of_no_length_or_size_are_named_and_not_used() -> None:
    sizes = {"x": 65.0, "y": 1.0, "z": 10000.0}
    kept, refused = believed_voxel(sizes, {"x": "nm", "y": "pixel", "z": "µm"})
    assert kept == {"x": pytest.approx(0.065)}
    assert refused == [
        "voxel size 1 pixel along y: that is no length",
        "voxel size 10000 µm along z: a voxel lies between 0.01 nm and 1 mm",
    ]
    kept, refused = believed_voxel({"x": 0.0, "y": float("nan"), "z": 0.2}, {"x": "µm", "y": "µm"})
    assert kept == {}
    assert refused[0].startswith("voxel size 0 µm along x")
    assert refused[1].startswith("voxel size nan µm along y")
    assert refused[2] == "voxel size 0.2 of no unit along z: that is no length"
