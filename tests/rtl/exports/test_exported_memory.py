"""The memory of the exported bench under an AXI4 manager that nobody here wrote."""

import contextlib
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")

from cocotb_tools.runner import get_results, get_runner

from rtl.exports.bench import HERE

ROOT = Path(__file__).parents[3]
MEMORY = "zeroskip_memory"

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed"
)


def failures(folder: Path, text: str, pauses: bool, **parameters: int) -> tuple[int, int]:
    """Run the tests of `master` on a memory; how many there are, and how many fail."""
    source = folder / f"{MEMORY}.v"
    source.write_text(text)
    runner = get_runner("icarus")
    runner.build(
        sources=[source],
        hdl_toplevel=MEMORY,
        parameters=parameters,
        build_args=["-g2012"],
        build_dir=folder,
        always=True,
    )
    with contextlib.suppress(SystemExit):
        runner.test(
            test_module="tests.rtl.exports.master",
            hdl_toplevel=MEMORY,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            test_dir=folder,
            extra_env={**os.environ, "PYTHONPATH": str(ROOT), "PAUSES": str(int(pauses))},
            results_xml=str(folder / "results.xml"),
            log_file=folder / "log.txt",
        )
    return get_results(folder / "results.xml")


def text() -> str:
    return (HERE / f"{MEMORY}.v").read_text()


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize(("pauses", "stall", "latency"), [(False, 0, 1), (True, 100, 20)])
def test_a_manager_of_others_finds_what_it_wrote(tmp_path, order, pauses, stall, latency):
    found = failures(tmp_path, text(), pauses, STALL=stall, LATENCY=latency, ORDER=order)
    assert found == (4, 0), (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("if (strb[i]) merged", "merged"),
        ("if ((!rvalid || rready) && ar_head", "if (ar_head"),
        ("write_answer = DECERR", "write_answer = OKAY"),
        ("(at & ~(step - 32'd1)) + step", "(at & ~(step - 32'd1)) + BUS_BYTES"),
        ("(following & (whole - 32'd1))", "(following & (step - 32'd1))"),
    ],
)
def test_a_fault_of_the_memory_is_found(tmp_path, right, wrong):
    assert text().count(right) == 1
    tests, failed = failures(tmp_path, text().replace(right, wrong), True, STALL=100)
    assert tests == 4 and failed
