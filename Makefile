# Everything a newcomer needs: `make` lists it. Python 3.11 or later and make are enough; nothing is installed outside.
# Found out once, and only where .venv is made.
PYTHON ?= $(eval PYTHON := $(shell python3 local/quickest_python.py python3 /usr/bin/python3 || echo python3))$(PYTHON)
FOR    ?= 60
KILLS  ?= 200
N      ?= 1000
ACTS   ?=
SEED   ?=
UNTIMED ?=
PER_SECOND ?= 1000
BUILD  ?=
PYTHONS ?= python3.11 python3.12 python3.13 python3.14 $(wildcard $(HOME)/.pyenv/versions/3.1[1-9].*/bin/python)

# Where it is set, each worker of the tests and each process that they start would compile all our sources anew.
export PYTHONDONTWRITEBYTECODE =

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install check fix test coverage pythons demo bench chaos widget hostile forget fuzz edge image sbom k8s brokers lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*##/\1:/p' Makefile | while IFS=: read -r name text; do printf '  make %-9s%s\n' "$$name" "$$text"; done

install: $(READY)  ## make .venv from the lock file

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed: make PYTHON=python3.12' >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo 'Python came without venv: install it (Debian: python3-venv)' >&2; exit 2; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	@# uv installs in a tenth of pip's time; pip knows indexes and certificates that only pip was told of.
	@# Byte code is made once here, or every start of a process would compile it where PYTHONDONTWRITEBYTECODE is set.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $(READY)

check: install  ## look, change nothing: format, lint, types, imports, what deploys
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@local/image/check
	@local/edge/check

fix: install  ## format, and mend what the linter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install  ## all tests, on a real Kafka and a real PostgreSQL
	@# In the order of the files: left to itself, pytest-xdist begins with those that come in large groups.
	$(BIN)/pytest --numprocesses 5 --dist loadgroup --no-loadscope-reorder $(COVER)

coverage: COVER = --cov --cov-report=term:skip-covered
coverage: test  ## the same tests, and how much of the code they run: less than pyproject.toml demands fails

pythons: install  ## the tests that need no server, on every Python from 3.11 on that is at hand
	@set -e; for python in $(PYTHONS); do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  at=$(VENV)/pythons/$$($$python -c 'import sys; print(*sys.version_info[:2], sep=".")'); \
	  test ! -e $$at/.done || continue; $(BIN)/uv venv --quiet --clear --python $$python $$at; \
	  $(BIN)/uv pip install --quiet --python $$at --require-hashes -r requirements.lock; \
	  $(BIN)/uv pip install --quiet --python $$at --no-deps --no-build-isolation --offline -e .; \
	  $$at/bin/pytest --numprocesses 2 -p no:cacheprovider tests/unit tests/docs --ignore tests/docs/test_examples.py; touch $$at/.done; \
	done; rm -f $(VENV)/pythons/*/.done; ls $(VENV)/pythons

demo: install  ## recorded traffic through everything for FOR=60 seconds, then the audit (FOR=0: until Ctrl-C)
	@$(BIN)/wootstream demo --for $(FOR)

bench: install  ## every benchmark
	@set -e; for file in benchmarks/[a-z]*.py; do $(BIN)/python -m benchmarks.$$(basename $$file .py); done; for room in contacts widget pipeline peers forgotten retention small_batches; do $(BIN)/python -m benchmarks.$$room; done

chaos: install  ## KILLS=200 sudden deaths in the middle of the work, nothing lost
	$(BIN)/pytest tests/chaos --kills $(KILLS)

widget: install  ## N=1000 widget events of 50 stores, some repeated, some bad, consumers killed KILLS=200 times
	$(BIN)/pytest tests/chaos/test_widget_events.py -s --examples $(N) --kills $(KILLS)

edge: install  ## the real nginx, Pebble, Prometheus and Alertmanager in one round before real ingresses
	@$(BIN)/pytest -q tests/edge && $(BIN)/pytest -q -s tests/edge/added_latency.py tests/edge/whole_round.py \
	  && echo 'edge: every claim held (what is skipped above is named with what it lacks)' || { echo 'edge: FAILED'; exit 1; }

hostile: install  ## N=1000 acts of a store that attacks, another does not notice (ACTS=a,b SEED=1 UNTIMED=1: see CONTRIBUTING.md)
	$(BIN)/pytest tests/hostile --examples $(N) $(if $(ACTS),--acts $(ACTS)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(UNTIMED),--untimed)

forget: install  ## erase a person, replay, redrive, drain, restore: nothing of them comes back; the last line is the verdict
	@$(BIN)/python -m tests.forget

brokers: install  ## three brokers, two of each process, nginx: a broker killed, all rolled, partitions grown, at PER_SECOND=1000
	$(BIN)/pytest -q -s -m chaos tests/brokers --per-second $(PER_SECOND)

fuzz: install  ## N=1000 examples for every property
	$(BIN)/pytest -m "hypothesis or fuzz" --examples $(N)

image: install  ## the image of every service; then compose.yaml brought up from it, traffic, audit, down and up again
	@local/image/build && local/image/compose --make && local/image/stand-ins/build && local/image/prove \
	  && { echo 'image: every claim held'; local/image/engine stop; } || { code=$$?; local/image/engine stop; echo 'image: FAILED'; exit $$code; }

sbom: install  ## sbom.json: every package of the image with its hashes
	@$(BIN)/python -m local.sbom > sbom.json

k8s: install  ## what a real Kubernetes API server thinks of every overlay (BUILD=1: build one first, 20 minutes)
	@BUILD=$(BUILD) k8s/check/dry-run

COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --upgrade \
  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: install  ## resolve the dependencies anew into the lock files, the image's with the same versions
	@$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	@sed -nE 's/^([^ #]+==[^\]+[^ \]) *\\$$/\1/p' requirements.lock > $(VENV)/pins.txt
	@$(COMPILE) pyproject.toml --all-extras --constraint $(VENV)/pins.txt --output-file requirements-run.lock
	@printf '%s\n' platformdirs psutil standardwebhooks | $(COMPILE) - --constraint $(VENV)/pins.txt --output-file local/image/requirements-demo.lock
	@echo hatchling | $(COMPILE) - --constraint $(VENV)/pins.txt --output-file deploy/requirements-build.lock
	@echo jgo | $(COMPILE) - --constraint $(VENV)/pins.txt --output-file deploy/kafka/requirements-agent.lock

STACKS := $(foreach place,test session,.local/$(place)/stack .local/$(place)/*/stack)

clean:  ## stop the local stack, forget its data, .venv and caches
	@if [ -x $(BIN)/wootstream ]; then for place in .local $(patsubst %/stack,%,$(wildcard $(STACKS))); do \
	  for tls in 0 1; do STACK_TLS=$$tls WOOTSTREAM_DATA_DIRECTORY=$$place $(BIN)/wootstream local stop || exit; done; done; fi
	@rm -rf $(realpath .local/session) .local $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
