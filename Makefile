# Everything runs in .venv, made on first use and refreshed when the two files below change.
# Another interpreter: make PYTHON=python3.12 test
PYTHON ?= python3

BIN := .venv/bin
INSTALLED := .venv/installed
INSTALLED_DEV := .venv/installed-dev
REQUIREMENTS := pyproject.toml constraints.txt
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

.PHONY: help demo test lint check docs bench gpu clean
.NOTPARALLEL:

help:
	@echo "make demo    measure ResNet-50 with and without XConv"
	@echo "make test    run the tests"
	@echo "make lint    check style, formatting and types"
	@echo "make check   measure the profile ci and hold it against its thresholds"
	@echo "make docs    build the documentation as a site, into build/site"
	@echo "make bench   time layers, modules and a step against torch's, and what a measurement costs"
	@echo "make gpu     measure all that needs a GPU, 20 minutes; GPU=dry make gpu lists what"
	@echo "make clean   remove .venv, the site and the caches of the tools"

demo: $(INSTALLED)
	$(BIN)/xconv-bench memory --model resnet50 --probes 8

# Two workers of one thread each: more threads than cores would make them wait for each other.
# Each begins with one half, so that what tests share is made once; whoever is done first helps.
test: $(INSTALLED_DEV)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist worksteal

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy xconv xconv_bench benchmarks website

# Anew each time: a run that exists would be resumed, and nothing be measured.
check: $(INSTALLED)
	rm -rf runs/check
	$(BIN)/xconv-bench run ci --output runs/check >/dev/null
	$(BIN)/xconv-bench check runs/check --profile ci

docs: $(INSTALLED_DEV)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "the site begins at build/site/index.html"

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.layer_speed
	$(BIN)/python -m benchmarks.module_speed
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.step_speed
	$(BIN)/python -m benchmarks.overhead

# Where nothing can be installed: make gpu PYTHON=python3 BARE=1. A part alone, or less time:
# make gpu GPU="--part memory --minutes 5".
gpu: $(if $(BARE),,$(INSTALLED_DEV))
	PYTHONPATH=. $(if $(BARE),$(PYTHON),$(BIN)/python) -m benchmarks.gpu $(GPU:dry=--dry-run)

clean:
	rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("xconv-bench needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + ": try make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

$(INSTALLED): $(REQUIREMENTS) | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

$(INSTALLED_DEV): $(REQUIREMENTS) | $(BIN)/python
	$(INSTALL) -e ".[dev]"
	@touch $(INSTALLED) $@
