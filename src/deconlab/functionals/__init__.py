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
from deconlab.functionals._iterated import NormOfMap
from deconlab.functionals._quadratic import QuadraticPrior
from deconlab.functionals._smooth_variation import SmoothVariation
from deconlab.functionals._sums import SmoothSum, Sum
from deconlab.functionals.goods_roughness import GoodsRoughness
from deconlab.functionals.hessian_schatten import HessianSchatten
from deconlab.functionals.huber_total_variation import HuberTotalVariation
from deconlab.functionals.hyperbolic_total_variation import HyperbolicTotalVariation
from deconlab.functionals.l1 import L1
from deconlab.functionals.laplacian import LaplacianPrior
from deconlab.functionals.least_squares import LeastSquares
from deconlab.functionals.poisson import PoissonLikelihood
from deconlab.functionals.sparse_variation import SparseVariation
from deconlab.functionals.tikhonov import Tikhonov
from deconlab.functionals.total_variation import TotalVariation
from deconlab.functionals.wavelet_sparsity import WaveletSparsity
from deconlab.functionals.zero import Zero
from deconlab.registry import Registry

registry: Registry[Functional] = Registry("deconlab.functionals", lambda: Functional, "data term or prior")

__all__ = [
    "L1",
    "SENSITIVITY_FLOOR",
    "Fidelity",
    "Functional",
    "GoodsRoughness",
    "HasGradient",
    "HasProx",
    "HessianSchatten",
    "HuberTotalVariation",
    "HyperbolicTotalVariation",
    "LaplacianPrior",
    "LeastSquares",
    "NormOfMap",
    "PoissonLikelihood",
    "Prior",
    "Proximable",
    "QuadraticPrior",
    "Smooth",
    "SmoothSum",
    "SmoothVariation",
    "SparseVariation",
    "Splittable",
    "Sum",
    "Tikhonov",
    "TotalVariation",
    "WaveletSparsity",
    "Zero",
    "registry",
]
