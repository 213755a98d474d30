# Everything from nothing: python3 >= 3.11, make and a C compiler are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= out/demo
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test test-slow attacks attack-table two-worlds fuzz fuzz-long ceremonies adversary-keygen lint types imports \
  proto proto-check vectors bench bench-keygen lock clean

demo: $(VENV)/demo.done
	$(BIN)/tacita demo --out $(OUT)

test: $(VENV)/dev.done
	$(PYTEST) tests -n 2 --dist loadfile

# 12 bidders, 8 slots and more instances through real engines; long.
test-slow: $(VENV)/dev.done
	$(PYTEST) tests -m slow --override-ini addopts="-q --strict-markers --import-mode=importlib"

# 20 key ceremonies of 2048 bits, 3072 bits and 4, 5, 7 nodes in real processes, and nodes killed at any time; long.
ceremonies: $(VENV)/dev.done
	$(PYTEST) tests/keygen/test_processes.py -m slow --timeout 600 \
	  --override-ini addopts="-q --strict-markers --import-mode=importlib"

# Every lie in a ceremony of 1024 bits on ten seeds.
adversary-keygen: $(VENV)/dev.done
	$(PYTEST) tests/keygen -m "slow and not cluster" --timeout 600 \
	  --override-ini addopts="-q --strict-markers --import-mode=importlib"

# What a corrupt node sees does not depend on a losing bid: 64 seeds, honest and with every deviation; long.
two-worlds: $(VENV)/dev.done
	$(PYTEST) tests/adversary/test_two_worlds.py -m slow --timeout 600 \
	  --override-ini addopts="-q --strict-markers --import-mode=importlib"

# Every decoder of a stranger's bytes, guided by coverage: 10^5 inputs each, or 10^7.
fuzz: $(VENV)/fuzz.done
	PYTHONPATH=src:. $(VENV)/fuzz/bin/python -m tests.fuzz.guided 100000

fuzz-long: $(VENV)/fuzz.done
	PYTHONPATH=src:. $(VENV)/fuzz/bin/python -m tests.fuzz.guided 10000000

# Every attack of the catalogue with its control: about four minutes of CPU.
attacks: $(VENV)/dev.done
	$(BIN)/tacita attack run all

# The same, written into the table of tests/adversary/README.md.
attack-table: $(VENV)/dev.done
	$(BIN)/tacita attack table --into tests/adversary/README.md

lint: $(VENV)/dev.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev.done
	$(BIN)/mypy

imports: $(VENV)/dev.done
	$(BIN)/lint-imports

proto: $(VENV)/dev.done
	PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -Itacita/proto=proto --python_out=src \
	  --grpc_python_out=src --mypy_out=src --mypy_grpc_out=src proto/tacita.proto

# Generated code is committed; this regenerates it elsewhere and compares.
proto-check: $(VENV)/dev.done
	rm -rf $(VENV)/proto && mkdir -p $(VENV)/proto
	PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -Itacita/proto=proto --python_out=$(VENV)/proto \
	  --grpc_python_out=$(VENV)/proto --mypy_out=$(VENV)/proto --mypy_grpc_out=$(VENV)/proto proto/tacita.proto
	for f in tacita_pb2.py tacita_pb2.pyi tacita_pb2_grpc.py tacita_pb2_grpc.pyi; do \
	  diff proto/$$f $(VENV)/proto/tacita/proto/$$f || exit 1; done

vectors: $(VENV)/dev.done
	$(BIN)/python -m tests.vectors.generate

bench: $(VENV)/dev.done $(VENV)/bench.done $(VENV)/bench-keygen.done
	$(BIN)/tacita bench --peers $(VENV)/bench/bin/python --keygen-peer $(VENV)/bench-keygen/bin/python \
	  --checkout . --out out/bench

# The key ceremonies alone.
bench-keygen: $(VENV)/dev.done $(VENV)/bench-keygen.done
	$(BIN)/tacita bench --only keygen --keygen-peer $(VENV)/bench-keygen/bin/python --out out/bench-keygen

# Pin every dependency by hash; needs uv.
lock:
	uv pip compile -q pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate -o requirements/lock.txt
	uv pip compile -q pyproject.toml --extra build --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate -o requirements/dev.txt
	for peers in bench bench-keygen; do \
	  uv pip compile -q requirements/$$peers.in --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-annotate -o requirements/$$peers.txt || exit 1; done
	uv pip compile -q pyproject.toml requirements/fuzz.in --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate -o requirements/fuzz.txt

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  (echo "Tacita needs Python 3.11 or newer; set PYTHON=python3.x" >&2; exit 2)
	$(PYTHON) -m venv $(VENV)

$(VENV)/demo.done: requirements/lock.txt pyproject.toml | $(VENV)/bin/python
	test -e src/tacita/crypto/paillier.py || (echo "the links in src/tacita are missing: clone with symbolic links" >&2; exit 2)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.done: requirements/dev.txt $(VENV)/demo.done
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

$(VENV)/bench.done $(VENV)/bench-keygen.done: $(VENV)/%.done: requirements/%.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/$*
	$(VENV)/$*/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$*.txt
	touch $@

$(VENV)/fuzz.done: requirements/fuzz.txt | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV)/fuzz
	$(VENV)/fuzz/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	touch $@

clean:
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
