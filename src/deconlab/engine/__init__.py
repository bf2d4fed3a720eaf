"""The compiled hot loop for "H, point-wise map, Hᵀ, point-wise map" on a CPU in float32; plain torch is its twin and its test.

A periodic convolution takes a transform there and one back, and an iteration two of each; done one after the other they pass
over memory some twenty times. Here an iteration is four passes: along z, column by column (transform, times the transfer
function, transform back), and over the slices, each kept in cache (back along x and y, the point-wise map, and forth along
y and x), and both again. What is known to be 0 is not transformed, what nobody asks for is not transformed back. Columns lie
side by side in SIMD lanes. For every padded size whose prime factors are 2, 3, 5 and 7, in one to three dimensions.

Results are the same for any number of threads. The spectrum of the next point of evaluation, which a step's last pass makes,
stays in the workspace of the operator's convolution; it counts only for that very tensor, unchanged, and is never part of a
state.
"""

from deconlab.engine._library import Status, status, using
from deconlab.engine._memory import empty_like
from deconlab.engine._rehearsal import Meter, metered
from deconlab.engine._run import adjoint, forward, sandwich, spectrum_bytes

__all__ = [
    "Meter",
    "Status",
    "adjoint",
    "empty_like",
    "forward",
    "metered",
    "sandwich",
    "spectrum_bytes",
    "status",
    "using",
]
