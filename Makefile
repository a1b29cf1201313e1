# make demo    enhance the scans in sample_data/ and show the result       make test    the default tests
# make lint    what .ci/run checks before the tests                        make sample-data    make the scans anew
# Each works alone on a fresh machine with Python 3.11 or newer and nothing else.

VENV ?= .venv
DEMO ?= demo-output
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint format sample-data venv clean

demo: $(VENV)/demo.done
	$(BIN)/medidiff enhance -i sample_data/scans -o $(DEMO) --spacing 1.2
	$(BIN)/python sample_data/make_montage.py $(DEMO)
	@printf '\nLook at   %s\n' "$(DEMO)/montage.png: each scan, its enhancement and the truth, in three planes"
	@printf '          %s\n' "$(DEMO)/*_enhanced.nii.gz: the volumes, for any NIfTI viewer"
	@printf '          %s\n' "$(DEMO)/*_enhanced.json: what was done, and how well it agrees with the scan"

# Two processes of one thread each take little more than half the time of one process of two.
test: venv
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

sample-data: $(VENV)/demo.done
	$(BIN)/python sample_data/make_phantom.py sample_data

venv: $(VENV)/dev.done

$(VENV)/demo.done: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing medidiff into $(VENV); the first time this fetches torch and takes minutes"
	$(PIP) -e '.[report]'
	@touch $@

$(VENV)/dev.done: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing medidiff and its tests into $(VENV); the first time this fetches torch and takes minutes"
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/demo.done

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "medidiff needs Python 3.11 or newer; found none: install it, or say make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) cannot make environments: install its venv package (Debian, Ubuntu: python3-venv)"; exit 1; }

clean:
	rm -rf $(VENV) $(DEMO)
