"""Image formation by a PSF, with a say in what lies beyond the border."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

from deconlab import engine, fourier
from deconlab.lazytorch import Tensor, torch
from deconlab.operators.convolution import Convolution
from deconlab.operators.crop import Crop
from deconlab.operators.linear_operator import Identity, LinearOperator, Pointwise, Selection
from deconlab.operators.reflect import Reflect

Boundary = Literal["open", "periodic", "reflect", "zero"]
Box = tuple[tuple[int, ...], tuple[int, ...]]


class Blur(LinearOperator):
    """H = crop · convolution · extension: object -> object on a torus -> blurred -> what the camera measures.

    ``crop`` is what is measured of the torus, ``convolution`` the periodic :class:`Convolution` with the PSF, and
    ``extension`` how an object that is confined to the field of view continues on the torus (the identity where the object
    is estimated on all of it). Made by :func:`blur`. ``frame`` is where the field of view lies within the object and
    ``measured`` where it lies within the data; they differ from the identity for "open" and "zero" respectively.
    """

    def __init__(
        self,
        crop: Selection,
        convolution: Convolution,
        extension: LinearOperator,
        frame: Selection,
        measured: Selection,
        boundary: Boundary,
    ) -> None:
        self.crop, self.convolution, self.extension = crop, convolution, extension
        self.frame, self.measured, self.boundary = frame, measured, boundary
        self.in_shape, self.out_shape = extension.in_shape, crop.out_shape

    @property
    def shape(self) -> tuple[int, ...]:
        """The image's shape: the field of view."""
        return self.frame.out_shape

    def with_psf(self, psf: Tensor) -> Blur:
        """The same geometry with another PSF of the same shape."""
        if psf.shape != self.convolution.psf.shape:
            raise ValueError(
                f"The PSF's shape {tuple(psf.shape)} differs from {tuple(self.convolution.psf.shape)}, for which this blur's "
                f"domain was laid out; build a new one with blur()."
            )
        convolution = self.convolution.with_psf(psf)
        return Blur(self.crop, convolution, self.extension, self.frame, self.measured, self.boundary)

    @property
    def boxes(self) -> tuple[Box | None, Box]:
        """Offset and size of the object and of the data on the torus; None for an object that is more than placed there."""
        return None if isinstance(self.extension, Reflect) else self._box(self.extension.T), self._box(self.crop)

    def _box(self, crop: LinearOperator) -> Box:
        torus = self.convolution.in_shape
        return (crop.offset, crop.out_shape) if isinstance(crop, Crop) else ((0,) * len(torus), torus)

    def forward(self, x: Tensor) -> Tensor:
        compiled = engine.forward(self, x)
        if compiled is not None:
            return compiled
        return self.crop.forward(self.convolution.forward(self.extension.forward(x)))

    def adjoint(self, y: Tensor) -> Tensor:
        compiled = engine.adjoint(self, y)
        if compiled is not None:
            return compiled
        return self.extension.adjoint(self.convolution.adjoint(self.crop.adjoint(y)))

    def sandwich(
        self,
        x: Tensor,
        inner: Pointwise,
        outer: Pointwise | None = None,
        loss: Pointwise | None = None,
        back: LinearOperator | None = None,
    ) -> tuple[Any, Tensor | None]:
        """As every operator's; in float32 on a CPU, outside autograd, by :mod:`deconlab.engine`."""
        compiled = engine.sandwich(self, x, inner, outer, loss, back)
        return super().sandwich(x, inner, outer, loss, back) if compiled is None else compiled

    @property
    def norm_squared(self) -> float:
        """max |ĥ|²; with "reflect" the Schur bound max(|H|1) · max(|H|ᵀ1), far below the product of the parts' norms."""
        if not isinstance(self.extension, Reflect):
            return self.convolution.norm_squared
        size = self.with_psf(self.convolution.psf.detach().abs())
        ones = size.convolution.psf.new_ones
        return float(size.forward(ones(self.in_shape)).max() * size.adjoint(ones(self.out_shape)).max())

    def split(self) -> tuple[Selection, LinearOperator]:
        if isinstance(self.extension, Identity):
            return self.crop, self.convolution
        return self.crop, self.convolution @ self.extension

    def data(self, image: Tensor, background: Tensor | float = 0.0) -> Tensor:
        """The data that belong to ``image``: itself, or with "zero" surrounded by the darkness that was measured there.

        ``background`` is a number or, as the data term takes it, a map of ``out_shape``. Raises ValueError for another shape.
        """
        if isinstance(self.measured, Identity):
            return image
        if getattr(background, "ndim", 0) == 0:
            return self.measured.adjoint(image - background) + background
        assert isinstance(background, torch.Tensor)
        if tuple(background.shape) != self.out_shape:
            raise ValueError(
                f'With boundary "{self.boundary}" the background must be a number or of the data\'s shape {self.out_shape}, '
                f"not {tuple(background.shape)}: it is needed in the darkness around the image as well."
            )
        return self.measured.adjoint(image - self.measured.forward(background)) + background

    def weights(self, image_weights: Tensor) -> Tensor:
        """The weights that belong to an image's: with "zero" the darkness around is fully trusted."""
        if isinstance(self.measured, Identity):
            return image_weights
        return self.measured.adjoint(image_weights - 1) + 1


def blur(
    psf: Tensor,
    shape: Sequence[int],
    boundary: Boundary = "open",
    *,
    extension_px: Sequence[int] | None = None,
) -> Blur:
    """The blur of an image of ``shape`` by ``psf`` (centred on voxel n // 2, sum 1).

    What lies beyond the image's border:

    - ``"open"``: anything. The object is estimated on a domain of image + PSF − 1 voxels (rounded up to good FFT sizes), so
      that light from outside the field is explained rather than folded in (Bertero & Boccacci 2005,
      doi:10.1051/0004-6361:20052717). ``extension_px`` bounds by how many voxels each axis may grow, for memory's sake;
      what lies further out is then folded onto the opposite margin.
    - ``"periodic"``: the image repeats itself. The exact circular model, on the image's own grid.
    - ``"reflect"``: the object is mirrored half a voxel beyond the border (NumPy's "symmetric").
    - ``"zero"``: nothing, and that darkness was measured: H is the full convolution, the data are image + PSF − 1 voxels
      with darkness around the image, and Hᵀ1 = 1.

    Raises ValueError for an unknown boundary, for shapes that do not match and for a negative extension.
    """
    shape = tuple(int(n) for n in shape)
    if boundary not in get_args(Boundary):
        raise ValueError(f"Unknown boundary {boundary!r}; there are {', '.join(get_args(Boundary))}.")
    if psf.ndim != len(shape):
        raise ValueError(
            f"The PSF has {psf.ndim} dimensions {tuple(psf.shape)}, the image {len(shape)} {shape}: they must have the same "
            f"number. Give a PSF of the image's dimension."
        )
    if extension_px is not None and (boundary != "open" or len(extension_px) != len(shape) or min(extension_px) < 0):
        raise ValueError(
            f"extension_px={tuple(extension_px)} with boundary={boundary!r}: it must be {len(shape)} numbers >= 0, and only "
            f"an open boundary has an extension to limit."
        )
    if boundary == "periodic":
        whole = Identity(shape)
        return Blur(whole, Convolution(psf, shape), whole, whole, whole, boundary)
    reach = tuple(n - 1 for n in psf.shape)
    if extension_px is not None:
        reach = tuple(min(r, int(e)) for r, e in zip(reach, extension_px, strict=True))
    full = tuple(n + r for n, r in zip(shape, reach, strict=True))
    torus = fourier.good_shape(full)
    convolution = Convolution(psf, torus)
    # Voxel i of the image sees the object from i − (p − 1 − p//2) to i + p//2; what rounding added goes half to each side.
    before = tuple(r - r * (p // 2) // max(p - 1, 1) for r, p in zip(reach, psf.shape, strict=True))
    offset = tuple(b + (t - f) // 2 for b, t, f in zip(before, torus, full, strict=True))
    field = Crop(torus, shape, offset)
    if boundary == "open":
        return Blur(field, convolution, Identity(torus), field, Identity(shape), boundary)
    if boundary == "reflect":
        return Blur(field, convolution, Reflect(shape, torus, offset), Identity(shape), Identity(shape), boundary)
    # The image sits where its light can reach every voxel of the full convolution: p//2 voxels from the low side.
    low = tuple(p // 2 for p in psf.shape)
    everything = Crop(torus, full, (0,) * len(shape))
    return Blur(everything, convolution, Crop(torus, shape, low).T, Identity(shape), Crop(full, shape, low), boundary)
