# Two commands set everything up on a machine that has Python >= 3.11 and make:
# `make demo` and `make test`. Each makes its own environment in .venv when it is needed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QUIETLY := --quiet --disable-pip-version-check
INSTALL := $(BIN)/python -m pip install $(QUIETLY)
# What makes and checks releases has an environment of its own.
TOOLS := build/tools
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
# LOCKED=1 tests with the versions of the lock file, and only if their hashes are those.
LOCKED ?=

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz fuzz-parsers lint types docs messages quality ingest features model recipes reasons curve spend scoring lights year page reliability site pictures lock audit dist sbom clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: $(VENV)/run.stamp ## Simulate a shop, train, score it, and show what comes out (in ./demo).
	$(BIN)/churnkit demo --out demo

test: $(VENV)/test.stamp ## Run the tests.
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

fuzz: $(VENV)/test.stamp ## Run the properties on examples that no run has seen.
	$(BIN)/python -m pytest -n auto --hypothesis-profile=new -m hypothesis

fuzz-parsers: $(VENV)/fuzz.stamp ## Fuzz each hand-written parser for a minute by what it covers.
	for parser in tests/fuzz/corpus/*; do \
	  $(BIN)/python tests/fuzz/coverage_guided.py $$(basename $$parser) || exit 1; done

lint: $(VENV)/test.stamp ## Check style and format.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp ## Check types.
	$(BIN)/mypy

docs: $(VENV)/test.stamp ## Write the generated pages of docs/ anew, and what examples print.
	$(BIN)/python docs/generate.py

messages: $(VENV)/test.stamp ## Bring the languages of src/churnkit/language to the messages of the code.
	$(BIN)/python docs/messages.py
	$(BIN)/python docs/examples.py

site: $(VENV)/test.stamp ## Build the documentation site in build/site; a warning is an error.
	$(BIN)/python -m sphinx -b html -W --keep-going -q -d build/doctrees docs build/site

pictures: $(VENV)/test.stamp ## Take the pictures of docs/images anew, of a demo, with Chromium.
	$(BIN)/python docs/pictures.py

quality: $(VENV)/run.stamp ## Our default against BTYD, featuretools and AutoML on the logs in $CHURNKIT_REAL_DATA.
	$(BIN)/python benchmarks/quality.py

ingest: $(VENV)/run.stamp ## The contract checks against a bare scan of 10M and 100M rows, as ratios.
	$(BIN)/python benchmarks/ingest.py --rows 10000000
	$(BIN)/python benchmarks/ingest.py --rows 10000000 --format csv
	$(BIN)/python benchmarks/ingest.py --rows 100000000 --rounds 1

features: $(VENV)/run.stamp ## Features against SQL, pandas and featuretools, for 1M to 100M events, as ratios.
	$(BIN)/python benchmarks/features.py
	$(BIN)/python benchmarks/features.py --events 10000000
	$(BIN)/python benchmarks/features.py --events 100000000 --rounds 1
	$(BIN)/python benchmarks/profile_features.py

model: $(VENV)/run.stamp ## The trees against bare LightGBM for 1M rows of 100 features, as ratios.
	$(BIN)/python benchmarks/model.py

recipes: $(VENV)/run.stamp ## Every choice of the recipe against its alternatives, on later tests.
	$(BIN)/python benchmarks/recipes.py

reasons: $(VENV)/run.stamp ## Reasons attributed by path against exact ones: speed and agreement.
	$(BIN)/python benchmarks/reasons.py

curve: $(VENV)/run.stamp ## What more rows are worth, and what spreading them over processes costs.
	$(BIN)/python benchmarks/learning_curve.py

spend: $(VENV)/run.stamp ## Expected spend of who stays: the run rate, gamma-gamma and trees, on later tests.
	$(BIN)/python benchmarks/spend.py

scoring: $(VENV)/run.stamp ## Scoring 1M customers against bare features and predictions, as a ratio.
	$(BIN)/python benchmarks/scoring.py --customers 10000000 --rounds 1

lights: $(VENV)/run.stamp ## Policies side by side over eight weeks, and promises against what came.
	$(BIN)/python benchmarks/lights.py

year: $(VENV)/run.stamp ## A year of weekly nights with planted events: what is noticed, and false alarms.
	$(BIN)/python benchmarks/year.py

page: $(VENV)/test.stamp ## What the report of 100,000 customers weighs, and how soon it can be used.
	$(BIN)/python benchmarks/page.py

reliability: $(VENV)/test.stamp ## Try every line of docs/reliability.md at full length, and write what was seen there.
	$(BIN)/python docs/reliability.py

lock: $(TOOLS)/stamp ## Bring the lock files to pyproject.toml; UPGRADE=1 takes the newest versions.
	$(COMPILE) pyproject.toml --extra mysql --extra postgres --output-file requirements.lock
	$(COMPILE) pyproject.toml --extra test --no-emit-package churnkit --constraint requirements.lock --output-file requirements-test.lock
	$(COMPILE) --group release --output-file requirements-release.lock

audit: $(TOOLS)/stamp ## Ask PyPI whether anything that is locked has a known fault; needs the network.
	$(TOOLS)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  --requirement requirements.lock --requirement requirements-test.lock --requirement requirements-release.lock

dist: $(TOOLS)/stamp ## Build the sdist and the wheel in dist/, with locked tools.
	rm -rf dist
	$(TOOLS)/bin/python -m build --no-isolation --outdir dist

sbom: dist ## List what is in a release, as CycloneDX JSON in build/churnkit.cdx.json.
	$(PYTHON) -m venv --clear build/locked
	build/locked/bin/python -m pip install $(QUIETLY) --require-hashes --requirement requirements.lock
	build/locked/bin/python -m pip install $(QUIETLY) --no-deps --no-index dist/*.whl
	build/locked/bin/python -m pip uninstall $(QUIETLY) --yes pip setuptools
	build/locked/bin/python -c 'import churnkit; print("s/^dynamic = .*/version = \"" + churnkit.__version__ + "\"/")' \
	  | sed -f /dev/stdin pyproject.toml > build/pyproject.toml
	$(TOOLS)/bin/cyclonedx-py environment --pyproject build/pyproject.toml --output-reproducible --validate \
	  --output-file build/churnkit.cdx.json build/locked/bin/python

clean: ## Remove the environment and everything the demo made.
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "churnkit needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Name another: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing churnkit and what it needs into $(VENV); this takes a few minutes the first time."
	$(INSTALL) --editable .
	@touch $@

$(VENV)/fuzz.stamp: $(VENV)/test.stamp
	$(INSTALL) --editable '.[fuzz]'
	@touch $@

$(VENV)/test.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing churnkit with its test tools into $(VENV); this takes a few minutes the first time."
	$(if $(LOCKED),$(INSTALL) --require-hashes --requirement requirements-test.lock)
	$(INSTALL) $(if $(LOCKED),--no-deps) --editable '.[test]'
	@touch $@ $(VENV)/run.stamp

$(TOOLS)/stamp: requirements-release.lock
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install $(QUIETLY) --require-hashes --requirement requirements-release.lock
	@touch $@
