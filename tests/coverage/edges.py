"""What random programs seldom do: a host's accesses one by one, refusals, extreme operands.

Everything is compared, with the twin or with the register table.
"""

import ctypes

import numpy as np
import pytest

from npu.chip.isa import Command, command, encode
from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin.machine import Machine
from rtl.control.registers import ADDRESS_BITS, REGISTERS
from rtl.sim.machine import OKAY, RtlMachine

LEAST = -(1 << 31)
MEMORY = 4096
HALT = command("HALT")

# Programs, and how the last of their commands ends.
PROGRAMS: tuple[tuple[tuple[Command, ...], Status], ...] = (
    # The one product that saturates.
    ((command("ADD", rd=1, imm=LEAST), command("MULH", rd=2, rs1=1, imm=LEAST)), Status.OK),
    *(((command("WINDOW", **{key: 1 for key in some}),), Status.ADDRESS) for some in ((), ("ny",))),
    ((command("POSITIONS"),), Status.ADDRESS),
    ((command("STORES", imm=8192, type=3),), Status.ADDRESS),
)


def programs(params: ChipParams) -> None:
    """Run PROGRAMS on both. Raises AssertionError where they differ."""
    for commands, status in PROGRAMS:
        raw = b"".join(encode(each) for each in (*commands, HALT))
        records = []
        for machine in (Machine, RtlMachine):
            seen: list[object] = []
            chip = machine(params, MEMORY, raw, observer=lambda r, _, seen=seen: seen.append(r))
            if status is Status.OK:
                chip.run(0)
            else:
                with pytest.raises(MachineError) as raised:
                    chip.run(0)
                assert raised.value.status is status, raised.value
            records.append((seen, chip.registers))
        assert records[0] == records[1], commands


def failing_load(params: ChipParams) -> None:
    """A program outside memory: the load fails, and after a reset the next one works."""
    chip = RtlMachine(params, MEMORY, encode(HALT))
    with pytest.raises(MachineError) as raised:
        chip.load(MEMORY, 1)
    assert raised.value.status is Status.BUS
    chip.reset()
    halt = np.frombuffer(encode(HALT), chip.memory.data.dtype)
    chip.memory.data[: len(halt)] = halt
    chip.load(0, 1)
    assert chip.run(0) > 0


def host(params: ChipParams) -> None:
    """Read and write every word of the register space; the table says what is refused.

    What is written is zero, which starts nothing.
    """
    chip = RtlMachine(params, MEMORY, encode(HALT))
    library, handle = chip._library, chip._handle
    known = {register.offset: register for register in REGISTERS}
    for offset in range(0, 1 << ADDRESS_BITS, 4):
        register, value = known.get(offset), ctypes.c_uint32()
        read = library.zs_read(handle, offset, ctypes.byref(value)) == OKAY
        written = library.zs_write(handle, offset, 0) == OKAY
        assert read == (register is not None and register.access != "wo"), hex(offset)
        assert written == (register is not None and register.access != "ro"), hex(offset)
        assert read or value.value == 0, hex(offset)


def run(params: ChipParams) -> None:
    """All of it."""
    programs(params)
    failing_load(params)
    host(params)
