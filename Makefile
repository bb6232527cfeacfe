# Everything a newcomer types is a target here; `make` alone lists them. GNU make 3.81 or newer, any sh.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint wheel clean install install-test

help:  ## this list
	@echo 'make TARGET    (PYTHON=python3.12 chooses the Python that .venv is made with)'
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/  \1 | \2/p' Makefile | awk -F ' [|] ' '{ printf "%-12s %s\n", $$1, $$2 }'

install:
	@$(PYTHON) tools/install.py --venv $(VENV) --extras plots

install-test:
	@$(PYTHON) tools/install.py --venv $(VENV) --extras test,plots,serve,web,tensorboard

# The app wants a terminal on both sides. Without one: train, then answer.
run: install  ## install what is missing, then open the app (no terminal: train and answer two questions)
	@if [ -t 0 ] && [ -t 1 ]; then \
		$(BIN)/gpt-tui; \
	else \
		$(BIN)/gpt-tui --no-ui train && \
		$(BIN)/gpt-tui ask '什么是注意力机制？' --show-label && \
		$(BIN)/gpt-tui ask '解释蒸馏水与纯水区别？' --show-label; \
	fi

# In two processes, of which the one that is done first takes over half of what the other has left;
# ARGS='-n 0 --pdb' has them in one that can be stopped in.
test: install-test  ## the test suite (ARGS='-k name' passes options on to pytest)
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: install-test  ## the tests that train, build and install for real
	@$(BIN)/python -m pytest -m slow $(ARGS)

lint: install-test  ## style, types and the rule that core imports no user interface
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command as main; main()'

wheel: install-test  ## build dist/gpt_tui-*.whl
	@$(BIN)/python -m build --wheel --no-isolation

clean:  ## remove .venv, caches and what was built (runs/ stays)
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
