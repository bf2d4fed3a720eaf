"""Filters of the data in one go: x = F⁻¹[m ĥ* · F y] with a real multiplier m."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from deconlab import fourier
from deconlab.functionals import LeastSquares
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._edges import Edges, prepare
from deconlab.methods._method import DirectMethod, P, S
from deconlab.operators import Circulant, Convolution
from deconlab.problem import Problem
from deconlab.units import Doc

CONJUGATE_GRADIENT_STEPS = 200
CONJUGATE_GRADIENT_TOLERANCE = 1e-5


@dataclass(frozen=True)
class InverseFilter(DirectMethod[S, LeastSquares, P]):
    """A filter whose multiplier follows from |ĥ|². Under an open boundary the image is first continued periodically.

    Two transforms filter, and two find which of the object's voxels are measured.
    """

    edges: Annotated[Edges, Doc("how the image's edges are made fit for a periodic filter")] = "continue"

    blur: ClassVar[type] = Circulant
    honours_weights: ClassVar[bool] = False

    @abstractmethod
    def multiplier(self, problem: Problem[LeastSquares, P], power: Tensor) -> Tensor:
        """m on the half grid, for ``power`` = |ĥ|²."""

    def filtered(self, problem: Problem[LeastSquares, P]) -> Tensor:
        """F⁻¹[m ĥ* · F y], with voxels whose light is hardly measured at 0."""
        seen, blur = problem.H.split()
        assert isinstance(blur, Circulant)
        signal = prepare(problem.fidelity.y - problem.fidelity.background, seen, blur, self.edges)
        multiplier = self.multiplier(problem, blur.normal_symbol(signal))
        if isinstance(blur, Convolution):  # ĥ* and m at once: two transforms instead of four
            return problem.project(fourier.filter(signal, multiplier * blur.otf, blur.in_shape, conjugate=True))
        return problem.project(fourier.filter(blur.adjoint(signal), multiplier, blur.in_shape))


@dataclass(frozen=True)
class QuadraticFilter(InverseFilter[S, P]):
    """A filter 1/(|ĥ|² + q), the closed-form minimum of ½‖Hx − y‖² + ½Σ q|x̂|² where H is periodic.

    With ``edges="exact"`` the same minimum is found for the data as they are, borders included, by preconditioned conjugate
    gradients (at most 200 steps of eight transforms, to a relative residual of 1e-5).
    """

    edges: Annotated[  # one more choice than the base
        Literal["continue", "taper", "window", "exact"],
        Doc("how the image's edges are made fit for a periodic filter; exact solves the problem with its true border"),
    ] = "continue"  # type: ignore[assignment]

    @abstractmethod
    def penalty(self, problem: Problem[LeastSquares, P], power: Tensor) -> Tensor | float:
        """q on the half grid: what stands beside |ĥ|² in the denominator."""

    def multiplier(self, problem: Problem[LeastSquares, P], power: Tensor) -> Tensor:
        return fourier.reciprocal(power + self.penalty(problem, power))

    def filtered(self, problem: Problem[LeastSquares, P]) -> Tensor:
        if self.edges != "exact":
            return super().filtered(problem)
        fidelity, shape = problem.fidelity, problem.H.in_shape
        blur = problem.H.split()[1]
        assert isinstance(blur, Circulant)
        rhs = problem.project(problem.H.adjoint(fidelity.y - fidelity.background))
        power = blur.normal_symbol(rhs)
        penalty = self.penalty(problem, power)
        inverse = fourier.reciprocal(power + penalty)

        def normal(x: Tensor) -> Tensor:
            return problem.project(problem.H.normal(x) + fourier.filter(x, penalty + torch.zeros_like(power), shape))

        def precondition(r: Tensor) -> Tensor:
            return problem.project(fourier.filter(r, inverse, shape))

        return conjugate_gradients(normal, rhs, precondition)


def conjugate_gradients(normal: Any, rhs: Tensor, precondition: Any) -> Tensor:
    """The solution of normal(x) = rhs, for a symmetric positive map and preconditioner."""
    x, residual = torch.zeros_like(rhs), rhs
    direction = correction = precondition(residual)
    slope = (residual * correction).sum()
    for _ in range(CONJUGATE_GRADIENT_STEPS):
        if float(residual.norm()) <= CONJUGATE_GRADIENT_TOLERANCE * float(rhs.norm()):
            break
        image = normal(direction)
        step = slope / (direction * image).sum()
        x, residual = x + step * direction, residual - step * image
        correction = precondition(residual)
        previous, slope = slope, (residual * correction).sum()
        direction = correction + (slope / previous) * direction
    return x
