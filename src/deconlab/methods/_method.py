"""What a restoration method is: a frozen declaration of hyper-parameters, and pure steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, get_args, get_origin

from deconlab import functionals, schema
from deconlab.functionals import Fidelity, Prior
from deconlab.lazytorch import Tensor
from deconlab.operators import LinearOperator
from deconlab.problem import Free, Problem


@dataclass(frozen=True, eq=False)
class State:
    """What changes from step to step, and nothing else: tensors, numbers and tuples of them.

    ``x`` is what a user would take home now. ``objective`` is the objective where the step that made this state evaluated
    it, a by-product of its Hx, or None if it had none; it belongs to the point before that step's update.
    """

    x: Tensor
    objective: Tensor | None = None


S = TypeVar("S", bound=State)
F = TypeVar("F", bound=Fidelity)
P = TypeVar("P", bound=Prior)


@dataclass(frozen=True)
class Method(ABC):
    """Hyper-parameters as fields, claims as class variables.

    - ``blur``: what H must be, or what its :meth:`~deconlab.operators.LinearOperator.split` leaves of it.
    - ``constraint``: the constraints it honours, a class; ``Constraint`` for any.
    - ``honours_weights``: whether it reads the data term's weights.
    - ``dial``: the parameter that trades noise against sharpness.
    - ``default_prior``: the registry name of the prior that a user gets who names none.
    - ``local``: gives the same on tiles, with the numbers it chose frozen.
    - ``transforms``: real FFTs per step on a periodic problem; None where that varies.
    - ``buffers``: volumes of the object's size that a run holds at most besides its problem, states and workspace together,
      without the compiled engine: with the default prior, in 3-D on a periodic problem. Contracts measure it.
    - ``references``: DOIs, with equation numbers.

    The type parameters of the base class are claims as well: which data term and which prior a method can use.
    """

    blur: ClassVar[type] = LinearOperator
    constraint: ClassVar[type] = Free
    honours_weights: ClassVar[bool] = True
    dial: ClassVar[str] = "iterations"
    default_prior: ClassVar[str] = "zero"
    local: ClassVar[bool] = False
    transforms: ClassVar[int | None] = None
    buffers: ClassVar[int | None] = None
    references: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        schema.check(self)

    def chosen(self, state: Any) -> dict[str, float]:  # noqa: ARG002
        """The numbers that the method chose itself, by their field's name: ``replace(method, **chosen)`` repeats the run."""
        return {}


@dataclass(frozen=True)
class IterativeMethod(Method, Generic[S, F, P]):
    """A method that improves an estimate step by step.

    ``init`` and ``step`` are pure: a step never writes into the state that it is given.
    ``monotone`` claims that no step raises the objective; ``order`` claims an objective gap of O(1/kᵒʳᵈᵉʳ).
    """

    monotone: ClassVar[bool] = False
    order: ClassVar[int | None] = None

    @abstractmethod
    def init(self, problem: Problem[F, P], x0: Tensor | None = None) -> S:
        """The state before the first step; the start is ``x0`` made admissible, or the flat object."""

    @abstractmethod
    def step(self, problem: Problem[F, P], state: S) -> S:
        """The next state."""

    def finished(self, problem: Problem[F, P], state: S) -> str | None:  # noqa: ARG002
        """Why no further step will change anything, or None."""
        return None


@dataclass(frozen=True)
class DirectMethod(Method, Generic[S, F, P]):
    """A method that computes its estimate in closed form."""

    @abstractmethod
    def apply(self, problem: Problem[F, P]) -> S:
        """The estimate, as a state."""


class Claims(NamedTuple):
    """What the type parameters of a method's base class say."""

    state: type[State]
    fidelity: type[Fidelity]
    prior: type[Prior]


def claims(method: type[Method]) -> Claims:
    """The state, data term and prior that a method class claims with its type parameters.

    One that is left open claims what its bound is: any data term, any prior. Raises TypeError without parameters.
    """
    bound: dict[Any, Any] = {}
    for cls in method.__mro__:
        for base in cls.__dict__.get("__orig_bases__", ()):
            origin, arguments = get_origin(base), get_args(base)
            if isinstance(origin, type) and issubclass(origin, Method):
                names = getattr(origin, "__parameters__", ())
                for name, argument in zip(names, arguments, strict=True):
                    bound.setdefault((origin, name), bound.get((cls, argument), argument))
    base = IterativeMethod if issubclass(method, IterativeMethod) else DirectMethod
    names = getattr(base, "__parameters__", ())
    if not bound:
        raise TypeError(
            f"{method.__name__} does not say what it solves: derive it from {base.__name__}[State, data term, prior], each a "
            f"class."
        )
    found: list[Any] = [bound[base, name] for name in names]
    closed: list[Any] = [item.__bound__ if isinstance(item, TypeVar) else item for item in found]
    return Claims(*closed)


def admissible_priors(method: type[Method]) -> dict[str, type[Prior]]:
    """The priors of the registry that ``method`` can use, by name, its default first."""
    default, claim = method.default_prior, claims(method).prior
    found = {name: cls for name, cls in functionals.registry.all().items() if issubclass(cls, Prior)}
    names = [default, *(name for name, cls in found.items() if issubclass(cls, claim) and name != default)]
    return {name: found[name] for name in names}


def refusals(method: Method | type[Method], problem: Problem[Any, Any]) -> list[str]:
    """Why ``method`` cannot solve ``problem``, a sentence for each reason; empty if it can.

    This is the only place where declarations are held against a problem: no method checks for itself.
    """
    cls = method if isinstance(method, type) else type(method)
    claim, reasons = claims(cls), []
    name = cls.__name__
    if not isinstance(problem.fidelity, claim.fidelity):
        reasons.append(f"its data term must be {claim.fidelity.__name__}, not {type(problem.fidelity).__name__}")
    if not isinstance(problem.prior, claim.prior):
        reasons.append(f"its prior must be {claim.prior.__name__}, not {type(problem.prior).__name__}")
    if not isinstance(problem.constraint, cls.constraint):
        reasons.append(f"its constraint must be {cls.constraint.__name__}, not {type(problem.constraint).__name__}")
    operator = problem.H
    if not isinstance(operator, cls.blur) and not isinstance(operator.split()[1], cls.blur):
        reasons.append(f"its blur must be {cls.blur.__name__}, not {describe(operator)}")
    said = [f"{name} cannot solve this problem: {reason}." for reason in reasons]
    return said + (weight_refusals(cls) if problem.fidelity.weights is not None else [])


def weight_refusals(method: type[Method]) -> list[str]:
    """The part of :func:`refusals` that is known before there is a problem: why ``method`` takes no weights."""
    if method.honours_weights:
        return []
    return [
        f"{method.__name__} cannot solve this problem: it cannot honour weights, so that masked voxels would be read as data."
    ]


def describe(operator: LinearOperator) -> str:
    """An operator in a refusal: its class, and its boundary where it has one."""
    boundary = getattr(operator, "boundary", None)
    return type(operator).__name__ if boundary is None else f'a {type(operator).__name__} with boundary "{boundary}"'
