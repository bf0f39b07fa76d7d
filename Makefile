# The verbs of this repository; `make help` tells what they do. Needs Python 3.11+ and a package index.
# The first that runs and is new enough: a name on the path may be a shim for a version that is not there.
PYTHON ?= $(shell for name in python3 python3.11 python3.12 python3.13; do $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
DENO := $(abspath $(BIN)/deno)
# Of tests: most of them wait for servers. Each has a server of its own, of up to a gigabyte.
JOBS ?= 2
# Seconds of CPU time after which test-all names a test of the layer `unit` as slow.
UNIT_SECONDS ?= 0.5
# Hundreds of processes import the same modules: each is compiled once, also where the environment (of a container, say)
# forbids to keep what was compiled. Half a second of each start of a server, and 12 of each worker of the tests.
unexport PYTHONDONTWRITEBYTECODE

# What the web UI is built into, and of: it is built anew when one of these is newer.
UI := query/fleetlog_query/web/static/index.html
UI_SOURCES := $(shell find web -type f -not -path '*/tests/*')

.PHONY: help demo test test-all test-alone coverage test-brokers test-faults simulate test-ui check format protos docs ui screenshots up bench dist clean

help:  ## show this
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

demo: $(VENV)/.server $(UI)  ## start fleetlog, load 773 real runs, search them, pick the fastest
	@$(BIN)/python examples/nanogpt_speedrun/demo.py

PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
QUICK := (unit or engine or smoke) and not brokers and not browser

test: $(VENV)/.dev  ## the tests of every day, in minutes: rules, engines, each call once (tests/layers.py)
	$(PYTEST) --durations=10 -m "$(QUICK)"

test-all: $(VENV)/.dev  ## all tests but those of brokers, with all examples of Hypothesis, and durations: what CI runs
	HYPOTHESIS_PROFILE=ci FLEETLOG_UNIT_SECONDS=$(UNIT_SECONDS) $(PYTEST) --durations=25 -m "not brokers and not browser"

test-alone: $(VENV)/.dev  ## what failed in the last test-all, three times by itself (tests/alone.py)
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m tests.alone

# By itself: it makes all else slower, and what a test takes by itself is measured in test-all.
coverage: $(VENV)/.dev  ## which share of each package `make test` reaches; fails below tests/coverage_floors.py
	@mkdir -p build
	$(PYTEST) -q -m "$(QUICK)" --cov --cov-report=json:build/coverage.json --cov-report=
	$(BIN)/python -m tests.coverage_floors build/coverage.json

test-brokers: $(VENV)/.dev  ## those that kill brokers; needs three of their own, Kafka, ClickHouse and S3: tests/servers.py
	FLEETLOG_REQUIRE_SERVERS=brokers $(BIN)/python -m pytest -m brokers

simulate: $(VENV)/.dev  ## 10,000 worlds in which everything fails, on virtual time: most of an hour; see docs/simulation.md
	$(BIN)/python -m simulation --worlds 10000 --jobs $(JOBS)

test-ui: $(VENV)/.dev $(UI)  ## those of the web UI, in Chromium: apt-get install chromium-headless-shell
	FLEETLOG_REQUIRE_BROWSER=1 $(BIN)/python -m pytest -m browser tests/web

screenshots: $(VENV)/.dev $(UI)  ## each screen of the web UI in both themes, into build/screenshots
	FLEETLOG_SCREENSHOTS=build/screenshots FLEETLOG_REQUIRE_BROWSER=1 $(BIN)/python -m pytest -q -m browser tests/web/test_screens.py tests/web/test_login.py

test-faults: $(VENV)/.dev  ## everything that dies, again and again, for an hour or two; needs Kafka, ClickHouse and S3
	FLEETLOG_FAULTS=long FLEETLOG_REQUIRE_SERVERS=1 $(BIN)/python -m pytest tests/faults tests/client/importers/test_kill.py

NO_NOUN := So many|Of |The same|What of|Those|Which ones
check: $(VENV)/.dev  ## format, lint, types, the house's rules, the contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@! git grep -nE '"""($(NO_NOUN))' -- '*.py' ':!protos/python' || { echo "a docstring's first word says what the thing is"; exit 1; }
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python protos/tool.py check
	cd web && $(DENO) fmt --check && $(DENO) lint --quiet && $(DENO) check src/main.tsx tests && $(DENO) test --quiet --allow-read tests

format: $(VENV)/.dev  ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd web && $(DENO) fmt --quiet

docs: $(VENV)/.docs  ## build the site into build/site; a warning or a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

protos: $(VENV)/.dev  ## generate protos/python and web/contract from the .proto files
	$(BIN)/python protos/tool.py generate

ui: $(UI)  ## build the web UI

$(UI): $(UI_SOURCES) | $(VENV)/.server
	@$(BIN)/python web/build.py

up: $(VENV)/.server $(UI)  ## fleetlog on this machine, on port 7460, and the web UI on 7461
	@$(BIN)/fleetlog up

bench: $(VENV)/.dev  ## the benchmarks; see benchmarks/README.md
	$(BIN)/python -m benchmarks

# A release: the version in client/fleetlog/__init__.py and CHANGELOG.md, `make dist`, a tag v…, and what dist/ has to the index.
dist: $(VENV)/.dev  ## build dist/ and try its wheel in an environment of its own
	rm -rf dist build/wheel
	FLEETLOG_UI=required PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd build/wheel && bin/fleetlog version && bin/python -c 'import fleetlog, sys; sys.exit("numpy" in sys.modules)'

clean:  ## remove what the other verbs made
	rm -rf $(VENV) .demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/pip:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fleetlog needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 …"; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.server: $(VENV)/bin/pip pyproject.toml
	@echo "installing fleetlog[server,numpy,ui] (about a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[server,numpy,ui]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/pip pyproject.toml
	@echo "installing fleetlog[dev]"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.server

$(VENV)/.docs: $(VENV)/bin/pip pyproject.toml
	@echo "installing fleetlog[docs]"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[docs]'
	@touch $@
