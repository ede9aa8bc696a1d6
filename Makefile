# Two commands on a fresh machine: `make demo` and `make test`. Both install into .venv first; a second run starts at once.
PYTHON ?= python3
BIN := .venv/bin
# a core for each test worker: threads beside it would only wait for each other. Workers keep to stretches of files, for
# neighbours share what is costly to set up, and whoever is done first takes from the other
ALONE := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
WORKERS := -n auto --maxprocesses 4 --dist worksteal
# some containers forbid Python to keep what it compiled: then every process would compile torch anew, 10 s each
unexport PYTHONDONTWRITEBYTECODE

demo: .venv/installed
	$(BIN)/snowroll demo

test: .venv/tested
	$(BIN)/ruff check -q .
	$(BIN)/ruff format -q --check .
	$(BIN)/pyright
	$(ALONE) $(BIN)/python -m pytest $(WORKERS)

quick: .venv/tested  # the fast set
	$(ALONE) $(BIN)/python -m pytest $(WORKERS) -m "not slow and not soak"

soak: .venv/tested  # hundreds of kills, and programs trained to the end
	$(BIN)/python -m pytest -m soak

lock: .venv/tested  # renew the pins
	$(BIN)/uv pip compile -q --universal pyproject.toml --extra models --extra medical --extra medical-codecs --extra tables --extra audio --extra hub --group test --no-header --no-annotate -o requirements.lock

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check uv

.venv/installed: .venv/bin/uv pyproject.toml requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python -c requirements.lock -e .
	touch $@

.venv/tested: .venv/installed
	$(BIN)/uv pip install -q --python $(BIN)/python -c requirements.lock --group test -e .
	touch $@

.PHONY: demo test quick soak lock
