# Two commands set everything up on a fresh machine: `make demo` and `make test`. Each makes .venv, installs and does its job.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check install -q -c constraints.txt

.PHONY: demo test lint check engine sanitize bench bench-quick clean

demo: .venv/installed
	.venv/bin/deconlab demo demo --overwrite

test: .venv/installed-dev
	.venv/bin/python -m pytest

lint: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# The native engine, built anew and in use; fails where it is not.
engine: .venv/installed
	.venv/bin/python -m deconlab.engine.build
	.venv/bin/python -c 'import sys; from deconlab import engine; print(engine.status()); sys.exit(engine.status().kernel is None)'

# Every benchmark, into docs/benchmarks.md: about half an hour on an idle machine. The quick way takes minutes and writes nothing.
bench: .venv/installed-dev
	.venv/bin/python benchmarks/all.py --write docs/benchmarks.md

bench-quick: .venv/installed-dev
	.venv/bin/python benchmarks/all.py --quick

# The native engine under address and undefined-behaviour sanitizers.
sanitize: .venv/installed-dev
	.venv/bin/python tests/native/sanitize.py

# What a commit must pass; CI runs the same.
check: lint test

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("deconlab needs Python >= 3.11, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist demo
