# Every target sets up what it needs: a virtual environment in this folder with the pinned versions.
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: help demo app test oldest browser lint docs bench claims types clean
.DEFAULT_GOAL := help

help:
	@echo "make demo   draw a picture and let the embedded model describe it (IMAGE=path for your own picture)"
	@echo "make app    open a page for the browser to talk with it (ARGS=… for minigpt4 app)"
	@echo "make test   run all tests, offline (ARGS=… for pytest)"
	@echo "make oldest run all tests with the oldest versions that setup.cfg allows, in .venv-oldest (ARGS=… for pytest)"
	@echo "make lint   formatting, rules and types"
	@echo "make docs   the guides and the reference as a site, in build/site"
	@echo "make bench  speed and memory beside peers, under twelve minutes on two cores (ARGS=… for some cases only)"
	@echo "make claims the papers' claims in miniature, in build/claims: hours; it goes on where it was stopped (ARGS=stages for one of them)"
	@echo "make clean  remove the virtual environment and what was built"

$(VENV)/.installed: setup.cfg pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is %d.%d; name another: make PYTHON=python3.12 …" % sys.version_info[:2])'
	@echo "Setting up $(VENV): the first time takes some minutes and downloads PyTorch."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade -c $(CONSTRAINTS) pip setuptools
	@$(BIN)/python -m pip install -qq --no-build-isolation -c $(CONSTRAINTS) -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	@HF_HUB_OFFLINE=1 $(BIN)/minigpt4 demo $(if $(IMAGE),"$(IMAGE)")

app: $(VENV)/.installed
	@$(BIN)/minigpt4 app $(ARGS)

test: $(VENV)/.installed browser
	$(BIN)/python tests/upstream/fetch.py
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

oldest:
	@$(MAKE) --no-print-directory test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

# The page is tested in a real browser: it is installed where that needs no prompt, else the tests are skipped with a message.
browser:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing Chromium for the tests of the page."; \
		{ timeout 120 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 \
			|| echo "Installing Chromium failed: the tests of the page will be skipped."; \
	fi

lint: $(VENV)/.installed types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.installed types
	@NO_MKDOCS_2_WARNING=1 HF_HUB_OFFLINE=1 $(BIN)/mkdocs build --strict
	@echo "build/site/index.html"

bench: $(VENV)/.installed
	@HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks $(ARGS)

claims: $(VENV)/.installed
	@HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.claims build/claims $(ARGS)

# mypy and the API reference read folders, not setup.cfg: lay the package out for them as it is installed.
types:
	@rm -rf build/types && mkdir -p build/types/minigpt4
	@ln -s $(CURDIR)/minigpt4/* build/types/minigpt4/
	@for folder in $$(sed -n 's/^    minigpt4\.[a-z0-9_]* = \([a-z0-9_]*\)$$/\1/p' setup.cfg); do ln -s $(CURDIR)/$$folder build/types/minigpt4/; done

clean:
	rm -rf $(VENV) .venv-oldest build dist *.egg-info
