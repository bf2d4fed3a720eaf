"""Every benchmark, one after the other, and the page of the docs that shows them.

python benchmarks/all.py [--quick] [--write docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

PARTS = {
    "iteration.py": "One iteration",
    "convergence.py": "To the same likelihood",
    "scaling.py": "Volume and threads",
    "memory.py": "Memory",
    "startup.py": "Start-up",
}
HEAD = """# Benchmarks

Made by `make bench`: medians of interleaved repeats, with the least and the most in parentheses. On a machine with other work
on it trust the ratios, which are of tasks measured in turn, more than the seconds. Engines that are not installed are missing.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small and few: do they all run?")
    parser.add_argument("--write", type=Path, help="the page to write")
    arguments = parser.parse_args()
    page = [HEAD]
    for name, title in PARTS.items():
        print(f"{name} …", file=sys.stderr, flush=True)
        path = Path(__file__).with_name(name)
        about = path.read_text(encoding="utf-8").split('"""')[1].strip()
        paragraphs = [part for part in about.split("\n\n") if not part.startswith("    python ")]
        command = [sys.executable, str(path), *(["--quick"] if arguments.quick else [])]
        found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        page.append("\n\n".join([f"## {title}", *paragraphs, found]) + "\n")
        print(found, flush=True)
    if arguments.write:
        arguments.write.write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
