# The commands of the README. Each bootstraps .venv by itself, quickly when it exists.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# What checks the page's JavaScript; only `make check` and `make format` need it.
NODE_STAMP := node_modules/.installed
BIOME := scripts/node node_modules/@biomejs/biome/bin/biome
# Tests must not read the developer's own Airflow: a home of their own, and no bytecode switch (it doubles import time).
unexport PYTHONDONTWRITEBYTECODE AIRFLOW_HOME
# uv trusts only the authorities that it carries (see scripts/bootstrap); tests build and install with it, too.
ifneq ($(wildcard /etc/ssl/certs/ca-certificates.crt),)
export SSL_CERT_FILE ?= /etc/ssl/certs/ca-certificates.crt
endif

# The slow tests remember what failed; pytest's cache is off otherwise.
REMEMBER := -o addopts="-ra --strict-markers --strict-config --import-mode=importlib"

.PHONY: help demo ui test test-postgresql test-matrix test-integration test-integration-again e2e-celery fuzz chaos chaos-part chaos-selftest guards-selftest year year-selftest check check-javascript format docs reference screenshots bench bench-scale clean constraints image-constraints mysql-driver sbom audit env image-pins

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(STAMP): pyproject.toml constraints.txt scripts/bootstrap
	@scripts/bootstrap $(VENV)
	@touch $@

$(NODE_STAMP): package.json package-lock.json .npmrc scripts/node | $(STAMP)
	@scripts/node npm ci --loglevel=error >/dev/null || { \
	  echo "npm could not install what checks the page's JavaScript (see above); 'scripts/node npm config get registry' names its source." >&2; \
	  exit 1; }
	@touch $@

demo: $(STAMP)  ## the main job on real input, offline, by real Airflow; ends everything it started
	@$(BIN)/python -m demo

ui: $(STAMP)  ## the same, left running: Airflow, sandbox and warehouse, with addresses and login
	@$(BIN)/python -m demo --keep

FAST = $(BIN)/python -m pytest -q -n 2 --dist loadfile

test: $(STAMP)  ## the fast tests
	@$(FAST) -m "not slow and not chaos and not cluster and not again_on_postgresql"

test-postgresql: $(STAMP)  ## the fast tests of the ledger once more, on PostgreSQL
	@$(FAST) -m "again_on_postgresql and not slow and not chaos and not cluster"

test-matrix: $(STAMP)  ## the fast tests on every Python of this machine, with the newest versions and with the floors
	@scripts/matrix

SLOW = $(BIN)/python -m pytest -q -m slow --timeout 600 $(REMEMBER) -o cache_dir=.pytest_cache/$(1) $(2)
HALF_slow-organisations = tests/integration tests/demo
HALF_slow-others = $(addprefix --ignore=,$(HALF_slow-organisations))
AGAIN = --last-failed --last-failed-no-failures none

e2e-celery: $(STAMP)  ## the services of docker-compose.yaml as processes; each kind of them killed in mid-send; SHORT=1: one organisation
	@command -v redis-server >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server; }
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $$(command -v uv || echo $(BIN)/uv) pip install -q -c constraints.txt -e '.[dev,cluster]'
	@$(BIN)/python -m pytest -q -m cluster --timeout 900 tests/cluster $(if $(SHORT),-k in_short)

mysql-driver: $(STAMP)  ## Airflow's provider for MySQL, whose driver is compiled, for the tests that run a MariaDB
	@command -v mariadb_config mysql_config >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libmariadb-dev pkg-config; }
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $$(command -v uv || echo $(BIN)/uv) pip install -q -c constraints.txt -e '.[dev,mysql]'

# Both halves wait for Airflow most of the time: at once they take little longer than one.
test-integration: $(STAMP)  ## real Airflow processes, killed and cleared; a browser; slow
	@$(MAKE) --no-print-directory -j2 --output-sync=target slow-organisations slow-others

.PHONY: slow-organisations slow-others
slow-organisations slow-others: $(STAMP)
	@mkdir -p .pytest_cache && rm -f .pytest_cache/$@-ended
	@$(call SLOW,$@,$(HALF_$@)) --cache-clear; status=$$?; [ $$status -gt 1 ] || touch .pytest_cache/$@-ended; exit $$status

# Only where both came to their end: what was cut off remembers nothing. 5: nothing had failed in this half.
test-integration-again: $(STAMP)  ## only those that failed the last time
	@ls .pytest_cache/slow-organisations-ended .pytest_cache/slow-others-ended >/dev/null
	@$(call SLOW,slow-organisations,$(HALF_slow-organisations)) $(AGAIN) || [ $$? -eq 5 ]
	@$(call SLOW,slow-others,$(HALF_slow-others)) $(AGAIN) || [ $$? -eq 5 ]

# Of the forked cases, drawn by the seed from each kind: make chaos SHARE=0.6
SHARE ?= 1

chaos: $(STAMP)  ## everything goes wrong, once each: exactly one e-mail; more than an hour
	@$(BIN)/python -m tests.protocol
	@M3TER_CHAOS_EXAMPLES=100 $(BIN)/python -m pytest -q --timeout 1800 tests/protocol/test_histories.py
	@$(BIN)/python -m tests.chaos --share $(SHARE)
	@$(BIN)/python -m pytest -q -m chaos --timeout 900 tests/chaos/airflow

chaos-part: $(STAMP)  ## a share of every kind of trouble, drawn by the seed; at most five minutes
	@$(BIN)/python -m tests.chaos --share 0.05 --minutes 3

chaos-selftest: $(STAMP)  ## bugs are planted, and each must be caught
	@$(BIN)/python -m tests.chaos.selftest

# make fuzz EXAMPLES=5000
EXAMPLES ?= 500

fuzz: $(STAMP)  ## hostile values for every field that others write, drawn anew each time; some minutes
	@M3TER_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -n 2 --timeout 900 $(DRAWN) tests/fuzzing tests/onboarding/page/test_any_input.py

# make year DAYS=90 PEOPLE=300 SEED=7
DAYS ?= 365
PEOPLE ?= 2000
SEED ?= 1

guards-selftest: $(STAMP)  ## each guard of docs/security.md is taken away, and the tests must notice it
	@$(BIN)/python -m tests.guards.selftest

year: $(STAMP)  ## a simulated year of daily runs: nobody is forgotten; some minutes
	@$(BIN)/python -m tests.year --days $(DAYS) --people $(PEOPLE) --seed $(SEED)
	@$(BIN)/python -m tests.year --days $(DAYS) --people $(PEOPLE) --seed $(SEED) --not-widening

year-selftest: $(STAMP)  ## what was once forgotten is planted again, and each play must notice it
	@$(BIN)/python -m tests.year.selftest

check: $(STAMP)  ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory check-javascript

check-javascript: $(NODE_STAMP)  ## the same of the page's JavaScript alone
	@$(BIOME) check --error-on-warnings
	@scripts/node node_modules/typescript/bin/tsc --project tsconfig.json

format: $(STAMP) $(NODE_STAMP)  ## rewrite files as `make check` wants them
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(BIOME) check --write --error-on-warnings

docs: $(STAMP)  ## the site in build/docs; a link that leads nowhere is an error
	@$(BIN)/python -m reference --check
	@$(BIN)/sphinx-build -q -E -W --keep-going -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

reference: $(STAMP)  ## write what docs/ and the page's types take from the source
	@$(BIN)/python -m reference

screenshots: $(STAMP)  ## docs/images, taken by the tests in the browser
	@M3TER_SCREENSHOTS=$(CURDIR)/.demo/screenshots $(BIN)/python -m pytest -q -n 0 --timeout 600 tests/e2e/test_operating.py tests/e2e/test_run_page.py tests/e2e/test_page_lists.py
	@$(BIN)/python -m tests.support.documented_pictures .demo/screenshots

bench: $(STAMP)  ## figures against peers in the same run: one table, one plot; 18 minutes; SHORT=1: two
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $$(command -v uv || echo $(BIN)/uv) pip install -q -c constraints.txt -e '.[dev,bench]'
	@$(BIN)/python -W ignore -m benchmarks peers $(if $(SHORT),--short)

# make bench-scale SIZES=10000,100000
SIZES ?= 10000,100000,1000000

bench-scale: $(STAMP)  ## a million people on both databases: planned, sent, read again, with a ledger of a million; long
	@$(BIN)/python -W ignore -m benchmarks scale --people $(SIZES)

constraints: $(STAMP)  ## resolve constraints.txt and constraints-floors.txt anew (names and versions only)
	@$(BIN)/uv pip compile -q --universal --python-version 3.10 --extra dev --extra javascript --extra cluster --extra audit --extra mysql --extra bench \
	  -c constraints-limits.txt \
	  --no-annotate --no-header --no-emit-index-url pyproject.toml -o constraints.txt --upgrade
	@# What is not declared is of the time of Airflow 3.2: with newer ones that Airflow itself does not work.
	@$(BIN)/uv pip compile -q --universal --python-version 3.10 --resolution lowest-direct --exclude-newer 2026-06-01 \
	  --extra sqlite --extra postgres --no-annotate --no-header --no-emit-index-url pyproject.toml \
	  -o constraints-floors.txt --upgrade
	@$(MAKE) --no-print-directory image-constraints

# Of all files of a release on the index, so that the image is built the same on every kind of processor.
IMAGE_PINS = $(BIN)/uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-annotate --no-header \
	  --no-emit-index-url -c constraints.txt

image-constraints: $(STAMP)  ## what the image installs, with hashes: constraints-image.txt and constraints-build.txt
	@$(IMAGE_PINS) --extra sqlite --extra postgres --extra cluster pyproject.toml -o constraints-image.txt
	@echo hatchling | $(IMAGE_PINS) - -o constraints-build.txt

SUPPLY_CHAIN = $(BIN)/uv pip install -q -c constraints.txt cyclonedx-bom pip-audit

sbom: $(STAMP)  ## build/sbom.json: the bill of materials of the image's Python packages (CycloneDX)
	@$(SUPPLY_CHAIN) && mkdir -p build
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json constraints-image.txt
	@echo build/sbom.json

audit: $(STAMP)  ## known vulnerabilities of the image's Python packages; asks the Python packaging advisory database
	@$(SUPPLY_CHAIN)
	@$(BIN)/pip-audit --require-hashes --disable-pip -r constraints-image.txt

env:  ## .env with new secrets, for docker-compose.yaml; an existing one stays
	@python3 scripts/make-env

image-pins:  ## the base images by the digests that they have now, for .env; needs Docker
	@scripts/image-pins

clean:  ## remove what the commands above made
	rm -rf $(VENV) node_modules .matrix .demo dist build .mypy_cache .ruff_cache .hypothesis
