"""The prior of a run, from its name and parameters, with the facts that only the data tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deconlab import functionals
from deconlab.functionals import Fidelity, PoissonLikelihood, Prior
from deconlab.methods import Method, claims


def prior_class(cls: type[Method], prior: str | Prior | None) -> type[Prior]:
    """The class of a prior that is given by name, as an object, or by default as ``cls`` declares.

    Raises ValueError for an unknown name, or that of a data term.
    """
    if isinstance(prior, Prior):
        return type(prior)
    found = functionals.registry.get(prior or cls.default_prior)
    if not issubclass(found, Prior):
        raise ValueError(f"{prior!r} is a data term, not a prior.")
    return found


def follows_intensity(method: type[Method], prior: type[Prior]) -> bool:
    """Whether a λ that is not given depends on the data: where the degrees of data term and prior differ."""
    claim = claims(method).fidelity
    degree = (PoissonLikelihood if issubclass(PoissonLikelihood, claim) else claim).degree
    return degree != getattr(prior, "degree", degree)


def make_prior(cls: type[Prior], given: dict[str, Any], fidelity: Fidelity, voxel_um: Sequence[float] | None) -> Prior:
    """The prior with its facts, which are fields by these names: ``spacing``, the voxel size, and ``level``, the signal's.

    A λ that nobody gave is the declared one at a mean signal of 1, and goes with the unit of intensity as it must for the same
    result: by the power of the data term's degree less the prior's.
    """
    fields = getattr(cls, "__dataclass_fields__", {})
    facts: dict[str, Any] = {}
    power = fidelity.degree - cls.degree
    if "weight" in fields and "weight" not in given and power and fidelity.y.device.type != "meta":
        signal = float(fidelity.mean_signal)
        facts["weight"] = fields["weight"].default * (signal**power if signal > 0 else 1.0)
    if "spacing" in fields:
        ndim = len(fidelity.H.in_shape)
        facts["spacing"] = tuple(voxel_um) if voxel_um is not None else (1.0,) * ndim
    if "level" in fields and fidelity.y.device.type != "meta":
        level = float(fidelity.mean_signal)
        facts["level"] = level if level > 0 else 1.0
    return cls(**given, **facts)
