"""The prior that objects are smooth."""

from __future__ import annotations

from dataclasses import dataclass

from deconlab.functionals._quadratic import QuadraticPrior
from deconlab.operators import Laplacian


@dataclass(frozen=True, eq=False)
class LaplacianPrior(QuadraticPrior):
    """½ λ ‖Lx‖² with the Laplacian L: damps fine detail and leaves the mean level alone (the form that Miller 1970 used).

    ``spacing`` is the voxel size along each axis, in any unit; second derivatives along a coarser axis count less, by the
    square of the ratio. None means isotropic voxels.
    """

    spacing: tuple[float, ...] | None = None

    def operator(self, shape: tuple[int, ...]) -> Laplacian:
        return Laplacian(shape, self.spacing)

    @property
    def lipschitz(self) -> float:
        # Without a spacing the number of axes is not known before the object is; three is the most there are.
        spacing = self.spacing or (1.0, 1.0, 1.0)
        return self.weight * Laplacian((1,) * len(spacing), spacing).norm_squared
