"""Linear maps with their adjoints."""

from deconlab.operators.blur import Blur, blur
from deconlab.operators.convolution import Convolution
from deconlab.operators.crop import Crop
from deconlab.operators.diagonal import Diagonal
from deconlab.operators.differences import Gradient, Laplacian
from deconlab.operators.linear_operator import (
    Circulant,
    Composition,
    Identity,
    LinearOperator,
    Pointwise,
    Selection,
    Transposed,
)
from deconlab.operators.reflect import Reflect

__all__ = [
    "Blur",
    "Circulant",
    "Composition",
    "Convolution",
    "Crop",
    "Diagonal",
    "Gradient",
    "Identity",
    "Laplacian",
    "LinearOperator",
    "Pointwise",
    "Reflect",
    "Selection",
    "Transposed",
    "blur",
]
