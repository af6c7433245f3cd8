# Needs Python 3.11 to 3.13 (PYTHON=...) and make; everything else is installed into .venv from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
# Every package is the lock's, checked against the lock's hashes; what comes as source is built with the lock's setuptools.
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
LOCKED := $(UV) --require-hashes --constraint requirements.lock --no-build-isolation
COMPILE := $(BIN)/python -m compileall -q movie_platform
TESTS ?= movie_platform_tests
# A file's tests share their servers, so that they stay on one core; the files that start Spark come first.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

PORT ?= 3000
export DAGSTER_HOME ?= $(CURDIR)/.data/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
# Bytecode is compiled at install, beside the sources, so that every process finds it, started by make or not: it spares
# the three seconds of compiling Dagster anew. What changes later is compiled again, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := demo
.PHONY: help demo install test test-live browser screenshots coverage dev check bench queries model soak lock sbom clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/base  ## sample data of every source through every pipeline, on local disk and DuckDB
	@$(BIN)/movie-platform demo

install: .venv/all  ## every extra: AWS, Snowflake, Spark, and what development needs

test: .venv/all  ## the whole suite; no cloud, no Docker, no root
	$(PYTEST) $(TESTS)

test-live: .venv/all  ## the warehouse's claims on a real cluster; its variables are in the README
	$(BIN)/python -m pytest -m live $(TESTS)

browser: .venv/all  ## the UI and the report in any installed Chromium; skipped with a reason where there is none
	$(BIN)/python -m pytest -m browser --timeout 1800 $(TESTS)

screenshots: .venv/all  ## the README's pictures, taken anew from the demonstration
	$(BIN)/movie-platform demo --quiet
	$(BIN)/python -m movie_platform_tests.browser.pictures

coverage: .venv/all  ## the whole suite again, with the share of lines and branches that it runs
	$(PYTEST) --cov --cov-report=term:skip-covered $(TESTS)

# The samples of `make demo` begin some hours and days ago. The UI begins there too, where it shows what the demo made.
ifeq ($(wildcard .env)$(MOVIE_PLATFORM_RAW_URI)$(MOVIE_PLATFORM_LAKE_URI)$(MOVIE_PLATFORM_WAREHOUSE),)
$(foreach line,$(shell cat .data/demonstration.env 2>/dev/null),$(eval dev: export $(subst =, ?= ,$(line))))
endif
# In the project's folder, where dg starts whatever is asked, Dagster warns that it does not use the dagster.yaml there.
dev: export DAGSTER_PROJECT_ENV_FILE_PATHS := {"movie_platform": "$(CURDIR)"}
dev: export PYTHONWARNINGS := ignore:Function `dev_command` is superseded
dev: export MOVIE_PLATFORM_UI_URI ?= http://localhost:$(PORT)
dev: .venv/base  ## the UI on http://localhost:3000 (or PORT=...), sensors and schedules on
	@mkdir -p $(DAGSTER_HOME)
	@test -e $(DAGSTER_HOME)/dagster.yaml || cp dagster.yaml $(DAGSTER_HOME)
	cd $(DAGSTER_HOME) && $(CURDIR)/$(BIN)/dagster dev --workspace $(CURDIR)/workspace.yaml --port $(PORT)

check: .venv/all  ## lint, format, types, definitions, every file in deploy/
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/dg check defs
	$(BIN)/python -m pytest -q movie_platform_tests/deploy/test_containers.py movie_platform_tests/deploy/test_grafana.py \
		movie_platform_tests/deploy/test_spectrum.py movie_platform_tests/deploy/test_terraform.py

bench: export PYTHONPATH := $(CURDIR)
bench: .venv/all  ## the table of speed as ratios, into bench/results.md; one subject in depth with BENCH=bench/feed.py
	$(BIN)/python $(or $(BENCH),-m bench.table)

queries: .venv/all  ## the data set's SQL written anew from its transforms
	$(BIN)/python -m movie_platform_tests.pipelines.movies_dataset.test_queries

model: .venv/all  ## the review model trained again: its weights and its card
	$(BIN)/python training/review_model.py

soak: export FUZZ_SECONDS ?= 3600
soak: .venv/all  ## hours, not minutes; FUZZ_SECONDS=60 gives each fuzzer a minute
	$(BIN)/python -m pytest -m soak --timeout 0 $(TESTS)

lock: .venv/bin/uv  ## requirements.lock made to fit pyproject.toml; versions that still fit stay
	$(BIN)/uv pip compile --quiet --universal --all-extras --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --python-version 3.11 pyproject.toml --output-file requirements.lock

sbom: .venv/all  ## build/sbom.json: a CycloneDX bill of materials of the environment
	$(BIN)/python deploy/sbom.py build/sbom.json

clean:  ## remove the environment, sample data and what was built
	rm -rf .venv .data build *.egg-info

.venv/bin/uv: requirements.lock
	$(PYTHON) -m venv .venv
	@awk '/^uv==/ {of_uv = 1} of_uv {print} of_uv && !/\\$$/ {exit}' requirements.lock > .venv/uv.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.lock
	@touch $@

.venv/base: .venv/bin/uv pyproject.toml requirements.lock
	$(LOCKED) --requirement pyproject.toml
	$(UV) --no-deps --no-build-isolation --editable .
	$(COMPILE)
	@touch $@

.venv/all: .venv/base
	$(LOCKED) --requirement pyproject.toml --all-extras
	@touch $@
