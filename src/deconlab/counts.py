"""Between what a camera writes (ADU) and what the Poisson model counts (electrons), and where the background lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from deconlab import schema
from deconlab.lazytorch import Tensor, torch
from deconlab.units import Adu, AduPerElectron, Doc, Electrons, Ge, Gt


@dataclass(frozen=True)
class Counts:
    """How the image's numbers count light: y = (ADU − offset)/gain electrons, read noise σ electrons.

    ``background`` is light, above the offset, that does not come from the object: a number in the image's own units, or
    "auto" for a robust estimate (:func:`estimated_background`). Restored images keep the image's units.
    """

    offset: Annotated[Adu, Doc("what the camera writes in darkness; subtracted before all else")] = 0.0
    gain: Annotated[
        AduPerElectron, Gt(0), Doc("camera gain; with it the noise is known, and read noise can be used")
    ] = 1.0
    read_noise: Annotated[Electrons, Ge(0), Doc("standard deviation of the camera's read noise")] = 0.0
    background: Annotated[
        float | Literal["auto"],
        Ge(0),
        Doc("light above the offset that is not the object's, in the image's units; auto estimates it robustly"),
    ] = 0.0

    def __post_init__(self) -> None:
        schema.check(self)

    def electrons(self, adu: Tensor) -> Tensor:
        """The image in electrons."""
        return adu if self.offset == 0 and self.gain == 1 else (adu - self.offset) / self.gain

    def image_units(self, electrons: Tensor) -> Tensor:
        """A restored object back in the image's units, without the offset."""
        return electrons if self.gain == 1 else electrons * self.gain

    def background_electrons(self, electrons: Tensor, weights: Tensor | None = None) -> float:
        """The background in electrons, estimated from an image in electrons where "auto" is asked for."""
        if self.background == "auto":
            return estimated_background(electrons, weights)
        return float(self.background) / self.gain


def estimated_background(electrons: Tensor, weights: Tensor | None = None) -> float:
    """The 5th percentile of the means over blocks of 4 voxels along each axis, but at least 0.

    The means take the noise out, so that an even background is found to a few percent; the low percentile finds it where a
    twentieth of the image or more is empty, and errs to the dark side, which loses no signal, where less is.
    """
    inside = torch.ones_like(electrons) if weights is None else (weights > 0).to(electrons)
    size = [min(4, n) for n in electrons.shape]
    pool = getattr(torch.nn.functional, f"avg_pool{electrons.ndim}d")
    share = pool(inside[None, None], size).flatten()
    light = pool(torch.where(inside > 0, electrons, 0.0)[None, None], size).flatten()
    means = light[share > 0] / share[share > 0]
    rank = max(1, round(0.05 * means.numel()))
    return max(0.0, float(means.kthvalue(rank).values))
