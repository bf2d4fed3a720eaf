"""Data terms and priors: what a method minimises.

``registry`` finds both by name; each file of this folder holds one of them.
"""

from deconlab.functionals._functional import (
    SENSITIVITY_FLOOR,
    Fidelity,
    Functional,
    HasGradient,
    HasProx,
    Prior,
    Proximable,
    Smooth,
    Splittable,
)
from deconlab.functionals._quadratic import QuadraticPrior
from deconlab.functionals._sums import SmoothSum, Sum
from deconlab.functionals.laplacian import LaplacianPrior
from deconlab.functionals.least_squares import LeastSquares
from deconlab.functionals.poisson import PoissonLikelihood
from deconlab.functionals.tikhonov import Tikhonov
from deconlab.functionals.zero import Zero
from deconlab.registry import Registry

registry: Registry[Functional] = Registry("deconlab.functionals", lambda: Functional, "data term or prior")

__all__ = [
    "SENSITIVITY_FLOOR",
    "Fidelity",
    "Functional",
    "HasGradient",
    "HasProx",
    "LaplacianPrior",
    "LeastSquares",
    "PoissonLikelihood",
    "Prior",
    "Proximable",
    "QuadraticPrior",
    "Smooth",
    "SmoothSum",
    "Splittable",
    "Sum",
    "Tikhonov",
    "Zero",
    "registry",
]
