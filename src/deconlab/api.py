"""``deconvolve``: one call for 90 % of users. Front ends are generated from the same declarations and call it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from deconlab import methods, schema, stopping
from deconlab.counts import Counts
from deconlab.functionals import Fidelity, LeastSquares, PoissonLikelihood, Prior
from deconlab.lazytorch import Tensor
from deconlab.methods import DirectMethod, Method, claims
from deconlab.operators import Blur, blur
from deconlab.prior_for_data import make_prior, prior_class
from deconlab.problem import Constraint, Free, NonNegative, Problem
from deconlab.psf import for_image
from deconlab.solve import Checkpoint, Observer, Rule, Solution, solve
from deconlab.stopping import MaxIterations
from deconlab.volume import check_volume, like, to_tensor

if TYPE_CHECKING:
    from deconlab.image import Image

Start = Literal["flat", "measured", "wiener"]
STOP_RULES = (stopping.MaxIterations, stopping.MaxSeconds, stopping.RelativeChange, stopping.Discrepancy)


@dataclass(frozen=True, eq=False)
class Restoration(Solution):
    """A :class:`~deconlab.solve.Solution` whose ``x`` is the restored image: of the kind, shape and units that came in.

    ``problem`` is what was solved, ``counts`` how the image's numbers were read, ``notes`` what was assumed and done.
    """

    image: Any
    problem: Problem[Any, Any]
    counts: Counts
    notes: tuple[str, ...] = ()

    @property
    def x(self) -> Any:
        return self.image


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that a run needs, made from what a user said: see :func:`prepare`."""

    method: Method
    problem: Problem[Any, Any]
    counts: Counts
    stop: Rule
    start: Tensor | None
    notes: tuple[str, ...]

    @property
    def blur(self) -> Blur:
        H = self.problem.H
        if not isinstance(H, Blur):
            raise TypeError(f"The problem's operator is {type(H).__name__}, not a Blur.")
        return H

    def in_image(self, x: Tensor) -> Tensor:
        """An estimate of the object as the image shows it: its field of view, in its units without the offset."""
        return self.counts.image_units(self.blur.frame.forward(x))


def deconvolve(
    image: Any,
    psf: Any,
    method: str | Method = "richardson-lucy",
    iterations: int | None = None,
    *,
    observers: Sequence[Observer] = (),
    resume: Checkpoint | None = None,
    **settings: Any,
) -> Restoration:
    """Restore ``image``, blurred by ``psf``, with ``method``.

    image: a 1-D to 3-D array or tensor, or an :class:`~deconlab.image.Image` of one volume, in counts. Axes are z, y, x.
    psf: an array or tensor of the same dimension, a :class:`~deconlab.psf.PSF`, or a PSF model, for which the image's
        ``voxel_um`` must be known. Arrays are checked,
        centred and normalised, see :func:`deconlab.psf.measured`.
    method: a registry name (``deconlab methods`` lists them) or a method object.
    iterations: at most so many; 30 unless another rule ends the run. Ignored by direct methods.
    settings: those of :func:`prepare`, and every declared parameter of the method, its prior, the camera counts
        (``offset``, ``gain``, ``read_noise``, ``background``) and the stop rules (``max_seconds``, …) by its name.

    Returns a :class:`Restoration`; its ``x`` has the image's kind and shape, float32 unless the image is float64, and the
    image's units less the camera's offset. Nothing is clipped or rescaled.

    Raises ValueError or TypeError for input that cannot be right, DeconvolutionError if the run diverges.

    >>> import numpy as np, deconlab
    >>> psf = np.outer([1, 2, 1], [1, 2, 1]) / 16
    >>> image = np.zeros((8, 9)); image[3:6, 3:6] = psf * 160
    >>> result = deconlab.deconvolve(image, psf, iterations=50)
    >>> result.reason, result.x.shape, bool(result.x[4, 4] > 100)
    ('reached 50 iterations', (8, 9), True)
    """
    ready = prepare(image, psf, method, iterations, **settings)
    return run(ready, image, observers, resume)


def run(
    ready: Prepared, image: Any, observers: Sequence[Observer] = (), resume: Checkpoint | None = None
) -> Restoration:
    """Solve what :func:`prepare` made of ``image``, and give the result the image's kind and units."""
    solution = solve(ready.method, ready.problem, stop=ready.stop, observers=observers, x0=ready.start, resume=resume)
    kept = {name: getattr(solution, name) for name in ("state", "iterations", "reason", "history", "method")}
    restored = like(image, ready.in_image(solution.state.x))
    return Restoration(**kept, image=restored, problem=ready.problem, counts=ready.counts, notes=ready.notes)


def prepare(
    image: Any,
    psf: Any,
    method: str | Method = "richardson-lucy",
    iterations: int | None = None,
    *,
    prior: str | Prior | None = None,
    constraint: Constraint | None = None,
    boundary: str = "open",
    extension_px: Sequence[int] | None = None,
    weights: Any = None,
    start: Any = "flat",
    stop: Rule | None = None,
    voxel_um: Sequence[float] | None = None,
    device: str | None = None,
    dtype: Any = None,
    **parameters: Any,
) -> Prepared:
    """Check the input of :func:`deconvolve` and make the method, the problem, the stop rule and the start of it.

    prior: a registry name or an object; the method's default unless given.
    constraint: x >= 0 where the method can honour it, unless given.
    boundary, extension_px: what lies beyond the border, see :func:`deconlab.operators.blur`.
    weights: of the image's shape, >= 0; 0 masks a voxel (saturated, dead, missing), which may then hold anything.
    start: "flat" (the data's sum, evenly), "measured", "wiener", or an array of the image's or the object's shape.
    stop: a rule of :mod:`deconlab.stopping`, besides the number of iterations.
    voxel_um: the voxel size along each axis, in µm; an Image knows its own.
    device: "cpu", "cuda", "cuda:1", "mps" or "auto"; tensors stay where they are and arrays go to "auto" unless given.
    """
    data, known_voxel, notes = _array(image)
    voxel_um = tuple(voxel_um) if voxel_um is not None else known_voxel
    y = to_tensor(data, device, dtype)
    mask = None if weights is None else _beside(weights, y, "weights")
    check_volume(y, mask)
    cls = methods.registry.get(method) if isinstance(method, str) else type(method)
    prior_cls = prior_class(cls, prior)
    made = {"MaxIterations"}  # what is given as an object, or by name above, has no parameters among the rest
    made |= {"method"} if isinstance(method, Method) else set()
    made |= {"prior"} if isinstance(prior, Prior) else set()
    assigned = distribute(parameters, {part: c for part, c in parts(cls, prior_cls).items() if part not in made})
    counts = Counts(**assigned["counts"])
    chosen = cls(**assigned["method"]) if isinstance(method, str) else method
    kernel = for_image(psf, y.shape, voxel_um, dtype=y.dtype)
    H = blur(kernel.data.to(y), tuple(y.shape), boundary, extension_px=extension_px)  # type: ignore[arg-type]
    electrons = counts.electrons(y)
    background = counts.background_electrons(electrons, mask)
    if counts.background == "auto":
        notes = (
            *notes,
            f"background: {background * counts.gain:g}, estimated (5th percentile of means over 4-voxel blocks)",
        )
    fidelity = _fidelity(claims(cls).fidelity, H, electrons, background, mask, counts)
    if isinstance(fidelity, PoissonLikelihood) and y.device.type != "meta" and fidelity.negative_count:
        share = fidelity.negative_count / fidelity.y.numel()
        notes = (*notes, f"{fidelity.negative_count} negative counts ({share:.2%}) count as 0 in the Poisson model")
    if isinstance(prior, Prior):
        regulariser = prior
    else:
        regulariser = make_prior(prior_cls, assigned["prior"], fidelity, voxel_um)
        weight = getattr(regulariser, "weight", None)
        if weight is not None and "weight" not in assigned["prior"]:
            notes = (*notes, f"λ = {float(weight):.4g} by default; what suits depends on the image: --weight")
    problem = Problem(fidelity, regulariser, constraint or default_constraint(cls))
    rules = [rule(**assigned[rule.__name__]) for rule in STOP_RULES if assigned.get(rule.__name__)]
    return Prepared(
        chosen,
        problem,
        counts,
        _combined(iterations, [*rules, *([stop] if stop else [])]),
        None if isinstance(chosen, DirectMethod) else start_image(start, problem, H, counts),
        (*notes, *kernel.notes),
    )


def parts(method: type[Method], prior: type[Prior]) -> dict[str, type]:
    """The dataclasses that declare what a run can be told, by their part in it: front ends make their forms of these."""
    return {"method": method, "prior": prior, "counts": Counts, **{rule.__name__: rule for rule in STOP_RULES}}


def distribute(parameters: Mapping[str, Any], sinks: Mapping[str, type]) -> dict[str, dict[str, Any]]:
    """Each parameter given to the dataclass of ``sinks`` that declares it; a TypeError names one that none declares."""
    assigned: dict[str, dict[str, Any]] = {name: {} for name in (*sinks, "method", "prior")}
    declared = {p.name: sink for sink, cls in sinks.items() for p in schema.parameters(cls)}
    for name, value in parameters.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(declared))}."
            raise TypeError(f"Unknown parameter {name!r}. {hint}")
        assigned[declared[name]][name] = value
    return assigned


def start_image(start: Any, problem: Problem[Any, Any], H: Blur, counts: Counts) -> Tensor | None:
    """The start as an object, in electrons; None for the flat one, which every method makes itself."""
    fidelity: Fidelity = problem.fidelity
    signal = fidelity.y - fidelity.background
    if isinstance(start, str):
        if start == "flat":
            return None
        if start == "measured":
            return H.frame.extend(H.measured.forward(signal)).clamp(min=0)
        if start == "wiener":
            restored = solve(
                methods.registry.get("wiener")(),
                Problem(LeastSquares(H, fidelity.y, fidelity.background), constraint=Free()),
                stop=MaxIterations(1),
            )
            return restored.x.clamp(min=0)
        raise ValueError(f"Unknown start {start!r}: there are {', '.join(get_args(Start))}, or give an array.")
    x0 = to_tensor(start, str(fidelity.y.device), fidelity.y.dtype) / counts.gain
    if tuple(x0.shape) == H.in_shape:
        return x0
    if tuple(x0.shape) == H.shape:
        return H.frame.extend(x0)
    raise ValueError(
        f"The start has shape {tuple(x0.shape)}; it must be the image's {H.shape} or the object's {H.in_shape}."
    )


def _array(image: Any) -> tuple[Any, tuple[float, ...] | None, tuple[str, ...]]:
    if hasattr(image, "replace_data"):  # an Image, without importing what reads files
        volume: Image = image
        if volume.axes != volume.spatial_axes:
            raise ValueError(
                f"The Image has the axes {volume.axes!r}; deconvolve takes one volume with axes {volume.spatial_axes!r} in "
                f"this order. `deconlab.restore` goes through channels and times; image.volume({{'c': 0}}) picks one."
            )
        return volume.data, volume.spatial_voxel_um, volume.notes
    return image, None, ()


def _beside(values: Any, y: Tensor, name: str) -> Tensor:
    tensor = to_tensor(values, str(y.device), y.dtype)
    if tensor.shape != y.shape:
        raise ValueError(
            f"The {name} have shape {tuple(tensor.shape)}, the image {tuple(y.shape)}; they must be equal."
        )
    return tensor


def default_constraint(cls: type[Method]) -> Constraint:
    """x >= 0 where a method can honour it."""
    return NonNegative() if issubclass(NonNegative, cls.constraint) else Free()


def _fidelity(
    cls: type[Fidelity],
    H: Blur,
    y: Tensor,
    background: float,
    weights: Tensor | None,
    counts: Counts,
) -> Fidelity:
    data = H.data(y, background)
    mask, weights = weights, None if weights is None else H.weights(weights)
    if issubclass(PoissonLikelihood, cls):  # also for a method that takes any data term: counts are photons
        return PoissonLikelihood(H, data, background, weights, read_variance=counts.read_noise**2)
    if issubclass(cls, LeastSquares):
        # Over the image, not the darkness around it; and what is masked may be NaN, which times 0 is NaN still.
        seen = y if mask is None else y[mask > 0]
        signal = float(seen.mean()) if seen.numel() else 0.0
        return cls(H, data, background, weights, noise_variance=max(signal, 0.0) + counts.read_noise**2)
    return cls(H, data, background, weights)


def _combined(iterations: int | None, rules: Sequence[Any]) -> Rule:
    if iterations is None and rules:
        combined: Any = rules[0]
        rest = rules[1:]
    else:
        combined, rest = MaxIterations(30 if iterations is None else iterations), rules
    for rule in rest:
        combined = stopping.Either(combined, rule)
    return combined  # type: ignore[no-any-return]
