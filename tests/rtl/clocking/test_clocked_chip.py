"""The exported chip with an asynchronous reset and two clocks, on a memory of others."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

pytest.importorskip("cocotb", reason="cocotb is not installed")
pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")

from amaranth.hdl import Cat, Elaboratable, Module, Signal
from amaranth.lib.cdc import FFSynchronizer

from npu.chip.params import load_params
from rtl.cocotb import runner
from rtl.export import TOP, to_verilog
from rtl.shared.options import Options
from rtl.sim.verilate import verilog_of
from tests.formal.faults import faulty

CHIP = load_params("tiny").model_copy(update={"lanes": 2, "name": "small"})
LOW = Options(reset="async_low")
CROSSED = Options(crossing=True)
BOTH = Options(reset="async_low", crossing=True)
MODULE = "tests.rtl.clocking.clocked"


def simulate(folder: Path, options: Options, text: str, **environment: str) -> tuple[bool, str]:
    """Run the tests of `clocked` on a text of the chip; whether they pass, and the log."""
    if reason := runner.available("icarus"):
        pytest.skip(reason)
    source = folder / f"{TOP}.v"
    source.write_text(text)
    environment |= {
        "ZEROSKIP_CHIP": CHIP.model_dump_json(),
        "ZEROSKIP_OPTIONS": json.dumps(asdict(options)),
    }
    passed, log = runner.simulate(
        source, "icarus", waves=False, environment=environment, progress=print, module=MODULE
    )
    return passed, log.read_text()


# In `make test`, of each kind one; all of them are minutes.
FEW = (
    "the_answers.*number=(0|6).*False|failed.*number=(0|2)|soft.*number=(0|1)"
    "|hardware.*number=(0|2)|no_access"
)
CHIPS = pytest.mark.parametrize("options", [LOW, CROSSED, BOTH], ids=["low", "crossed", "both"])


@pytest.mark.long  # the exported core runs behind each of them with its own bench
@CHIPS
def test_a_memory_of_others_sees_tflms_answers(tmp_path, options):
    text = verilog_of(CHIP, options=options)
    passed, log = simulate(tmp_path, options, text, COCOTB_TEST_FILTER=FEW)
    assert passed, log
    assert f"PASS={9 if options.crossing else 5} " in log


@pytest.mark.long
@CHIPS
def test_every_pace_of_the_clocks(tmp_path, options):
    passed, log = simulate(tmp_path, options, verilog_of(CHIP, options=options))
    assert passed, log


class TwoFlops(Elaboratable):
    """Two flip-flops for every bit in the place of a FIFO."""

    def __init__(self, *, width: int, depth: int, w_domain: str, r_domain: str) -> None:
        self.w_data, self.w_en, self.w_rdy = Signal(width), Signal(), Signal(init=1)
        self.r_data, self.r_rdy, self.r_en = Signal(width), Signal(), Signal()
        self._domain = r_domain

    def elaborate(self, platform) -> Module:
        m = Module()
        given, taken = Cat(self.w_data, self.w_en), Cat(self.r_data, self.r_rdy)
        m.submodules.bits = FFSynchronizer(given, taken, o_domain=self._domain)
        return m


@pytest.mark.long
def test_a_fifo_of_two_flip_flops_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("rtl.clocking.crossing.AsyncFIFOBuffered", TwoFlops)
    text = to_verilog(CHIP, CROSSED)
    passed, log = simulate(tmp_path, CROSSED, text, COCOTB_TEST_FILTER="answers.*=0.*False")
    assert not passed, log


RELEASED = "m.d.comb += core.rst.eq(reset)"
DOMAINS, CHAIN = "rtl.clocking.domains", "held, domain=CORE, stages=HELD"
AFTER = "\n    m.submodules.reset_bus = ResetSynchronizer("
CLOCK = "ClockDomain(CORE, async_reset="
FAULTS = {
    "taken in reset": (
        CROSSED,
        ("rtl.clocking.crossing", "queue.w_rdy & awake", "queue.w_rdy"),
        "no_access",
    ),
    "an interrupt without a reset": (
        BOTH,
        ("rtl.clocking.crossing", "reset_less=False", "reset_less=True"),
        "hardware.*=0",
    ),
    "each domain released for itself": (
        BOTH,
        (DOMAINS, f"{CHAIN}){AFTER}core.rst,", f"reset, domain=CORE){AFTER}reset,"),
        "hardware",
    ),
    "a release that is not synchronised": (
        LOW,
        (DOMAINS, "m.submodules.reset = ResetSynchronizer(reset, domain=CORE)", RELEASED),
        "no_access",
    ),
    "a reset that waits for the clock": (
        LOW,
        (DOMAINS, f"{CLOCK}is_low", f"{CLOCK}False"),
        "hardware",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(tmp_path, monkeypatch, name):
    options, fault, tests = FAULTS[name]
    module = faulty(*fault)
    if hasattr(module, "Crossing"):
        monkeypatch.setattr("rtl.export.Crossing", module.Crossing)
    if hasattr(module, "add_domains"):
        monkeypatch.setattr("rtl.clocking.add_domains", module.add_domains)
    passed, log = simulate(tmp_path, options, to_verilog(CHIP, options), COCOTB_TEST_FILTER=tests)
    assert not passed and "FAIL=" in log and "FAIL=0" not in log, log
