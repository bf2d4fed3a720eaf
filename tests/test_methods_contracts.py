"""Every registered method, in every variant that its choices allow, keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from deconlab import schema
from deconlab.methods import Method, registry
from deconlab.testing import checks_of

# What a variant gives up, and why.
EXEMPT = {
    ("window", "check_delta"): "a window fades the data's edges on purpose",
    ("exact", "check_meta"): "conjugate gradients read their residual to know when they are done",
    ("exact", "check_buffers"): "the memory is said of the default; conjugate gradients need a few volumes more",
    ("condat-vu", "check_delta"): "a first-order method needs 1000 steps for it; tried so beside its references",
    (
        "damped-richardson-lucy",
        "check_scale",
    ): "its threshold is in units of photon noise, which goes as the square root",
    ("jansson", "check_delta"): "its relaxation fades at x = 0, which is reached as 1/k",
    ("unsupervised-wiener", "check_delta"): "it finds how noisy the data are, and smooths them also under a δ PSF",
}


def variants() -> Iterator[tuple[str, Method]]:
    """Each method with its defaults, and once for each further choice of each parameter that has choices."""
    for name, cls in registry.all().items():
        method = cls()
        yield name, method
        for parameter in schema.parameters(cls):
            for choice in parameter.choices:
                if choice != parameter.default:
                    yield f"{name}, {parameter.name}={choice}", replace(method, **{parameter.name: choice})


def cases() -> Iterator[object]:
    for label, method in variants():
        for check in checks_of(method):
            given_up = {(part, check.__name__) for part in (label.partition(",")[0], label.rpartition("=")[2])}
            if not given_up & EXEMPT.keys():
                yield pytest.param(method, check, id=f"{label}-{check.__name__.removeprefix('check_')}")


@pytest.mark.parametrize(("method", "check"), list(cases()))
def test_contract(method: Method, check: object) -> None:
    assert callable(check)
    check(method)


def test_every_method_file_is_tried() -> None:
    assert len({type(method) for _, method in variants()}) == len(registry.names()) >= 13
