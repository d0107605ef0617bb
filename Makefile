# Everything a person types. `make help` is built from the comments behind the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run serve docs test coverage opinions check format drill bench real backtest clean

PYTHON ?= python3
REAL_DATA ?= ../shared/data
BIN := .venv/bin
INSTALLED := .venv/installed
MANIFEST := dbt_project/target/manifest.json
DBT_FILES := $(shell find dbt_project -type f \( -name '*.sql' -o -name '*.yml' -o -name '*.csv' \) -not -path 'dbt_project/target/*')

export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false

help: ## show what can be done here
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Homing needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints constraints.txt --editable '.[dev]'
	@touch $@

# Dagster reads tables, tests and column lineage from files: parsing is the slow part of loading them.
$(MANIFEST): $(INSTALLED) $(DBT_FILES) pipelines/tables/lineage.py
	@echo "Reading the tables, new or changed ..."
	@$(BIN)/python -m pipelines.tables.lineage
	@touch $@

setup: $(MANIFEST) ## install everything into .venv (the other targets do it by themselves)

run: $(MANIFEST) ## run the whole job and publish a version: HOMING_SOURCE, HOMING_AS_OF, HOMING_HOME
	@$(BIN)/python -m pipelines.run

serve: $(MANIFEST) ## open the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/python -m pipelines.serve

# Without a warehouse: what a table is, its YAML says. The page of dbt holds everything it shows.
docs: $(MANIFEST) ## build the pages that say what every table holds and where a wish is met
	@$(BIN)/dbt --quiet docs generate --static --empty-catalog --no-compile --project-dir dbt_project --profiles-dir dbt_project
	@mkdir -p dbt_project/target/docs && mv dbt_project/target/static_index.html dbt_project/target/docs/index.html
	@$(BIN)/python -m pipelines.tables.register
	@echo "Open dbt_project/target/docs/register.html or index.html"

test: $(MANIFEST) ## run all tests
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

coverage: $(MANIFEST) ## judge 200 worlds with known effects: how many intervals of list_effect hold the true one
	@$(BIN)/python -m pytest tests/data/test_effect_coverage.py --worlds 200

opinions: $(MANIFEST) ## compute the published figures once more, in pandas, on the whole default sample
	@$(BIN)/python -m pytest --customers 20000 tests/data/test_second_opinion_*.py

check: $(MANIFEST) ## lint, types, borders between the rooms, SQL lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

format: $(INSTALLED) ## format Python and SQL
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIN)/sqlfluff fix --processes 2 --disable-progress-bar dbt_project/models dbt_project/tests

drill: $(MANIFEST) ## kill ten runs at random step boundaries and see that nothing is torn
	@$(BIN)/python -m benchmarks.kill_drill

bench: $(MANIFEST) ## time every step on a generated 200,000 customers / 10M order lines
	@$(BIN)/python -m benchmarks.run

real: $(MANIFEST) ## run the whole job on two real order files, CDNOW and Online Retail II: REAL_DATA
	@$(BIN)/python -m benchmarks.real_orders "$(REAL_DATA)"

# The folder has a default; who names it asks for its files instead of the home's data.
backtest: $(MANIFEST) ## judge every model at earlier cutoffs, on HOMING_HOME's data or, if given, REAL_DATA's files
ifeq ($(origin REAL_DATA),file)
	@$(BIN)/python -m pipelines.backtest
else
	@$(BIN)/python -m benchmarks.real_orders --backtest "$(REAL_DATA)"
endif

clean: ## remove what can be built again, but no data
	@rm -rf .venv dbt_project/target .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
