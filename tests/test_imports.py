"""The budget: what costs nothing must go on costing nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "scipy", "skimage", "tifffile", "rich", "PIL", "matplotlib")
LOADED = f"print(*(name for name in {HEAVY!r} if name in sys.modules))"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_import_costs_less_than_50_ms_of_cpu() -> None:
    """Best of several: what another process takes away does not count against us."""
    code = "import time; t = time.process_time(); import deconlab; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(5)) < 0.05


def test_import_loads_the_standard_library_alone() -> None:
    code = "import sys; before = set(sys.modules); import deconlab; dir(deconlab)\n"
    code += "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
    assert run(code + "print(*(new - sys.stdlib_module_names - {'deconlab'}))") == ""


@pytest.mark.parametrize(
    "code",
    [
        "from deconlab import api",
        "from deconlab import testing",
        "from deconlab import errors, lazytorch, registry, schema, units",
    ],
)
def test_importing_loads_nothing_heavy(code: str) -> None:
    assert run(f"import sys; {code}; {LOADED}") == ""


@pytest.mark.parametrize("package", ["methods", "functionals", "psf"])
def test_listing_and_describing_load_no_torch(package: str) -> None:
    """All names, every class, its documentation and every parameter: what lists, helps and schemas are made from."""
    code = (
        f"import sys; from deconlab import schema, {package}\n"
        f"for name, cls in {package}.registry.all().items():\n"
        f"    assert cls.__doc__ and all(p.help for p in schema.parameters(cls)), name\n"
        f"{LOADED}"
    )
    assert run(code) == ""


def test_stop_rules_are_described_without_torch() -> None:
    code = (
        "import sys; from deconlab import schema, stopping\n"
        "assert schema.parameters(stopping.MaxIterations)\n"
        "assert repr(stopping.MaxIterations(5)) == 'MaxIterations(iterations=5)'\n"
        f"{LOADED}"
    )
    assert run(code) == ""


def test_public_names_are_found_and_others_named() -> None:
    import deconlab

    for name in deconlab.__all__:
        assert getattr(deconlab, name) is not None
    with pytest.raises(AttributeError, match="module 'deconlab' has no attribute 'deconvolution'"):
        deconlab.deconvolution  # noqa: B018
