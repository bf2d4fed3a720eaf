"""Gradient steps on one block of the data at a time, in random order.

    x ← P[x − γₑ (Hᵀ m_B w(Hx + b − y) + ∇R(x)/n)],   γₑ = γ/(1 + δ·e) in pass e over the n blocks

Block B holds every n-th plane of the data's first axis (m_B masks it): with frames stacked along that axis, n blocks of frames.
The order of each pass is drawn anew, a function of ``seed`` and the pass alone.

Guarantee: with decreasing steps (δ > 0) converges to the minimum of ½‖Hx + b − y‖²_w + R(x) for convex R; with δ = 0 it comes
near it faster and stays in a neighbourhood. It pays where a block costs less than all data, as with many frames; for one volume
a step costs as much as a full gradient's. Cost per step: four transforms and the prior's gradient.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Annotated, ClassVar

from deconlab.functionals import LeastSquares, Smooth
from deconlab.functionals.least_squares import weighted_error
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._method import IterativeMethod, State
from deconlab.methods._proximal import chosen_step
from deconlab.operators import Pointwise
from deconlab.problem import Constraint, Problem
from deconlab.units import Doc, Ge, Gt


@dataclass(frozen=True, eq=False)
class StochasticState(State):
    """The estimate, the number of steps done and the first step size γ."""

    k: int = 0
    step_size: float | Tensor = 1.0


@dataclass(frozen=True)
class StochasticGradientDescent(IterativeMethod[StochasticState, LeastSquares, Smooth]):
    """Stochastic gradient descent (SGD) over blocks or frames."""

    blocks: Annotated[int, Ge(1), Doc("number of blocks that the data are divided into")] = 4
    step_size: Annotated[float | None, Gt(0), Doc("first step γ, below 2/L; 1/L if not given")] = None
    decay: Annotated[float, Ge(0), Doc("δ: by how much of γ's inverse the step shrinks with each pass")] = 0.05
    seed: Annotated[int, Ge(0), Doc("seed of the blocks' order")] = 0

    constraint: ClassVar[type] = Constraint
    transforms: ClassVar[int] = 4
    buffers: ClassVar[int] = 4
    references: ClassVar[tuple[str, ...]] = ("10.1214/aoms/1177729586",)

    def init(self, problem: Problem[LeastSquares, Smooth], x0: Tensor | None = None) -> StochasticState:
        curvature = problem.fidelity.lipschitz + problem.prior.lipschitz
        step_size = chosen_step("StochasticGradientDescent", self.step_size, curvature, 2)
        return StochasticState(problem.start(x0), step_size=step_size)

    def step(self, problem: Problem[LeastSquares, Smooth], state: StochasticState) -> StochasticState:
        fidelity, x = problem.fidelity, state.x
        y = fidelity.y
        count = min(self.blocks, y.shape[0])
        turn, place = divmod(state.k, count)
        block = random.Random(f"{self.seed} {turn}").sample(range(count), count)[place]
        chosen = (torch.arange(y.shape[0], device=y.device) % count == block).to(y.dtype)
        mask = chosen.reshape(-1, *[1] * (y.ndim - 1)).expand(y.shape)
        weights = mask if fidelity.weights is None else mask * fidelity.weights
        slope, _ = problem.H.sandwich(x, Pointwise(weighted_error, y, fidelity.background, weights))
        step_size = state.step_size / (1 + self.decay * turn)
        moved = problem.admissible(x - step_size * (slope + problem.prior.grad(x) / count))
        return StochasticState(moved, None, state.k + 1, state.step_size)

    def chosen(self, state: StochasticState) -> dict[str, float]:
        return {"step_size": float(state.step_size)}
