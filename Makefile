# Everything runs from here: `make demo` and `make test` set a fresh machine up by themselves.
PYTHON ?= $(shell command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help env stan demo test test-slow lint check-defs ui bench lock clean

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

env: $(READY)  ## create the environment in .venv

$(READY): pyproject.toml requirements.lock
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python 3.12 $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps -e . ; \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 12) else "Python 3.12 or newer is needed; set PYTHON=/path/to/python3.12")' && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . ; \
	fi
	@touch $@

stan: $(READY)  ## find or assemble Stan and compile all programs
	@$(BIN)/dsam stan --compile

demo: $(READY)  ## fit the demo market, end to end
	@$(BIN)/dsam run --config configs/blm_demo.yaml

test: $(READY)  ## run the tests
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/dsam stan --compile
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(READY)  ## run the slow tests
	$(BIN)/pytest -m "slow"

lint: $(READY)  ## style, types, and whether Dagster can load the definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -W ignore -m dagster definitions validate -m dsam_assets.definitions

# Not in the lock: it brings thirty packages for what `lint` asks Dagster itself.
check-defs: $(READY)  ## install dg, Dagster's own tool, and let it check the definitions
	@dg=dagster-dg-cli==$$($(BIN)/python -c "from importlib.metadata import version; print(version('dagster'))"); \
	if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(BIN)/python "$$dg"; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$dg"; fi
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/dg check defs

ui: $(READY)  ## open the Dagster UI on 127.0.0.1
	@$(BIN)/dsam ui

bench: $(READY)  ## measure speed
	$(BIN)/python benchmarks/million_rows.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/hierarchical.py
	$(BIN)/python benchmarks/collinear.py
	$(BIN)/python benchmarks/allocation.py

lock: $(READY)  ## write requirements.lock from the environment (names and versions only)
	$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==' > requirements.lock

clean:  ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
