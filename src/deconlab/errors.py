"""The one error of our own; what is wrong with a value is a ValueError, with a kind a TypeError."""


class DeconvolutionError(RuntimeError):
    """Trouble at run time that no check of the input could foresee: divergence, non-finite values, no memory left."""
