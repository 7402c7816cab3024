# Each target is a line or two; `make` alone lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 20
.DEFAULT_GOAL := help
.PHONY: help setup demo test check fuzz format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.demo: pyproject.toml
	@$(PYTHON) scripts/make_env.py "$(VENV)" demo

$(VENV)/.dev: pyproject.toml
	@$(PYTHON) scripts/make_env.py "$(VENV)" dev

setup: $(VENV)/.dev ## make the environment with all that development needs

demo: $(VENV)/.demo ## Badge Forge: JOBS=20 badges from rows to PDFs
	@$(BIN)/python -m python_demo --jobs $(JOBS)

test: $(VENV)/.dev ## run the tests
	@$(BIN)/pytest -n auto $(ARGS)

check: $(VENV)/.dev ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

fuzz: $(VENV)/.dev ## throw INPUTS=1000000 broken terms at the decoder
	@$(BIN)/python tests/codecs/etf_fuzzer.py --inputs $(or $(INPUTS),1000000)

format: $(VENV)/.dev ## let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist badges .mypy_cache .ruff_cache .pytest_cache .hypothesis
