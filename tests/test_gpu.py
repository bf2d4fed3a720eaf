"""On a GPU everything stays there and comes to the same result; skipped where there is none."""

from __future__ import annotations

import pytest
import torch

from deconlab.methods import registry
from deconlab.operators import Gradient, Laplacian, blur
from deconlab.testing import check_operator
from deconlab.testing._examples import advance, example, skewed_psf
from deconlab.testing._numbers import require_close, tensors_of

DEVICES = [
    name for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())) if there
]


@pytest.fixture(params=DEVICES or [pytest.param("none", marks=pytest.mark.skip(reason="no GPU on this machine"))])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("boundary", ["open", "periodic", "reflect", "zero"])
def test_operators_keep_their_contract(device: str, boundary: str) -> None:
    H = blur(skewed_psf(2).float().to(device), (9, 10), boundary)
    check_operator(H, dtype=torch.float32, device=device)
    check_operator(Gradient((5, 6)), dtype=torch.float32, device=device)
    check_operator(Laplacian((5, 6), (0.3, 0.1)), dtype=torch.float32, device=device)


@pytest.mark.parametrize("name", registry.names())
def test_methods_stay_there_and_agree_with_the_cpu(device: str, name: str) -> None:
    method = registry.get(name)()
    here, there = (advance(method, example(method, dtype=torch.float32, device=d), 5) for d in ("cpu", device))
    assert {tensor.device.type for tensor in tensors_of(there)} == {device}
    require_close(there.x.cpu(), here.x, 1e-3, f"{name} on {device} differs from the CPU")
