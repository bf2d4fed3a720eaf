"""Compiles the native engine into the wheel; without a compiler the package is built all the same, and says so when asked."""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeEngine(BuildHookInterface[Any]):
    """One binary for every Python 3 of a platform: it is loaded by ctypes and knows nothing of Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        path = Path(self.root, "src", "deconlab", "engine", "build.py")
        spec = importlib.util.spec_from_file_location("deconlab_engine_build", path)
        assert spec is not None
        assert spec.loader is not None
        native = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(native)
        try:
            library = native.build()
        except native.BuildError as error:
            native.LIBRARY.unlink(missing_ok=True)  # one of another source must not stand in for it
            print(f"deconlab is installed without its compiled engine, several times slower: {error}", file=sys.stderr)
            return
        build_data["artifacts"].append(f"src/deconlab/engine/{library.name}")
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
