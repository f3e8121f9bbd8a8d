# What people type. Everything happens in $(VENV); each target renews it only when pyproject.toml or constraints.txt have changed.
SHELL := /bin/bash
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

# The first Python that is new enough and can make an environment; `make PYTHON=...` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  $$p -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$p && break; done)

# An index that has torch without CUDA (README, "Installing"); empty: pip's own search path.
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help quickstart env env-dev test test-slow mutants lint style format types floors bench constraints clean

help:
	@echo "make quickstart  set up, then run suites/quickstart.yaml: ends with the path of the leaderboard"
	@echo "make test        all quick tests        make test-slow   the tests that take minutes"
	@echo "make lint        ruff, mypy, floors     make bench       the benchmarks"
	@echo "make mutants     seeds bugs into the metrics and statistics, one at a time: do the tests catch them?"
	@echo "make env         only set up $(VENV)     make clean       remove caches and build folders"

quickstart: env
	$(BIN)/kdbench run suites/quickstart.yaml

env: $(VENV)/.core

env-dev: $(VENV)/.dev

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "kdbench needs Python 3.11 or newer with venv; name one: make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# torch first and alone, so that a CPU wheel is taken where pip knows one
$(VENV)/.torch: constraints.txt | $(VENV)/bin/python
	$(PIP) setuptools
	$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	@touch $@

$(VENV)/.core: $(VENV)/.torch pyproject.toml
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) --no-build-isolation --editable '.[test,dev]'
	@touch $@ $(VENV)/.core

test: env-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --benchmark-disable $(ARGS)

test-slow: env-dev
	$(BIN)/python -m pytest -m slow --benchmark-disable $(ARGS)

mutants: env-dev
	$(BIN)/python tests/mutants/run_mutants.py --jobs $(WORKERS) $(ARGS)

bench: env-dev
	$(BIN)/python -m pytest tests/bench -m '' --benchmark-only $(ARGS)

# Apart, so that `make --keep-going lint` shows all that is wrong
lint: style format types floors

style: env-dev
	$(BIN)/ruff check .

format: env-dev
	$(BIN)/ruff format --check .

types: env-dev
	$(BIN)/mypy

floors: env-dev
	$(BIN)/lint-imports

# All installed versions, without local tags such as +cpu
constraints: env-dev
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | grep -v -E '^(pip|wheel|-e|#)' \
	  | sed -E 's/\+[a-z0-9.]+$$//' | sort -f; } > constraints.new && mv constraints.new constraints.txt

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .benchmarks .hypothesis
	find kdbench baselines tests -name __pycache__ -type d -prune -exec rm -rf {} +
