"""The scalar core's numbers in SRAM, and relative addresses of vector commands."""

import pytest

from npu.chip import timing
from npu.chip.isa import BASES, SCALES, command
from npu.chip.status import Status
from npu.errors import MachineError
from tests.naive import wrap
from tests.npu.twin.programs import machine


@pytest.mark.parametrize("kind", range(3))
def test_numbers_go_to_sram_and_come_back(kind):
    size = 1 << kind
    for value in (-1, 0, 1, 0x7F, 0x80, 0x8000, -(2**31), 0x12345678):
        made = machine(
            command("STORES", rs1=1, rs2=2, type=kind, imm=-4),
            command("LOADS", rd=3, rs1=1, type=kind, imm=-4),
        )
        cycles = made.run(0, {1: 12, 2: value})
        raw = (value % 2**32).to_bytes(4, "little")[:size]
        assert made.registers[3] == int.from_bytes(raw, "little", signed=True)
        assert made.sram[8 : 8 + size].tobytes() == raw and not made.sram[8 + size : 20].any()
        scalars = 2 * timing.SCALAR + timing.LOAD_SCALAR
        assert cycles == timing.FETCH + 3 * timing.DECODE + scalars


@pytest.mark.parametrize(
    ("kind", "at"), [(1, 1), (2, 2), (0, "size"), (2, "size"), (0, -1), (2, -4), (3, 0), (3, 8)]
)
@pytest.mark.parametrize("name", ["LOADS", "STORES"])
def test_numbers_that_lie_nowhere(name, kind, at):
    made = machine(command(name, rs1=1, type=kind))
    with pytest.raises(MachineError) as failed:
        made.run(0, {1: len(made.sram) if at == "size" else at})
    assert failed.value.status == Status.ADDRESS


def test_a_loop_moves_its_operands():
    """What is remembered of a command at one place says nothing about it at another."""
    step = 16
    made = machine(
        command("VCOPY", a=2**24 - step, dst=512, n=step, a_rel=1, dst_rel=1),
        command("ADD", rd=BASES["a"], rs1=BASES["a"], imm=step),
        command("SUB", rd=BASES["dst"], rs1=BASES["dst"], imm=step),
        command("ADD", rd=1, rs1=1, imm=-1),
        command("BNE", rs1=1, target=0),
    )
    made.sram[:] = [(7 * at) % 256 for at in range(len(made.sram))]
    before = made.sram.copy()
    made.run(0, {1: 5, BASES["a"]: step, BASES["dst"]: wrap(2**32 - 64)})
    for round_ in range(5):
        to = 512 - 64 - round_ * step
        assert (made.sram[to : to + step] == before[round_ * step :][:step]).all()


def test_a_flag_belongs_to_an_operand():
    for name, flags in {
        "VFILL": {"dst"},
        "VARGMAX": {"a"},
        "TABLE": set(),
        "MATVEC": {"a", "dst"},
    }.items():
        found = {key.removesuffix("_rel") for key in command(name).values if key.endswith("_rel")}
        assert found == flags, name


def test_a_scale_comes_from_registers():
    """Their low bits; of a scale that is remembered nothing is left for another."""
    made = machine(
        command("VRESCALE", a=0, dst=64, n=8, lo=-128, hi=127, multiplier=1, shift=1, scaled=1),
        command("MUL", rd=SCALES["shift"], rs1=SCALES["shift"], imm=1),
        command("ADD", rd=SCALES["multiplier"], rs1=SCALES["multiplier"], imm=1 << 29),
        command("VRESCALE", a=0, dst=72, n=8, lo=-128, hi=127, multiplier=1 << 30, shift=1),
        command("ADD", rd=1, rs1=1, imm=-1),
        command("BNE", rs1=1, target=0),
    )
    made.sram[:8] = range(0, 80, 10)
    registers = {1: 2, SCALES["multiplier"]: wrap(5 << 29), SCALES["shift"]: wrap((7 << 6) - 2)}
    made.run(0, {**registers})
    # 5/4 wraps to 1/4, which becomes 1/2 in the second round; a quarter of it by the shift.
    assert made.sram[64:72].tolist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert made.sram[72:80].tolist() == list(range(0, 80, 10))
