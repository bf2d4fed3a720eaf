"""Measures how much memory a run holds at once, by watching every tensor that is made and dropped."""

from __future__ import annotations

import math
import weakref
from typing import Any
from unittest import mock

from deconlab import engine, fourier
from deconlab.functionals import Prior
from deconlab.lazytorch import torch
from deconlab.methods import IterativeMethod, Method
from deconlab.testing._examples import advance, example
from deconlab.testing._numbers import tensors_of

SHAPE = (8, 8, 64)  # the half spectrum of a long last axis is little larger than the volume


def check_buffers(method: Method, prior: Prior | None = None) -> None:
    """A step (or a direct method) holds no more volumes than ``buffers`` says, its state included.

    On the plain path, 3-D and periodic; what the problem keeps, data, weights and OTF, was there before and does not count.
    """
    found = measured_buffers(method, prior)
    if method.buffers is None or found > method.buffers + 0.3:  # a half spectrum is a little more than a volume
        raise AssertionError(
            f"{type(method).__name__} holds {found:.2f} volumes at once; it says that {method.buffers} are the most."
        )


def measured_buffers(method: Method, prior: Prior | None = None) -> float:
    """The most memory that a step holds, in volumes of the object's size."""
    # No return_value: a Mock would keep what it is called with.
    with engine.using("plain"), mock.patch.object(fourier, "_scipy_serves", lambda x: False):  # noqa: ARG005, PT008
        problem = example(method, prior=prior, boundary="periodic", shape=SHAPE, dtype=torch.float32)
        state = advance(method, problem, 2)  # what is computed once has been computed
        size = 4 * math.prod(problem.H.in_shape)
        known = {tensor.untyped_storage().data_ptr() for tensor in tensors_of(problem.fidelity.__dict__)}
        begin = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors_of(state)}
        iterative = isinstance(method, IterativeMethod)
        held = sum(count for place, count in begin.items() if place not in known) if iterative else 0
        watch = _watch()
        with torch.no_grad(), watch:
            following = (
                method.step(problem, state) if isinstance(method, IterativeMethod) else advance(method, problem, 0)
            )
        del following
        return float((held + watch.most) / size)


def _watch() -> Any:
    """A mode that follows every new storage from its first tensor to its last; ``most`` is the largest sum of bytes."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_flatten

    base: Any = TorchDispatchMode

    class Watch(base):  # type: ignore[misc]
        most = 0

        def __init__(self) -> None:
            super().__init__()
            self.now = 0
            self.users: dict[int, int] = {}
            self.old: dict[int, Any] = {}

        def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            for tensor in tree_flatten((args, kwargs))[0]:
                if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.users:
                    # Kept, so that no new storage gets the place of one that was there before.
                    self.old[tensor.untyped_storage()._cdata] = tensor
            result = call(*args, **(kwargs or {}))
            for tensor in tree_flatten(result)[0]:
                if isinstance(tensor, torch.Tensor):
                    self.follow(tensor)
            return result

        def follow(self, tensor: Any) -> None:
            storage = tensor.untyped_storage()
            place = storage._cdata
            if place in self.old:
                return
            if place not in self.users:
                self.users[place] = 0
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
            self.users[place] += 1
            weakref.finalize(tensor, self.drop, place, storage.nbytes())

        def drop(self, place: int, count: int) -> None:
            self.users[place] -= 1
            if not self.users[place]:
                del self.users[place]
                self.now -= count

    return Watch()
