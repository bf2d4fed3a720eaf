"""``deconlab doctor``: is this installation able, and if not, which line mends it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys

import click

from deconlab import __version__
from deconlab.cli._command import DeconlabCommand


@click.command(cls=DeconlabCommand, name="doctor")
def command() -> None:
    """Examine the installation: torch, GPU, memory and threads, with the line that mends what is amiss."""
    rows, advice = examine()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        click.echo(f"{name:<{width}}  {value}")
    for line in advice:
        click.echo(f"\n{line}")


def examine() -> tuple[list[tuple[str, str]], list[str]]:
    """What there is, as rows of a table, and advice where something could be better."""
    import torch

    from deconlab import engine

    rows = [
        ("deconlab", __version__),
        ("Python", f"{platform.python_version()}, {sys.executable}"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("torch", f"{torch.__version__} ({build(torch.version.cuda, getattr(torch.version, 'hip', None))})"),
        ("threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors; --threads sets another number"),
    ]
    memory = total_memory()
    if memory is not None:
        rows.append(("memory", f"{memory / 2**30:.1f} GiB"))
    rows += devices()
    rows.append(("engine", str(engine.status()).partition(": ")[2]))
    driver = nvidia_smi()
    if driver is not None:
        rows.append(("NVIDIA driver", f"CUDA {driver} at most"))
    line = mending(torch.cuda.is_available(), torch.version.cuda, driver, platform.system())
    return rows, [line] if line else []


def build(cuda: str | None, hip: str | None) -> str:
    """For what a torch was built."""
    return f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "no CUDA: processor, or Apple GPU where there is one"


def devices() -> list[tuple[str, str]]:
    """The devices that torch can use, the one first that ``--device auto`` takes."""
    import torch

    found = []
    for index in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(index)
        found.append((f"cuda:{index}", f"{facts.name}, {facts.total_memory / 2**30:.1f} GiB"))
    if torch.backends.mps.is_available():
        found.append(("mps", "Apple GPU, float32 only; taken if asked for with --device mps"))
    return [*found, ("cpu", platform.processor() or platform.machine())]


def total_memory() -> int | None:
    """Bytes of main memory, or None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def nvidia_smi() -> str | None:
    """The newest CUDA version that the NVIDIA driver supports, such as 12.8; None without a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    try:
        answer = subprocess.run([program], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA Version:\s*(\d+\.\d+)", answer)
    return found[1] if found else None


def mending(usable: bool, cuda: str | None, driver: str | None, system: str) -> str | None:
    """The advice for a machine with an NVIDIA driver whose torch cannot use the GPU; None where nothing is amiss.

    usable: torch sees a GPU. cuda: the version torch was built for. driver: the newest that the driver supports.
    """
    if usable or driver is None:
        return None
    major = int(driver.partition(".")[0])
    if major < 12:
        return (
            f"There is an NVIDIA GPU, but its driver supports CUDA {driver} at most and today's torch needs 12 or newer: "
            f"update the driver."
        )
    if cuda is not None and int(cuda.partition(".")[0]) > major:
        reason = f"torch is built for CUDA {cuda}, the driver supports {driver} at most"
    elif cuda is not None:
        return (
            f"torch is built for CUDA {cuda} and the driver supports {driver}, but torch sees no GPU: it may be hidden "
            f"(CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}) or need a restart after an update."
        )
    else:
        reason = "there is an NVIDIA GPU, but this torch is built for the processor alone"
    wheels = "cu130" if major >= 13 else "cu126"
    source = "" if system == "Linux" and major >= 13 else f" --index-url https://download.pytorch.org/whl/{wheels}"
    return (
        f"{reason[0].upper()}{reason[1:]}. This line mends it:\n"
        f"  {sys.executable} -m pip install --upgrade --force-reinstall torch{source}"
    )
