"""Prints the table of eight draws that stands in docs/resolution.md.

python docs/make_resolution_draws.py [--draws 8]
"""

from __future__ import annotations

import argparse
import sys

from deconlab.experiments.resolution import Resolution
from deconlab.experiments.resolution_draws import draws_table, repeated, summarised

METHODS = ("laplacian-regularised-inverse", "projected-landweber")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--draws", type=int, default=8)
    draws = parser.parse_args().draws
    runs = repeated(Resolution(), METHODS, draws, lambda line: print(line, file=sys.stderr))
    print(draws_table(summarised(runs), draws))


if __name__ == "__main__":
    main()
