# Every target sets up what it needs by itself: a virtual environment in this folder with the pinned versions.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: help demo test lint clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   draw a picture and let the embedded model describe it (IMAGE=path for a picture of yours)"
	@echo "make test   run all tests, offline"
	@echo "make lint   formatting, rules and types"
	@echo "make clean  remove the virtual environment and what was built"

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	@HF_HUB_OFFLINE=1 $(BIN)/minigpt4 demo $(IMAGE)

test: $(VENV)/.installed
	$(BIN)/python tests/upstream/fetch.py
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python -m mypy

clean:
	rm -rf $(VENV) build dist *.egg-info
