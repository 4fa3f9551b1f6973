"""No public call of the codec ends the process, reads past an array or fails without a word."""

import os
import subprocess
import sys

import numpy as np
import pytest

from compiler import codec
from compiler.codec import Decoders, Packed, compress, compress_rows, encode
from tests.conftest import ROOT

CALLS = {"codes", "compress", "encode", "decode_sections", "choose_sets", "arrange"}
TIMEOUT = 300
PACKED = compress(np.eye(8, 20, dtype=np.int8), Decoders(2, 2, 8))


@pytest.mark.parametrize(("examples", "compiled"), [(400, True), (100, False)])
def test_hostile_arguments(examples, compiled):
    ran = subprocess.run(
        [sys.executable, "-m", "tests.compiler.codec.hostile_calls", str(examples)],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": str(int(not compiled))},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    refused = {line.split()[0] for line in ran.stdout.splitlines() if "refused" in line}
    assert not compiled or refused >= CALLS, ran.stdout


def test_every_public_call_is_among_them():
    source = (ROOT / "tests/compiler/codec/hostile_calls.py").read_text(encoding="utf-8")
    methods = [f"Packed.{name}" for name in vars(Packed) if not name.startswith("_")]
    constants = {"BYTES_FIRST", "CYCLES_FIRST", "CYCLE_BITS", "Packed", "Stats"}
    fields = {f"Packed.{name}" for name in Packed.__dataclass_fields__}
    for name in {*codec.__all__, *methods} - constants - fields:
        assert f'"{name}"' in source, name


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: Decoders(bus_bytes=0), "bus_bytes must be a power of two, 4 to 1024, not 0"),
        (lambda: Decoders(lanes=0), "lanes must be a whole number, at least 1, not 0"),
        (lambda: PACKED.stats(-4), "bus_bytes must be a power of two, 4 to 1024, not -4"),
        (lambda: PACKED.stats(5), "bus_bytes must be a power of two, 4 to 1024, not 5"),
        (lambda: compress(None), r"weights must be an int8 array \(rows, columns\), not NoneType"),
        (lambda: list(compress_rows(np.zeros((3, 4), np.int8))), r"compress_rows\(\[weights\]\)"),
        (lambda: encode(np.zeros((1, 1), np.int8), [[1]], 1, 1), "slot 0: row 1 of a matrix of 1"),
    ],
)
def test_what_is_wrong_is_said(work, message):
    with pytest.raises(ValueError, match=message):
        work()
