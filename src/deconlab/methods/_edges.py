"""What a filter that thinks in periods is given instead of an image with borders."""

from __future__ import annotations

from typing import Literal

from deconlab.lazytorch import Tensor, torch
from deconlab.operators import Circulant, Convolution, Selection

Edges = Literal["continue", "taper", "window"]


def prepare(y: Tensor, seen: Selection, blur: Circulant, edges: str) -> Tensor:
    """``y`` made fit for a periodic filter on ``blur``'s grid, by one of three ways to treat its edges.

    - ``"continue"``: continued smoothly and periodically beyond the field of view; inside, y stays as it is.
    - ``"taper"``: as above, and blended into its own blurred version near the border, over the PSF's autocorrelation.
    - ``"window"``: as above, and faded into its mean over the outer tenth of each side (a Tukey window).
    """
    if edges == "window":
        mean = y.mean()
        y = mean + (y - mean) * _outer([_tukey(n, y) for n in y.shape])
    elif edges == "taper" and isinstance(blur, Convolution):
        blurred = seen.forward(blur.forward(seen.extend(y)))
        keep = _outer([_edge_weight(blur.psf, axis, n).to(y) for axis, n in enumerate(y.shape)])
        y = blurred + keep * (y - blurred)
    return seen.extend(y)


def _tukey(size: int, like: Tensor) -> Tensor:
    if size == 1:  # an axis of one voxel has no edges
        return torch.ones(1, dtype=like.dtype, device=like.device)
    position = torch.arange(size, dtype=like.dtype, device=like.device) + 0.5
    distance = torch.minimum(position, size - position) / max(0.1 * size, 1.0)
    return 0.5 - 0.5 * torch.cos(torch.pi * distance.clamp(max=1.0))


def _edge_weight(psf: Tensor, axis: int, size: int) -> Tensor:
    """1 − the autocorrelation of the PSF's projection on an axis, by distance from the border; its peak counts as 1."""
    profile = psf.sum([other for other in range(psf.ndim) if other != axis]) if psf.ndim > 1 else psf
    length = profile.shape[0]
    if size == 1 or length == 1:  # nothing is blurred along this axis, so that it has no edges
        return torch.ones(size, dtype=psf.dtype, device=psf.device)
    correlation = torch.fft.irfft(torch.fft.rfft(profile, 2 * length).abs().square(), 2 * length)[:length]
    weight = 1 - correlation / correlation[0]
    position = torch.arange(size, device=psf.device)
    distance = torch.minimum(position, size - 1 - position).clamp(max=length - 1)
    return torch.index_select(weight, 0, distance)


def _outer(profiles: list[Tensor]) -> Tensor:
    product = profiles[0]
    for profile in profiles[1:]:
        product = product[..., None] * profile
    return product
