"""Compiles the native kernel: ``python -m deconlab.engine.build``. Needs the standard library and a C++17 compiler.

The kernel's source is compiled once for each instruction set; which one runs is decided when it is loaded, so that one binary
suits every processor of an architecture. The build of the package calls this too, and goes on without where it fails.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).with_name("native")
LIBRARY = Path(__file__).with_name("_native.dylib" if sys.platform == "darwin" else "_native.so")

# Not -ffast-math: NaN must stay NaN. Not -march=native: what is compiled here runs elsewhere.
FLAGS = ("-O3", "-fPIC", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-Wno-psabi")
AVX512 = ("-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw", "-mfma", "-mprefer-vector-width=256")
KERNELS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "baseline": ("-DLANES=4",),
        "avx2": ("-DLANES=8", "-mavx2", "-mfma"),
        # 8 lanes and twice the registers: as fast as 16 lanes, without their padding.
        "avx512": ("-DLANES=8", *AVX512),
    },
    "other": {"baseline": ("-DLANES=4",)},  # NEON where there is NEON
}


class BuildError(RuntimeError):
    """Why there is no native kernel, in words a user can act upon."""


def compiler() -> str:
    """The C++ compiler: $CXX, else the first of c++, g++ and clang++ on the path. Raises BuildError without one."""
    if os.environ.get("CXX"):
        return os.environ["CXX"]
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return name
    raise BuildError("no C++ compiler was found (tried c++, g++ and clang++); install one, or set CXX.")


def build(target: Path = LIBRARY, extra: Sequence[str] = (), main: Path | None = None) -> Path:
    """Compile the kernel to ``target``, with ``extra`` flags: a library, or a program if there is a ``main`` source file.

    Raises BuildError with the compiler's own words.
    """
    if sys.platform == "win32":
        raise BuildError("the native kernel is not built on Windows; the plain path is used there.")
    command = [*shlex.split(compiler()), *FLAGS, *extra]
    machine = "x86_64" if platform.machine() in ("x86_64", "AMD64") else "other"
    if sysconfig.get_platform().endswith("universal2"):
        machine = "other"
    with tempfile.TemporaryDirectory() as folder:
        jobs: list[tuple[str, Path, tuple[str, ...]]] = [("engine", SOURCES / "engine.cpp", ())]
        for name, flags in KERNELS[machine].items():
            jobs.append((name, SOURCES / "kernel.cpp", (f"-DKERNEL=kernel_{name}", *flags)))
        if main is not None:
            jobs.append(("main", main, (f"-I{SOURCES}",)))
        calls = [
            [*command, *flags, "-c", str(source), "-o", str(Path(folder, f"{name}.o"))] for name, source, flags in jobs
        ]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as pool:
            list(pool.map(_call, calls))
        library = Path(folder, target.name)
        kind = [] if main else ["-shared"]
        _call([*command, *kind, *(call[-1] for call in calls), "-o", str(library), "-lpthread"])
        # Renamed into place: a process that has the former one loaded keeps it.
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copy(library, beside)
        os.replace(beside, target)
    return target


def _call(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise BuildError(f"the C++ compiler {command[0]!r} cannot be run: {error}.") from error
    if done.returncode:
        raise BuildError(f"the C++ compiler failed: {shlex.join(command)}\n{done.stderr.strip()[-2000:]}")


def main() -> None:
    try:
        print(build())
    except BuildError as error:
        sys.exit(f"deconlab: {error}")


if __name__ == "__main__":
    main()
