# make run: open the page.   make test: everything that must hold.
PYTHON ?= python3
BIN := .venv/bin
JOYVL := $(BIN)/python -m joyvl_app
SMOKE := data/recipe-smoke

.PHONY: run test lint bench recipe-smoke clean

run: .venv/run
	$(BIN)/python app.py

test: .venv/test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not alone"
	$(BIN)/python -m pytest -m alone

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The whole recipe on a micro model, in a few minutes: it shows that every step works, not that so small a run learns much.
recipe-smoke: .venv/test
	rm -rf $(SMOKE)
	$(JOYVL) data render --clips 24 --out $(SMOKE)/clips
	$(JOYVL) data convert $(SMOKE)/clips/annotations.json --per-shard 8 --out $(SMOKE)/shards
	$(JOYVL) data check $(SMOKE)/shards
	$(JOYVL) train nano $(SMOKE)/nano --hidden 96 --layers 2 --vision 64 --depth 2
	$(JOYVL) data stats $(SMOKE)/shards --model $(SMOKE)/nano
	$(JOYVL) train see --model $(SMOKE)/nano --out $(SMOKE)/see --steps 40 --tokens 2000 --warmup 10
	$(JOYVL) train sft --model $(SMOKE)/see/model --data $(SMOKE)/shards --out $(SMOKE)/sft --steps 60 --tokens 3000 --rate 2e-3 --warmup 10 \
		--precision bf16 --checkpointing
	$(JOYVL) train rl --model $(SMOKE)/sft/model --out $(SMOKE)/rl --steps 3 --windows 4 --group 4
	$(JOYVL) data render --world heldout --clips 4 --out $(SMOKE)/heldout
	JOYVL_MODEL=$(SMOKE)/rl/model $(JOYVL) eval $(SMOKE)/heldout/cases --decider vlm --no-sweep --jobs 1 --out $(SMOKE)/eval

bench: .venv/test
	$(BIN)/python -m joyvl_app bench embedded

.venv/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'Python 3.11 or newer is needed: make run PYTHON=python3.11')"
	$(PYTHON) -m venv .venv

.venv/run: requirements.txt | .venv/bin/python
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

.venv/test: requirements.txt requirements-dev.txt | .venv/bin/python
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@ .venv/run

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/out
