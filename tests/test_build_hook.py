"""The wheel: tagged for its platform where it holds the compiled engine, for any where no compiler was found."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("hatchling")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def initialize(tmp_path: Path) -> Any:
    """The hook's ``initialize`` on a copy of the tree that holds the build module alone."""
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    place = tmp_path / "src" / "deconlab" / "engine"
    place.mkdir(parents=True)
    (place / "build.py").write_text(
        (ROOT / "src/deconlab/engine/build.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (place / "native").symlink_to(ROOT / "src/deconlab/engine/native")
    (place / "_native.so").write_bytes(b"of an earlier build")

    def run() -> dict[str, Any]:
        data: dict[str, Any] = {"artifacts": []}
        hook = module.NativeEngine(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
        hook.initialize("standard", data)
        return data

    return run


def test_without_a_compiler_the_wheel_is_for_any_platform_and_holds_no_library(
    initialize: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert initialize() == {"artifacts": []}
    assert not (tmp_path / "src/deconlab/engine/_native.so").exists()
    assert "installed without its compiled engine, several times slower: no C++ compiler" in capsys.readouterr().err


def test_with_a_compiler_the_wheel_is_for_this_platform(
    initialize: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in = tmp_path / "compiler"  # writes what it is told to write: what is compiled is tested elsewhere
    stand_in.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho built > "$2"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("CXX", str(stand_in))
    data = initialize()
    (artifact,) = data["artifacts"]
    assert data["pure_python"] is False
    assert data["tag"].startswith("py3-none-")
    assert data["tag"] != "py3-none-any"
    assert (tmp_path / artifact).read_text() == "built\n"
