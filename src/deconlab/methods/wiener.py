"""The linear filter of least mean squared error.

    x̂ = ĥ* ŷ / (|ĥ|² + Sₙ/Sₓ),  Sₙ and Sₓ the power spectra of the noise and of the *object*

Guarantee: no linear filter has a smaller expected squared error, if the two spectra are right. One number for Sₙ/Sₓ is the
usual stand-in; without it, it is estimated: the noise's power from the frequencies that the blur does not pass, the object's
as what is left of the data's variance. Cost: four transforms, one more for the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from deconlab import fourier
from deconlab.functionals import LeastSquares, Zero
from deconlab.lazytorch import Tensor, torch
from deconlab.methods._inverse_filter import QuadraticFilter
from deconlab.methods._method import State
from deconlab.operators import Circulant
from deconlab.problem import Problem
from deconlab.units import Doc, Gt


@dataclass(frozen=True, eq=False)
class WienerState(State):
    """The restored object and the noise-to-signal ratio that was used; None where spectra were given."""

    noise_to_signal: float | Tensor | None = None


@dataclass(frozen=True)
class Wiener(QuadraticFilter[WienerState, Zero]):
    """Wiener filter (WIF). ``noise_spectrum`` and ``object_spectrum``, if code gives both, lie on the rfft half grid."""

    noise_to_signal: Annotated[
        float | None,
        Gt(0),
        Doc("noise power over object power, Sn/Sx, one number; estimated from the data if not given"),
    ] = None
    noise_spectrum: Tensor | None = None
    object_spectrum: Tensor | None = None

    dial: ClassVar[str] = "noise_to_signal"
    buffers: ClassVar[int] = 6
    references: ClassVar[tuple[str, ...]] = ("10.7551/mitpress/2946.001.0001",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.noise_spectrum is None) != (self.object_spectrum is None):
            raise ValueError("Wiener: give both noise_spectrum and object_spectrum, or neither.")

    def penalty(self, problem: Problem[LeastSquares, Zero], power: Tensor) -> Tensor | float:
        if self.noise_spectrum is not None and self.object_spectrum is not None:
            for name, spectrum in (("noise_spectrum", self.noise_spectrum), ("object_spectrum", self.object_spectrum)):
                if spectrum.shape != power.shape:
                    raise ValueError(
                        f"Wiener: {name} has shape {tuple(spectrum.shape)}, the half grid of the object {tuple(power.shape)}."
                    )
            return self.noise_spectrum / self.object_spectrum
        return self._ratio(problem)

    def apply(self, problem: Problem[LeastSquares, Zero]) -> WienerState:
        if self.noise_spectrum is not None:
            return WienerState(self.filtered(problem))
        ratio = self._ratio(problem)
        fixed = replace(self, noise_to_signal=ratio)  # type: ignore[arg-type]  # a 0-dimensional tensor: estimated once
        return WienerState(fixed.filtered(problem), noise_to_signal=ratio)

    def chosen(self, state: WienerState) -> dict[str, float]:
        return {} if state.noise_to_signal is None else {"noise_to_signal": float(state.noise_to_signal)}

    def _ratio(self, problem: Problem[LeastSquares, Zero]) -> float | Tensor:
        return estimated_noise_to_signal(problem) if self.noise_to_signal is None else self.noise_to_signal


def estimated_noise_to_signal(problem: Problem[LeastSquares, Zero]) -> Tensor:
    """σ²/(var y − σ²), held between 1e-8 and 1e2, with the noise's variance σ² read where only noise can be.

    The blur passes nothing at frequencies where |ĥ| is below 1 % of its maximum; what the data hold there is noise, and white
    noise has the same power everywhere. Where the blur passes everything (fewer than 1 % of the frequencies are below), the
    tenth of the frequencies with the weakest |ĥ| stands in, and σ² comes out too large.
    """
    seen, blur = problem.H.split()
    assert isinstance(blur, Circulant)
    y = problem.fidelity.y - problem.fidelity.background
    variance = y.var()
    y = seen.extend(y)
    spectrum = fourier.rfftn(y, y.ndim).abs().square() / y.numel()
    power = blur.normal_symbol(y).flatten()
    dark = (power <= 1e-4 * power.max()).to(y)
    weakest = (power <= power.kthvalue(max(1, power.numel() // 10)).values).to(y)
    dark = torch.where(dark.mean() < 0.01, weakest, dark)
    noise = (spectrum.flatten() * dark).sum() / dark.sum()
    return torch.clamp(noise / torch.maximum(variance - noise, 1e-3 * variance + 1e-38), 1e-8, 1e2)
