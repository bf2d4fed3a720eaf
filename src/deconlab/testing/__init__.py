"""Contract checks, shipped so that other packages can hold their own operators, functionals, methods and PSFs to them.

Each raises AssertionError with the numbers; none needs pytest.
"""

from deconlab.testing.functionals import check_functional
from deconlab.testing.methods import check_method, checks_of
from deconlab.testing.operators import check_operator
from deconlab.testing.psf import check_psf

__all__ = ["check_functional", "check_method", "check_operator", "check_psf", "checks_of"]
