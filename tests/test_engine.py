"""The compiled engine against its twin, the plain path, and against convolutions by NumPy in double precision."""

from __future__ import annotations

import gc
import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deconlab import engine
from deconlab.engine import _library, _memory, _run, _workspace
from deconlab.engine.build import BuildError, build, compiler
from deconlab.errors import DeconvolutionError
from deconlab.functionals import LeastSquares, PoissonLikelihood, Tikhonov, Zero
from deconlab.methods import registry
from deconlab.operators import Blur, Pointwise, blur
from deconlab.problem import Box, Free, NonNegative, Problem

needs_kernel = pytest.mark.skipif(
    engine.status().kernel is None, reason=f"no compiled engine: {engine.status().reason}"
)
POISSON = ("richardson-lucy", "scaled-heavy-ball", "biggs-andrews")
SQUARES = ("landweber", "projected-landweber", "tikhonov-miller", "iterative-constrained-tikhonov-miller")
KERNELS = [
    name
    for number, name in enumerate(_library.KERNELS)
    if engine.status().kernel is not None and number <= _library.KERNELS.index(engine.status().kernel or "")
]


@pytest.fixture(autouse=True)
def no_grad() -> Iterator[None]:
    with torch.no_grad():
        yield


def problem_for(
    name: str, H: Blur, seed: int = 0, *, weighted: bool = False, mapped: bool = False, prior: bool = True
) -> Problem[Any, Any]:
    generator = torch.Generator().manual_seed(seed)
    y = 1 + torch.poisson(40 * torch.rand(H.out_shape, generator=generator), generator=generator)
    background = 0.5 + torch.rand(H.out_shape, generator=generator) if mapped else 0.5
    weights = (torch.rand(H.out_shape, generator=generator) + 0.2) if weighted else None
    if name in POISSON:
        return Problem(PoissonLikelihood(H, y, background, weights), constraint=NonNegative())
    bounded = Box(0.0, 60.0) if name == "projected-landweber" else Free()
    return Problem(
        LeastSquares(H, y, background, weights), Tikhonov(0.05) if "miller" in name and prior else Zero(), bounded
    )


def random_blur(shape: tuple[int, ...], psf_shape: tuple[int, ...], boundary: str, seed: int = 0) -> Blur:
    psf = torch.rand(psf_shape, generator=torch.Generator().manual_seed(seed))
    return blur(psf / psf.sum(), shape, boundary)  # type: ignore[arg-type]


def steps(name: str, problem: Problem[Any, Any], count: int, kernel: str | None = None) -> Any:
    method = registry.get(name)()
    with engine.using(kernel or engine.status().kernel or "plain"):
        state = method.init(problem)
        for _ in range(count):
            state = method.step(problem, state)
    return state


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-30))


@needs_kernel
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("boundary", ["open", "zero", "periodic", "reflect"])
@pytest.mark.parametrize("shape", [(1,), (24,), (10, 12), (4, 9, 14), (5, 1, 6)])
def test_blur_is_the_convolution_by_its_formula(kernel: str, boundary: str, shape: tuple[int, ...]) -> None:
    H = random_blur(shape, (3, 5, 4)[: len(shape)], boundary)
    torus, axes = H.convolution.in_shape, tuple(range(len(shape)))
    kernel_at_origin = np.zeros(torus)
    for index in np.ndindex(H.convolution.psf.shape):
        place = tuple((i - n // 2) % t for i, n, t in zip(index, H.convolution.psf.shape, torus, strict=True))
        kernel_at_origin[place] += float(H.convolution.psf[index])
    otf = np.fft.fftn(kernel_at_origin)
    x, y = torch.rand(H.in_shape), torch.rand(H.out_shape)
    extended = H.extension.forward(x.double()).numpy()
    embedded = H.crop.adjoint(y.double()).numpy()
    blurred = torch.from_numpy(np.fft.ifftn(otf * np.fft.fftn(extended, axes=axes)).real)
    projected = torch.from_numpy(np.fft.ifftn(otf.conj() * np.fft.fftn(embedded, axes=axes)).real)
    with engine.using(kernel):
        forward, adjoint = engine.forward(H, x), engine.adjoint(H, y)
    assert forward is not None
    assert adjoint is not None
    assert difference(forward.double(), H.crop.forward(blurred)) < 1e-6
    assert difference(adjoint.double(), H.extension.adjoint(projected)) < 1e-6


@needs_kernel
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    name=st.sampled_from(POISSON + SQUARES),
    shape=st.lists(st.integers(1, 19), min_size=1, max_size=3),
    psf=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    boundary=st.sampled_from(["open", "zero", "periodic", "reflect"]),
    weighted=st.booleans(),
    mapped=st.booleans(),
    kernel=st.sampled_from(KERNELS or ["plain"]),
    threads=st.integers(1, 2),
)
def test_a_fused_step_is_the_plain_step(
    name: str,
    shape: list[int],
    psf: list[int],
    boundary: str,
    weighted: bool,
    mapped: bool,
    kernel: str,
    threads: int,
) -> None:
    H = random_blur(tuple(shape), tuple(psf[: len(shape)]), boundary, seed=sum(shape))
    problem = problem_for(name, H, weighted=weighted, mapped=mapped)
    method = registry.get(name)()
    with engine.using("plain"):
        before = method.step(problem, method.init(problem))
        plain = method.step(problem, before)
    with pytest.MonkeyPatch.context() as patch, engine.using(kernel):
        patch.setattr(_workspace.Workspace, "threads", threads)
        fused = method.step(problem, before)
    assert difference(fused.x, plain.x) < 1e-5
    rounding = 1e-6 * float(problem.fidelity.y.square().sum() if name in SQUARES else problem.fidelity.y.sum())
    assert float(fused.objective) == pytest.approx(float(plain.objective), rel=1e-5, abs=rounding)


@needs_kernel
@pytest.mark.parametrize("name", [*POISSON, *SQUARES])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_hundred_iterations_agree_in_the_field_of_view(name: str, weighted: bool) -> None:
    H = random_blur((6, 12, 20), (3, 5, 4), "open")
    problem = problem_for(name, H, weighted=weighted)
    plain, fused = (H.frame.forward(steps(name, problem, 100, kernel).x) for kernel in ("plain", None))
    assert difference(fused, plain) < 1e-3


@needs_kernel
@pytest.mark.parametrize("name", [*POISSON, *SQUARES])
def test_known_methods_run_without_a_map_in_python(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a map has no compiled twin any more: was it renamed?")

    monkeypatch.setattr(_workspace.Workspace, "slabs", refuse)
    monkeypatch.setattr(Blur.__mro__[1], "sandwich", refuse)
    H = random_blur((4, 10, 12), (3, 3, 3), "open")
    steps(name, problem_for(name, H, weighted=True, mapped=True), 2)


@needs_kernel
@pytest.mark.parametrize("name", [*POISSON, *SQUARES, "cgls", "conjugate-tikhonov-miller", "mrnsd", "fista"])
def test_every_application_of_the_blur_in_a_step_is_the_engine_s(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass along z for each H and each Hᵀ, however the step is written, and no whole transform beside them."""
    H = random_blur((4, 10, 12), (3, 3, 3), "open")
    method = registry.get(name)()
    problem = problem_for(name, H)
    state = method.step(problem, method.step(problem, method.init(problem)))
    passes: list[bool] = []
    columns = _workspace.Workspace.columns

    def counted(workspace: Any, otf: Any, conjugate: bool, *boxes: Any) -> None:
        passes.append(conjugate)
        columns(workspace, otf, conjugate, *boxes)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a whole transform, where the engine serves")

    monkeypatch.setattr(_workspace.Workspace, "columns", counted)
    monkeypatch.setattr("deconlab.operators.convolution.fourier.filter", refuse)
    method.step(problem, state)
    assert method.transforms is None or len(passes) == method.transforms // 2  # each is a transform there and one back
    assert set(passes) == {False, True}


@needs_kernel
def test_the_same_bits_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    H = random_blur((9, 21, 40), (3, 5, 4), "open")
    problem = problem_for("scaled-heavy-ball", H)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(_workspace.Workspace, "threads", threads)
        state = steps("scaled-heavy-ball", problem, 5)
        found.append((state.x, state.objective))
    for x, objective in found[1:]:
        assert torch.equal(x, found[0][0])
        assert float(objective) == float(found[0][1])


@needs_kernel
def test_a_held_spectrum_counts_only_for_its_tensor_unchanged() -> None:
    H = random_blur((5, 8, 12), (3, 3, 3), "open")
    problem = problem_for("richardson-lucy", H)
    method = registry.get("richardson-lucy")()
    state = steps("richardson-lucy", problem, 2)
    (workspace,) = _run._workspaces[H.convolution].values()
    assert workspace.holds(state.x)
    copy = state.x.clone()
    assert not workspace.holds(copy)
    again = method.step(problem, type(state)(copy)).x
    assert torch.equal(method.step(problem, type(state)(state.x.clone())).x, again)
    state = method.step(problem, state)
    assert torch.equal(state.x, again)
    assert not workspace.holds(state.x)  # the calls between evaluated elsewhere: no transform was begun
    state = method.step(problem, state)
    assert workspace.holds(state.x)
    before = state.x.clone()
    state.x.mul_(2)
    assert not workspace.holds(state.x)
    assert difference(H.forward(state.x), 2 * H.forward(before)) < 1e-6


@needs_kernel
def test_no_transform_is_begun_for_a_method_that_evaluates_elsewhere() -> None:
    H = random_blur((5, 8, 12), (3, 3, 3), "open")
    state = steps("biggs-andrews", problem_for("biggs-andrews", H), 3)
    (workspace,) = _run._workspaces[H.convolution].values()
    assert not workspace.holds(state.x)
    assert not workspace.worthwhile(state.point)


def shifted(u: torch.Tensor, shift: torch.Tensor, factor: float) -> torch.Tensor:
    return (u + shift) * factor


def two_of(u: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return u.mul_(2), u + shift


def squared(u: torch.Tensor) -> torch.Tensor:
    return u * u


@needs_kernel
@pytest.mark.parametrize("boundary", ["open", "zero", "reflect"])
@pytest.mark.parametrize("shape", [(30,), (9, 14), (7, 9, 10)])
def test_maps_without_a_twin_run_on_slabs(
    boundary: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_workspace, "SLAB", 200)  # a slice or two at a time
    H = random_blur(shape, (3, 5, 4)[: len(shape)], boundary)
    x, a, b = torch.rand(H.in_shape), torch.rand(H.out_shape), torch.rand(H.in_shape)
    arguments = (x, Pointwise(shifted, a, 3.0), Pointwise(two_of, b), Pointwise(squared))
    with engine.using("plain"):
        (first, second), total = H.sandwich(*arguments)
    compiled = engine.sandwich(H, *arguments, None)
    assert compiled is not None
    (fused_first, fused_second), fused_total = compiled
    assert difference(fused_first, first) < 1e-6
    assert difference(fused_second, second) < 1e-6
    assert float(fused_total) == pytest.approx(float(total), rel=1e-6)


@needs_kernel
def test_one_output_of_a_map_without_a_twin_is_a_tensor() -> None:
    H = random_blur((6, 7), (3, 3), "open")
    x = torch.rand(H.in_shape)
    arguments = (x, Pointwise(shifted, torch.rand(H.out_shape), 1.0), Pointwise(squared))
    with engine.using("plain"):
        expected, nothing = H.sandwich(*arguments)
    fused, total = H.sandwich(*arguments)
    assert difference(fused, expected) < 1e-6
    assert total is nothing is None
    assert difference(H.forward(fused), H.crop.forward(H.convolution.forward(fused))) < 1e-6


def in_double(u: torch.Tensor) -> torch.Tensor:
    return u.double()


@needs_kernel
@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (Pointwise(in_double), None),
        (Pointwise(squared), Pointwise(in_double)),
        (Pointwise(shifted, torch.ones(1, 1), 2.0), None),
    ],
)
def test_what_the_engine_cannot_cut_or_take_goes_the_plain_way(inner: Pointwise, outer: Pointwise | None) -> None:
    H = random_blur((6, 7), (3, 3), "open")
    x = torch.rand(H.in_shape)
    assert engine.sandwich(H, x, inner, outer, None, None) is None
    with engine.using("plain"):
        expected, _ = H.sandwich(x, inner, outer)
    found, _ = H.sandwich(x, inner, outer)
    assert found.dtype == expected.dtype
    assert difference(found, expected) < 1e-6


@needs_kernel
def test_what_is_not_float32_on_a_cpu_without_autograd_goes_the_plain_way() -> None:
    H = random_blur((8, 9), (3, 3), "open")
    x = torch.rand(H.in_shape)
    assert engine.forward(H, x) is not None
    assert engine.forward(H, x.double()) is None
    assert engine.forward(H, x.expand(2, *x.shape)) is None
    assert engine.forward(H, torch.empty(H.in_shape, device="meta")) is None
    assert engine.sandwich(H, x, Pointwise(squared), None, None, H.T) is None
    assert engine.forward(random_blur((11, 13), (1, 1), "periodic"), torch.rand(11, 13)) is None
    assert engine.forward(random_blur((4096,), (3,), "periodic"), torch.rand(4096)) is None
    with torch.enable_grad():
        followed = x.clone().requires_grad_()
        assert engine.forward(H, followed) is None
        H.forward(followed).sum().backward()  # type: ignore[no-untyped-call]
        assert followed.grad is not None
        psf = torch.rand(3, 3, requires_grad=True)
        blur(psf, (8, 9)).forward(x).sum().backward()  # type: ignore[no-untyped-call]
        assert psf.grad is not None
    with torch.autograd.forward_ad.dual_level():
        assert engine.forward(H, x) is None


@needs_kernel
def test_strided_and_read_only_input() -> None:
    H = random_blur((8, 9), (3, 3), "zero")
    x = torch.rand(9, 8).T
    assert difference(H.forward(x), H.forward(x.contiguous())) == 0
    fixed = x.contiguous().numpy().copy()
    fixed.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        read_only = torch.from_numpy(fixed)
    assert difference(H.forward(read_only), H.forward(x.contiguous())) == 0
    wide = torch.rand(*H.out_shape, 2)[..., 0]
    assert difference(H.adjoint(wide), H.adjoint(wide.contiguous())) == 0


@needs_kernel
def test_nan_stays_nan() -> None:
    H = random_blur((4, 8, 9), (3, 3, 3), "open")
    x = torch.rand(H.in_shape)
    x[0, 0, 0] = math.nan
    problem = problem_for("richardson-lucy", H)
    fused, total = H.sandwich(x, problem.fidelity.ratio, None, problem.fidelity.loss)
    assert bool(fused.isnan().all())
    assert total is not None
    assert math.isnan(float(total))


@needs_kernel
def test_results_that_are_held_are_never_written_again() -> None:
    H = random_blur((4, 8, 9), (3, 3, 3), "open")
    problem, method = problem_for("scaled-heavy-ball", H), registry.get("scaled-heavy-ball")()
    states = [method.init(problem)]
    kept = []
    for _ in range(6):
        states.append(method.step(problem, states[-1]))
        kept.append(states[-1].x.clone())
    for state, copy in zip(states[1:], kept, strict=True):
        assert torch.equal(state.x, copy)
    (workspace,) = _run._workspaces[H.convolution].values()
    address = states[-1].x.data_ptr()
    del state, states
    gc.collect()
    assert any(address in free for free in (workspace.pool.free or {}).values())
    x = H.forward(torch.rand(H.in_shape))
    del H, problem, workspace
    gc.collect()
    assert bool(torch.isfinite(x).all())  # outlives its operator


@needs_kernel
def test_without_memory_there_is_a_sentence() -> None:
    native = _library._load()[0]
    with pytest.raises(DeconvolutionError, match=r"no memory for another 1152921504607 MB\. Process tiles"):
        _memory.allocate(native, 1 << 60)
    H = random_blur((4, 6), (3, 3), "open")
    H.forward(torch.rand(H.in_shape))
    (workspace,) = _run._workspaces[H.convolution].values()
    with pytest.raises(DeconvolutionError, match=r"There is no memory for the .* MB that the compiled engine works in"):
        workspace._require(1)

    class Nothing:
        def __getattr__(self, name: str) -> Any:
            return (lambda *_: None) if name == "engine_new" else getattr(native, name)

    with pytest.raises(DeconvolutionError, match=r"no memory for its tables of a \(4, 6\) domain"):
        _workspace.Workspace(Nothing(), 0, torch.ones(1, 1), (4, 6))


def test_using_names_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with engine.using("plain") as status:
        assert status.kernel is None
        assert "the plain path was asked for" in str(status)
    with (
        pytest.raises(ValueError, match="There is no engine 'sse9'; there are baseline, avx2, avx512, plain"),
        engine.using("sse9"),
    ):
        pass
    monkeypatch.setenv("DECONLAB_ENGINE", "sse9")
    assert "plain" in engine.status().reason or engine.status().kernel is None


@needs_kernel
def test_status_says_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(engine.status()).startswith("compiled engine: in use, ")
    monkeypatch.setenv("DECONLAB_ENGINE", "sse9")
    assert engine.status().reason == "'sse9' is no kernel; there are baseline, avx2, avx512 and plain."
    monkeypatch.delenv("DECONLAB_ENGINE")

    class Old:
        def engine_best_kernel(self) -> int:
            return 0

    monkeypatch.setattr(_library, "_load", lambda: (Old(), ""))
    with engine.using("avx2") as status:
        assert status.reason == "this processor does not run avx2, only up to baseline."


@pytest.fixture
def library_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    from deconlab.engine import build as module

    path = tmp_path / "_native.so"
    monkeypatch.setattr(module, "LIBRARY", path)
    _library._load.cache_clear()
    _library._say_once.cache_clear()
    yield path
    _library._load.cache_clear()


@pytest.mark.usefixtures("library_at")
def test_an_install_without_a_compiler_works_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    H = random_blur((6, 9), (3, 3), "open")
    x = torch.rand(H.in_shape)
    with caplog.at_level(logging.WARNING):
        assert engine.forward(H, x) is None
        assert difference(H.forward(x), H.crop.forward(H.convolution.forward(x))) == 0
        steps("richardson-lucy", problem_for("richardson-lucy", H), 2, "plain")
    assert len(caplog.records) == 1
    assert (
        "_native.so was not built when deconlab was installed. Restorations work, several times slower" in caplog.text
    )
    assert "python -m deconlab.engine.build" in str(engine.status())


@pytest.mark.usefixtures("library_at")
def test_the_doctor_says_that_there_is_no_compiled_engine_and_how_to_build_it() -> None:
    from deconlab.cli.doctor import examine

    assert "python -m deconlab.engine.build" in dict(examine()[0])["engine"]


def test_a_library_that_cannot_be_loaded_is_named(library_at: Path) -> None:
    library_at.write_bytes(b"this is no library")
    assert "_native.so cannot be loaded" in engine.status().reason


def test_a_library_of_another_version_is_not_used(library_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    class Other:
        def engine_interface(self) -> int:
            return 99

    library_at.write_bytes(b"")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Other())
    assert "has interface 99, not" in engine.status().reason


def test_building_without_a_compiler_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"no C\+\+ compiler was found \(tried c\+\+, g\+\+ and clang\+\+\)"):
        compiler()
    monkeypatch.setenv("CXX", str(tmp_path / "nothing"))
    with pytest.raises(BuildError, match="cannot be run"):
        build(tmp_path / "library.so")
    monkeypatch.undo()
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(BuildError, match="not built on Windows"):
        build(tmp_path / "library.so")


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in = tmp_path / "compiler"
    stand_in.write_text("#!/bin/sh\necho 'what is this flag' >&2\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("CXX", str(stand_in))
    with pytest.raises(BuildError, match=r"(?s)the C\+\+ compiler failed: .*what is this flag"):
        build(tmp_path / "library.so")
    assert not (tmp_path / "library.so").exists()
