"""Every registered PSF model keeps the contract; listing them loads no torch."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys

import pytest
import torch

import deconlab.psf
from deconlab.lazytorch import Tensor
from deconlab.psf import PSF, Gaussian, PSFModel, registry
from deconlab.psf._model import Grid, Intensity
from deconlab.testing.psf import check_psf, example


@pytest.mark.parametrize("name", registry.names())
@pytest.mark.parametrize(
    ("shape", "voxel_um"),
    [((9, 17, 17), (0.2, 0.1, 0.1)), ((5, 13, 15), (0.15, 0.06, 0.08)), ((1, 9, 9), (0.2, 0.1, 0.1))],
)
def test_contract(name: str, shape: tuple[int, ...], voxel_um: tuple[float, ...]) -> None:
    model = example(registry.get(name))
    if 3 in model.dimensions:
        check_psf(model, sampled(model, voxel_um), shape)
    else:
        check_psf(model, voxel_um[1:], shape[1:])


def sampled(model: PSFModel, voxel_um: tuple[float, ...]) -> tuple[float, ...]:
    """The voxel sizes, or smaller ones with which the model is sampled as Nyquist asks."""
    axial, lateral = model.nyquist_um() or (math.inf, math.inf)
    return tuple(min(size, limit) for size, limit in zip(voxel_um, (axial, lateral, lateral), strict=True))


@pytest.mark.parametrize("name", registry.names())
def test_contract_in_a_plane(name: str) -> None:
    model = example(registry.get(name))
    check_psf(model, sampled(model, (1.0, 0.1, 0.1))[1:], (17, 17))


@pytest.mark.parametrize("name", registry.names())
def test_every_model_cites_its_source_and_says_its_name(name: str) -> None:
    model = example(registry.get(name))
    assert model.references
    assert registry.name_of(type(model)) == name
    assert model.describe().startswith(type(model).__name__)


@pytest.mark.parametrize(
    "code",
    [
        "import deconlab.psf",
        "import deconlab.psf as p; assert 'gibson-lanni' in p.registry.names()",
        "import deconlab.psf as p, deconlab.schema as s; [s.parameters(c) for c in p.registry.all().values()]",
        "from deconlab.psf import GibsonLanni; GibsonLanni(na=1.4, emission_nm=520, immersion_index=1.515).describe()",
    ],
)
def test_importing_listing_and_describing_load_no_torch(code: str) -> None:
    check = "; import sys; assert not {'torch', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code + check], check=True)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Gausian'"):
        _ = deconlab.psf.Gausian
    assert {"GibsonLanni", "measured"} <= set(dir(deconlab.psf))


@dataclasses.dataclass(frozen=True)
class Broken(PSFModel):
    """A Gaussian with one fault."""

    fault: str = ""

    def _intensity(self, grid: Grid, dtype: torch.dtype, device: torch.device | None) -> Intensity:
        raw = Gaussian(fwhm_um=0.4)._intensity(grid, dtype, device)
        data: Tensor = raw.data.clone()
        if self.fault == "negative":
            data[0, 0, 0] = -1e-3
        elif self.fault == "off centre":
            data = data.roll(1, 1)
        elif self.fault == "lopsided":
            data[..., 0] *= 2
        elif self.fault == "random":
            data = data * (1 + 1e-3 * torch.rand_like(data))
        elif self.fault == "captures too much":
            return dataclasses.replace(raw, data=data * 2)
        elif self.fault == "nan":
            data[0, 0, 0] = float("nan")
        return dataclasses.replace(raw, data=data)

    def _half_widths_um(self, grid: Grid, limit_um: float) -> tuple[float, ...]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("negative", "below zero"),
        ("off centre", "about n // 2|not symmetric"),
        ("lopsided", "about n // 2|not symmetric"),
        ("random", "Two renders differ"),
        ("captures too much", "Captured"),
    ],
)
def test_the_contract_finds_faults(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_psf(Broken(fault), (0.2, 0.1, 0.1), (7, 9, 9))


def test_a_model_without_light_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no light on this grid \(its sum is nan\).*\(3, 3, 3\)"):
        Broken("nan").render((3, 3, 3), (0.2, 0.1, 0.1))


def test_a_psf_is_not_compared_by_value() -> None:
    psf = example(Gaussian).render((3, 3), (0.1, 0.1))
    assert psf != PSF(psf.data)
