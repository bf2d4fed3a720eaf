"""Compiles the native engine with its check under sanitizers, and runs it: ``python tests/native/sanitize.py``."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from deconlab.engine.build import BuildError, build

# Without -g: it would double the time, and what is found is told with file and line all the same.
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "check_engine")
        check = Path(__file__).with_name("check_engine.cpp")
        try:
            build(program, extra=SANITIZERS, main=check)
        except BuildError as error:
            sys.exit(f"sanitize: {error}")
        options = {"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1"}
        return subprocess.run([str(program)], env=options, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
