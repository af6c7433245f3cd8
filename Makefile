# Needs Python 3.11 to 3.13 (PYTHON=...) and make; everything else is installed into .venv from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint requirements.lock
COMPILE := $(BIN)/python -m compileall -q movie_platform
TESTS ?= movie_platform_tests
# A file's tests share their servers, so that they stay on one core; the files that start Spark come first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

export DAGSTER_HOME ?= $(CURDIR)/.data/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
# Bytecode is compiled at install, beside the sources, so that every process finds it, started by make or not: it spares
# the three seconds of compiling Dagster anew. What changes later is compiled again, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

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

dev: .venv/base  ## the UI on http://localhost:3000, sensors and schedules on
	@mkdir -p $(DAGSTER_HOME) && { test -e $(DAGSTER_HOME)/dagster.yaml || cp dagster.yaml $(DAGSTER_HOME); }
	$(BIN)/dg dev

check: .venv/all  ## lint, format, types, definitions, every file in deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/dg check defs
	$(BIN)/python -m pytest -q movie_platform_tests/deploy/test_containers.py movie_platform_tests/deploy/test_terraform.py

bench: .venv/all  ## the table of speed as ratios, into bench/results.md; one subject in depth with BENCH=bench/feed.py
	$(BIN)/python $(or $(BENCH),-m bench.table)

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
	$(COMPILE)
	@touch $@

.venv/all: .venv/bin/uv pyproject.toml requirements.lock
	$(UV) --editable '.[dev]'
	$(COMPILE)
	@touch .venv/base $@
