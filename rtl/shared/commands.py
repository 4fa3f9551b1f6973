"""Commands in hardware: field views and the legality check, both from `npu.chip.isa.OPCODES`."""

from collections import defaultdict

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.isa import COMMAND_BYTES, OPCODES

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
    """Refuses what `npu.chip.isa.decode` refuses: unknown opcodes, and bits outside every field.

    Bits that are stray in the same opcodes are OR-ed once, in front of a register.

    Members
    -------
    cmd : In, a command.
    en : In, take it.
    illegal : Out, about the command that was taken last; from the cycle after that on.
    """

    def __init__(self) -> None:
        super().__init__({"cmd": In(COMMAND_BITS), "en": In(1), "illegal": Out(1)})

    def elaborate(self, platform) -> Module:
        m = Module()
        # Opcodes of the same fields are one kind.
        kinds: dict[int, list[str]] = defaultdict(list)
        for name in OPCODES:
            kinds[covered_bits(name)].append(name)
        classes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for bit in range(OPCODE_BITS, COMMAND_BITS):
            classes[tuple(mask for mask in kinds if not mask >> bit & 1)].append(bit)
        is_ = {mask: Signal(name=f"was_like_{names[0].lower()}") for mask, names in kinds.items()}
        with m.If(self.en):
            m.d.sync += [is_[mask].eq(is_opcode(self.cmd, *kinds[mask])) for mask in kinds]
        stray = Signal(len(classes))
        for index, (masks, bits) in enumerate(classes.items()):
            used = Signal(name=f"used{index}")
            with m.If(self.en):
                m.d.sync += used.eq(Cat(self.cmd[bit] for bit in bits).any())
            # An unknown opcode is illegal anyway: the shorter of both lists will do.
            others = [mask for mask in kinds if mask not in masks]
            if len(masks) <= len(others):
                forbidden = Cat(is_[mask] for mask in masks).any()
            else:
                forbidden = ~Cat(is_[mask] for mask in others).any()
            m.d.comb += stray[index].eq(used & forbidden)
        m.d.comb += self.illegal.eq(~Cat(is_.values()).any() | stray.any())
        return m
