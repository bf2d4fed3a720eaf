"""Ctrl-C: obeyed at every moment, except where whoever started the program has said that it is to be ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deconlab import io
from deconlab.functionals import PoissonLikelihood
from deconlab.image import Image
from deconlab.methods import registry
from deconlab.operators import blur
from deconlab.problem import NonNegative, Problem
from deconlab.solve import interrupt_as_flag, solve
from deconlab.stopping import MaxIterations

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child alone")

SLOW_READING = """
import sys, time
from deconlab import io
from deconlab.cli import main
read = io.read
def slowly(path, **how):
    print("reading", flush=True)
    time.sleep(30)
io.read = slowly
main(["run", *sys.argv[1:]], prog_name="deconlab")
"""


def test_ctrl_c_while_loading_ends_the_program_and_leaves_nothing(tmp_path: Path) -> None:
    io.write(tmp_path / "psf.tif", Image(np.outer([1.0, 2, 1], [1, 2, 1]), "yx"))
    io.write(tmp_path / "a.tif", Image(np.random.default_rng(0).random((9, 9)), "yx"))
    call = [sys.executable, "-c", SLOW_READING, tmp_path / "a.tif", "--psf", tmp_path / "psf.tif"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("Interrupted.\n")
    assert "Traceback" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "psf.tif"]


def test_an_inherited_silence_is_kept_and_the_handler_put_back() -> None:
    problem = Problem(PoissonLikelihood(blur(torch.ones(3) / 3, (8,)), torch.arange(8.0)), constraint=NonNegative())
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupt_as_flag() as interrupted:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
            assert not interrupted()

        def shout(_: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)

        ended = solve(registry.get("richardson-lucy")(), problem, stop=MaxIterations(3), observers=[shout])
        assert ended.reason == "reached 3 iterations"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)
    ended = solve(registry.get("richardson-lucy")(), problem, stop=MaxIterations(3), observers=[shout])
    assert ended.reason == "interrupted"
    assert signal.getsignal(signal.SIGINT) is former
