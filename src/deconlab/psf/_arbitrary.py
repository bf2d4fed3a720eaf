"""A pupil of any phase and amplitude, as measured or as being learned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from deconlab.lazytorch import torch
from deconlab.psf._propagation import Plane
from deconlab.psf._pupil import PupilModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class ArbitraryPupil(PupilModel):
    """PSF of a pupil given as arrays: ``phase`` in radians and ``amplitude``, for light over q = n sin θ.

    Each is a square (y, x) whose first and last samples lie at -NA and NA; it is read off by bicubic interpolation. The
    amplitude multiplies the model's own apodisation. Both, ``depth_um`` and ``defocus_um`` may have gradients. It holds
    tensors, so two of it are equal only if they are the same. Raises ValueError for arrays that are no squares.

    >>> import torch
    >>> flat = ArbitraryPupil(na=1.2, emission_nm=520, immersion_index=1.333, phase=torch.zeros(33, 33))
    >>> flat.render((3, 9, 9), (0.2, 0.1, 0.1)).data.shape
    torch.Size([3, 9, 9])
    """

    phase: Tensor | None = field(default=None, kw_only=True)
    amplitude: Tensor | None = field(default=None, kw_only=True)

    references: ClassVar[tuple[str, ...]] = ("10.1111/j.0022-2720.2004.01393.x",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("phase", "amplitude"):
            given = getattr(self, name)
            if given is not None and (given.ndim != 2 or given.shape[0] != given.shape[1] or given.shape[0] < 4):
                raise ValueError(
                    f"ArbitraryPupil: {name} must be a square of at least 4 × 4 samples over -NA … NA, not of shape "
                    f"{tuple(given.shape)}."
                )

    def _swing(self) -> float:
        if self.phase is None:
            return 0.0
        steps = [float(self.phase.detach().diff(dim=axis).abs().max()) for axis in (0, 1)]
        return max(steps) * len(self.phase) / 2

    def _mask(self, at: Plane, stop: float) -> Tensor:  # noqa: ARG002
        mask = torch.ones_like(at.radius, dtype=torch.complex128)
        if self.amplitude is not None:
            mask = mask * self._read(self.amplitude, at)
        if self.phase is not None:
            mask = mask * torch.exp(1j * self._read(self.phase, at))
        return mask

    def _read(self, values: Tensor, at: Plane) -> Tensor:
        place = at.q / self.na
        y, x = torch.meshgrid(place, place, indexing="ij")
        where = torch.stack([x, y], dim=-1)[None]
        found = torch.nn.functional.grid_sample(
            values.double()[None, None], where, mode="bicubic", padding_mode="border", align_corners=True
        )
        return found[0, 0]
