"""The exported Verilog on a memory that nobody here wrote, in two simulators."""

import pytest

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")

from pathlib import Path

from npu.chip.params import load_params
from rtl.cocotb import runner
from rtl.export import export
from tests.formal.faults import faulty

CHIP = load_params("tiny").model_copy(
    update={"lanes": 1, "dma_burst_beats": 16, "name": "one_lane"}
)
MODULE = "tests.cocotb.memories"


def simulate(folder: Path, simulator: str, **environment: str) -> tuple[bool, str]:
    """Run the tests of `memories` on the chip; whether they pass, and the log."""
    if reason := runner.available(simulator):
        pytest.skip(reason)
    source = export(CHIP, folder)[0]
    environment["ZEROSKIP_CHIP"] = CHIP.model_dump_json()
    passed, log = runner.simulate(
        source, simulator, waves=False, environment=environment, progress=print, module=MODULE
    )
    return passed, log.read_text()


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.long)])
def test_stores_reach_the_memory_of_others(tmp_path, simulator):
    passed, log = simulate(tmp_path, simulator)
    assert passed, log
    assert "PASS=7" in log


@pytest.mark.long
def test_data_that_waits_for_its_address_hangs(tmp_path, monkeypatch):
    held_back = faulty("rtl.dma.writes", "may_offer & ~filled", "may_offer & addressed & ~filled")
    monkeypatch.setattr("rtl.dma.dma.Writes", held_back.Writes)
    # A memory that never waits for data does not show it.
    passed, log = simulate(tmp_path, "icarus", COCOTB_TEST_FILTER="DATA_FIRST|ADDRESS_FIRST")
    assert not passed
    assert "w: waits for awready" in log
    assert "PASS=1 FAIL=1" in log
