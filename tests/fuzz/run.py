"""Coverage-guided fuzzing of the decoders: `make fuzz`, or

    python -m tests.fuzz.run [--seconds 600] [--corpus build/fuzz]

Runs the decoders as plain Python, so that the fuzzer (atheris) sees every branch of them. A finding
stays as a file in the current folder; `python -m tests.fuzz.run FILE` runs it again, and its place
is `tests/vectors/codec/fuzz/`, where `make test` runs it ever after.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

# Compiled code has no branches that a fuzzer could see.
NO_JIT = "NUMBA_DISABLE_JIT"
os.environ[NO_JIT] = "1"

import atheris  # noqa: E402

with atheris.instrument_imports(include=["compiler.codec", "npu.twin", "npu.chip.weight_format"]):
    from tests.fuzz.decoders import decode_all


LONGEST = 1024


def one_input(data: bytes) -> None:
    """An input of the fuzzer."""
    decode_all(data)


def main() -> None:
    """Fuzz for a time, or run the named files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    arguments = [sys.argv[0], *options.files]
    if not options.files:
        options.corpus.mkdir(parents=True, exist_ok=True)
        # The encoder takes minutes without the compiler.
        compiled = {key: value for key, value in os.environ.items() if key != NO_JIT}
        seeds = [sys.executable, "-m", "tests.fuzz.seeds", str(options.corpus)]
        subprocess.run(seeds, env=compiled, check=True)
        arguments += [str(options.corpus), f"-max_total_time={options.seconds}"]
        arguments += [f"-max_len={LONGEST}", f"-seed={options.seed}", "-timeout=30"]
        arguments += ["-rss_limit_mb=6144", "-print_final_stats=1"]
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
