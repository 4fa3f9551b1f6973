"""Which registers matter: what may decide a branch, an address or a transfer, and nothing else."""

import pytest

from npu.chip.isa import command
from npu.errors import ImageError
from npu.events.relevance import EVERY, relevance

HALT = command("HALT")


def mask(*registers):
    return sum(1 << register for register in registers)


def before(*commands):
    """What matters before each command of a program that is started at its first one only."""
    return relevance([*commands, HALT], [0]).before


@pytest.mark.parametrize(
    ("cmd", "registers"),
    [
        (command("BEQ", rs1=3, rs2=4, target=1), (3, 4)),
        (command("LOAD_BANK", rs1=5), (5,)),
        (command("STORE", rs1=5), (5,)),
        (command("STORE_REG", rs1=5, rs2=6), (5,)),
        (command("STORES", rs1=5, rs2=6), (5,)),
        (command("LOADS", rd=7, rs1=5), (5,)),
        (command("MATVEC", a_rel=1, dst_rel=1), (11, 13)),
        (command("VMUL", scaled=1, b_rel=1), (12,)),
        (command("VARGMAX", rd=2), ()),
        (command("ADD", rd=1, rs1=2, rs2=3), ()),
        (command("BEQ", target=1), ()),
    ],
)
def test_what_a_command_needs(cmd, registers):
    assert before(cmd)[0] == mask(*registers)


def test_what_is_computed_of_what_matters():
    commands = (
        command("ADD", rd=2, imm=1),
        command("ADD", rd=3, imm=1),
        command("ADD", rd=1, rs1=2, rs2=3),
        command("MUL", rd=4, rs1=1, imm=2),
        command("CLZ", rd=5, rs1=4),
        command("ADD", rd=9, rs1=8),
        command("BNE", rs1=5, target=7),
    )
    assert before(*commands)[:4] == (0, mask(2), mask(2, 3), mask(1))
    assert before(*commands)[4:] == (mask(4), mask(5), mask(5), 0)


def test_a_loop_keeps_its_counter_and_what_it_moves():
    commands = (
        command("ADD", rd=1, imm=3),
        command("LOAD", rs1=2),
        command("ADD", rd=2, rs1=2, imm=8),
        command("ADD", rd=1, rs1=1, imm=-1),
        command("BNE", rs1=1, target=1),
    )
    assert before(*commands)[:2] == (mask(2), mask(1, 2))


def test_data_come_in_where_they_matter():
    commands = (
        command("LOADS", rd=1),
        command("LOADS", rd=2),
        command("LOAD_REG", rd=3),
        command("VARGMAX", rd=4),
        command("VARGMAX", rd=0),
        command("BEQ", rs1=1, rs2=4, target=6),
        command("STORE_REG", rs2=3),
    )
    assert relevance([*commands, HALT], [0]).sources == {0: 1, 3: 4}


def test_a_halt_leaves_registers_to_the_next_start():
    program = [command("LOADS", rd=1), HALT, command("BEQ", rs1=1, target=1), HALT]
    assert relevance(program, [0, 2]).sources == {0: 1}
    assert relevance(program, [0]).sources == {}
    assert relevance(program).sources == {0: 1}
    assert relevance(program).at_halt == EVERY


def test_what_is_no_command_needs_nothing():
    found = relevance([ImageError("illegal"), HALT], [0])
    assert found.before == (0, 0)
    assert found.after(2) == found.after(-1) == EVERY
