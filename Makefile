# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo

.PHONY: demo test check docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit('reloc needs Python 3.11 or newer') if sys.version_info < (3, 11) else None"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# Renders a room, maps it from one walk and films that, localizes another; opens the report and
# a page to move about in.
demo: $(VENV)/.installed
	rm -rf $(DEMO)
	$(BIN)/reloc synthesize $(DEMO)/scene
	$(BIN)/reloc info $(DEMO)/scene
	$(BIN)/reloc map $(DEMO)/scene $(DEMO)/room.safetensors --film $(DEMO)/room.mp4
	$(BIN)/reloc eval $(DEMO)/room.safetensors $(DEMO)/scene --json $(DEMO)/eval.json --report $(DEMO)/report
	$(BIN)/reloc view $(DEMO)/room.safetensors $(DEMO)/room.html --scene $(DEMO)/scene --eval $(DEMO)/eval.json
	$(BIN)/python -m webbrowser -t "file://$(CURDIR)/$(DEMO)/report/index.html" || true
	$(BIN)/python -m webbrowser -t "file://$(CURDIR)/$(DEMO)/room.html" || true
	@echo "the film of the mapping: $(DEMO)/room.mp4"

test: check
	$(BIN)/pytest

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site is build/site/index.html, made without a network; it loads nothing from elsewhere. Its search
# needs a server: python -m http.server -d build/site
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) $(DEMO) build
