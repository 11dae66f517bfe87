# Every target works as the first command in a fresh clone: what it needs is installed into
# environments in this folder, in the exact versions of requirements/, whose hashes are checked.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The demo needs none of the tools, and has an environment of its own: .venv-demo. .venv-uv has what
# makes the lock files, .venv-newest and .venv-oldest what the lock files keep away.
UV := .venv-uv/bin/uv
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

# A new environment in the folder of the target, and a function for what is put into it. Byte code
# is left to the first import of a module: most are never imported.
environment = $(PYTHON) -m venv $(@D)
install = $(@D)/bin/python -m pip --disable-pip-version-check install --quiet --no-compile
locked = $(install) --require-hashes --requirement requirements/$(1).txt
# Its build backend is locked too, so it is not downloaded for an isolated build.
this = $(install) --no-deps --no-build-isolation --editable .

.PHONY: install
install: $(STAMP) ## git ghost and the tools to work on it, in .venv (PYTHON=python3.12 to choose)

.PHONY: python
python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "git ghost needs Python 3.10 or newer; choose one with: make PYTHON=python3.12 …" >&2; \
	  exit 1; }

$(STAMP): pyproject.toml requirements/dev.txt | python
	$(environment)
	$(call locked,dev)
	$(this)
	@touch $@

.PHONY: demo
demo: .venv-demo/.installed ## push a working tree, rebuild it elsewhere, compare the tree ids
	@PATH="$(CURDIR)/.venv-demo/bin:$$PATH" sh scripts/demo.sh

.venv-demo/.installed: pyproject.toml requirements/build.txt | python
	$(environment)
	$(call locked,build)
	$(this)
	@touch $@

.PHONY: test
test: $(STAMP) ## all tests, and that they reach 90 % of the lines
	$(BIN)/pytest -n $(JOBS) --cov --cov-report=term --cov-fail-under=90 $(ARGS)

.PHONY: test-quick
test-quick: $(STAMP) ## the tests without servers and long runs: about three minutes on two cores
	$(BIN)/pytest -n $(JOBS) -m "not slow" $(ARGS)

.PHONY: golden
golden: $(STAMP) ## write the files anew that tests expect: help, manifests; then read the diff
	GIT_GHOST_UPDATE=1 $(BIN)/pytest -q tests/test_*_golden.py $(ARGS)

.PHONY: test-cluster
test-cluster: $(STAMP) ## run and code against the kubeconfig's own cluster: see CONTRIBUTING.md
	GIT_GHOST_TEST_CLUSTER=1 $(BIN)/pytest tests/test_run.py tests/test_code.py $(ARGS)

.PHONY: test-system
test-system: ## the Debian packages that the tests use: as root installed, else named
	@sh scripts/test-system.sh

.PHONY: test-newest
test-newest: .venv-newest/.installed ## all tests with the newest versions that pyproject.toml allows
	.venv-newest/bin/pytest -n $(JOBS) $(ARGS)

.venv-newest/.installed: pyproject.toml | python
	$(environment)
	$(install) --upgrade --upgrade-strategy eager --editable '.[dev]'

.PHONY: test-oldest
test-oldest: .venv-oldest/.installed ## all tests with the oldest versions that pyproject.toml allows
	.venv-oldest/bin/pytest -n $(JOBS) $(ARGS)

.venv-oldest/.installed: pyproject.toml $(UV) | python
	$(environment)
	$(UV) pip install --quiet --python $(@D)/bin/python --resolution lowest-direct --editable '.[dev]'

.PHONY: upgrade
upgrade: $(UV) ## renew the lock files in requirements/
	sh scripts/lock.sh $(UV) --upgrade

$(UV): requirements/uv.txt | python
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

.PHONY: lint
lint: $(STAMP) ## style, format, who may import whom, and how long the subjects of commits are
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/python scripts/subjects.py

.PHONY: type
type: $(STAMP) ## mypy, strict
	$(BIN)/mypy

.PHONY: bench
bench: $(STAMP) ## how long push and pull take, and what they send
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m benchmarks $(ARGS)

.PHONY: build
build: $(STAMP) ## sdist and wheel, in dist/
	rm -rf dist
	$(BIN)/python -m build --no-isolation

.PHONY: image
image: ## the pull step's image, with docker, podman or buildah (IMAGE=name BASE=debian:bookworm-slim)
	@BASE='$(BASE)' sh scripts/image.sh '$(IMAGE)' $(IMAGE_ARGS)

.PHONY: clean
clean: ## remove what the other targets made, .venv too
	rm -rf .venv .venv-* dist build htmlcov .coverage .coverage.* .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache *.egg-info
	find git_ghost tests benchmarks scripts -name __pycache__ -type d -prune -exec rm -rf {} +
