# Everything runs in an environment of its own, .venv, made here from any Python from 3.11 on.
PYTHON ?= python3
PORT ?= 8000
VERSIONS ?= 3.11 3.12 3.13

VENV := .venv
BIN := $(VENV)/bin
UV := $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
export UV_PROJECT_ENVIRONMENT := $(VENV)
export UV_PYTHON_DOWNLOADS := never
PYRIGHT := $(BIN)/pyright --pythonpath $(BIN)/python
# --inexact: uv itself may live in the environment that it fills.
SYNC := $(UV) sync --quiet --frozen --inexact

COVERED := $(BIN)/coverage run --parallel-mode -m pytest -q --no-header

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-lowest soak mutate lint format house docs bench budget wheel wheel-compiled test-compiled clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@test -x "$(UV)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv

demo: $(VENV)/pyvenv.cfg  ## Serve the demo on http://127.0.0.1:8000 (PORT= for another, REDIS= to share logouts)
	@$(SYNC) --group demo
	@$(BIN)/python -m examples.demo --port $(PORT) $(if $(REDIS),--redis '$(REDIS)')

# In two processes side by side, which take about the same time. The conformance suite has one of its own, because it
# configures Django.
ASIDE := tests/stores tests/servers
# A client and a provider of the tests are for Node.js. Where there is no npm, or no network, their tests are skipped.
NPM = for folder in tests/oauth/npm tests/issuers/npm; do \
	command -v npm >/dev/null && npm ci --prefix $$folder --silent --ignore-scripts || true; done

test: $(VENV)/pyvenv.cfg  ## Run the tests and measure their coverage
	@$(SYNC) --group test
	@$(NPM)
	@rm -f .coverage .coverage.*
	@{ $(COVERED) tests/conformance && $(COVERED) $(ASIDE); } > .coverage.aside.log 2>&1 & aside=$$!; \
	$(COVERED) $(patsubst %,--ignore %,tests/conformance $(ASIDE)); rest=$$?; \
	wait $$aside; first=$$?; \
	tail -n 40 .coverage.aside.log; rm -f .coverage.aside.log; \
	test $$first -eq 0 && test $$rest -eq 0
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

test-all: $(VENV)/pyvenv.cfg  ## Run the tests on every supported Python (VERSIONS= for some)
	@for version in $(VERSIONS); do \
		echo "Python $$version"; \
		python=$$(ls -d $$HOME/.pyenv/versions/$$version.*/bin/python 2>/dev/null | tail -n 1); \
		UV_PROJECT_ENVIRONMENT=.venv-$$version $(UV) sync --quiet --frozen --python $${python:-$$version} --group test || exit 1; \
		.venv-$$version/bin/python -m pytest -q || exit 1; \
	done

# The lowest releases that the adapters say they are tested with; the newest are those of uv.lock.
LOWEST := starlette==0.46.0 fastapi==0.124.0 quart==0.20.0 litestar==2.24.0 django==5.2 "anyio<4.13"

test-lowest: $(VENV)/pyvenv.cfg  ## Run the frameworks' tests on the lowest supported releases
	UV_PROJECT_ENVIRONMENT=.venv-lowest $(UV) sync --quiet --frozen --group test
	$(UV) pip install --quiet --python .venv-lowest $(LOWEST)
	.venv-lowest/bin/python -m pytest -q tests/conformance tests/adapters tests/transports

# From a minute on, with every fault.
SECONDS ?= 60

soak: $(VENV)/pyvenv.cfg  ## Log in and out in two processes while their store fails (SECONDS=600 for longer)
	@$(SYNC) --group test
	@PYTHONPATH=.:tests $(BIN)/python -m soak --seconds $(SECONDS)

# mutmut numbers the mutants of each function. A tenth of them is taken, those whose number ends with this digit.
SAMPLE ?= 3

mutate: $(VENV)/pyvenv.cfg  ## Change the code a little and see that a test fails (SAMPLE=5 for others)
	@$(SYNC) --group mutate
	@rm -rf mutants
	PYTHONPATH=tests $(BIN)/python -m mutmut run --max-children 2 "*__mutmut_*$(SAMPLE)"
	@$(BIN)/python tests/mutation/report.py

lint: $(VENV)/pyvenv.cfg  ## Check format, style, types and imports
	@$(SYNC) --group lint
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(PYRIGHT)
	PATH=$(CURDIR)/$(BIN):$$PATH PYTHONPATH=$(CURDIR) pyright --verifytypes asgi_login --ignoreexternal
	$(BIN)/lint-imports

format: $(VENV)/pyvenv.cfg  ## Format the code
	@$(SYNC) --group lint
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

house: $(VENV)/pyvenv.cfg  ## Draw the picture in docs/explanation/house.md anew
	@$(SYNC) --group test
	@$(BIN)/python docs/house.py

# Read from the root, because pages link to README.md, examples and tests. A warning is an error.
docs: $(VENV)/pyvenv.cfg  ## Build the documentation as a site, site/index.html
	@$(SYNC) --group docs
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs -d .doctrees . site
	@echo "Built site/index.html"

# On Debian, valgrind comes with `apt-get install valgrind`.
budget: $(VENV)/pyvenv.cfg  ## Fail if a request takes more instructions than its budget (WRITE=1 writes the budget)
	@$(SYNC) --group test
	@$(BIN)/python -m benchmarks.budget $(if $(WRITE),--write)

# fast-jwt is measured where there is npm; where there is none, or no network, the run says that it is left out.
bench: $(VENV)/pyvenv.cfg  ## Measure performance next to other libraries (QUICK=1 for a rough result)
	@$(SYNC) --group bench
	@command -v npm >/dev/null && npm ci --prefix benchmarks/fast_jwt --silent --ignore-scripts || true
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

wheel: $(VENV)/pyvenv.cfg  ## Build the source distribution and, out of it, the pure wheel, dist/*-py3-none-any.whl
	$(UV) build --quiet --out-dir dist

# The same sources, with mypyc. A C compiler and the headers of Python are needed.
wheel-compiled: $(VENV)/pyvenv.cfg  ## Build the compiled wheel for this Python, dist/*-cp3XX-*.whl
	@$(SYNC) --group compiled
	@$(BIN)/python compiled/stage.py build/compiled
	$(UV) build --wheel --no-build-isolation --python $(BIN)/python --out-dir dist build/compiled

# Where CI is set, what is slow and hardly about compiled code is left out.
test-compiled: wheel-compiled  ## Run the tests against the compiled wheel (TESTS=tests/tokens for some)
	@UV_PROJECT_ENVIRONMENT=.venv-compiled $(UV) sync --quiet --frozen --no-install-project --python $(BIN)/python --group test
	@$(UV) pip install --quiet --no-deps --reinstall --python .venv-compiled \
		dist/asgi_login-*-cp$$($(BIN)/python -c 'import sys; print("%d%d" % sys.version_info[:2])')-*.whl
	@$(NPM)
	.venv-compiled/bin/python compiled/test.py $(if $(CI),--less) $(TESTS)

clean:  ## Remove what the other commands created
	rm -rf .venv .venv-* .demo .doctrees site mutants benchmarks/fast_jwt/node_modules tests/oauth/npm/node_modules tests/issuers/npm/node_modules build dist .coverage* .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
