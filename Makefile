# Everything runs in .venv, made here from nothing but Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# More than cores: many tests wait for processes of their own.
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo test test-storms test-browser test-engines bench pictures check format clean

help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

demo: $(VENV)/.installed ## a local Slack, the real bot and a real DAG; ARGS="--auto approve" runs unattended
	@$(BIN)/signoff demo $(ARGS)

test: $(VENV)/.installed-dev ## the tests, about five minutes on two cores; ARGS="tests/engine -k expiry" narrows them
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not storm and not browser" $(ARGS)

test-storms: $(VENV)/.installed-dev ## what takes long: processes killed, cut off and flooded, many random histories
	@$(BIN)/python -m pytest -n $(WORKERS) -m storm $(ARGS)

test-browser: $(VENV)/.installed-dev ## the page of the local Slack, in a real Chromium
	@$(BIN)/python -m pytest -n 2 -m browser $(ARGS)

# One folder in tests/engines for each engine, with the packages of its environment.
ENGINES := $(patsubst tests/engines/%/requirements.txt,%,$(wildcard tests/engines/*/requirements.txt))

test-engines: $(VENV)/.installed-dev $(ENGINES:%=.engines/%/.installed) ## a real Airflow and a real Prefect: gates, clicks, exported DAGs; ARGS="tests/engines/airflow"
	@$(BIN)/python -m pytest -o norecursedirs=".*" -n 2 --dist loadgroup --timeout 240 $(or $(ARGS),tests/engines)

bench: $(VENV)/.installed-dev ## Signoff against other engines, one table; ARGS="--quick --only fan-out,chain --peers dbos"
	@$(BIN)/python -m tests.bench $(ARGS)

pictures: $(VENV)/.installed-dev ## docs/images, from stories that are played in a browser; ARGS="demo card-expired" for some
	@$(BIN)/python -m tests.browser.pictures $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, walls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## rewrite what the formatter and the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove .venv, .bench, .engines and caches
	rm -rf $(VENV) .bench .engines .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Signoff needs Python 3.11 or newer; this is $$($(PYTHON) -V). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Signoff into $(VENV) (about half a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Installing Signoff and its test tools into $(VENV) (about a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed

.engines/%/.installed: tests/engines/%/requirements.txt
	@echo "Installing $* into an environment of its own, .engines/$* (a minute or so the first time) ..."
	@$(PYTHON) -m venv --clear .engines/$*
	@.engines/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
