"""``restore``: an Image of any number of channels and times in, the restored Image with its history out.

The PSF comes from a file, from the caller, or from the optics that the image knows about itself, overridden by the caller.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from deconlab import __version__, api
from deconlab.optics import psf_for

if TYPE_CHECKING:
    from deconlab.image import Image
    from deconlab.solve import Checkpoint, Observer
