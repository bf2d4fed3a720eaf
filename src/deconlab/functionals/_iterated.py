"""Proximal maps without a closed form: found by a fixed number of dual steps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from deconlab import schema
from deconlab.functionals._functional import Proximable
from deconlab.lazytorch import Tensor
from deconlab.operators import Circulant
from deconlab.operators.linear_operator import total_of
from deconlab.units import Doc, Ge


@dataclass(frozen=True, eq=False)
class NormOfMap(Proximable):
    """g(Kx) for a norm g after a linear map K. Splitting methods use the pair itself, which is exact.

    :meth:`prox` is *approximate*: ``prox_iterations`` accelerated projected gradient steps on its dual problem (Beck &
    Teboulle 2009, doi:10.1109/TIP.2009.2028250), with restart. Its error falls as 1/n² or faster. :meth:`prox_onto` is the
    proximal map of the prior and a constraint *together*, for which projecting afterwards would be an approximation.
    Costs K and Kᵀ for each inner step. The split pair needs none of this.
    """

    weight: Annotated[
        float, Ge(0), Doc("regularisation weight λ: more is smoother; the default is for a mean signal of 1")
    ] = 0.01
    prox_iterations: Annotated[
        int, Ge(1), Doc("inner steps of the prior's proximal map; only methods that do not split it need them")
    ] = 20

    degree: ClassVar[int] = 1

    def __post_init__(self) -> None:
        schema.check(self)

    @abstractmethod
    def pair(self, shape: tuple[int, ...]) -> tuple[Proximable, Circulant]:
        """(g, K) for an object of ``shape``."""

    def terms(self, shape: tuple[int, ...]) -> tuple[tuple[Proximable, Circulant], ...]:
        return (self.pair(shape),)

    def value(self, x: Tensor) -> Tensor:
        g, K = self.pair(tuple(x.shape))
        return g.value(K.forward(x))

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return self.prox_onto(v, t, _unchanged)

    def prox_onto(self, v: Tensor, t: float | Tensor, project: Callable[[Tensor], Tensor]) -> Tensor:
        """argmin over x in the set that ``project`` projects on of ½‖x − v‖² + t·value(x)."""
        if isinstance(self.weight, int | float) and self.weight == 0:
            return project(v)
        g, K = self.pair(tuple(v.shape))
        step = 1 / K.norm_squared
        x = project(v)
        point = dual = K.forward(x) * 0
        momentum: Any = 1.0
        for _ in range(self.prox_iterations):
            moved = point + step * K.forward(project(v - K.adjoint(point)))
            # Moreau: what the prox of g leaves over is the projection on the dual ball.
            following = moved - g.prox(moved, t)
            change = following - dual
            following_momentum = 0.5 * (1 + (1 + 4 * momentum * momentum) ** 0.5)
            against = total_of((point - following) * change) > 0
            factor = (~against) * ((momentum - 1) / following_momentum)
            point = following + factor.to(v.dtype) * change
            momentum = following_momentum * (~against) + 1.0 * against
            dual = following
        return project(v - K.adjoint(dual))


def _unchanged(x: Tensor) -> Tensor:
    return x
