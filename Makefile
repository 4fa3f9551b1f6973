# `make demo` and `make test` do all set-up themselves, in .venv. A second run needs no network:
# the stamp files say what is installed, and only a change of pyproject.toml makes them stale.

PYTHON ?= python3
# Test processes; a machine with very many cores gains nothing beyond eight.
JOBS ?= auto

VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: with this set, each would compile all of our modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint formal verify-long coverage fuzz clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed-core
	@$(BIN)/npu demo
	@echo
	@echo "The command stays in $(BIN)/npu (try $(BIN)/npu --help). More of it needs an extra:"
	@echo "  $(BIN)/pip install 'zeroskip[rtl]'    the chip in gates: npu verify, rtl export, --engine rtl"
	@echo "  $(BIN)/pip install 'zeroskip[synth]'  area and clock, with the extra rtl: npu synth"
	@echo "  $(BIN)/pip install 'zeroskip[bench]'  Vela and zstd beside our codec: npu bench codec"

# What is not installed and so was not tested stands in the last line.
test: lint $(VENV)/.installed-oracle $(VENV)/.installed-programs
	$(BIN)/pytest -n $(JOBS) --maxprocesses=8 --dist worksteal -m "not long and not formal"

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Every proof, those that take minutes too.
formal: $(VENV)/.installed-test
	$(BIN)/pytest -n $(JOBS) --maxprocesses=8 tests/formal -m "formal or not formal"

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian splits ensurepip from Python; root gets it installed, others are told the command.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) -V 2>&1);" \
	       "name another one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv; \
	  else \
	    echo "error: Python's venv module is missing; install it:" \
	         "sudo apt-get install python3-venv" >&2; exit 2; \
	  fi; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed-core: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[test,rtl,views,litex,board,formal,reports,trace,browser,sweep,train,onnx,sherpa]"
	@touch $@ $(VENV)/.installed-core

# Root gets a simulator, a compiler for RISC-V, NIST's sclite and OpenFst installed; others are told the command
# in the last line of `make test`.
$(VENV)/.installed-programs: $(VENV)/.created Makefile
	@{ command -v iverilog && command -v riscv64-unknown-elf-gcc && command -v sctk && \
	  command -v espeak-ng && command -v flite && command -v fstcompile; } >/dev/null || \
	  [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { apt-get update -q && \
	  apt-get install -y -q --no-install-recommends iverilog gcc-riscv64-unknown-elf sctk espeak-ng \
	  flite libfst-tools; } || \
	  echo "note: Icarus Verilog, GCC for RISC-V, espeak-ng, flite, OpenFst or NIST's sctk could not be installed: their tests" \
	       "are skipped" >&2
	@touch $@

# The oracle exists for some platforms only. Its recorded vectors are always tested; where it
# can be installed, it is run live as well.
$(VENV)/.installed-oracle: $(VENV)/.installed-test
	@$(BIN)/python -m pip install --quiet -e ".[oracle]" 2>$(VENV)/oracle.log || \
	  echo "note: tflite-micro could not be installed (see $(VENV)/oracle.log): its recorded" \
	       "vectors are tested, the live comparison is skipped (try again: rm $@; make test)"
	@touch $@

# Random programs on twin and RTL, until a hundred thousand of them or an hour.
verify-long: $(VENV)/.installed-test
	$(BIN)/python -m tests.lockstep.long

# Line, branch, toggle and functional coverage of the RTL, with the page; about a quarter of an hour.
coverage: $(VENV)/.installed-test
	$(BIN)/python -m tests.coverage
	$(BIN)/python -m reports.coverage_page

# Coverage-guided fuzzing of the decoders for ten minutes, SECONDS=60 for another time, and the
# command line with models that are wrong somewhere for as long.
SECONDS ?= 600
fuzz: $(VENV)/.installed-test
	$(BIN)/python -m pip install --quiet -e ".[fuzz]"
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS)
	$(BIN)/python -m tests.fuzz.models --seconds $(SECONDS)
