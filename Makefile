# Every target works as the first command in a fresh clone: what it needs is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Processes the test suite runs in: one more than the usual two cores, since many tests wait.
JOBS ?= 3
# More arguments for pytest: make test ARGS='-k push'
ARGS ?=
# make image: its name (git-ghost:VERSION), the image it is based on, more arguments of the build.
IMAGE ?=
BASE ?=
IMAGE_ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## git ghost and the tools to work on it, in .venv (PYTHON=python3.12 to choose)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "git ghost needs Python 3.10 or newer; choose one with: make install PYTHON=python3.12" >&2; \
	  exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

.PHONY: demo
demo: $(STAMP) ## push a working tree, rebuild it elsewhere, compare the tree ids
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh

.PHONY: test
test: $(STAMP) ## all tests, and that they reach 90 % of the lines
	$(BIN)/pytest -n $(JOBS) --cov --cov-report=term --cov-fail-under=90 $(ARGS)

.PHONY: test-quick
test-quick: $(STAMP) ## the tests without servers and long runs: about three minutes on two cores
	$(BIN)/pytest -n $(JOBS) -m "not slow" $(ARGS)

.PHONY: test-cluster
test-cluster: $(STAMP) ## run and code against the kubeconfig's own cluster: see CONTRIBUTING.md
	GIT_GHOST_TEST_CLUSTER=1 $(BIN)/pytest tests/test_run.py tests/test_code.py $(ARGS)

.PHONY: lint
lint: $(STAMP) ## style, format, and who may import whom
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

.PHONY: type
type: $(STAMP) ## mypy, strict
	$(BIN)/mypy

.PHONY: bench
bench: $(STAMP) ## how long push and pull take, and what they send
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks $(ARGS)

.PHONY: build
build: $(STAMP) ## sdist and wheel, in dist/
	rm -rf dist
	$(BIN)/python -m build

.PHONY: image
image: ## the pull step's image, with docker, podman or buildah (IMAGE=name BASE=debian:bookworm-slim)
	@BASE='$(BASE)' sh scripts/image.sh '$(IMAGE)' $(IMAGE_ARGS)

.PHONY: clean
clean: ## remove what the other targets made, .venv too
	rm -rf $(VENV) dist build htmlcov .coverage .coverage.* .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
	find git_ghost tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
