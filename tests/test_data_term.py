"""From a camera to the data term of a problem: what is restored has the units and the level of what was simulated."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from deconlab.formation.camera import PRESETS, Camera, preset
from deconlab.formation.canvas import Canvas
from deconlab.formation.data_term import DataTerm, data_term, to_fidelity
from deconlab.formation.phantom import Phantom
from deconlab.formation.simulate import Simulation, simulate
from deconlab.functionals import LeastSquares, PoissonLikelihood
from deconlab.methods.projected_landweber import ProjectedLandweber
from deconlab.methods.richardson_lucy import RichardsonLucy
from deconlab.operators import Composition, Diagonal, Identity, blur
from deconlab.problem import NonNegative, Problem
from deconlab.psf.gaussian import Gaussian
from deconlab.solve import solve
from deconlab.stopping import MaxIterations

SHAPE, VOXEL_UM, SEEDS = (12, 24, 25), (0.2, 0.1, 0.1), 3


@dataclass(frozen=True)
class Swell(Phantom):
    """Light everywhere, so that x >= 0 is never active: there it would turn noise into light."""

    def draw(self, canvas: Canvas, rng: np.random.Generator) -> None:  # noqa: ARG002
        grid = canvas.grid
        mesh = np.ix_(
            *(
                (np.arange(n) + 0.5) * v + o
                for n, v, o in zip(grid.fine_shape, grid.fine_voxel_um, grid.origin_um, strict=True)
            )
        )
        wave = np.cos(2 * np.pi * mesh[0] / 1.7) * np.cos(2 * np.pi * mesh[1] / 1.1) * np.cos(2 * np.pi * mesh[2] / 0.9)
        canvas.image += (1.3 + wave).astype(np.float32)


CAMERAS = {name: replace(preset(name), background=8.0, vignetting=0.3) for name in PRESETS}
CAMERAS["without shot noise"] = Camera(shot_noise=False, read_noise=3.0, gain=0.5, offset=100.0)
CAMERAS["binned codes"] = replace(CAMERAS["scmos"], binning=2, vignetting=0.05)


def simulated(camera: Camera, seed: int) -> Simulation:
    psf = Gaussian(fwhm_um=0.25, fwhm_axial_um=0.6)
    return simulate(
        Swell(), psf, shape=SHAPE, voxel_um=VOXEL_UM, camera=camera, photons=100, seed=seed, margin=(5, 5, 5)
    )


def restored(truth: Simulation, term: DataTerm) -> tuple[np.ndarray, np.ndarray]:
    """The object in the field of view, and the electrons that it predicts."""
    H = blur(torch.from_numpy(truth.psf), SHAPE)
    fidelity = to_fidelity(H, term)
    poisson = isinstance(fidelity, PoissonLikelihood)
    assert poisson == (term.kind == "poisson")
    method, iterations = (RichardsonLucy(), 15) if poisson else (ProjectedLandweber(), 30)
    x = solve(method, Problem(fidelity, constraint=NonNegative()), stop=MaxIterations(iterations)).x
    return H.frame.forward(x).numpy(), fidelity.H.forward(x).numpy() + term.background


@pytest.mark.parametrize("kind", [None, "least-squares"])
@pytest.mark.parametrize("name", CAMERAS)
def test_restoring_what_a_camera_took_is_biased_by_no_more_than_the_noise(name, kind):
    camera = CAMERAS[name]
    errors, variances, levels = [], [], []
    for seed in range(SEEDS):
        truth = simulated(camera, seed)
        term = data_term(camera, truth.data, kind)
        x, predicted = restored(truth, term)
        usable = term.weights > 0
        variance = camera.excess * (truth.mean * camera.shot_noise + term.read_variance)
        errors.append((predicted - truth.mean)[usable].sum(dtype=np.float64))
        variances.append(variance[usable].sum(dtype=np.float64))
        inner = (slice(2, -2), slice(3, -3), slice(3, -3))
        levels.append(x[inner].sum() / truth.truth[inner].sum())
    assert abs(np.mean(errors)) < 4 * np.sqrt(np.mean(variances) / SEEDS)
    assert np.mean(levels) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", [None, "least-squares"])
def test_forgetting_the_flat_field_would_show(kind):
    truth = simulated(CAMERAS["scmos"], 0)
    term = data_term(truth.camera, truth.data, kind)
    kept, _ = restored(truth, term)
    forgotten, _ = restored(truth, replace(term, modulation=None))
    corner, centre = (slice(2, -2), slice(0, 5), slice(0, 5)), (slice(2, -2), slice(9, 15), slice(9, 15))
    for place, most in ((corner, 0.85), (centre, 1.0)):
        passed = (truth.truth * term.modulation)[place].sum() / truth.truth[place].sum()
        assert passed < most
        assert kept[place].sum() / truth.truth[place].sum() == pytest.approx(1, abs=0.03)
        assert forgotten[place].sum() / truth.truth[place].sum() == pytest.approx(passed, abs=0.03)


def test_the_fidelity_is_the_term_and_no_more():
    camera = replace(preset("scmos"), background=5.0, vignetting=0.2, dead_pixels=0.02)
    rng = np.random.default_rng(0)
    data = (100 + rng.poisson(60, (6, 7))).astype(np.uint16)
    term = data_term(camera, data)
    H = Identity((6, 7))
    fidelity = to_fidelity(H, term)
    assert isinstance(fidelity, PoissonLikelihood)
    assert isinstance(fidelity.H, Composition)
    usable = term.weights > 0
    assert not usable.all()
    x = rng.random((6, 7)).astype(np.float32) * 20
    shifted = np.maximum(term.y + term.read_variance, 0).astype(np.float64)
    p = (term.modulation * x + term.background + term.read_variance).astype(np.float64)
    expected = (p - shifted + shifted * np.log(shifted / p))[usable].sum()
    assert float(fidelity.value(torch.from_numpy(x))) == pytest.approx(expected, rel=1e-5)
    squares = to_fidelity(H, data_term(camera, data, "least-squares"))
    assert isinstance(squares, LeastSquares)
    variance = 1 / data_term(camera, data, "least-squares").weights[usable]
    error = (term.modulation * x + term.background - term.y)[usable].astype(np.float64)
    assert float(squares.value(torch.from_numpy(x))) == pytest.approx((0.5 * error**2 / variance).sum(), rel=1e-5)


def test_even_maps_become_numbers_and_full_trust_no_weights():
    fidelity = to_fidelity(Identity((4, 5)), data_term(Camera(background=3.0), np.full((4, 5), 7.0)))
    assert (fidelity.background, fidelity.weights) == (3.0, None)
    assert isinstance(fidelity, PoissonLikelihood)
    assert fidelity.read_variance == 0.0
    assert isinstance(fidelity.H, Identity)


def test_a_blur_that_gives_another_shape_is_refused():
    term = data_term(Camera(), np.ones((8, 9)))
    H = blur(torch.full((3, 3), 1 / 9), (8, 9), "zero")
    message = "The blur gives (10, 11), the camera's data have shape (8, 9); they must be equal. Darkness around"
    with pytest.raises(ValueError, match=re.escape(message)):
        to_fidelity(H, term)


def test_factors_must_be_finite():
    with pytest.raises(ValueError, match=re.escape("1 of 3 factors are NaN or infinite; use 0 where no light")):
        Diagonal(torch.tensor([1.0, float("nan"), 2.0]))
