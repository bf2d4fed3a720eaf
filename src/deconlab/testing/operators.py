"""Contract of a linear operator: what methods rely on, checked with numbers."""

from __future__ import annotations

from collections.abc import Callable

from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Circulant, LinearOperator, Pointwise
from deconlab.testing._numbers import difference, noise, require_close

POWER_ITERATIONS = 100


def check_operator(
    H: LinearOperator,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    tolerance: float | None = None,
    tightness: float | None = None,
    seed: int = 0,
) -> None:
    """Raise AssertionError unless ``H`` keeps the contract of :class:`~deconlab.operators.LinearOperator`.

    - ⟨Hx, y⟩ = ⟨x, Hᵀy⟩, for single inputs and with leading dimensions, which broadcast;
    - forward is linear, and its vector-Jacobian product under autograd is the adjoint;
    - ``split()`` recomposes to H and its selection has S Sᵀ = 1, S extend(y) = y;
    - ``normal`` is adjoint after forward, and for a :class:`~deconlab.operators.Circulant` ``normal_symbol`` diagonalises it;
    - ``norm_squared`` is not below the largest eigenvalue of HᵀH that power iteration finds, nor more than ``tightness``
      times that, if a tightness is stated;
    - ``sandwich`` gives outer(Hᵀ inner(Hx)) and Σ loss(Hx); ``H.T`` exchanges forward and adjoint;
    - dtype and inputs are kept.

    ``dtype`` is that of the tensors H holds (float64 by default, the only one in which a wrong adjoint stands out from
    rounding); ``tolerance`` is relative, 1e-10 in float64 and 1e-4 in float32 by default.
    """
    dtype = torch.float64 if dtype is None else dtype
    limit = tolerance if tolerance is not None else (1e-10 if dtype == torch.float64 else 1e-4)
    generator = torch.Generator().manual_seed(seed)

    def random(shape: tuple[int, ...]) -> Tensor:
        return noise(shape, dtype, device, generator)

    check_shapes(H, random)
    check_adjoint(H, random, limit)
    check_broadcast(H, random, limit)
    check_autograd(H, random, limit)
    check_split(H, random, limit)
    check_normal(H, random, limit)
    check_sandwich(H, random, limit)
    check_norm(H, random, limit, tightness)


Random = Callable[[tuple[int, ...]], Tensor]


def check_shapes(H: LinearOperator, random: Random) -> None:
    """Shapes, dtype and device are as declared, and inputs are not written into."""
    for name, apply, given, expected in (
        ("forward", H.forward, H.in_shape, H.out_shape),
        ("adjoint", H.adjoint, H.out_shape, H.in_shape),
    ):
        x = random(given)
        before = x.clone()
        result = apply(x)
        if tuple(result.shape) != expected:
            raise AssertionError(f"{_of(H)}.{name} gives shape {tuple(result.shape)}, declared {expected}.")
        if result.dtype != x.dtype or result.device != x.device:
            raise AssertionError(
                f"{_of(H)}.{name} turns {x.dtype} on {x.device} into {result.dtype} on {result.device}."
            )
        if not torch.equal(x, before):
            raise AssertionError(f"{_of(H)}.{name} writes into its input: changed by {difference(x, before):.3g}.")


def check_adjoint(H: LinearOperator, random: Random, tolerance: float) -> None:
    """⟨Hx, y⟩ = ⟨x, Hᵀy⟩ relative to ‖Hx‖‖y‖, forward is linear, and ``H.T`` is the adjoint."""
    x, other, y = random(H.in_shape), random(H.in_shape), random(H.out_shape)
    image, back = H.forward(x), H.adjoint(y)
    left, right = float((image * y).sum()), float((x * back).sum())
    size = max(float(image.norm() * y.norm()), float(x.norm() * back.norm()), 1e-300)
    if not abs(left - right) <= tolerance * size:
        raise AssertionError(
            f"{_of(H)}: ⟨Hx, y⟩ = {left:.12g} but ⟨x, Hᵀy⟩ = {right:.12g}, apart by {abs(left - right) / size:.3g} of "
            f"‖Hx‖‖y‖ (allowed {tolerance:g}): adjoint is not the adjoint of forward."
        )
    combined = H.forward(2 * x - 3 * other)
    require_close(combined, 2 * image - 3 * H.forward(other), tolerance, f"{_of(H)}: H(2x − 3x′) is not 2Hx − 3Hx′")
    require_close(H.T.forward(y), back, tolerance, f"{_of(H)}: T.forward differs from adjoint")
    require_close(H.T.adjoint(x), image, tolerance, f"{_of(H)}: T.adjoint differs from forward")


def check_broadcast(H: LinearOperator, random: Random, tolerance: float) -> None:
    """Leading dimensions broadcast: each slice of a stack is treated like a single input."""
    for lead in ((3,), (2, 1)):
        for name, apply, shape in (("forward", H.forward, H.in_shape), ("adjoint", H.adjoint, H.out_shape)):
            stack = random((*lead, *shape))
            flat = stack.reshape(-1, *shape)
            one_by_one = torch.stack([apply(single) for single in flat])
            together = apply(stack)
            if tuple(together.shape) != (*lead, *one_by_one.shape[1:]):
                raise AssertionError(
                    f"{_of(H)}.{name} of a stack with leading {lead} has shape {tuple(together.shape)}, expected "
                    f"{(*lead, *one_by_one.shape[1:])}: leading dimensions must broadcast."
                )
            what = f"{_of(H)}.{name} of a stack with leading {lead} differs from slice by slice"
            require_close(together.reshape(one_by_one.shape), one_by_one, tolerance, what)


def check_autograd(H: LinearOperator, random: Random, tolerance: float) -> None:
    """The gradient of ⟨Hx, y⟩ with respect to x is Hᵀy, and that of ⟨x, Hᵀy⟩ with respect to y is Hx."""
    x, y = random(H.in_shape).requires_grad_(), random(H.out_shape).requires_grad_()
    with torch.enable_grad():
        (by_x,) = torch.autograd.grad((H.forward(x) * y.detach()).sum(), x)
        (by_y,) = torch.autograd.grad((H.adjoint(y) * x.detach()).sum(), y)
    require_close(by_x, H.adjoint(y.detach()), tolerance, f"{_of(H)}: autograd through forward differs from adjoint")
    require_close(by_y, H.forward(x.detach()), tolerance, f"{_of(H)}: autograd through adjoint differs from forward")


def check_split(H: LinearOperator, random: Random, tolerance: float) -> None:
    """``split()`` gives (S, A) with H = S A, S Sᵀ = 1 and S extend(y) = y."""
    seen, rest = H.split()
    x, y = random(H.in_shape), random(H.out_shape)
    require_close(seen.forward(rest.forward(x)), H.forward(x), tolerance, f"{_of(H)}: S A x differs from H x")
    require_close(rest.adjoint(seen.adjoint(y)), H.adjoint(y), tolerance, f"{_of(H)}: Aᵀ Sᵀ y differs from Hᵀ y")
    require_close(seen.forward(seen.adjoint(y)), y, tolerance, f"{_of(seen)}: S Sᵀ y differs from y")
    require_close(seen.forward(seen.extend(y)), y, tolerance, f"{_of(seen)}: S extend(y) differs from y")


def check_normal(H: LinearOperator, random: Random, tolerance: float) -> None:
    """``normal`` is HᵀH; a circulant operator's ``normal_symbol`` is its diagonal, real and >= 0."""
    from deconlab import fourier

    x = random(H.in_shape)
    expected = H.adjoint(H.forward(x))
    require_close(H.normal(x), expected, tolerance, f"{_of(H)}: normal(x) differs from adjoint(forward(x))")
    if not isinstance(H, Circulant):
        return
    symbol = H.normal_symbol(x)
    if symbol.is_complex() or symbol.dtype != x.dtype or tuple(symbol.shape) != fourier.half_shape(H.in_shape):
        raise AssertionError(
            f"{_of(H)}: normal_symbol is {symbol.dtype} of shape {tuple(symbol.shape)}; it must be {x.dtype} of shape "
            f"{fourier.half_shape(H.in_shape)}, the half grid of {H.in_shape}."
        )
    if float(symbol.min()) < 0:
        raise AssertionError(f"{_of(H)}: normal_symbol goes down to {float(symbol.min()):.3g}; HᵀH is positive.")
    # torch's own transform, not ours: the symbol must be right, not merely consistent.
    axes = tuple(range(-len(H.in_shape), 0))
    filtered = torch.fft.irfftn(symbol * torch.fft.rfftn(x, dim=axes), s=H.in_shape, dim=axes)
    require_close(filtered, expected, tolerance, f"{_of(H)}: F⁻¹(normal_symbol · F x) differs from HᵀHx")


def check_sandwich(H: LinearOperator, random: Random, tolerance: float) -> None:
    """``sandwich`` is outer(Hᵀ inner(Hx)) with Σ loss(Hx), with and without its optional parts."""
    x, y, weight = random(H.in_shape), random(H.out_shape), random(H.in_shape)
    inner, outer, loss = Pointwise(_less, y), Pointwise(_times, weight), Pointwise(_half_square)
    image = H.forward(x)
    back = H.adjoint(image - y)
    plain, no_total = H.sandwich(x, inner)
    require_close(plain, back, tolerance, f"{_of(H)}: sandwich(x, inner) differs from Hᵀ inner(Hx)")
    if no_total is not None:
        raise AssertionError(f"{_of(H)}: sandwich without a loss gives {no_total!r} as its sum; it must be None.")
    (first, second), total = H.sandwich(x, inner, Pointwise(_both, weight), loss)
    require_close(first, back * weight, tolerance, f"{_of(H)}: sandwich's outer differs from outer(Hᵀ inner(Hx))")
    require_close(second, back, tolerance, f"{_of(H)}: the second output of sandwich's outer is wrong")
    expected = float(0.5 * image.double().square().sum())
    if total is None or not abs(float(total) - expected) <= tolerance * abs(expected):
        raise AssertionError(f"{_of(H)}: sandwich sums the loss to {total}, expected {expected:.12g}.")
    unmatched, _ = H.sandwich(x, inner, outer, back=H.T)
    require_close(unmatched, back * weight, tolerance, f"{_of(H)}: sandwich with back=H.T differs from the adjoint")


def check_norm(H: LinearOperator, random: Random, tolerance: float, tightness: float | None) -> None:
    """``norm_squared`` bounds the largest eigenvalue of HᵀH from above, by at most ``tightness``."""
    bound = H.norm_squared
    if not isinstance(bound, float):
        raise AssertionError(f"{_of(H)}: norm_squared must be a float, not {bound!r}.")
    x, found = random(H.in_shape), 0.0
    for _ in range(POWER_ITERATIONS):
        x = x / x.norm()
        image = H.normal(x)
        found = float((x * image).sum())  # Rayleigh's quotient, never above the largest eigenvalue
        x = image
        if float(x.norm()) == 0:
            break
    if not bound >= found * (1 - tolerance):
        raise AssertionError(f"{_of(H)}: norm_squared = {bound:.12g} is below {found:.12g}, found by power iteration.")
    if tightness is not None and not bound <= tightness * found:
        raise AssertionError(
            f"{_of(H)}: norm_squared = {bound:.6g} is {bound / found:.4g} times the largest eigenvalue {found:.6g} that "
            f"power iteration found; stated is at most {tightness:g}."
        )


def _of(H: LinearOperator) -> str:
    return f"{type(H).__name__} {H.in_shape} → {H.out_shape}"


def _less(u: Tensor, y: Tensor) -> Tensor:
    return u - y


def _times(u: Tensor, weight: Tensor) -> Tensor:
    return u * weight


def _both(u: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return u * weight, u


def _half_square(u: Tensor) -> Tensor:
    return 0.5 * u.square()
