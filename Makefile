# `make demo` and `make test` are complete on a machine with make, bash and Python 3.11 or 3.12.
# PYTHON=/path/to/python3.12 chooses the interpreter, VENV=folder the environment.
VENV ?= .venv
export PYTHON
# The learners' own threads compete with churnsim's processes.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test nightly lab

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: ## run the quickstart experiment: its table here, its report under results/
	@scripts/environment $(VENV) demo
	@$(VENV)/bin/churnsim run experiments/quickstart.yaml

test: ## run the whole suite: ruff, mypy, pytest
	@scripts/environment $(VENV) test test
	$(VENV)/bin/python -m ruff check
	$(VENV)/bin/python -m mypy
	$(VENV)/bin/python -m pytest -n 2

nightly: ## try the contact centre's engines on more seeds, new ones every day; CHURNSIM_SEED=20260131 repeats a day
	@scripts/environment $(VENV) test test
	CHURNSIM_SEED=$${CHURNSIM_SEED:-$$(date +%Y%m%d)} $(VENV)/bin/python -m pytest -n 2 -m nightly -v

lab: ## open the notebooks in JupyterLab
	@scripts/environment $(VENV) lab lab
	@$(VENV)/bin/python -m jupyterlab notebooks
