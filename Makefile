# Everything a newcomer types. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXIT ?=
NAME ?= whole
SECONDS ?= 20
WORKERS ?= 3
EXAMPLES ?= 500

.PHONY: help run test check check-api bench lock format generate clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.installed: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.installed: requirements/dev.txt $(VENV)/run.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/run.installed ## start everything with a demo workload; EXIT=1 stops when the demo has ended
	@$(BIN)/python -m deploy.local.demo $(if $(EXIT),--exit)

test: $(VENV)/dev.installed ## the whole suite against real Kafka, PostgreSQL and SMTP
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: $(VENV)/dev.installed ## format, lint, types, import contracts, duplicate code, generated files, manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pylint --disable=all --enable=duplicate-code --min-similarity-lines=8 --ignore-imports=y --ignore-signatures=y services shared deploy cli
	$(BIN)/python -m shared.contract.generate --check
	$(BIN)/python -m deploy.architecture --check
	$(BIN)/python -m deploy.reference --check
	$(BIN)/python -m deploy.k8s.generate --check
	$(BIN)/python -m deploy.k8s.check
	$(BIN)/hadolint Containerfile

check-api: $(VENV)/dev.installed ## every HTTP API against its document with many requests: EXAMPLES=500
	@TOCSIN_API_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q -rP tests/integration/test_http_apis.py

bench: $(VENV)/dev.installed ## measurements: NAME=whole SECONDS=20
	@$(BIN)/python -m bench.$(NAME) --seconds $(SECONDS)

format: $(VENV)/dev.installed ## write the format and the mendable lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/dev.installed ## write the files that are made from the code
	$(BIN)/python -m shared.contract.generate
	$(BIN)/python -m deploy.architecture
	$(BIN)/python -m deploy.reference
	$(BIN)/python -m deploy.k8s.generate

lock: $(VENV)/dev.installed ## write the requirement locks anew, with hashes and without addresses
	$(BIN)/pip-compile --quiet --strip-extras --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe --extra local --extra build --extra dev -o requirements/dev.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe --extra local --extra build -c requirements/dev.txt -o requirements/run.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-header --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --allow-unsafe --extra build -c requirements/dev.txt -o requirements/image.txt pyproject.toml

clean: ## remove what the commands above made in the checkout
	rm -rf $(VENV) .tocsin .cache build dist
