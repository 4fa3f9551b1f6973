"""The bench of an export, as its reader runs it: a simulator, and no Python."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from npu.api.example import CALLS, example_of
from npu.errors import ModelError
from rtl.exports.bench import chip_facts
from rtl.exports.example import hex_words
from tests.rtl.exports.kept import kept_export, small, with_calls

TIMEOUT_S = 300
VECTORS = Path(__file__).parents[2] / "vectors" / "tflite"
FILES = ("zeroskip.v", "tb/zeroskip_memory.v", "tb/zeroskip_tb.v")

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    return kept_export(tmp_path_factory)


def simulated(folder: Path, calls: int = CALLS, **parameters: int) -> subprocess.CompletedProcess:
    """Build the bench in `folder` with Icarus and run it, with the first `calls` of its calls."""
    flags = [f"-Pzeroskip_tb.{name}={value}" for name, value in parameters.items()]
    few = with_calls(folder, calls).name if calls < CALLS else "tb"
    build = ["iverilog", "-g2012", "-Wall", "-Wno-timescale", "-I", few, "-I", "tb", "-o", "bench"]
    built = subprocess.run(
        [*build, *flags, "-s", "zeroskip_tb", *FILES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert not built.stdout + built.stderr
    return subprocess.run(
        ["vvp", "-n", "bench", f"+folder={few}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


@needs_icarus
@pytest.mark.parametrize(
    "memory",
    [
        {},
        {"STALL": 0, "LATENCY": 1},
        {"STALL": 200, "LATENCY": 100, "ORDER": 1},
        {"STALL": 100, "ORDER": 2},
    ],
    ids=lambda memory: ",".join(f"{key}={value}" for key, value in memory.items()) or "default",
)
def test_the_chip_answers_what_tflm_answered(exported, memory):
    # What is there behind a call the second one shows.
    calls = 2 if memory else CALLS
    done = simulated(exported, calls, **memory)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"^PASS: {calls} calls in \d+ cycles", done.stdout, re.MULTILINE)


def changed(folder: Path, target: Path, name: str, line: int, value: str) -> Path:
    """A copy of an export with another word in one of the bench's files."""
    shutil.copytree(folder, target)
    lines = (target / "tb" / name).read_text().splitlines()
    lines[line] = value
    (target / "tb" / name).write_text("\n".join(lines) + "\n")
    return target


@needs_icarus
@pytest.mark.parametrize(
    ("name", "line", "value", "said"),
    [
        ("example.out", 0, "0" * 16, "FAIL: [1-8] bytes of the outputs are wrong"),
        ("example.in", 2, "7f" * 8, "FAIL: [0-9]+ bytes of the outputs are wrong"),
        ("example.hex", 576, "f" * 16, "0x.* must be 0x"),  # in the program
        ("zeroskip_chip.vh", 5, "`define ZS_ID_VALUE 32'h0", "register 0x00 is 0x4b53525a"),
    ],
)
def test_a_fault_fails_with_a_status(exported, tmp_path, name, line, value, said):
    done = simulated(changed(exported, tmp_path / "faulty", name, line, value), calls=1)
    assert done.returncode != 0
    assert re.search(said, done.stdout + done.stderr), done.stdout + done.stderr
    assert "PASS" not in done.stdout


def test_the_example_is_small(exported):
    sizes = {path.name: path.stat().st_size for path in (exported / "tb").iterdir()}
    assert sum(size for name, size in sizes.items() if name.startswith("example")) < 16_000
    assert not list((exported / "tb").rglob("*.py"))


def test_a_word_is_written_with_its_highest_byte_first():
    assert hex_words(bytes(range(1, 11)), small()) == "0807060504030201\n0000000000000a09\n"


def test_the_facts_are_the_register_table():
    facts = chip_facts(small())
    assert "`define ZS_STATUS 8'h0c\n" in facts and "`define ZS_CONTROL_LOAD 32'h4\n" in facts
    assert "`define ZS_ERROR_BUS 32'd3\n" in facts and "`define ZS_STATUS_ERROR_LSB 8\n" in facts


def test_a_model_of_ones_own():
    example = example_of(small(), str(VECTORS / "fc_relu.tflite"))
    assert len(example.inputs) == len(example.outputs) == 4
    with pytest.raises(ModelError, match="is a transducer: the bench runs a single graph"):
        example_of(small(), "commands_rnnt")
