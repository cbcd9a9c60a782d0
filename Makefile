# The targets set up .venv themselves. They need only Python (3.11 or later) and
# make.
PYTHON ?= python3
PHOTOS ?=
OUT ?= demo
BIN = .venv/bin

.PHONY: studio demo lint test test-bulk test-matrix docs docs-serve clean

# Colourises five pictures of scikit-image, and PHOTOS if given:
# make demo PHOTOS="a.jpg b.png"
demo: .venv/demo.installed
	@mkdir -p $(OUT)
	@$(BIN)/python -c 'from PIL import Image; from skimage import data; \
	  grey = lambda p: Image.fromarray(p).convert("L"); \
	  whole = grey(data.astronaut()); \
	  whole.crop((90, 0, 360, 270)).resize((405, 405)).save( \
	  "$(OUT)/portrait.png"); \
	  whole.save("$(OUT)/astronaut.png"); \
	  grey(data.rocket()).save("$(OUT)/landscape.png"); \
	  grey(data.chelsea()).save("$(OUT)/cat.png"); \
	  grey(data.coffee()).save("$(OUT)/coffee.png")'
	$(BIN)/tfdivcolor colorize $(OUT)/portrait.png $(OUT)/astronaut.png \
	  $(OUT)/landscape.png $(OUT)/cat.png $(OUT)/coffee.png $(PHOTOS) \
	  --out $(OUT)/colorized --sheet --gallery --overwrite
	@echo "look at $(OUT)/colorized/index.html, or at the contact sheets" \
	  "$(OUT)/colorized/*_sheet.png"

# The studio, a page for colouring photographs:
# make studio PHOTOS="a.jpg folder/"
studio: .venv/studio.installed
	$(BIN)/tfdivcolor studio $(PHOTOS)

# Style, types, and which part may import which (docs/architecture.md).
lint: .venv/test.installed
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/pyright

# The default test suite, after `lint`.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Beam needs older releases of protobuf and Pillow than the other packages, so
# it has its own environment.
test-bulk:
	$(PYTHON) -m venv .venv-bulk
	.venv-bulk/bin/python -m pip install --quiet --editable '.[test,bulk]'
	.venv-bulk/bin/python -m pytest tests/serving/bulk_test.py

# The default tests on each of Python 3.11, 3.12 and 3.13 that is installed
# (noxfile.py): make test-matrix ARGS="-s tests-3.13 -- tests/latent"
test-matrix: .venv/matrix.installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/nox $(ARGS)

# The site, into site/. A broken link, a page outside the navigation and a
# public name without documentation end the build.
docs: .venv/docs.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-serve: .venv/docs.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or later is needed; set PYTHON=...")'
	$(PYTHON) -m venv .venv

.venv/%.installed: setup.py | .venv/bin/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

clean:
	rm -rf .venv .venv-bulk .nox build *.egg-info demo site
