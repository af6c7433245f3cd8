# Needs Python 3.11 to 3.13 (PYTHON=...) and make; everything else is installed into .venv from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock
TESTS ?= movie_platform_tests
# A file's tests share their servers, so that they stay on one core; the files that start Spark come first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

PORT ?= 3000
export DAGSTER_HOME ?= $(CURDIR)/.data/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
# Bytecode is kept, also where the environment says not to write it beside the sources: each process that a test or a
# run starts spares the three seconds of compiling Dagster anew.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX ?= $(CURDIR)/.venv/bytecode

.DEFAULT_GOAL := demo
.PHONY: help demo install test test-live coverage dev check bench model soak lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/base  ## sample data of every source through every pipeline, on local disk and DuckDB
	@$(BIN)/movie-platform demo

install: .venv/all  ## every extra: AWS, Snowflake, Spark, and what development needs

test: .venv/all  ## the whole suite; no cloud, no Docker, no root
	$(PYTEST) $(TESTS)

test-live: .venv/all  ## the warehouse's claims on a real cluster; its variables are in the README
	$(BIN)/python -m pytest -m live $(TESTS)

coverage: .venv/all  ## the whole suite again, with the share of lines and branches that it runs
	$(PYTEST) --cov --cov-report=term:skip-covered $(TESTS)

# The samples of `make demo` begin some hours and days ago. The UI begins there too, where it shows what the demo made.
ifeq ($(wildcard .env)$(MOVIE_PLATFORM_RAW_URI)$(MOVIE_PLATFORM_LAKE_URI)$(MOVIE_PLATFORM_WAREHOUSE),)
$(foreach line,$(shell cat .data/demonstration.env 2>/dev/null),$(eval dev: export $(subst =, ?= ,$(line))))
endif
dev: export MOVIE_PLATFORM_UI_URI ?= http://localhost:$(PORT)
dev: .venv/base  ## the UI on http://localhost:3000 (or PORT=...), sensors and schedules on
	@mkdir -p $(DAGSTER_HOME) && { test -e $(DAGSTER_HOME)/dagster.yaml || cp dagster.yaml $(DAGSTER_HOME); }
	$(BIN)/dg dev --port $(PORT)

check: .venv/all  ## lint, format, types, definitions, every file in deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/dg check defs
	$(BIN)/python -m pytest -q movie_platform_tests/deploy/test_containers.py movie_platform_tests/deploy/test_terraform.py

bench: .venv/all  ## ratios, measured side by side in one run; one alone with BENCH=bench/feed.py
	@for bench in $(or $(BENCH),$(filter-out bench/__init__.py,$(wildcard bench/*.py))); do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done

model: .venv/all  ## the review model trained again: its weights and its card
	$(BIN)/python training/review_model.py

soak: .venv/all  ## hours, not minutes
	$(BIN)/python -m pytest -m soak --timeout 0 $(TESTS)

lock: .venv/all  ## requirements.lock made to fit pyproject.toml; versions that still fit stay
	$(BIN)/uv pip compile --quiet --universal --all-extras --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 pyproject.toml --output-file requirements.lock

clean:  ## remove the environment, sample data and what was built
	rm -rf .venv .data build *.egg-info

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/base: .venv/bin/uv pyproject.toml requirements.lock
	$(UV) --editable .
	@touch $@

.venv/all: .venv/bin/uv pyproject.toml requirements.lock
	$(UV) --editable '.[dev]'
	@touch .venv/base $@
