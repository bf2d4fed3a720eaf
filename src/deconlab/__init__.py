"""deconlab restores sharp images by inverting how they were acquired."""

__version__ = "0.1.0.dev0"
