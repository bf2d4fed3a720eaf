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

    def background_electrons(self, electrons: Tensor, usable: Tensor | None = None) -> float:
        """The background in electrons, estimated from an image in electrons where "auto" is asked for."""
        if self.background == "auto":
            return estimated_background(electrons if usable is None else electrons[usable])
        return float(self.background) / self.gain


def estimated_background(electrons: Tensor) -> float:
    """The centre of the darkest mode: the median of the voxels below the 25th percentile, but at least 0.

    It is right where a quarter of the image or more is empty, as in most fluorescence images, and too high where it is not.
    At most a million evenly spread voxels are read.
    """
    values = electrons.flatten()
    values = values[:: max(1, values.numel() // 1_000_000)]
    quartile = torch.quantile(values.to(torch.float64)[:1_000_000], 0.25)
    return max(0.0, float(values[values <= quartile].median()))
