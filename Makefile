# Each target is a line or two; `make` alone lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 20
RUNNER ?= $(or $(BRIDGE_ELIXIR),auto:elixir_demo)
.DEFAULT_GOAL := help
BUILD  := pyproject.toml hatch_build.py bridge/codecs/etf/_write.c
.PHONY: help setup demo contracts test interop-test faults torture check audit fuzz conformance schemastore bench bench-codecs bench-contracts bench-telemetry bench-idle bench-processes docs format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.demo: $(BUILD)
	@$(PYTHON) scripts/make_env.py "$(VENV)" demo

$(VENV)/.bench: $(BUILD)
	@$(PYTHON) scripts/make_env.py "$(VENV)" bench

$(VENV)/.dev: $(BUILD)
	@$(PYTHON) scripts/make_env.py "$(VENV)" dev

setup: $(VENV)/.dev ## make the environment with all that development needs

demo: $(VENV)/.demo ## Badge Forge: JOBS=20 badges from rows to PDFs
	@$(BIN)/python -m python_demo --jobs $(JOBS)

contracts: $(VENV)/.dev ## write typed classes for contracts/, in Python and Elixir; ARGS=--check only compares
	@$(BIN)/bridge contracts build $(ARGS)

test: $(VENV)/.dev ## run the tests
	@$(BIN)/pytest -n auto $(ARGS)

interop-test: $(VENV)/.dev ## exchange with a real Elixir node; RUNNER=auto:elixir_demo, TESTS=tests/interop, REQUIRE=1, WRITE=1 keeps the results
	@BRIDGE_ELIXIR="$(RUNNER)" BRIDGE_ELIXIR_REQUIRED=$(REQUIRE) INTEROP_WRITE=$(WRITE) $(BIN)/pytest -n 2 --dist loadfile $(or $(TESTS),tests/interop) $(ARGS)

faults: $(VENV)/.dev ## each fault alone under load, all once among 20,000 jobs, and a death as nodes come; TESTS=tests/faults/test_each.py, ARGS="-k node-killed"
	@$(BIN)/pytest $(or $(TESTS),tests/faults) $(ARGS)

torture: $(VENV)/.dev ## faults at random under load, and the account: SEED=1 MINUTES=30 JOBS=1000000 PROCESSES=4, ARGS=--once
	@PYTHONPATH=tests $(BIN)/python -m faults.torture $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(filter file,$(origin JOBS)),,--jobs $(JOBS)) $(if $(PROCESSES),--processes $(PROCESSES)) $(ARGS)

check: $(VENV)/.dev ## ruff, mypy --strict, import-linter, generated code, advisories on dependencies
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/bridge contracts build --check
	@$(BIN)/python scripts/audit.py

audit: $(VENV)/.dev ## ask an advisory service about every dependency; REQUIRE=1 fails where none can be reached
	@$(BIN)/python scripts/audit.py $(if $(REQUIRE),--require)

fuzz: $(VENV)/.dev ## throw INPUTS=1000000 broken terms at the decoder
	@$(BIN)/python tests/codecs/etf_fuzzer.py --inputs $(or $(INPUTS),1000000)

conformance: $(VENV)/.dev ## hold contracts against SUITE=../JSON-Schema-Test-Suite; ARGS=--write keeps the counts
	@PYTHONPATH=tests $(BIN)/python -m contracts.conformance $(or $(SUITE),../JSON-Schema-Test-Suite) $(ARGS)

schemastore: $(VENV)/.dev ## hold contracts against real schemas, in STORE=../schemastore; ARGS=--write keeps the counts
	@PYTHONPATH=tests $(BIN)/python -m contracts.schemastore $(or $(STORE),../schemastore) $(ARGS)

bench: $(VENV)/.dev ## beside other job queues, into docs/benchmarks; QUICK=1 a part in two minutes, ARGS="--peers bridge,oban-py --cases drain-10"
	@$(BIN)/python bench/compare/run.py $(if $(QUICK),--quick) $(ARGS)

bench-codecs: $(VENV)/.bench ## Erlang terms beside erlpack and JSON, in MB/s
	@$(BIN)/python bench/codecs.py

bench-contracts: $(VENV)/.dev ## what a contract costs over reading the JSON, in µs
	@$(BIN)/python bench/contracts.py

bench-telemetry: $(VENV)/.dev ## what listeners cost a job, in µs of CPU
	@$(BIN)/python bench/telemetry.py

bench-idle: $(VENV)/.dev ## what a node with nothing to do costs: statements a minute, and memory
	@$(BIN)/python bench/idle.py $(ARGS)

bench-processes: $(VENV)/.dev ## what several processes bring: 200 jobs of 50 ms that compute, by one and by two; ARGS="--processes 4 --rounds 3"
	@$(BIN)/python bench/processes.py $(ARGS)

docs: $(VENV)/.dev ## build the documentation into build/docs; a warning is an error
	@$(BIN)/sphinx-build -q -E -W --keep-going -b html docs build/docs && echo "build/docs/index.html"

format: $(VENV)/.dev ## let ruff format and mend what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist badges .mypy_cache .ruff_cache .pytest_cache .hypothesis bridge/codecs/etf/_write*.so
