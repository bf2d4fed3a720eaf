"""The contract checks catch what they are there for: each of these is broken in one way, and is told so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
import torch

from deconlab.functionals import Fidelity, LeastSquares, PoissonLikelihood, Proximable, Smooth, Tikhonov
from deconlab.lazytorch import Tensor
from deconlab.methods import IterativeMethod, State
from deconlab.methods.conjugate_tikhonov_miller import ConjugateTikhonovMiller
from deconlab.methods.landweber import Landweber
from deconlab.methods.richardson_lucy import RichardsonLucy
from deconlab.methods.tikhonov_inverse import TikhonovInverse
from deconlab.operators import Circulant, Convolution, Crop, Identity, LinearOperator, Pointwise, Selection, Transposed
from deconlab.problem import Problem
from deconlab.testing import check_functional, check_method, check_operator, checks_of

PSF = torch.tensor([[1.0, 3.0, 2.0], [0.0, 4.0, 1.0]], dtype=torch.float64) / 11


class Good(Convolution):
    """The convolution that the broken ones are made from."""

    def __init__(self) -> None:
        super().__init__(PSF, (5, 6))


class Flipped(Good):
    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)


class Transposing(Good):
    @property
    def T(self) -> LinearOperator:
        return Transposed(Identity(self.in_shape))


class Affine(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1e-3


class Writing(Good):
    def forward(self, x: Tensor) -> Tensor:
        result = super().forward(x)
        if not x.requires_grad:
            x.mul_(0.5)
        return result


class Single(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


class WrongShape(Good):
    def __init__(self) -> None:
        super().__init__()
        self.out_shape = (6, 5)


class Unbatched(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.ndim == 2 else x.sum(0, keepdim=True).expand(x.shape))


class Detached(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(2 * x.detach() - x) if x.requires_grad else super().forward(x)


class Misnormal(Good):
    def normal(self, x: Tensor) -> Tensor:
        return 2 * super().normal(x)


class Missymbol(Good):
    def normal_symbol(self, like: Tensor) -> Tensor:
        return super().normal_symbol(like).sqrt()

    def normal(self, x: Tensor) -> Tensor:
        return self.adjoint(self.forward(x))


class Complexsymbol(Missymbol):
    def normal_symbol(self, like: Tensor) -> Tensor:  # noqa: ARG002
        return self.otf


class Negativesymbol(Missymbol):
    def normal_symbol(self, like: Tensor) -> Tensor:  # noqa: ARG002
        return -self.otf.real.square()


class Small(Good):
    @property
    def norm_squared(self) -> float:
        return 0.9


class Loose(Good):
    @property
    def norm_squared(self) -> float:
        return 5.0


class Tensornorm(Good):
    @property
    def norm_squared(self) -> float:
        return torch.ones(())  # type: ignore[return-value]


class Missplit(Good):
    def split(self) -> tuple[Selection, LinearOperator]:
        return Identity(self.in_shape), Identity(self.in_shape)


class Sandwiching(Good):
    wrong = "outer"

    def sandwich(
        self,
        x: Tensor,
        inner: Pointwise,
        outer: Pointwise | None = None,
        loss: Pointwise | None = None,
        back: LinearOperator | None = None,
    ) -> tuple[Any, Tensor | None]:
        found, total = super().sandwich(x, inner, outer, loss, None if self.wrong == "back" else back)
        if self.wrong == "loss" and total is not None:
            total = 2 * total
        if self.wrong == "none" and total is None:
            total = torch.zeros(())
        if self.wrong == "back" and back is not None:
            found = 0.5 * found
        if self.wrong == "plain" and outer is None:
            found = 2 * found
        if self.wrong == "outer" and isinstance(found, tuple):
            found = found[::-1]
        return found, total


def sandwich(wrong: str) -> LinearOperator:
    H = Sandwiching()
    H.wrong = wrong
    return H


class Leaky(Crop):
    def adjoint(self, y: Tensor) -> Tensor:
        return 1.5 * super().adjoint(y)

    def forward(self, x: Tensor) -> Tensor:
        return 1.5 * super().forward(x)

    @property
    def norm_squared(self) -> float:
        return 2.25


class Negligent(Crop):
    def extend(self, y: Tensor) -> Tensor:
        return 0 * super().extend(y)


class Around(LinearOperator):
    """A selection that splits itself off."""

    def __init__(self, seen: Selection) -> None:
        self.seen, self.in_shape, self.out_shape = seen, seen.in_shape, seen.out_shape

    def forward(self, x: Tensor) -> Tensor:
        return self.seen.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.seen.adjoint(y)

    @property
    def norm_squared(self) -> float:
        return self.seen.norm_squared

    def split(self) -> tuple[Selection, LinearOperator]:
        return self.seen, Identity(self.in_shape)


def test_a_good_operator_passes() -> None:
    check_operator(Good(), tightness=1.001)
    check_operator(Around(Crop((5,), (3,), (1,))))
    assert issubclass(Good, Circulant)


@pytest.mark.parametrize(
    ("H", "message"),
    [
        (Flipped(), "adjoint is not the adjoint of forward"),
        (Transposing(), "T.forward differs from adjoint"),
        (Affine(), "⟨Hx, y⟩|2Hx − 3Hx′"),
        (Writing(), "forward writes into its input"),
        (Single(), "forward turns torch.float64 on cpu into torch.float32"),
        (WrongShape(), r"forward gives shape \(5, 6\), declared \(6, 5\)"),
        (Unbatched(), r"forward of a stack with leading \(3,\) differs from slice by slice"),
        (Detached(), "autograd through forward differs from adjoint"),
        (Misnormal(), r"normal\(x\) differs from adjoint\(forward\(x\)\)"),
        (Missymbol(), r"normal_symbol · F x\) differs from HᵀHx"),
        (Complexsymbol(), "normal_symbol is torch.complex128"),
        (Negativesymbol(), "normal_symbol goes down to -"),
        (Small(), "norm_squared = 0.9 is below 1"),
        (Tensornorm(), "norm_squared must be a float"),
        (Missplit(), "S A x differs from H x"),
        (sandwich("outer"), "sandwich's outer differs"),
        (sandwich("loss"), "sandwich sums the loss to"),
        (sandwich("none"), "sandwich without a loss gives"),
        (sandwich("back"), "sandwich with back=H.T differs"),
        (sandwich("plain"), r"sandwich\(x, inner\) differs"),
        (Around(Leaky((5,), (3,), (1,))), "S Sᵀ y differs from y"),
        (Around(Negligent((5,), (3,), (1,))), r"S extend\(y\) differs from y"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LinearOperator) else "",
)
def test_a_broken_operator_is_caught(H: LinearOperator, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_operator(H)


def test_a_loose_norm_is_caught_where_tightness_is_stated() -> None:
    check_operator(Loose())
    with pytest.raises(AssertionError, match=r"is 5 times the largest eigenvalue 1 .*stated is at most 2"):
        check_operator(Loose(), tightness=2)


# Data terms and priors


class Ridge(Smooth, Proximable):
    """½λ‖x‖², as it should be; the broken ones change one thing."""

    degree: ClassVar[int] = 2
    weight = 0.3

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * self.weight * x.square().sum()

    def grad(self, x: Tensor) -> Tensor:
        return self.weight * x

    @property
    def lipschitz(self) -> float:
        return self.weight

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v / (1 + t * self.weight)


class Steeper(Ridge):
    def grad(self, x: Tensor) -> Tensor:
        return 2 * self.weight * x


class Doublegrad(Ridge):
    def grad(self, x: Tensor) -> Tensor:
        return (self.weight * x).double()


class Vectorvalue(Ridge):
    def value(self, x: Tensor) -> Tensor:
        return 0.5 * self.weight * x.square()


class Understated(Ridge):
    lipschitz = 0.2


class Negativebound(Ridge):
    lipschitz = -1.0


class Linear(Ridge):
    degree = 1


class Lazyprox(Ridge):
    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v / (1 + 1.1 * t * self.weight)


class Writingprox(Ridge):
    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v.div_(1 + t * self.weight)


class Singleprox(Ridge):
    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return super().prox(v, t).float()


@dataclass(frozen=True, eq=False)
class Squaredweight(Tikhonov):
    def value(self, x: Tensor) -> Tensor:
        return self.weight * super().value(x)

    def grad(self, x: Tensor) -> Tensor:
        return self.weight * super().grad(x)

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v / (1 + t * self.weight**2)


@dataclass(frozen=True, eq=False)
class Offset(Tikhonov):
    degree: ClassVar[int] = 0

    def value(self, x: Tensor) -> Tensor:
        return 0 * super().value(x) + 1

    def grad(self, x: Tensor) -> Tensor:
        return 0 * x

    def prox(self, v: Tensor, t: float | Tensor) -> Tensor:  # noqa: ARG002
        return v


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (Steeper(), "grad differs from autograd's gradient of value"),
        (Doublegrad(), "grad gives torch.float64"),
        (Vectorvalue(), "it must be 0-dimensional"),
        (Understated(), "lipschitz = 0.2, yet the gradient changes 0.3 times"),
        (Negativebound(), "it must be a number >= 0"),
        (Linear(), r"F\(2·x\) = .*the declared degree 1 makes it"),
        (Lazyprox(), r"x\) is .* at prox\(v, .*but .* elsewhere"),
        (Writingprox(), "changes v, or gives another result"),
        (Singleprox(), "prox gives torch.float32"),
        (Squaredweight(0.3), "twice the weight gives"),
        (Offset(0.3), "twice the weight gives"),
        (object(), "neither a data term nor a prior"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_broken_prior_is_caught(prior: Any, message: str) -> None:
    check_functional(Ridge())
    with pytest.raises(AssertionError, match=message):
        check_functional(prior)


@dataclass(frozen=True, eq=False)
class Unweighted(LeastSquares):
    @property
    def loss(self) -> Pointwise:
        return replace(self, weights=None).loss if self.weights is not None else super().loss

    @property
    def slope(self) -> Pointwise:
        return replace(self, weights=None).slope if self.weights is not None else super().slope


@dataclass(frozen=True, eq=False)
class Halfslope(LeastSquares):
    @property
    def slope(self) -> Pointwise:
        return Pointwise(half_error, self.y, self.background)


def half_error(u: Tensor, y: Tensor, background: Tensor | float) -> Tensor:
    return 0.5 * (u + background - y)


@dataclass(frozen=True, eq=False)
class Badprox(LeastSquares):
    def prox_prediction(self, v: Tensor, t: float | Tensor) -> Tensor:
        return v + t * (self.y - v)


@dataclass(frozen=True, eq=False)
class Optimistic(LeastSquares):
    @property
    def lipschitz(self) -> float:
        return 0.5 * super().lipschitz


@dataclass(frozen=True, eq=False)
class Negativeloss(LeastSquares):
    @property
    def loss(self) -> Pointwise:
        return Pointwise(lowered, self.y, self.background)


def lowered(u: Tensor, y: Tensor, background: Tensor | float) -> Tensor:
    return 0.5 * (u + background - y).square() - 1e4


@dataclass(frozen=True, eq=False)
class Nofloor(LeastSquares):
    @property
    def sensitivity(self) -> Tensor:  # type: ignore[override]
        return self.back_projected_weights()


@dataclass(frozen=True, eq=False)
class Hiddenepsilon(LeastSquares):
    @property
    def loss(self) -> Pointwise:
        return Pointwise(softened, self.y, self.background)

    @property
    def slope(self) -> Pointwise:
        return Pointwise(softened_slope, self.y, self.background)


def softened(u: Tensor, y: Tensor, background: Tensor | float) -> Tensor:
    return ((u + background - y).square() + 1).sqrt() - 1


def softened_slope(u: Tensor, y: Tensor, background: Tensor | float) -> Tensor:
    error = u + background - y
    return error / (error.square() + 1).sqrt()


@dataclass(frozen=True, eq=False)
class Readingmasked(LeastSquares):
    """Looks at y before it is masked."""

    def __post_init__(self) -> None:
        level = float(self.y.nan_to_num(nan=0.0, posinf=0.0).mean())
        super().__post_init__()
        object.__setattr__(self, "level", level)

    def expected_loss(self, prediction: Tensor) -> Tensor:
        return super().expected_loss(prediction) + abs(self.level)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Wrongexpectation(LeastSquares):
    def expected_loss(self, prediction: Tensor) -> Tensor:
        return -super().expected_loss(prediction)


@dataclass(frozen=True, eq=False)
class Quietloss(LeastSquares):
    @property
    def loss(self) -> Pointwise:
        return super().loss if torch.is_grad_enabled() else Pointwise(lowered, self.y, self.background)


class Dimmed(Convolution):
    """A field whose corner is hardly seen."""

    def __init__(self) -> None:
        super().__init__(PSF, (5, 6))
        self.gain = torch.ones(5, 6, dtype=torch.float64)
        self.gain[0, 0] = 1e-3

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * self.gain)

    def adjoint(self, y: Tensor) -> Tensor:
        return super().adjoint(y) * self.gain


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Unweighted, r"weighted value .*but Σ w·loss is|a mask|feels"),
        (Halfslope, "grad differs from autograd|slope differs"),
        (Badprox, "prox_prediction at t = .*is lower by"),
        (Optimistic, "lipschitz = .*yet the gradient changes"),
        (Negativeloss, "the loss goes down to -"),
        (
            Nofloor,
            "the sensitivity is finite at 30 voxels; the light that is measured exceeds 0.01 of its maximum at 29",
        ),
        (Hiddenepsilon, r"F\(2·x\) = .*the declared degree 2"),
        (Readingmasked, "feels .* under a weight of 0"),
        (Wrongexpectation, "expected_loss is -.*it must be >= 0"),
        (Quietloss, "without autograd, .* with it"),
    ],
    ids=lambda value: "" if isinstance(value, str) else value.__name__,
)
def test_a_broken_data_term_is_caught(cls: type[Fidelity], message: str) -> None:
    H = Dimmed()
    y = 5 + torch.arange(30, dtype=torch.float64).reshape(5, 6) % 7
    check_functional(LeastSquares(H, y, 0.5))
    with pytest.raises(AssertionError, match=message):
        check_functional(cls(H, y, 0.5))


def test_a_prediction_outside_the_losss_domain_is_caught() -> None:
    term = PoissonLikelihood(Identity((4,)), torch.tensor([0.0, 1.0, 5.0, 0.0], dtype=torch.float64), 0.5)
    check_functional(term, least_prediction=-0.5)
    with pytest.raises(AssertionError, match="outside the loss's domain"):
        check_functional(term, least_prediction=0.5)


# Methods


@dataclass(frozen=True)
class Uncited(Landweber):
    references: ClassVar[tuple[str, ...]] = ("a book",)


@dataclass(frozen=True)
class Misdialled(Landweber):
    dial: ClassVar[str] = "sharpness"


@dataclass(frozen=True)
class Undialled(Landweber):
    dial: ClassVar[str] = "weight"


@dataclass(frozen=True)
class Wrongprior(Landweber):
    default_prior: ClassVar[str] = "tikhonov"


@dataclass(frozen=True)
class Refusing(Landweber):
    blur: ClassVar[type] = Crop


@dataclass(frozen=True)
class Wrongstate(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        return Otherstate(*vars(super().step(problem, state)).values())


@dataclass(frozen=True, eq=False)
class Otherstate(State):
    pass


@dataclass(frozen=True)
class Unprintable(Landweber):
    def __repr__(self) -> str:
        return "Unprintable(step_size=0.5)"


@dataclass(frozen=True)
class Doubling(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=following.x.double())


@dataclass(frozen=True)
class Exploding(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=following.x / 0)


@dataclass(frozen=True)
class Halfway(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=0.9 * following.x)


@dataclass(frozen=True)
class Priorless(ConjugateTikhonovMiller):
    def step(self, problem: Problem[Any, Any], state: Any) -> Any:
        return super().step(replace(problem, prior=replace(problem.prior, weight=0.0)), state)


@dataclass(frozen=True)
class Inplace(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        state.x.copy_(following.x)
        return following


@dataclass(frozen=True)
class Forgetful(RichardsonLucy):
    """Keeps a counter outside the state."""

    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        calls.append(1)
        return replace(following, x=following.x * (1 + 1e-6 * len(calls)))


calls: list[int] = []


@dataclass(frozen=True)
class Epsilon(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=(following.x + 1e-3).clamp(max=300))


@dataclass(frozen=True)
class Maskless(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        return super().step(problem.with_data(weights=None), state)


@dataclass(frozen=True)
class Claimingweights(TikhonovInverse):
    """Takes weights and does not look at them."""

    honours_weights: ClassVar[bool] = True


@dataclass(frozen=True)
class Feelingmasked(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=following.x + 1e-9 * float(problem.fidelity.y.mean() > 0) * junk.pop())


junk = [float(i) for i in range(1000)]


@dataclass(frozen=True)
class Mischosen(Landweber):
    def chosen(self, state: Any) -> dict[str, float]:
        return {"step_size": 0.5 * super().chosen(state)["step_size"]}


@dataclass(frozen=True)
class Tensorchosen(Landweber):
    def chosen(self, state: Any) -> dict[str, float]:  # noqa: ARG002
        return {"step_size": torch.ones(())}  # type: ignore[dict-item]


@dataclass(frozen=True)
class Synchronising(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return following if float(following.x.max()) > 0 else state


@dataclass(frozen=True)
class Straying(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        return replace(super().step(problem, state), objective=torch.zeros(()))


@dataclass(frozen=True)
class Wasteful(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        problem.H.forward(state.x)
        return super().step(problem, state)


@dataclass(frozen=True)
class Wobbling(RichardsonLucy):
    def step(self, problem: Problem[Any, Any], state: State) -> State:
        following = super().step(problem, state)
        return replace(following, x=state.x + 2.5 * (following.x - state.x).clamp(min=-0.3 * state.x))


@dataclass(frozen=True)
class Ambitious(Landweber):
    order: ClassVar[int] = 2


@dataclass(frozen=True)
class Modest(Landweber):
    order: ClassVar[int] = 1


@dataclass(frozen=True)
class Stoic(RichardsonLucy):
    """Swallows Ctrl-C."""

    def step(self, problem: Problem[Any, Any], state: State) -> State:
        import signal

        former = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return super().step(problem, state)
        finally:
            signal.signal(signal.SIGINT, former)


@pytest.mark.parametrize(
    ("method", "check", "message"),
    [
        (Uncited(), "claims", "references must be the DOIs"),
        (Misdialled(), "claims", "its dial 'sharpness' is no parameter"),
        (Undialled(), "claims", "its dial is λ, yet Zero has no weight"),
        (Wrongprior(), "claims", "its default prior 'tikhonov' is no Zero"),
        (Refusing(), "claims", "refuses what it claims to solve"),
        (Wrongstate(), "claims", "claims State as its state and gives Otherstate"),
        (Unprintable(), "repr", r"gives Unprintable\(step_size=0.5\), not"),
        (Doubling(), "precision", "x is torch.float64 of shape"),
        (Exploding(), "precision", "non-finite values in torch.float32"),
        (Halfway(), "delta", "δ PSF, periodic, 1-D, λ = 0: x differs from y"),
        (Priorless(), "delta", "x differs from the prior's prox of y"),
        (Inplace(), "purity", "writes into 1 of the"),
        (Forgetful(), "purity", "gives two results for the same input: the state's 'x'"),
        (Forgetful(), "resume", "resumed after 4 of 9 steps: the state's 'x' differs"),
        (Epsilon(), "scale", "1024 × the data does not give 1024 × the result"),
        (Maskless(), "mask", "a mask over 4 voxels changes nothing"),
        (Claimingweights(), "mask", "a mask over 4 voxels changes nothing"),
        (Feelingmasked(), "mask", "nan under a weight of 0 changes x"),
        (Mischosen(), "chosen", "with its chosen numbers {'step_size': 0.5} the run is another"),
        (Tensorchosen(), "chosen", "must be plain numbers"),
        (Synchronising(), "meta", "reads a value or leaves the device within a step"),
        (Straying(), "meta", "1 tensors of the new state are on cpu"),
        (Wasteful(), "transforms", "claims 4 transforms, a step takes 6: rfftn, irfftn"),
        (Wobbling(), "monotone", "raises the objective from"),
        (Ambitious(), "order", r"claims O\(1/k\^2\); from k = 10 to 1000"),
        (Stoic(), "interrupt", r"ended the run after \d+"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else type(value).__name__,
)
def test_a_broken_method_is_caught(method: IterativeMethod[Any, Any, Any], check: str, message: str) -> None:
    found = {function.__name__: function for function in checks_of(method)}
    with pytest.raises(AssertionError, match=message):
        found[f"check_{check}"](method)


def test_a_method_neither_iterative_nor_direct_is_caught() -> None:
    check_method(Modest)
    with pytest.raises(AssertionError, match=r"Exploding: \d+ non-finite values"):
        check_method(Exploding)


def test_what_third_parties_may_adjust() -> None:
    """A prior of their own, a tolerance for methods that accept or reject, and an instance that damps nothing."""
    check_method(ConjugateTikhonovMiller(), prior=Tikhonov(0.2), scale_tolerance=1e-6)
    check_method(TikhonovInverse, undamped=TikhonovInverse(edges="taper"))
    with pytest.raises(AssertionError, match=r"λ of .* cannot be set to 0"):
        check_method(ConjugateTikhonovMiller(), prior=Stubborn(0.2))


@dataclass(frozen=True, eq=False)
class Stubborn(Tikhonov):
    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", 0.2)


def test_the_kit_needs_no_pytest() -> None:
    import subprocess
    import sys

    code = "import sys, deconlab.testing as t; assert t.check_method and not {'pytest', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
