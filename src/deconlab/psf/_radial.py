"""Rotationally symmetric pupils: the field of a point by Gauss-Legendre quadrature over the rays.

    E_m(r, z) = ∫ A(q) exp(i k [L(q) - z a(q)]) J_m(k q r) q dq
    I(r, φ, z) = Σ f_m |E_m|² + cos 2φ Σ g_mn Re(E_m E_n*)

with q = n sin θ from 0 to NA, k = 2π/λ, the optical path L of the layers and the defocus a (n cos θ, or its paraxial
form); the second sum is there for light polarised along one axis only. L has a square-root branch point where q equals a
layer's index; substitutions of q (n sin t below the lowest, n cosh t above the highest) make the integrand smooth, so the
quadrature converges geometrically. The number of nodes follows from the phase that the grid asks for. All z, and all
depths of a family, share one Bessel table, and the integral is one matrix product.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from deconlab.lazytorch import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    Array = NDArray[np.floating]

_TABLE = 2**24  # entries of the Bessel table held at once
_MOST_NODES = 6000


@dataclass(frozen=True, eq=False)
class Component:
    """One Bessel order of the field: its amplitude over q, and the weight of its intensity."""

    amplitude: Callable[[Tensor], Tensor]
    order: int = 0
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Pupil:
    """What an objective and the layers before it do to the rays of a point.

    ``path`` L(q) and ``defocus`` a(q) are in µm and dimensionless; ``path`` may be complex (evanescent rays decay by
    its imaginary part), and may have a leading axis: a family of pupils. ``branches`` are the indices of refraction on
    the way, ``steps`` other q where the amplitude jumps, ``stop`` the largest q that passes. ``twofold`` has the
    weights g of products of two components, by their places in ``components``.
    """

    stop: float
    wavenumber: float  # 2π/λ in vacuum, rad/µm
    path: Callable[[Tensor], Tensor]
    defocus: Callable[[Tensor], Tensor]
    components: tuple[Component, ...]
    branches: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()
    twofold: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Rays:
    """Nodes of the integral over the pupil; the weights hold q dq."""

    q: Tensor
    weights: Tensor


def rays(pupil: Pupil, z_um: Tensor, r_um: float) -> Rays:
    """Nodes enough for every ``z_um`` and for radii up to ``r_um``, to rounding.

    n = P/π + 16 per segment, P being the fastest phase on it times its length. Raises ValueError beyond 6000 nodes.
    """
    q, weights = [], []
    for ray, speed, low, high in _segments(pupil):
        count = math.ceil(_phase(pupil, ray, low, high, z_um, r_um) / math.pi) + 16
        if count > _MOST_NODES:
            raise ValueError(
                f"The PSF would need {count} rays (at most {_MOST_NODES}): it spans "
                f"{float(z_um.abs().max()):.4g} µm of defocus and {r_um:.4g} µm laterally. Render a smaller grid, "
                f"or check that the lengths are in µm."
            )
        nodes, gauss = _gauss(count)
        t = (high - low) / 2 * nodes + (high + low) / 2
        q.append(ray(t))
        weights.append((high - low) / 2 * gauss * speed(t) * q[-1])
    return Rays(torch.from_numpy(np.concatenate(q)), torch.from_numpy(np.concatenate(weights)))


def intensity(pupil: Pupil, z_um: Tensor, r_um: Tensor) -> Tensor:
    """I(z, r) averaged over φ, in float64, of any scale common to all z; shape (z, r), with the pupil's leading axis.

    Differentiable in ``path``, ``defocus`` and z.
    """
    return profiles(pupil, z_um, r_um)[0]


def profiles(pupil: Pupil, z_um: Tensor, r_um: Tensor) -> tuple[Tensor, Tensor | None]:
    """:func:`intensity`, and the factor of cos 2φ or None."""
    total, twofold = [], []
    for part in fields(pupil, z_um, r_um):
        total.append(_sum_of(((m, m, c.weight) for m, c in enumerate(pupil.components)), part))
        if pupil.twofold:
            twofold.append(_sum_of(pupil.twofold, part))
    return torch.cat(total, -1), torch.cat(twofold, -1) if twofold else None


def fields(pupil: Pupil, z_um: Tensor, r_um: Tensor) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """Real and imaginary parts of each E_m, for consecutive parts of ``r_um``."""
    nodes = rays(pupil, z_um, float(r_um.max()))
    path = pupil.path(nodes.q)
    phase = torch.exp(1j * pupil.wavenumber * (path[..., None, :] - z_um[:, None] * pupil.defocus(nodes.q)))
    columns = max(1, _TABLE // len(nodes.q))
    for part in torch.split(r_um, columns):
        argument = pupil.wavenumber * nodes.q[:, None] * part
        table: dict[int, Tensor] = {}
        found = []
        for component in pupil.components:
            if component.order not in table:
                table[component.order] = _bessel(component.order, argument)
            field = phase * (nodes.weights * component.amplitude(nodes.q))
            both = torch.stack([field.real, field.imag]) @ table[component.order]
            found.append((both[0], both[1]))
        yield found


def _sum_of(products: Iterable[tuple[int, int, float]], fields: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Σ weight Re(E_m E_n*)."""
    parts = [
        weight * (fields[m][0] * fields[n][0] + fields[m][1] * fields[n][1]) for m, n, weight in products if weight
    ]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def plane_energy(pupil: Pupil, z_um: Tensor) -> Tensor:
    """∫ I(z, r) 2πr dr over all r, by Parseval's theorem from the pupil alone; the same for all z."""
    nodes = rays(pupil, z_um, 0.0)
    power = torch.exp(-2 * pupil.wavenumber * pupil.path(nodes.q).imag)
    total = sum(c.weight * (nodes.weights * power * c.amplitude(nodes.q).abs() ** 2).sum(-1) for c in pupil.components)
    return 2 * math.pi / pupil.wavenumber**2 * torch.as_tensor(total)


def best_focus_um(pupil: Pupil) -> float:
    """The z at which the intensity on the axis is greatest; a number, that no derivative goes through."""
    still = torch.zeros(1, dtype=torch.float64)
    with torch.no_grad():
        return sharpest(lambda z: intensity(pupil, z, still)[:, 0], *focal_range(pupil))


def focal_range(pupil: Pupil) -> tuple[float, float, float]:
    """Where the focus must lie, and the depth of focus: a ray at q crosses the axis near z = L'(q) / a'(q)."""
    nodes = rays(pupil, torch.zeros(1, dtype=torch.float64), 0.0)
    q, order = nodes.q.sort()
    crossing = pupil.path(q).real.diff() / pupil.defocus(q).diff()
    crossing, by_place = crossing.sort()
    share = nodes.weights[order][1:][by_place].cumsum(0)
    inner = crossing[(share >= 0.05 * share[-1]) & (share <= 0.95 * share[-1])]
    depth_of_focus = math.pi / (pupil.wavenumber * float(pupil.defocus(q).max() - pupil.defocus(q).min()))
    return float(inner.min()) - depth_of_focus, float(inner.max()) + depth_of_focus, depth_of_focus


def sharpest(on_axis: Callable[[Tensor], Tensor], low: float, high: float, depth_of_focus: float) -> float:
    """The z between ``low`` and ``high`` at which ``on_axis`` is greatest."""
    for _ in range(3):  # each pass narrows the bracket to two of its steps
        count = min(4096, max(17, math.ceil(8 * (high - low) / depth_of_focus)))
        z = torch.linspace(low, high, count, dtype=torch.float64)
        peak, step = int(on_axis(z).argmax()), (high - low) / (count - 1)
        low, high = float(z[peak]) - step, float(z[peak]) + step
    values = on_axis(torch.linspace(low, high, 3, dtype=torch.float64)).tolist()
    bend = values[0] - 2 * values[1] + values[2]
    middle, half = (low + high) / 2, (high - low) / 2
    return middle + (half * (values[0] - values[2]) / (2 * bend) if bend < 0 else 0.0)


def half_window_um(
    profile: Callable[[Tensor], Tensor], light: Tensor, step: float, fraction: float, limit_um: float
) -> float:
    """Half the side of the square that holds ``fraction`` of every plane's ``light``; at most ``limit_um``.

    ``profile`` gives I(z, r) at radii; ``step`` is fine enough to sum it.
    """
    reach = min(limit_um, 64 * step)
    while True:
        count = math.ceil(math.sqrt(2) * reach / step)
        r = (torch.arange(count, dtype=torch.float64) + 0.5) * step
        rings = profile(r).detach() * (2 * math.pi * step) * r / light[:, None]
        if float(_in_square(rings, r, reach).min()) >= fraction:
            break
        if reach >= limit_um:
            return limit_um
        reach = min(limit_um, 2 * reach)
    low, high = 0.0, reach
    while high - low > step / 4:
        middle = (low + high) / 2
        low, high = (low, middle) if float(_in_square(rings, r, middle).min()) >= fraction else (middle, high)
    return high


def _in_square(light: Tensor, r: Tensor, half: float) -> Tensor:
    # the part of a ring of radius r that lies within |x|, |y| <= half
    part = 1 - 4 / math.pi * torch.acos((half / r).clamp(max=1.0))
    return (light * part.clamp(min=0.0)).sum(1)


def _bessel(order: int, argument: Tensor) -> Tensor:
    from scipy import special

    x = argument.numpy()  # torch's own Bessel functions are wrong by 4e-7 in float64
    if order == 0:
        values = special.j0(x)
    elif order == 1:
        values = special.j1(x)
    else:
        values = special.jv(order, x)
    return torch.from_numpy(values)


def _segments(pupil: Pupil) -> Iterator[tuple[Callable[[Array], Array], Callable[[Array], Array], float, float]]:
    """(q(t), dq/dt, first t, last t) of each part of the pupil, between branch points and steps."""
    roots = sorted({n for n in pupil.branches if math.isfinite(n)})
    ends = sorted({0.0, pupil.stop, *(end for end in (*roots, *pupil.steps) if 0 < end < pupil.stop)})
    for low, high in itertools.pairwise(ends):
        below = max((n for n in roots if n <= low), default=None)
        above = min((n for n in roots if n >= high), default=None)
        if below is None and above is None:
            yield (lambda t: t), np.ones_like, low, high
        elif below is None and above is not None:
            yield _sine(above, low, high)
        elif above is None and below is not None:
            yield _cosh(below, low, high)
        elif below is not None and above is not None:
            yield _between(below, above, low, high)


def _sine(n: float, low: float, high: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array], float, float]:
    return (lambda t: n * np.sin(t)), (lambda t: n * np.cos(t)), math.asin(low / n), math.asin(high / n)


def _cosh(n: float, low: float, high: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array], float, float]:
    return (lambda t: n * np.cosh(t)), (lambda t: n * np.sinh(t)), math.acosh(low / n), math.acosh(high / n)


def _between(
    below: float, above: float, low: float, high: float
) -> tuple[Callable[[Array], Array], Callable[[Array], Array], float, float]:
    """Smooth at both branch points: q = middle - half cos t."""
    middle, half = (above + below) / 2, (above - below) / 2
    first, last = (math.acos(min(1.0, max(-1.0, (middle - q) / half))) for q in (low, high))
    return (lambda t: middle - half * np.cos(t)), (lambda t: half * np.sin(t)), first, last


def _phase(pupil: Pupil, ray: Callable[[Array], Array], low: float, high: float, z_um: Tensor, r_um: float) -> float:
    q = torch.from_numpy(ray(np.linspace(low, high, 257)))
    ends = torch.stack([z_um.detach().min(), z_um.detach().max()])[:, None]
    path = pupil.path(q).detach()[..., None, :] - ends * pupil.defocus(q).detach()
    fastest = (path.diff(dim=-1).abs() + r_um * q.diff()).max()
    return pupil.wavenumber * 256 * float(fastest)


@lru_cache(maxsize=64)
def _gauss(count: int) -> tuple[Array, Array]:
    from scipy import special

    nodes, weights = special.roots_legendre(count)  # by a band matrix: numpy's takes minutes for thousands
    return nodes, weights
