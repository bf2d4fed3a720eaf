"""The command line: generated from the registries and declarations, and thin. Nothing here is imported by the library."""

from __future__ import annotations

import click

from deconlab import __version__
from deconlab.cli._command import SETTINGS, DeconlabGroup

EPILOG = (
    "Exit codes: 0 done; 1 the input, the settings or the run are at fault, or the restoration of one of several files "
    "failed; 2 the command line cannot be understood; 130 interrupted by Ctrl-C (what was reached is written)."
)


@click.group(cls=DeconlabGroup, context_settings=SETTINGS, epilog=EPILOG)
@click.version_option(__version__, message="deconlab %(version)s")
def main() -> None:
    """Restore sharp images by inverting how they were acquired.

    \b
    deconlab run cells.ome.tif                       PSF from the optics in the file
    deconlab run stack.tif --psf bead.tif            PSF from a file
    deconlab info cells.ome.tif                      what a file says about itself
    """
