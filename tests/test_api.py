"""One call: what goes in comes out as the same kind, and what cannot be right is said."""

import numpy as np
import pytest
import torch

import deconlab
from deconlab.api import distribute, prepare
from deconlab.counts import Counts
from deconlab.functionals import LeastSquares, PoissonLikelihood, Tikhonov
from deconlab.image import Image
from deconlab.methods import registry
from deconlab.problem import Box, NonNegative
from deconlab.psf import Gaussian
from deconlab.stopping import MaxSeconds
from deconlab.volume import choose_device, to_tensor

PSF = np.outer([1, 2, 1], [1, 2, 1]) / 16


@pytest.fixture
def image():
    rng = np.random.default_rng(0)
    return rng.poisson(20 + 100 * (np.indices((12, 15)).sum(0) % 7 == 0)).astype(np.uint16)


@pytest.mark.parametrize("name", registry.names())
def test_every_method_by_name(name, image):
    result = deconlab.deconvolve(image, PSF, name, iterations=3)
    assert type(result.x) is np.ndarray
    assert (result.x.shape, result.x.dtype) == (image.shape, np.float32)
    assert np.isfinite(result.x).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float32", "float64", ">f4", "bool"])
def test_any_number_in_and_floats_out(image, dtype):
    given = (image > 20).astype(dtype) if dtype == "bool" else image.astype(dtype)
    result = deconlab.deconvolve(given, PSF, iterations=2)
    assert result.x.dtype == (np.float64 if dtype == "float64" else np.float32)


def test_arrays_tensors_and_images_agree(image):
    array = deconlab.deconvolve(image, PSF, iterations=4)
    tensor = deconlab.deconvolve(torch.from_numpy(image.astype(np.float32)), torch.from_numpy(PSF), iterations=4)
    whole = deconlab.deconvolve(Image(image, "yx", {"y": 0.1, "x": 0.1}), PSF, iterations=4)
    assert isinstance(tensor.x, torch.Tensor)
    assert isinstance(whole.x, Image)
    assert whole.x.voxel_um == {"y": 0.1, "x": 0.1}
    assert np.array_equal(array.x, tensor.x.numpy())
    assert np.array_equal(array.x, whole.x.data)


def test_read_only_and_strided_arrays_are_left_alone(image):
    given = np.asfortranarray(image.astype(np.float32))[::-1]
    given.flags.writeable = False
    before = given.copy()
    result = deconlab.deconvolve(given, PSF, iterations=2, start="measured")
    assert np.array_equal(given, before)
    assert np.array_equal(result.x, deconlab.deconvolve(before, PSF, iterations=2, start="measured").x)


def test_a_psf_model_needs_and_uses_the_voxel_size(image):
    model = Gaussian(fwhm_um=0.3)
    with pytest.raises(ValueError, match="Gaussian is a PSF in µm: say the image's voxel size"):
        deconlab.deconvolve(image, model)
    result = deconlab.deconvolve(image, model, voxel_um=(0.1, 0.1), iterations=2)
    assert any("Gaussian" in note for note in result.notes)
    other = deconlab.deconvolve(image, model.render((13, 13), (0.1, 0.1)), iterations=2)
    assert np.isfinite(other.x).all()


def test_camera_units_come_back_in_the_images_own(image):
    plain = deconlab.deconvolve(image.astype(np.float64), PSF, iterations=5)
    adu = image * 2.0 + 100
    camera = deconlab.deconvolve(adu, PSF, iterations=5, offset=100, gain=2.0)
    assert np.allclose(camera.x, 2 * plain.x, rtol=1e-12)


def test_read_noise_and_negative_counts_are_counted():
    y = np.full((8, 8), 5.0)
    y[2, 3] = -4.0
    result = deconlab.deconvolve(y, PSF, iterations=2)
    assert "1 negative counts (1.56%) count as 0 in the Poisson model" in result.notes
    shifted = deconlab.deconvolve(y, PSF, iterations=2, read_noise=3.0)
    assert shifted.problem.fidelity.read_variance == 9.0
    assert not any("negative" in note for note in shifted.notes)


def test_the_estimated_background_is_said(image):
    result = deconlab.deconvolve(image, PSF, iterations=2, background="auto", offset=2, gain=2.0)
    said = next(note for note in result.notes if note.startswith("background: "))
    assert float(said.split()[1].rstrip(",")) == pytest.approx(2 * result.problem.fidelity.background, rel=1e-4)


def test_parameters_find_their_owner(image):
    ready = prepare(image, PSF, "tikhonov-miller", 5, weight=0.2, step_size=0.1, gain=3.0, max_seconds=9.0)
    assert ready.problem.prior.weight == 0.2
    assert ready.method.step_size == 0.1
    assert ready.counts == Counts(gain=3.0)
    assert ready.problem.prior.spacing == (1.0, 1.0)
    assert "9.0" in repr(ready.stop)
    assert prepare(image, PSF, "tikhonov-miller", prior="tikhonov").problem.prior.weight == Tikhonov().weight
    assert isinstance(prepare(image, PSF, "landweber").problem.fidelity, LeastSquares)
    assert isinstance(prepare(image, PSF).problem.fidelity, PoissonLikelihood)
    assert prepare(image, PSF).problem.constraint == NonNegative()
    assert prepare(image, PSF, "projected-landweber", constraint=Box(1, 50)).problem.constraint == Box(1, 50)


def test_the_prior_knows_the_voxels():
    ready = prepare(
        np.random.default_rng(0).random((4, 6, 6)),
        np.multiply.outer([1, 2, 1], PSF),
        "tikhonov-miller",
        voxel_um=(0.3, 0.1, 0.1),
    )
    assert ready.problem.prior.spacing == (0.3, 0.1, 0.1)


def test_a_time_limit_alone_ends_the_run(image):
    result = deconlab.deconvolve(image, PSF, max_seconds=1e-6)
    assert (result.iterations, result.reason) == (1, "reached 1e-06 s")
    result = deconlab.deconvolve(image, PSF, iterations=500, stop=MaxSeconds(1e-6))
    assert result.iterations == 1


@pytest.mark.parametrize("start", ["flat", "measured", "wiener"])
@pytest.mark.parametrize("boundary", ["open", "periodic", "reflect", "zero"])
def test_starts(image, start, boundary):
    if start == "wiener" and boundary in ("reflect", "zero"):
        with pytest.raises(
            ValueError, match="Wiener cannot solve this problem: its blur must be Circulant, not a Blur with"
        ):
            deconlab.deconvolve(image, PSF, iterations=2, start=start, boundary=boundary)
        return
    result = deconlab.deconvolve(image, PSF, iterations=400, start=start, boundary=boundary)
    flat = deconlab.deconvolve(image, PSF, iterations=400, boundary=boundary)
    objective = [float(r.problem.objective(r.state.x)) for r in (result, flat)]
    assert objective[0] == pytest.approx(objective[1], rel=0.05)  # all starts lead to the same maximum


def test_a_start_of_ones_own(image):
    own = np.full(image.shape, 7.0)
    ready = prepare(image, PSF, start=own, boundary="periodic", gain=2.0)
    assert torch.equal(ready.start, torch.full(image.shape, 3.5))
    domain = prepare(image, PSF).blur.in_shape
    assert prepare(image, PSF, start=np.ones(domain)).start.shape == domain
    with pytest.raises(
        ValueError, match=r"The start has shape \(3, 3\); it must be the image's \(12, 15\) or the object's"
    ):
        prepare(image, PSF, start=np.ones((3, 3)))
    with pytest.raises(ValueError, match="Unknown start 'warm': there are flat, measured, wiener, or give an array"):
        prepare(image, PSF, start="warm")


def test_masked_voxels_may_hold_anything(image):
    y = image.astype(np.float32)
    weights = np.ones(y.shape)
    weights[4, 5] = 0
    clean = deconlab.deconvolve(y, PSF, iterations=5, weights=weights)
    y[4, 5] = np.nan
    assert np.array_equal(deconlab.deconvolve(y, PSF, iterations=5, weights=weights).x, clean.x)


@pytest.mark.parametrize("method", ["richardson-lucy", "landweber"])
@pytest.mark.parametrize("boundary", ["open", "zero"])
def test_masked_voxels_may_hold_anything_with_any_data_term_and_boundary(image, method, boundary):
    y = image.astype(np.float32)
    weights = np.ones(y.shape)
    weights[4, 5] = 0
    settings = {"method": method, "boundary": boundary, "weights": weights, "discrepancy": 0.1, "iterations": 5}
    clean = deconlab.deconvolve(y, PSF, **settings)
    y[4, 5] = np.nan
    assert np.array_equal(deconlab.deconvolve(y, PSF, **settings).x, clean.x)


def holed():
    y = np.random.default_rng(0).random((6, 6))
    y[3, 4], y[5, 5] = np.nan, np.inf
    return y


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (holed(), ValueError, r"The image holds 2 NaN or infinite values, the first at \(3, 4\)"),
        (np.zeros((0, 4)), ValueError, r"The image is empty: its shape is \(0, 4\)"),
        (np.zeros((6, 6)), ValueError, r"The image is constant \(every voxel is 0\): there is no signal"),
        (np.full((6, 6), 7.0), ValueError, r"constant \(every voxel is 7\)"),
        (np.ones((4, 4), complex), TypeError, "of dtype complex128; they must be integer or floating-point"),
        (torch.ones(4, 4, dtype=torch.complex64), TypeError, "The image is complex"),
        (np.arange(96.0).reshape(2, 3, 4, 4), ValueError, r"4 dimensions \(2, 3, 4, 4\); a restoration takes 1 to 3"),
        (np.array([["a"]]), TypeError, "must be integer or floating-point"),
        (Image(np.arange(72.0).reshape(2, 6, 6), "cyx"), ValueError, "has the axes 'cyx'; deconvolve takes one volume"),
    ],
)
def test_images_that_nothing_can_be_restored_from(given, error, message):
    with pytest.raises(error, match=message):
        deconlab.deconvolve(given, PSF)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            {"method": "richardson-lucie"},
            ValueError,
            "Unknown method 'richardson-lucie'. Did you mean 'richardson-lucy'",
        ),
        ({"wieght": 1.0}, TypeError, "Unknown parameter 'wieght'. There are: "),
        ({"relative_chang": 1.0}, TypeError, "Did you mean 'relative_change'"),
        ({"prior": "poisson"}, ValueError, "'poisson' is a data term, not a prior"),
        ({"boundary": "mirror"}, ValueError, "Unknown boundary 'mirror'; there are open, periodic, reflect, zero"),
        ({"weights": np.ones((2, 2))}, ValueError, r"The weights have shape \(2, 2\), the image \(12, 15\)"),
        ({"method": "wiener", "weights": np.ones((12, 15))}, ValueError, "it cannot honour weights"),
        ({"method": "wiener", "boundary": "reflect"}, ValueError, "its blur must be Circulant"),
        (
            {"prior": "tikhonov"},
            ValueError,
            "RichardsonLucy cannot solve this problem: its prior must be Zero, not Tikhonov",
        ),
        ({"device": "tpu"}, ValueError, "Unknown device 'tpu'"),
        ({"method": "landweber", "step_size": 5.0}, ValueError, "step_size=5 may diverge; it must be below 2/L = 2"),
        ({"background": 1e6}, ValueError, "mean above the background is -.*: there is no signal to restore"),
        ({"iterations": 0}, ValueError, "iterations must be >= 1, not 0"),
    ],
)
def test_settings_that_cannot_be_right(image, settings, error, message):
    with pytest.raises(error, match=message):
        deconlab.deconvolve(image, PSF, **settings)


def test_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError, match="torch finds no CUDA GPU"):
        choose_device("cuda")
    with pytest.raises(ValueError, match="torch finds no Apple GPU"):
        choose_device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="there are 1 CUDA GPUs, counted from 0"):
        choose_device("cuda:3")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(TypeError, match=r"An Apple GPU \(mps\) has no float64"):
        to_tensor(np.zeros(3), "mps", None)


def test_no_owner_for_a_parameter():
    with pytest.raises(TypeError, match=r"Unknown parameter 'x'\. There are: background, gain, offset, read_noise"):
        distribute({"x": 1}, {"counts": Counts})
