"""Commands in hardware: field views and the legality check, both made from `npu.isa.OPCODES`."""

from collections import defaultdict
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.isa import COMMAND_BYTES, OPCODES

COMMAND_BITS = 8 * COMMAND_BYTES
OPCODE_BITS = 8


def layout(name: str) -> data.FlexibleLayout:
    """The fields of opcode `name`, and `opcode`, as a layout of COMMAND_BITS."""
    fields = {"opcode": data.Field(OPCODE_BITS, 0)}
    for field in OPCODES[name].fields:
        shape = signed(field.width) if field.signed else field.width
        fields[field.name] = data.Field(shape, field.lsb)
    return data.FlexibleLayout(COMMAND_BITS, fields)


def fields(cmd: Value, name: str) -> data.View:
    """A view of a command as opcode `name`: `fields(cmd, "VMUL").multiplier`."""
    return data.View(layout(name), cmd)


def is_opcode(cmd: Value, *names: str) -> Value:
    """Whether a command is one of `names`."""
    return cmd[:OPCODE_BITS].matches(*(OPCODES[name].code for name in names))


def unit_opcodes(unit: str) -> list[str]:
    """Names of the opcodes that `unit` executes."""
    return [name for name, opcode in OPCODES.items() if opcode.unit == unit]


def covered_bits(name: str) -> int:
    """Mask of the bits that belong to the opcode or to a field of it."""
    mask = (1 << OPCODE_BITS) - 1
    for field in OPCODES[name].fields:
        mask |= ((1 << field.width) - 1) << field.lsb
    return mask


class CommandCheck(wiring.Component):
    """Refuses what `npu.isa.decode` refuses: unknown opcodes, and bits outside every field.

    Combinational. Bits that are stray in the same opcodes are OR-ed once.

    Members
    -------
    cmd : In, a command.
    illegal : Out.
    """

    def __init__(self) -> None:
        super().__init__({"cmd": In(COMMAND_BITS), "illegal": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        masks = {name: covered_bits(name) for name in OPCODES}
        classes: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for bit in range(OPCODE_BITS, COMMAND_BITS):
            classes[tuple(name for name in OPCODES if not masks[name] >> bit & 1)].append(bit)
        stray: dict[str, list[Signal]] = {name: [] for name in OPCODES}
        for index, (names, bits) in enumerate(classes.items()):
            used = Signal(name=f"class{index}")
            m.d.comb += used.eq(Cat(self.cmd[bit] for bit in bits).any())
            for name in names:
                stray[name].append(used)
        with m.Switch(self.cmd[:OPCODE_BITS]):
            for name, opcode in OPCODES.items():
                with m.Case(opcode.code):
                    m.d.comb += self.illegal.eq(reduce(or_, stray[name], 0))
            with m.Default():
                m.d.comb += self.illegal.eq(1)
        return m
