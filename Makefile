# Two commands do everything on a fresh machine:
#   make demo [IMAGE=noisy.png]   install, denoise a noisy picture, leave it before and after
#   make test                     install, pass the tests
# and a third builds the documentation site in docs/_build/html and the man page in docs/_build/man:
#   make docs
# `make check-wheel PYTHONS="python3.11 python3.13"` tries the wheel in a fresh environment of each.
# The others make the virtual environment .venv first if it is not there.

PYTHON ?= python3
PYTHONS ?= $(PYTHON)
VENV := .venv
IMAGE ?=
RUN := $(VENV)/bin/python

.PHONY: demo test test-all lint docs check-wheel clean

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade -c constraints.txt pip
	# torch first and by itself: its exact pin picks the CPU build where one is at hand
	$(RUN) -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(RUN) -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

demo: $(VENV)/ready
	$(RUN) examples/before_after.py $(IMAGE)

test: $(VENV)/ready
	tests/system_packages.sh
	$(RUN) -m pytest -n 2 --dist loadfile

test-all: $(VENV)/ready
	tests/system_packages.sh
	$(RUN) -m pytest -m "slow or not slow"

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python
	$(VENV)/bin/lint-imports

# Any warning is an error. The scripts of the gallery run, which takes some minutes.
docs: $(VENV)/ready
	$(RUN) -m sphinx -b html -W --keep-going -d docs/_build/doctrees docs docs/_build/html
	$(RUN) -m sphinx -b man -q -W -d docs/_build/doctrees docs docs/_build/man

check-wheel:
	packaging/check_wheel.sh $(PYTHONS)

clean:
	rm -rf $(VENV) docs/_build docs/api docs/auto_gallery
