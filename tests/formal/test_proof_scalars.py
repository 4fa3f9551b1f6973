"""What a command writes into a register, and which command follows it.

For any program and any content of the registers (`sequencer_bench`). As what a transfer asks for,
the result follows from the few cycles before it.

MUL's product has a proof of its own, with products of halves cut: induction with the whole
multiplier found nothing in 300 seconds.
"""

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In

import rtl.sequencer.arithmetic
import rtl.sequencer.sequencer
from npu.chip import timing
from npu.chip.isa import OPCODES
from rtl.sequencer.arithmetic import HIGH, LOW
from rtl.shared.commands import fields, is_opcode
from rtl.shared.interfaces import PC_BITS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove
from tests.formal.sequencer_bench import SequencerBench, sequencer

DEPTH = timing.FETCH + timing.DECODE + 4
"""Cycles from a start in which every check can fail."""
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
WRITERS = tuple(name for name, opcode in OPCODES.items() if opcode.writes_register)


class ScalarSpec(SequencerBench):
    """The register's new value and the next command, in the command's last cycle."""

    def elaborate(self, platform) -> Module:
        m = Module()
        inside = self.wire(m)
        unit, cmd = self.unit, inside["at_hand"]
        left, right = self.operands(m, inside)
        add, branch = fields(cmd, "ADD"), fields(cmd, "BEQ")
        offset = Signal(signed(32))
        m.d.comb += offset.eq(right.as_signed() + add.imm)

        # A command may wait for long, but what was decoded stays.
        executes = unit.host.running & ~unit.fetching
        for name in (*BRANCHES, *WRITERS, "HALT", "STORES"):
            known = inside[f"is_{name.lower()}"] == is_opcode(cmd, name)
            check(m, f"lemma_{name.lower()}", ~executes | known)
        known = inside["writes_register"] == is_opcode(cmd, *WRITERS)
        check(m, "lemma_writes", ~executes | known)

        write, writes = unit.register, is_opcode(cmd, *WRITERS)
        check(m, "writes", ~unit.retire | (write.en == writes))
        check(m, "index", ~write.en | (write.index == add.rd))
        less = left.as_signed() < offset
        values = {
            "ADD": (left + offset)[:32],
            "SUB": (left - offset)[:32],
            "MIN": Mux(less, left, offset.as_unsigned()),
            "MAX": Mux(less, offset.as_unsigned(), left),
            "LOAD_REG": self.result,
            "VARGMAX": self.vector_result,
        }
        for name, value in values.items():
            mine = write.en & is_opcode(cmd, name)
            check(m, f"value_of_{name.lower()}", ~mine | (write.value == value))
        arrives = [
            self.registers.write,
            self.registers.write_index == write.index,
            self.registers.write_value == write.value,
        ]
        check(m, "arrives", ~write.en | (sum(arrives) == len(arrives)))

        same = left.as_signed() == offset
        taken = Signal()
        m.d.comb += taken.eq(
            (is_opcode(cmd, "BEQ") & same)
            | (is_opcode(cmd, "BNE") & ~same)
            | (is_opcode(cmd, "BLT") & less)
            | (is_opcode(cmd, "BGE") & ~less)
        )
        follows = before(m, Mux(taken, branch.target, (unit.pc + 1)[:PC_BITS]))
        halts = is_opcode(cmd, "HALT")
        check(m, "next", ~before(m, unit.retire & ~halts) | (unit.pc == follows))
        return m


class ProductSpec(wiring.Component):
    """Products, of their factors' halves; the products of halves are cut.

    Both sides take the same products, each free, as long as both multiply the same. That they make
    the whole is arithmetic: the specification adds them up in another way.
    """

    def __init__(self, unit) -> None:
        self.unit = unit
        super().__init__({"left": In(32), "right": In(32), "first": In(1), "chosen": In(3)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        names = (*LOW, *HIGH)
        is_ = {name: self.chosen == index for index, name in enumerate(names)}
        m.d.comb += [
            unit.left.eq(self.left),
            unit.right.eq(self.right),
            unit.first.eq(self.first),
            *(getattr(unit, f"is_{name.lower()}").eq(is_[name]) for name in names),
        ]
        # A command stays as it is, and has one first cycle.
        held = Signal()
        begun = [self.first]
        for _ in range(timing.MULTIPLY_HIGH):
            begun.append(before(m, begun[-1]))
        m.d.comb += held.eq(begun[1] | begun[2])
        for signal in (self.left, self.right, self.chosen):
            m.d.comb += Assume(~held | (signal == before(m, signal)))
        m.d.comb += Assume(~held | ~self.first)

        amount = self.right[:5]
        power = Signal(32)
        m.d.comb += power.eq(Mux(is_["SLL"], 1 << amount, 1 << (31 - amount)[:5]))
        shift = is_["SLL"] | is_["SRA"] | is_["RSRA"]
        factor = Signal(signed(33))
        m.d.comb += factor.eq(Mux(shift, power, self.right.as_signed()))
        x_low, x_high = self.left[:16], self.left[16:].as_signed()
        y_low, y_high = factor[:16], factor[16:].as_signed()
        whole = Signal(signed(66))
        parts = [x_low * y_low, x_low * y_high, x_high * y_low, x_high * y_high]
        low_low, low_high, high_low, high_high = (before(m, part) for part in parts)
        cross = low_high.as_signed() + high_low.as_signed()
        m.d.comb += whole.eq(low_low + (cross << 16) + (high_high.as_signed() << 32))
        low = is_["MUL"] | is_["SLL"]
        check(m, "low", ~begun[1] | ~low | (unit.value == whole[:32]))

        rounded = Signal(signed(66))
        tie = whole[:31] == 1 << 30
        up = Mux(is_["SRA"], 0, whole[30] & ~(is_["RSRA"] & tie & whole[63]))
        m.d.comb += rounded.eq((whole[:64].as_signed() >> 31) + up)
        high = Mux(rounded[:33] == 1 << 31, (1 << 31) - 1, rounded[:32])
        check(m, "high", ~begun[2] | low | (self.chosen > 4) | (unit.value == before(m, high)))
        return m


def prove_product(monkeypatch, module):
    return prove(ProductSpec(module.Arithmetic()), same_products=True)


def prove_scalars(monkeypatch, module):
    return prove(sequencer(monkeypatch, module, ScalarSpec), "induction", depth=DEPTH)


@pytest.mark.formal
def test_scalars(monkeypatch):
    verdict = prove_scalars(monkeypatch, rtl.sequencer.sequencer)
    assert verdict.proved, verdict


@pytest.mark.formal
def test_product(monkeypatch):
    verdict = prove_product(monkeypatch, rtl.sequencer.arithmetic)
    assert verdict.proved, verdict


OFFSET = {"value_of_add", "next"}
SUMS = {"value_of_sub", "value_of_min", "value_of_max"}


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("arithmetic.right.eq(offset)", "arithmetic.right.eq(right)", OFFSET | SUMS),
        ("offset.eq(right + immediate)", "offset.eq(right + immediate[:31])", OFFSET | SUMS),
        ('Mux(is_["LOAD_REG"], self.transfers.result, 0)', "0", {"value_of_load_reg"}),
        ('Mux(is_["VARGMAX"], self.vector_result, 0)', "0", {"value_of_vargmax"}),
        (
            "command.writes & command.writes_register",
            "command.writes & command.is_vector",
            {"lemma_writes", "writes"},
        ),
        ('index.eq(fields(cmd, "ADD").rd)', 'index.eq(fields(cmd, "ADD").rs1)', {"index"}),
        ("write_index.eq(self.register.index)", "write_index.eq(0)", {"arrives"}),
        ("write_value.eq(self.register.value)", "write_value.eq(command.left)", {"arrives"}),
        ('(is_["BLT"] & arithmetic.less)', '(is_["BLT"] & ~arithmetic.same)', {"next"}),
        ('(is_["BGE"] & ~arithmetic.less)', '(is_["BGE"] & left[-1])', {"next"}),
        ("following.eq(self.pc + 1)", "following.eq(self.pc + 2)", {"next"}),
    ],
)
def test_faulty_scalars(monkeypatch, old, new, failed):
    verdict = prove_scalars(monkeypatch, faulty("rtl.sequencer.sequencer", old, new))
    assert verdict.refuted and verdict.failed in failed, verdict


PRODUCT = {"low", "high"}


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(low_high + high_low)", "(low_high + low_high)"),
        ("low_low.eq(x_low * y_low)", "low_low.eq(x_low * y_low[:15])"),
        ("self.right[-1] & ~shift", "self.right[-1]"),
        ("(~product[-1] | product[: POINT - 1].any())", "1"),
        ("with m.If(product[-2] & ~product[-1]):", "with m.If(0):"),
        ("^ to_right.replicate(5)", "^ 0"),
    ],
)
def test_faulty_product(monkeypatch, old, new):
    verdict = prove_product(monkeypatch, faulty("rtl.sequencer.arithmetic", old, new))
    assert verdict.refuted and verdict.failed in PRODUCT, verdict
