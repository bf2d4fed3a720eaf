"""Arrays as they arrive: made tensors, put on a device, checked, and given back as what they were."""

from __future__ import annotations

from typing import Any

import numpy as np

from deconlab.lazytorch import Tensor, torch


def check_volume(y: Tensor, weights: Tensor | None = None) -> None:
    """Raise for a volume that nothing can be restored from: empty, NaN or infinite where it counts, without signal."""
    if y.numel() == 0:
        raise ValueError(f"The image is empty: its shape is {tuple(y.shape)}.")
    if y.ndim not in (1, 2, 3):
        raise ValueError(
            f"The image has {y.ndim} dimensions {tuple(y.shape)}; a restoration takes 1 to 3 (z, y, x). Restore channels and "
            f"times one by one, or read the file as an Image, whose axes are named."
        )
    if y.device.type == "meta":
        return
    usable = y if weights is None else y[weights > 0]
    bad = ~torch.isfinite(usable)
    if bool(bad.any()):
        where = torch.nonzero(~torch.isfinite(y) & (True if weights is None else weights > 0))[0].tolist()
        raise ValueError(
            f"The image holds {int(bad.sum())} NaN or infinite values, the first at {tuple(where)}. Mask them with weights "
            f"of 0, or mend the file."
        )
    if usable.numel() and float(usable.max()) == float(usable.min()):
        level = float(usable.flatten()[0])
        raise ValueError(f"The image is constant (every voxel is {level:g}): there is no signal to restore.")


def to_tensor(array: Any, device: str | None, dtype: Any) -> Tensor:
    """An array or tensor as a float tensor on its device: float64 passes through, all else becomes float32."""
    if is_tensor(array):
        tensor, where = array, torch.device(choose_device(device)) if device else array.device
    else:
        array = np.asarray(array)
        if array.dtype.kind not in "biuf":
            raise TypeError(
                f"The image's numbers are of dtype {array.dtype}; they must be integer or floating-point. Of a complex image "
                f"give the magnitude, or the real and imaginary parts one by one."
            )
        wanted = array.dtype if array.dtype in (np.float32, np.float64) else np.float32
        tensor = torch.from_numpy(np.require(array, np.dtype(wanted).newbyteorder("="), ["C", "W"]))
        where = torch.device(choose_device(device or "auto"))
    if tensor.is_complex():
        raise TypeError(f"The image is complex ({tensor.dtype}); give its magnitude, or its parts one by one.")
    kind = dtype or (tensor.dtype if tensor.dtype in (torch.float32, torch.float64) else torch.float32)
    if kind == torch.float64 and where.type == "mps":
        raise TypeError("An Apple GPU (mps) has no float64. Use dtype=torch.float32, or device='cpu'.")
    placed: Tensor = tensor.to(where, kind)
    return placed


def choose_device(device: str) -> str:
    """ "auto" resolved; any other device checked to be there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind = device.partition(":")[0]
    if kind not in ("cpu", "cuda", "mps", "meta"):
        raise ValueError(f"Unknown device {device!r}: there are auto, cpu, cuda, cuda:0, cuda:1, … and mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device={device!r}: torch finds no CUDA GPU. `deconlab doctor` says why; device='cpu' always works."
        )
    if kind == "cuda" and ":" in device and int(device.partition(":")[2]) >= torch.cuda.device_count():
        raise ValueError(f"device={device!r}: there are {torch.cuda.device_count()} CUDA GPUs, counted from 0.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device='mps': torch finds no Apple GPU here; device='cpu' always works.")
    return device


def like(image: Any, restored: Tensor) -> Any:
    """The restored tensor as the kind of thing that ``image`` is."""
    if is_tensor(image):
        return restored
    array = restored.cpu().numpy()
    return image.replace_data(array) if hasattr(image, "replace_data") else array


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is a torch tensor, without importing torch to find out that it is not."""
    return type(value).__module__.partition(".")[0] == "torch" and isinstance(value, torch.Tensor)
