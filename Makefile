# Needs Python 3.11 or later and make; the rest is fetched into .venv on the first run.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
SIMPY_SDIST := .cache/simpy-sdist/.extracted
PYTEST_FLAGS ?= -n 2 --dist loadfile
BENCH_FLAGS ?=
FAMILIES ?= A B C
MECHANISMS := contract-net random round-robin first-come-claim cheapest greedy best-single least-loaded
REPORT := demo-report

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.PHONY: help setup test test-adapters format demo bench soak docs notebooks clean

help: ## say what can be made (this)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEV) $(SIMPY_SDIST) ## make .venv with everything that tests and docs need

test: setup ## lint, types, import contracts, all tests, documentation; stops at the first that fails
	@echo "== lint"
	@$(BIN)/ruff check .
	@echo "== format"
	@$(BIN)/ruff format --check .
	@echo "== types"
	@$(BIN)/mypy
	@echo "== imports"
	@$(BIN)/lint-imports --no-logo
	@echo "== tests, examples and notebooks"
	@$(PY) -m pytest $(PYTEST_FLAGS)
	@echo "== documentation"
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

test-adapters: ## the participants of all frameworks, each family of them in an environment of its own
	@PYTHON="$(PYTHON)" tests/adapters/families $(FAMILIES)

format: $(DEV) ## lay out the code and mend what lint can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

demo: $(RUNTIME) ## 200 tasks, Contract Net beside seven baselines, one report
	@echo "== llm-router: contract net and seven baselines, the same world for each"
	@$(BIN)/walras run llm-router $(foreach name,$(MECHANISMS),--mechanism $(name)) --seed 7 --out $(REPORT)
	@echo "== the report is in $(REPORT):"
	@ls -1 $(REPORT)

bench: $(DEV) ## speed, as ratios within one run
	@echo "== benchmarks"
	@$(PY) -m benchmarks $(BENCH_FLAGS)

soak: setup ## every test, the long ones too, with thousands of new random examples
	@echo "== soak"
	@HYPOTHESIS_PROFILE=soak $(PY) -m pytest $(PYTEST_FLAGS) -m "soak or not soak" --timeout 3600

docs: $(DEV) ## the documentation as HTML; a warning is an error
	@echo "== documentation"
	@$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "== open docs/_build/html/index.html"

notebooks: $(DEV) ## run the notebooks and keep what they show
	@echo "== notebooks"
	@$(BIN)/jupyter-execute --inplace notebooks/*.ipynb

clean: ## remove .venv, caches and everything made here
	rm -rf $(VENV) .venv-adapters .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf build dist docs/_build $(REPORT)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------------------------------------------------------- set-up

$(RUNTIME): pyproject.toml
	@echo "== set-up: walras and what it needs, in $(VENV)"
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit("Walras needs Python 3.11 or later, and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % v[:2])'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet -e .
	@touch $@

$(DEV): $(RUNTIME)
	@echo "== set-up: tools for tests and documentation"
	@$(PY) -m pip install --quiet -e '.[parquet,dev,docs]'
	@touch $@

# SimPy's own test suite travels in its source archive only; tests/simulation runs it against our environment.
$(SIMPY_SDIST): $(DEV)
	@echo "== set-up: SimPy's source, for its own test suite"
	@rm -rf .cache/simpy-*
	@$(PY) -m pip download --quiet --no-deps --no-binary simpy --dest .cache \
	    "simpy==$$($(PY) -c 'from importlib.metadata import version; print(version("simpy"))')"
	@$(PY) -m tarfile -e .cache/simpy-*.tar.gz .cache/unpacked
	@mv .cache/unpacked/simpy-* .cache/simpy-sdist
	@rm -rf .cache/unpacked
	@touch $@
