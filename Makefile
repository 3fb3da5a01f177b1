# Everything a machine needs is made here, below .venv; PostgreSQL alone comes from the system.
#   make run ARGS=--exit    a working day of a province, end to end
#   make test               all tests, on SQLite and on a private PostgreSQL

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
WORKERS ?= 2

# A stamp carries the hash of what it was made from, and of where: scripts in a venv hold its path.
HASH_OF = $(shell { pwd; cat $(1); } | sha256sum | cut -c1-16)
SETUP_STAMP := $(VENV)/.setup-$(call HASH_OF,pyproject.toml requirements.lock requirements-build.lock)
FUZZ_VENV := .venv-fuzz
FUZZ_STAMP := $(FUZZ_VENV)/.fuzz-$(call HASH_OF,requirements.lock requirements-fuzz.lock)
DEV_STAMP := $(VENV)/.dev-$(call HASH_OF,pyproject.toml requirements-dev.lock requirements-build.lock)

# Hashes and wheels only: whatever index a machine is set up with, it can serve no other bytes.
HASHED := --require-hashes --only-binary :all:
# uv is many times faster where it is present and can reach an index; pip is always there.
INSTALL = install() { \
	if uv --version >/dev/null 2>&1; then \
		if uv pip install --quiet --python $(PY) "$$@"; then return 0; fi; \
		echo "uv could not install; trying pip"; \
	fi; \
	$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip --default-pip >/dev/null; \
	PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install --quiet "$$@"; \
	}; install
APT = apt_get() { \
	export DEBIAN_FRONTEND=noninteractive; \
	{ apt-get -qq update && apt-get -qq -y install --no-install-recommends "$$@"; } \
		</dev/null >apt-get.log 2>&1 || { tail -n 20 apt-get.log >&2; return 1; }; \
	rm -f apt-get.log; }; apt_get
CAN_APT = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null

LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

# Other readers of bank files, for comparison. They need not agree with what the product needs, so
# they are installed in an environment of their own: make oracles ORACLES=.venv for another one.
ORACLES ?= .venv-oracles
ORACLES_HASH := $(call HASH_OF,requirements-oracles.lock requirements-dev.lock)

.PHONY: help setup dev-setup postgres run test check lint format lock docs bench soak explore fuzz clean oracles differential

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP_STAMP) ## the virtual environment with what the product needs

dev-setup: $(DEV_STAMP) ## the same, with what the tests and checks need

run: setup ## the demo: make run ARGS=--exit
	@$(VENV)/bin/rkud demo $(ARGS)

# Tests start hundreds of interpreters, so compiled modules are kept, whatever the shell says of it;
# and a worker that has run out of tests takes half of the other's.
test: dev-setup postgres ## all tests but the slow ones: make test ARGS=tests/ledger
	@PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/compiled \
		$(PY) -m pytest -v -rs -n $(WORKERS) --dist worksteal -m "not slow" $(ARGS)

check: lint test ## format, lint, types, imports, tests

lint: dev-setup ## format, lint, types, imports
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports

format: dev-setup ## bring the code into form
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .

bench: setup postgres ## speed, with its yardsticks: make bench ARGS="post http"
	@for name in $(or $(ARGS),post http audit); do $(VENV)/bin/rkud bench "$$name"; done

oracles: ## other readers of bank files, beside the product: for bench parse and differential
	@$(MAKE) --no-print-directory VENV=$(ORACLES) $(ORACLES)/.oracles-$(ORACLES_HASH)

differential: oracles ## MT940 by this product and by two others: make differential ARGS=4000
	@$(ORACLES)/bin/python -m pytest -v -rs tests/bank_adapters/test_differential.py
	@$(ORACLES)/bin/python -m tests.bank_adapters.differential $(ARGS)

soak: dev-setup postgres ## long: a race, kills under load, an edit of every column, payments through a bad bank
	@$(PY) -m tests.soak.race
	@$(PY) -m tests.soak.kill
	@$(PY) -m tests.soak.edits
	@$(PY) -m tests.soak.edits --engine postgresql
	@$(PY) -m tests.soak.dispatch

explore: dev-setup postgres ## property tests with new random cases: make explore ARGS=20
	@for n in $$(seq $(or $(ARGS),5)); do \
		RKUD_TEST_PROFILE=explore $(PY) -m pytest -q -n $(WORKERS) -m "not slow" \
			$$(grep -rl "from hypothesis" tests --include="test_*.py"); \
	done

fuzz: $(FUZZ_STAMP) ## fuzz a reader of statements: make fuzz ARGS="mt940 --runs 100000"
	@$(FUZZ_VENV)/bin/python -m tests.fuzz.run $(or $(ARGS),--help)

docs: dev-setup ## write docs/errors.md from the classes
	@$(PY) -m tests.project.errors_page > docs/errors.md

lock: ## resolve the dependencies (needs uv); newest: make lock ARGS=--upgrade
	@uv --version
	@$(LOCK) $(ARGS) pyproject.toml -o requirements.lock
	@$(LOCK) $(ARGS) pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock
	@sed -n 's/^fuzz = \["\(.*\)"\].*$$/\1/p' pyproject.toml \
		| $(LOCK) $(ARGS) - -c requirements.lock -o requirements-fuzz.lock
	@$(LOCK) $(ARGS) pyproject.toml --extra oracles -c requirements.lock --fork-strategy fewest \
		-o requirements-oracles.lock
	@sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml \
		| $(LOCK) $(ARGS) - -o requirements-build.lock

clean: ## remove the virtual environment and what tools left; never a book
	@rm -rf $(VENV) $(FUZZ_VENV) $(ORACLES) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@works() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	find_python() { for name in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if works "$$name"; then echo "$$name"; return 0; fi; done; return 1; }; \
	if ! python=$$(find_python); then \
		if $(CAN_APT); then echo "Installing python3"; $(APT) python3 python3-venv; fi; \
		python=$$(find_python) || { echo "Python 3.11 or newer is needed: on Debian," \
			"apt-get install python3 python3-venv; or make PYTHON=/path/to/python" >&2; exit 1; }; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		if uv --version >/dev/null 2>&1; then \
			uv venv --quiet --seed --python "$$("$$python" -c 'import sys; print(sys.executable)')" \
				$(VENV); exit 0; \
		fi; \
		if $(CAN_APT); then echo "Installing python3-venv"; $(APT) python3-venv; fi; \
	fi; \
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$$python can't make a virtual environment: on Debian, apt-get install python3-venv" >&2; \
		exit 1; }

$(SETUP_STAMP): | $(PY)
	@echo "Installing the product's packages (requirements.lock)"
	@$(INSTALL) $(HASHED) -r requirements.lock -r requirements-build.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.setup-* && touch $@

$(DEV_STAMP): $(SETUP_STAMP)
	@echo "Installing the tools for tests and checks (requirements-dev.lock)"
	@$(INSTALL) $(HASHED) -r requirements-dev.lock -r requirements-build.lock
	@rm -f $(VENV)/.dev-* && touch $@

# A place of its own: the fuzzer has wheels for fewer versions of Python, and nothing else needs it.
$(FUZZ_STAMP): | $(PY)
	@echo "Installing the fuzzer and the product's packages (requirements-fuzz.lock)"
	@$(PY) -m venv --clear $(FUZZ_VENV)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(FUZZ_VENV)/bin/python -m pip install --quiet \
		$(HASHED) -r requirements.lock -r requirements-fuzz.lock
	@touch $@

$(VENV)/.oracles-$(ORACLES_HASH): $(DEV_STAMP)
	@echo "Installing other readers of bank files (requirements-oracles.lock)"
	@$(INSTALL) $(HASHED) -r requirements-oracles.lock
	@rm -f $(VENV)/.oracles-* && touch $@

FIND_POSTGRES = $(PY) -c 'from api.private_postgres import find_binaries; find_binaries()'

# The question is put by the code that will start the server, so both find the same one.
postgres: $(SETUP_STAMP)
	@if ! $(FIND_POSTGRES) 2>/dev/null; then \
		if [ -z "$${RKUD_PG_BIN:-}" ] && $(CAN_APT); then \
			echo "Installing PostgreSQL"; $(APT) postgresql; \
		fi; \
		$(FIND_POSTGRES) 2>&1 | tail -n 1 >&2; \
	fi
