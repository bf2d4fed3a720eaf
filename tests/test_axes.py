"""``--axes`` and ``--psf-origin``: traces, spatio-temporal series and spectra, each against another way to compute them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.stats import gamma

from deconlab import io, methods, psf
from deconlab.cli import main
from deconlab.image import Channel, Image, Optics
from deconlab.positions import together
from deconlab.restore import restore, restore_volumes

Array = NDArray[np.float64]


def matrix(kernel: Array, origin: int, count: int) -> tuple[Array, int]:
    """The blur of all that ``count`` values can see, as a matrix, and where the first value lies in what they see."""
    before, after = len(kernel) - 1 - origin, origin  # y[t] = Σ h[k] x[t + origin − k]
    found = np.zeros((count, before + count + after))
    for t in range(count):
        for k, value in enumerate(kernel / kernel.sum()):
            found[t, before + t + origin - k] += value
    return found, before


def richardson_lucy(y: Array, kernel: Array, origin: int, iterations: int) -> Array:
    """By its formula, on the matrix."""
    A, first = matrix(kernel, origin, len(y))
    light = A.sum(0)
    seen = light >= 0.01 * light.max()
    x = np.where(seen, 1.0, 0.0)
    for _ in range(iterations):
        x = np.where(seen, x * (A.T @ (y / (A @ x))) / np.where(seen, light, 1), 0)
    return x[first : first + len(y)]


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["run", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def test_a_calcium_trace_through_an_exponential_kernel(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    spikes = np.zeros(120)
    spikes[[10, 11, 40, 75, 90]] = [300, 200, 500, 400, 250]
    kernel = 0.8 ** np.arange(20)
    trace = rng.poisson(np.convolve(spikes, kernel)[:120] + 2).astype(float)
    io.write(tmp_path / "trace.npy", Image(trace, "t"), dtype="float64")
    io.write(tmp_path / "decay.npy", Image(kernel, "x"), dtype="float64")
    words = (
        tmp_path / "trace.npy",
        "--file-axes",
        "t",
        "--axes",
        "t",
        "--psf",
        tmp_path / "decay.npy",
        "--iterations",
        40,
    )
    said = run(*words, "--psf-origin", "first", "-o", tmp_path / "spikes.tif", "--dtype", "float64")
    assert "Taken as given, its origin on voxel 0 of 20; scaled from sum 4.94" in said
    found = io.read(tmp_path / "spikes.tif")
    assert found.axes == "t"
    assert np.allclose(found.data, richardson_lucy(trace, kernel, 0, 40), rtol=1e-6, atol=1e-6 * found.data.max())
    assert set(np.argsort(found.data)[-5:]) == {10, 11, 40, 75, 90}
    run("--recipe", tmp_path / "spikes.yaml", "-o", tmp_path / "again.tif")
    assert np.array_equal(io.read(tmp_path / "again.tif").data, found.data)
    # The same trace at two places of a recording is restored twice, however many are restored at once.
    both = restore(
        Image(np.stack([trace, 3 * trace], 1)[:, :, None], "tyx"),
        psf=kernel,
        psf_origin="first",
        axes="t",
        iterations=40,
    )
    assert np.allclose(both.data[:, 0, 0], found.data, rtol=1e-8, atol=1e-6)
    assert np.allclose(both.data[:, 1, 0], 3 * found.data, rtol=1e-8, atol=1e-6)
    assert both.history["deconvolution"]["volumes"][0]["notes"][0] == "2 positions, each restored by itself along t"


def test_a_series_through_a_haemodynamic_kernel(tmp_path: Path) -> None:
    """Against the normal equations of each voxel, solved densely; the kernel has an undershoot and is longer at its end."""
    rng = np.random.default_rng(8)
    times = np.arange(0, 24, 1.5)
    kernel = gamma.pdf(times, 6) - gamma.pdf(times, 16) / 6
    count, weight = 40, 0.02
    series = rng.standard_normal((2, count, 3, 1, 4)) + 100
    image = Image(series, "ctzyx", {"y": 3000.0, "x": 3000.0})
    found = restore(
        image, psf=kernel, psf_origin="first", axes="t", method="tikhonov-inverse", weight=weight, boundary="periodic"
    )
    assert found.axes == "ctzyx"
    circulant = sum(value * np.roll(np.eye(count), k, 0) for k, value in enumerate(kernel / kernel.sum()))
    solved = np.linalg.solve(circulant.T @ circulant + weight * np.eye(count), circulant.T)
    assert kernel.min() < 0
    assert np.allclose(found.data, np.einsum("st,ctzyx->cszyx", solved, series), rtol=1e-9)
    io.write(tmp_path / "fmri.npy", image, dtype="float64")
    io.write(tmp_path / "hrf.npy", Image(kernel, "x"), dtype="float64")
    run(
        tmp_path / "fmri.npy", "--file-axes", "ctzyx", "--axes", "t", "--psf", tmp_path / "hrf.npy", "--psf-origin", 0,
        "--method", "tikhonov-inverse", "--weight", weight, "--boundary", "periodic", "--dtype", "float64",
        "-o", tmp_path / "o.npy",
    )  # fmt: skip
    assert np.array_equal(np.load(tmp_path / "o.npy"), found.data)


def test_spectra_along_the_channels(tmp_path: Path) -> None:
    """An instrument function that is not symmetric, at two pixels of which one is dark."""
    rng = np.random.default_rng(2)
    kernel = np.array([1.0, 4, 6, 3, 2, 1, 0.5])
    lines = np.zeros((60, 1, 2))
    lines[[12, 15, 40], 0, 0] = [900, 700, 1200]
    blurred = np.apply_along_axis(lambda line: np.convolve(line, kernel / kernel.sum())[2:62], 0, lines)
    spectra = rng.poisson(blurred + 1).astype(float)
    spectra[:, 0, 1] = 7
    io.write(tmp_path / "s.npy", Image(spectra, "cyx"), dtype="float64")
    io.write(tmp_path / "k.npy", Image(kernel, "x"), dtype="float64")
    said = run(
        tmp_path / "s.npy", "--file-axes", "cyx", "--axes", "c", "--psf", tmp_path / "k.npy", "--psf-origin", 2,
        "--iterations", 30, "--dtype", "float64", "-o", tmp_path / "o.npy",
    )  # fmt: skip
    assert "reached 30 iterations" in said
    found = np.load(tmp_path / "o.npy")
    assert np.allclose(found[:, 0, 0], richardson_lucy(spectra[:, 0, 0], kernel, 2, 30), rtol=1e-6, atol=1e-3)
    assert set(np.argsort(found[:, 0, 0])[-3:]) == {12, 15, 40}
    assert np.array_equal(found[:, 0, 1], spectra[:, 0, 1])
    alone = restore(Image(spectra[:, 0, 0], "x"), psf=kernel, psf_origin=[2], iterations=30)
    assert np.allclose(alone.data, found[:, 0, 0], rtol=1e-9)


LOCAL = [name for name in methods.registry.names() if together(name, {})]
PEAKED = np.array([1.0, 2, 1])


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("boundary", ["open", "zero", "periodic", "reflect"])
def test_positions_restored_at_once_are_as_if_alone(name: str, boundary: str) -> None:
    """Every method that is taken for one whose steps are voxel-wise is one; another number of rows changes nothing."""
    kernel = np.array([0.5, 3, 2, 1])
    data = np.random.default_rng(6).poisson(np.linspace(5, 500, 7)[None, :], (30, 7)).astype(float)
    settings: Any = {"psf": kernel, "psf_origin": "first", "method": name, "iterations": 12, "boundary": boundary}
    settings |= {"background": 2.0, "offset": 1.0, "gain": 2.0}
    assert together(name, settings)
    found = restore(Image(data, "tx"), axes="t", **settings)
    for place in range(7):
        alone = restore(Image(data[:, place], "t"), axes="t", **settings)
        assert np.allclose(found.data[:, place], alone.data, rtol=1e-7, atol=1e-7 * data.max()), place


def test_what_ranges_over_an_image_is_never_shared_by_positions() -> None:
    assert {"richardson-lucy", "landweber"} <= set(LOCAL)
    assert not {"biggs-andrews", "tikhonov-miller", "rl-tv", "wiener"} & set(LOCAL)
    for setting in ({"background": "auto"}, {"start": "measured"}, {"max_seconds": 1.0}, {"prior": "total-variation"}):
        assert not together("richardson-lucy", setting)
    data = np.random.default_rng(6).poisson(50, (30, 3)).astype(float)
    one_by_one = restore_volumes(
        Image(data, "tx"), axes="t", psf=PEAKED, psf_origin="centre", relative_change=0.05, weights=np.ones((30, 3))
    )
    for place in range(3):
        alone = restore(Image(data[:, place], "t"), axes="t", psf=PEAKED, psf_origin="centre", relative_change=0.05)
        assert np.array_equal(one_by_one.image.data[:, place], alone.data)


def test_planes_of_a_stack_are_restored_one_by_one_with_the_psf_of_their_plane() -> None:
    known = {"na": 0.8, "immersion_index": 1.0, "emission_nm": 520.0, "modality": "widefield"}
    stack = np.random.default_rng(0).poisson(9, (3, 16, 17)).astype(np.float32)
    channel = (Channel("A", Optics().known("file", **known)),)
    found = restore(Image(stack, "zyx", {"y": 0.14, "x": 0.14}, channel), axes="yx", iterations=3)
    assert found.channels[0].name == "A"
    for z in range(3):
        alone = restore(Image(stack[z], "yx", {"y": 0.14, "x": 0.14}, channel), iterations=3)
        assert np.array_equal(found.data[z], alone.data)


def test_a_trace_without_an_origin_or_a_psf_is_asked_for_one() -> None:
    image = Image(np.random.default_rng(0).poisson(9, (30, 4)).astype(float), "tx")
    kernel = np.ones(3)

    def refused(message: str, of: Image = image, **settings: Any) -> None:
        with pytest.raises(ValueError, match=message):
            restore(of, iterations=1, **settings)

    refused("Along t it matters where the PSF begins: say --psf-origin first", axes="t", psf=kernel)
    refused("Along t no PSF is computed from optics: give it with --psf", axes="t", psf_origin="first")
    refused("leave out --psf-voxel-um", axes="x", psf=kernel, psf_origin="first", psf_voxel_um=[0.1])
    refused("leave out a PSF computed from optics", axes="x", psf_origin="first")
    refused("--axes tz: name axes of the image, each once; it has t, x", axes="tz", psf=kernel)
    refused("--axes tctz: name axes", axes="tctz", psf=kernel)
    refused("one to three axes, not 4", Image(np.ones((2, 2, 2, 2)), "tzyx"), axes="tzyx", psf=kernel)
    refused("has the axes 't' and none of z, y, x: say along which .*--axes t", Image(np.arange(9.0), "t"), psf=kernel)
    refused("must have 1 dimension, as many", axes="t", psf=np.ones((3, 3)), psf_origin="first")
    refused("begin with a file", axes="t", psf=kernel, psf_origin="first", start=np.ones((30, 4)))
    refused("None of the 4 positions has a signal", axes="t", psf=kernel, psf_origin="first", background=1e4)


@pytest.mark.parametrize(
    ("data", "origin", "message"),
    [
        ([1.0, np.nan], "first", "NaN or infinite"),
        ([1.0, -1.0], "first", "sums to 0; with an origin of its own"),
        ([1.0, 2.0], [2], r"origin 2 must be 1 number within its shape \(2,\), from 0"),
        ([1.0, 2.0], [0, 0], "origin 0 0 must be 1 number"),
    ],
)
def test_a_psf_that_cannot_be_taken_as_given(data: list[float], origin: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        psf.as_given(np.array(data), origin, 1)


def test_positions_have_no_iterations_to_watch(tmp_path: Path) -> None:
    io.write(tmp_path / "a.npy", Image(np.random.default_rng(0).random((9, 4)), "tx"))
    io.write(tmp_path / "k.npy", Image(np.ones(3), "x"))
    words = (tmp_path / "a.npy", "--file-axes", "tx", "--axes", "t", "--psf", tmp_path / "k.npy", "--psf-origin")
    said = run(*words, "first", "--history", tmp_path / "h.csv", code=2)
    assert (
        "positions on x are restored one by one, so that there are no iterations to watch: leave out --history" in said
    )
    assert "--psf-origin is first, centre, or a voxel such as 2 or 0,10,10, not 'x'" in run(*words, "x", code=2)
