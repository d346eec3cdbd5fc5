# Two commands do everything on a fresh machine:
#   make demo [IMAGE=noisy.png]   install, denoise a real noisy image, leave a before/after picture
#   make test                     install, pass the tests
# Each makes the virtual environment .venv first if it is not there.

PYTHON ?= python3
VENV := .venv
IMAGE ?=
RUN := $(VENV)/bin/python

.PHONY: demo test test-all lint clean

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
	$(RUN) -m pytest

test-all: $(VENV)/ready
	$(RUN) -m pytest -m "slow or not slow"

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/pyright

clean:
	rm -rf $(VENV)
