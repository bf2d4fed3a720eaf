"""``python -m deconlab``: the command line."""

from deconlab.cli import main

main(prog_name="deconlab")
