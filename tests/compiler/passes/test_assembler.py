"""Programs that are too long, memories that are too small."""

import pytest

from compiler.passes.assembler import Assembler, MemoryMap
from npu.errors import CapacityError
from npu.model.layer import Layer
from tests.compiler.passes.made import chip


def test_programs_that_do_not_fit():
    asm = Assembler()
    for _ in range(70000):
        asm.emit("HALT")
    with pytest.raises(CapacityError, match="the program takes 2240000 bytes, chip 'tiny'"):
        asm.program(chip(program_bytes=16384))
    asm.label("far")
    asm.jump("far")
    with pytest.raises(
        CapacityError, match="label 'far' is at command 70000, a branch reaches 65535"
    ):
        asm.program(chip(program_bytes=1 << 20))
    with pytest.raises(ValueError, match="label 'far' is placed twice"):
        asm.label("far")


def test_a_number_that_no_field_holds_is_refused_with_its_operator():
    asm = Assembler()
    asm.emit("WINDOW", Layer("main", "operator 3 (CONV_2D)"), dy=300)
    with pytest.raises(CapacityError, match=r"main: operator 3 \(CONV_2D\): no command .*dy must"):
        asm.program(chip())


def test_external_memory_that_is_too_small():
    memory = MemoryMap(chip(memory_bytes=65536))
    assert memory.place("a", bytes(65529)) == 0
    with pytest.raises(CapacityError, match="more than 65544 bytes of external memory"):
        memory.reserve(1)
