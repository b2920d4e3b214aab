# make help lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

DEFAULT_INPUT := samples/openkbp_validation/ct
DEFAULT_OUTPUT := out/sample

INPUT ?= $(DEFAULT_INPUT)
OUTPUT ?= $(DEFAULT_OUTPUT)
MODELS ?= models
TORCH_INDEX ?=
WORKERS ?= 2
ARGS ?=
PYTHON ?= $(shell for p in python3.11 python3.12; do $$p -c '' 2>/dev/null && echo $$p && break; done)

TORCH := torch==2.13.0
LOCK := requirements/lock.txt
TORCH_LOCK := requirements/torch.txt
PACKAGES := app operators oarflow docs deploy/map_package
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.oarflow-run
TEST_STAMP := $(VENV)/.oarflow-test
SBOM_STAMP := .venvs/sbom/.oarflow
DEPLOY_STAMP := .venvs/deploy/.oarflow
DOCS_STAMP := .venvs/docs/.oarflow
DOCS_LOCK := requirements/docs.txt
SAMPLE := samples/openkbp_validation

.PHONY: help setup setup-test segment test coverage node-test wheel-test tutorials-test import-test nnunet peers lint fuzz evaluate benchmark benchmark-throughput gpu-check benchmark-receiving lock \
	sample self-test self-test-expected map map-test sbom audit deploy-lint docs docs-pages shipped-networks

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-18s %s\n", $$1, $$2}'
	@echo
	@echo "Variables:"
	@echo "  INPUT=dir        folder of DICOM to contour (default: the sample)"
	@echo "  OUTPUT=dir       folder for the results; must be free (default: $(DEFAULT_OUTPUT), replaced)"
	@echo "  MODELS=dir       folder of the networks (default: models)"
	@echo "  TORCH_INDEX=url  where torch comes from; for the CPU build, without CUDA's libraries:"
	@echo "                   TORCH_INDEX=https://download.pytorch.org/whl/cpu"
	@echo "  PYTHON=python    interpreter for .venv: 3.11 or 3.12 (default: the first of them found)"
	@echo "  WORKERS=n        processes for the tests (default: 2)"
	@echo "  ARGS=...         further flags for the program that the target runs"

# torch comes first and alone, so that no other package can bring in another build of it. An index of
# its own need not have what the locks name.
define install
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),-c $(LOCK) -c $(TORCH_LOCK)) $(TORCH)
	$(BIN)/python -m pip install -q -c $(LOCK) -e '.$(1)'
	$(BIN)/python -m pip check
endef

$(RUN_STAMP): pyproject.toml $(LOCK)
	$(call install,[all])
	@touch $@

$(TEST_STAMP): pyproject.toml $(LOCK)
	$(call install,[test])
	@touch $@ $(RUN_STAMP)

setup: $(RUN_STAMP) ## make .venv with what the application needs, MONAI Deploy included

setup-test: $(TEST_STAMP) ## make .venv with what the tests need too

segment: $(RUN_STAMP) ## contour the sample, or INPUT=dir into OUTPUT=dir, and name the report to open
ifeq ($(OUTPUT),$(DEFAULT_OUTPUT))
ifneq ($(INPUT),$(DEFAULT_INPUT))
	@echo "Say where the results go: make segment INPUT='$(INPUT)' OUTPUT=dir"; exit 2
endif
	@if [ -e $(DEFAULT_OUTPUT) ]; then echo "Replacing the results of an earlier run in $(DEFAULT_OUTPUT)"; rm -rf $(DEFAULT_OUTPUT); fi
endif
	@mkdir -p '$(OUTPUT)'
	$(BIN)/oarflow segment '$(INPUT)' -o '$(OUTPUT)' -m '$(MODELS)' --report $(ARGS)

test: lint ## set up; check style and types; run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

# Counting lines takes 1.8 times the processor time (on Python 3.11), so `make test` leaves it out.
coverage: lint ## test, and say which share of the lines the tests run (in their own processes)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --cov --cov-report=term:skip-covered $(ARGS)

node-test: $(TEST_STAMP) ## the node with real peers and the faults that take minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m node tests/oarflow/node $(ARGS)

wheel-test: $(TEST_STAMP) ## build the wheel, install it alone elsewhere, contour the sample with it
	OMP_NUM_THREADS=1 TORCH_INDEX='$(TORCH_INDEX)' $(BIN)/python -m pytest -q -m wheel tests/installing $(ARGS)

tutorials-test: $(TEST_STAMP) ## the commands of the tutorials (needs Orthanc, dcmtk and OARFLOW_DATA)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m tutorials tests/docs $(ARGS)

import-test: $(TEST_STAMP) ## an imported network beside nnunetv2 (needs OARFLOW_DATA; make nnunet)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m imported tests/oarflow/importing $(ARGS)

nnunet: ## nnunetv2 in .venvs/nnunet, for import-test and benchmark
	PYTHON='$(PYTHON)' TORCH_INDEX='$(TORCH_INDEX)' bash tests/peers/nnunet.sh

peers: ## other readers of RTSTRUCT, each in an environment under .venvs, for the tests
	PYTHON='$(PYTHON)' bash tests/peers/environments.sh

lint: $(TEST_STAMP) ## ruff, mypy and the phrases of docs/prose.yaml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES)
	$(BIN)/python docs/prose.py

docs: $(DOCS_STAMP) ## build the documentation site into out/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. .venvs/docs/bin/mkdocs build --strict

shipped-networks: $(RUN_STAMP) ## list the networks in models/ as shipped
	$(BIN)/python -m deploy.shipped_networks

docs-pages: $(RUN_STAMP) ## write the reference pages that are made from the program
	$(BIN)/python -m docs.generate

fuzz: $(TEST_STAMP) ## generated masks through contours and back, for longer than in the tests
	OMP_NUM_THREADS=1 OARFLOW_FUZZ=1 $(BIN)/python -m pytest -q -n $(WORKERS) -k fuzz $(ARGS)

evaluate: $(RUN_STAMP) ## the validation patients from DICOM to Dice, into docs/results (needs OARFLOW_DATA)
	$(BIN)/oarflow evaluate chain $(ARGS)

benchmark: $(RUN_STAMP) ## seconds and memory by stage, beside what one would run instead
	$(BIN)/oarflow evaluate benchmark $(ARGS)
	$(BIN)/oarflow evaluate benchmark-profile
	$(BIN)/oarflow evaluate benchmark-imported
	$(BIN)/oarflow evaluate benchmark-rtstruct | tee docs/results/benchmark-rtstruct.md

gpu-check: $(TEST_STAMP) ## on a machine with a GPU: its tests; contours, seconds and memory on both devices
	$(BIN)/python -m pytest -q tests/oarflow/test_gpu.py tests/oarflow/run/test_memory.py
	$(BIN)/oarflow evaluate benchmark-devices samples/openkbp_validation/ct $(CT) -o out/gpu-check.md

benchmark-throughput: $(TEST_STAMP) ## the node's studies an hour, with and without warm processes
	$(BIN)/oarflow evaluate benchmark-throughput $(ARGS)

benchmark-receiving: $(TEST_STAMP) ## the node's receiving beside Orthanc's (needs Debian's dcmtk and orthanc)
	$(BIN)/oarflow evaluate benchmark-receiving $(ARGS)

lock: ## write requirements/lock.txt afresh, from a new environment
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install -q $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH); \
	"$$folder/venv/bin/pip" install -q '.[test]'; \
	"$$folder/venv/bin/pip" check; \
	{ echo "# Versions of every package, direct and transitive, as tested. Made by: make lock"; \
	  echo "# CUDA's libraries, which torch's default build declares, stand in torch.txt."; \
	  "$$folder/venv/bin/pip" freeze --exclude oarflow | sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > "$$folder/lock.txt"; \
	mv "$$folder/lock.txt" $(LOCK)

self-test: $(RUN_STAMP) ## contour the sample and compare with what is expected
	$(BIN)/oarflow self-test $(ARGS)

sample: $(RUN_STAMP) ## make the sample's CT and reference again (OARFLOW_DATA), and what is expected
	rm -rf $(SAMPLE)/ct $(SAMPLE)/reference.dcm
	$(BIN)/oarflow data dicom $(OARFLOW_DATA)/openkbp/validation/pt_225.npz -o $(SAMPLE) --crop
	$(MAKE) self-test-expected

# The networks in models/ decide: run it after they change, and look at the difference.
self-test-expected: $(RUN_STAMP) ## store the sample's contours as what the self-test expects
	rm -rf $(SAMPLE)/expected
	SOURCE_DATE_EPOCH=1763683200 $(BIN)/oarflow segment $(SAMPLE)/ct -o $(SAMPLE)/expected -m models --no-report

map: $(RUN_STAMP) ## build the image and check it (VARIANT=cpu or cuda; ENGINE, BASE)
	PYTHON=$(BIN)/python deploy/build

map-test: $(RUN_STAMP) ## build it from a bare Debian, without registry, and run it as hosts do (root)
	PYTHON=$(BIN)/python deploy/map-test

sbom: $(RUN_STAMP) $(SBOM_STAMP) ## CycloneDX SBOM and licences of the image's Python packages, into out/
	@mkdir -p out
	.venvs/sbom/bin/cyclonedx-py environment --of JSON -o out/environment.cdx.json --pyproject pyproject.toml $(BIN)/python
	$(BIN)/python -m deploy.map_package sbom out/environment.cdx.json > out/oarflow.cdx.json
	$(BIN)/python -m deploy.map_package licences --source . > out/licences.txt
	@echo "out/oarflow.cdx.json and out/licences.txt"

audit: ## known vulnerabilities of the pinned packages, asked of PyPI (ARGS=--index ... for a mirror)
	$(PYTHON) deploy/audit.py $(LOCK) requirements/torch.txt $(ARGS)

deploy-lint: $(DEPLOY_STAMP) ## hold deploy/kubernetes against Kubernetes' schemas and Argo's models
	.venvs/deploy/bin/python deploy/lint_manifests.py

$(SBOM_STAMP):
	$(PYTHON) -m venv .venvs/sbom
	.venvs/sbom/bin/python -m pip install -q cyclonedx-bom==7.5.0
	@touch $@

$(DEPLOY_STAMP):
	$(PYTHON) -m venv .venvs/deploy
	.venvs/deploy/bin/python -m pip install -q kubernetes-validate==1.37.0 hera-workflows==7.1.0
	@touch $@

$(DOCS_STAMP): $(DOCS_LOCK)
	$(PYTHON) -m venv .venvs/docs
	.venvs/docs/bin/python -m pip install -q -r $(DOCS_LOCK)
	@touch $@
