# One-line words that people and CI share. PYTHON is the interpreter of the environment to use.
PYTHON ?= .venv/bin/python

all: test lint  ## what CI runs

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/\1\t\2/p' Makefile | expand -t 10

.venv/bin/python:
	python3 -m venv .venv

build: .venv/bin/python  ## install, compiling what is compiled; again after a change to such a module
	$(PYTHON) -m pip install -e '.[dev]'

quick:  ## the fast tests, in a minute
	$(PYTHON) -m pytest -m 'not slow'

test:  ## everything, compiled and interpreted
	$(PYTHON) -m pytest

accept:  ## rewrite the output in the pages' console blocks
	$(PYTHON) -m pytest tests/test_stories.py --accept

lint:  ## style, types, imports
	$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check . && $(PYTHON) -m mypy && $(dir $(PYTHON))lint-imports

bench:  ## against peers, in one run: make bench CAPTURE=big.pcap
	$(PYTHON) bench/peers.py $(CAPTURE)

sweep:  ## every capture of a folder, in batches of 1, 7 and all: make sweep FOLDER=…
	$(PYTHON) tests/sweep.py $(FOLDER)

follow:  ## the bytes of every stream against tshark's: make follow FOLDER=…
	$(PYTHON) tests/follow.py $(FOLDER)

.PHONY: all help build quick test accept lint bench sweep follow
