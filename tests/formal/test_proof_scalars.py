"""What a command writes into a register, and which command follows it.

For any program and any content of the registers (`sequencer_bench`). As what a transfer asks for,
the result follows from the few cycles before it.

MUL's product has a proof of its own, with products of halves cut: induction with the whole
multiplier found nothing in 300 seconds.
"""

import pytest
from amaranth.hdl import Module, Mux, Signal, signed

import rtl.sequencer.sequencer
from npu.chip import timing
from rtl.shared.commands import fields, is_opcode
from rtl.shared.interfaces import PC_BITS
from tests.formal.faults import faulty
from tests.formal.prove import before, check, prove
from tests.formal.sequencer_bench import SequencerBench, sequencer

DEPTH = timing.FETCH + timing.DECODE + 4
"""Cycles from a start in which every check can fail."""
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
WRITERS = ("ADD", "MUL", "LOAD_REG", "VARGMAX")


class ScalarSpec(SequencerBench):
    """The register's new value and the next command, in the command's last cycle."""

    def elaborate(self, platform) -> Module:
        m = Module()
        inside = self.wire(m)
        unit, cmd = self.unit, self.unit.matvec.cmd
        left, right = self.operands(m, inside)
        add, branch = fields(cmd, "ADD"), fields(cmd, "BEQ")
        offset = Signal(signed(32))
        m.d.comb += offset.eq(right.as_signed() + add.imm)

        # A command may wait for long, but what was decoded stays.
        executes = unit.host.running & ~unit.fetching
        for name in (*BRANCHES, *WRITERS, "HALT"):
            known = inside[f"is_{name.lower()}"] == is_opcode(cmd, name)
            check(m, f"lemma_{name.lower()}", ~executes | known)
        known = inside["writes_register"] == is_opcode(cmd, *WRITERS)
        check(m, "lemma_writes", ~executes | known)

        write, writes = unit.register, is_opcode(cmd, *WRITERS)
        check(m, "writes", ~unit.retire | (write.en == writes))
        check(m, "index", ~write.en | (write.index == add.rd))
        values = {
            "ADD": (left + offset)[:32],
            "LOAD_REG": self.result,
            "VARGMAX": self.vector_result,
        }
        for name, value in values.items():
            mine = write.en & is_opcode(cmd, name)
            check(m, f"value_of_{name.lower()}", ~mine | (write.value == value))
        # Arrives in the register file in the cycle behind.
        arrives = [
            self.registers.write,
            self.registers.write_index == before(m, write.index),
            self.registers.write_value == before(m, write.value),
        ]
        check(m, "arrives", ~before(m, write.en) | (sum(arrives) == len(arrives)))

        less = left.as_signed() < offset
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


class ProductSpec(SequencerBench):
    """MUL's product, of its factors' halves; the products of halves are cut.

    Both sides take the same products, each free, as long as both multiply the same. That they make
    the low half of the whole is arithmetic: ac + 2^16 (ad + bc), modulo 2^32.
    """

    def elaborate(self, platform) -> Module:
        m = Module()
        inside = self.wire(m)
        left, _ = self.operands(m, inside)
        cmd, write = self.unit.matvec.cmd, self.unit.register
        a, b = inside["a"], inside["b"]
        cross = (a[16:] * b[:16])[:16] + (a[:16] * b[16:])[:16]
        product = Signal(32)
        m.d.comb += product.eq(a[:16] * b[:16] + (cross << 16))

        def at_start(value):
            for _ in range(timing.MULTIPLY):
                value = before(m, value)
            return value

        mine = write.en & is_opcode(cmd, "MUL")
        check(m, "value_of_mul", ~mine | (write.value == at_start(product)))
        factor = fields(cmd, "MUL").imm.as_unsigned()
        check(m, "factors", ~mine | ((at_start(a) == left) & (at_start(b) == factor)))
        return m


def prove_product(monkeypatch, module):
    return prove(sequencer(monkeypatch, module, ProductSpec), same_products=True)


def prove_scalars(monkeypatch, module):
    return prove(sequencer(monkeypatch, module, ScalarSpec), "induction", depth=DEPTH)


@pytest.mark.formal
def test_scalars(monkeypatch):
    verdict = prove_scalars(monkeypatch, rtl.sequencer.sequencer)
    assert verdict.proved, verdict


@pytest.mark.formal
def test_product(monkeypatch):
    verdict = prove_product(monkeypatch, rtl.sequencer.sequencer)
    assert verdict.proved, verdict


OFFSET = {"value_of_add", "next"}


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("value.eq(left + offset)", "value.eq(left - offset)", {"value_of_add"}),
        ("offset.eq(right + immediate)", "offset.eq(right + immediate[:31])", OFFSET),
        ("value.eq(self.transfers.result)", "value.eq(self.transfers.word)", {"value_of_load_reg"}),
        ("value.eq(self.vector_result)", "value.eq(left)", {"value_of_vargmax"}),
        (
            "self.retire & command.writes_register",
            "self.retire & command.is_vector",
            {"lemma_writes", "writes"},
        ),
        ('index.eq(fields(cmd, "ADD").rd)', 'index.eq(fields(cmd, "ADD").rs1)', {"index"}),
        ("late_index.eq(self.register.index)", "late_index.eq(0)", {"arrives"}),
        ("late_value.eq(self.register.value)", "late_value.eq(command.left)", {"arrives"}),
        ("taken.eq(left < offset)", "taken.eq(left <= offset)", {"next"}),
        ("taken.eq(left >= offset)", "taken.eq(left.as_unsigned() >= offset)", {"next"}),
        ("taken.eq(left != offset)", "taken.eq(left[1:] != offset[1:])", {"next"}),
        ("target, self.pc + 1", "target, self.pc + 2", {"next"}),
    ],
)
def test_faulty_scalars(monkeypatch, old, new, failed):
    verdict = prove_scalars(monkeypatch, faulty("rtl.sequencer.sequencer", old, new))
    assert verdict.refuted and verdict.failed in failed, verdict


PRODUCT = {"value_of_mul"}


@pytest.mark.formal
@pytest.mark.parametrize(
    ("old", "new", "failed"),
    [
        ("((cross_a + cross_b) << 16)", "((cross_a + cross_a) << 16)", PRODUCT),
        (
            "low.eq(self.a[:16] * self.b[:16])",
            "low.eq(self.a[:16] * self.b[:15])",
            {"value_of_mul"},
        ),
        ("value.eq(multiplier.product)", "value.eq(multiplier.product << 1)", PRODUCT),
        ("multiplier.b.eq(immediate)", "multiplier.b.eq(offset)", {"factors"}),
        ("multiplier.a.eq(left)", "multiplier.a.eq(right)", {"factors"}),
    ],
)
def test_faulty_product(monkeypatch, old, new, failed):
    verdict = prove_product(monkeypatch, faulty("rtl.sequencer.sequencer", old, new))
    assert verdict.refuted and verdict.failed in failed, verdict
