"""What the sequencer knows of the command at hand."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.utils import exact_log2

from npu.chip import timing
from npu.chip.isa import OPCODES, SCALES, TAGGED, WRITES_REGISTER
from npu.chip.params import ChipParams
from rtl.sequencer.numbers import SramNumbers
from rtl.shared.commands import COMMAND_BITS, fields, is_opcode, unit_opcodes
from rtl.shared.interfaces import PC_BITS, STATUS_BITS

# Codes of the units that see addresses in SRAM, and only they, have this bit.
UNIT_CODES = 0x20
assert all(
    bool(op.code & UNIT_CODES) == (op.unit in ("matvec", "vector")) for op in OPCODES.values()
)
# It has all flags and operands, where all have them.
RELATIVE = OPCODES["VMUL"]
assert all(
    RELATIVE.field(name) in op.fields
    for op in OPCODES.values()
    if op.has("scaled")
    for name in SCALES
)


def scalars_of(cycles: int) -> list[str]:
    """Scalar commands that take so many cycles."""
    return [name for name, takes in timing.SCALARS.items() if takes == cycles]


class Command:
    """The command at hand, and what is known of it.

    Attributes
    ----------
    cmd : the command.
    checked : it is in the cycle before its first.
    first : it is in its first cycle.
    left, right : its registers rs1 and rs2, of a unit's command the bases of a and b.
    outside : it lies outside the program.
    following, beyond : the index behind it; what was fetched last lies outside the program.
    refused, status : whether it is refused, and why.
    nowhere : it is refused in its first cycle, its number lies nowhere in SRAM.
    writes : it is in its last cycle, if it writes a register.
    taken : the branch is taken.
    is_ : whether it is the opcode, by name.
    writes_register, is_transfer, tagged, is_matvec, is_vector : whether it is one of those.
    takes_two, takes_three : whether it is a scalar one of so many cycles.
    empty, odd, end : of a transfer, that it has no beats, that its local address is misaligned, and
        the address behind it.
    decode : statements of the cycle in which it is decoded.
    """

    def __init__(self, params: ChipParams) -> None:
        self.cmd = Signal(COMMAND_BITS, name="at_hand")
        self.checked = Signal()
        self.first = Signal()
        self.left = Signal(signed(32))
        self.right = Signal(signed(32))
        self.outside = Signal()
        self.beyond = Signal()
        self.following = Signal(PC_BITS)
        self.status, self.refused = Signal(STATUS_BITS), Signal()
        self.nowhere = Signal()
        self.writes = Signal()
        self.taken = Signal()
        self.is_ = {name: Signal(name=f"is_{name.lower()}") for name in OPCODES}
        self.decode = [signal.eq(is_opcode(self.cmd, name)) for name, signal in self.is_.items()]
        self.writes_register = self.is_one_of("writes_register", WRITES_REGISTER)
        self._look_at_transfer(exact_log2(params.bus_bytes))
        self.is_transfer = self.is_one_of("is_transfer", unit_opcodes("dma"))
        self.tagged = self.is_one_of("tagged", TAGGED)
        self.is_matvec = self.is_one_of("is_of_matvec", unit_opcodes("matvec"))
        self.is_vector = self.is_one_of("is_vector", unit_opcodes("vector"))

        self.takes_two = self.is_one_of("takes_two", scalars_of(2))
        self.takes_three = self.is_one_of("takes_three", scalars_of(3))

    @property
    def of_unit(self) -> Value:
        """Whether it goes to the matrix-vector or the vector unit: a bit of their opcodes."""
        return self.cmd[exact_log2(UNIT_CODES)]

    def is_relative(self, operand: str) -> Value:
        """Whether an operand's address is relative; of a unit's command that is legal."""
        return self.cmd[RELATIVE.field(f"{operand}_rel").lsb]

    @property
    def is_scaled(self) -> Value:
        """Whether a command takes its scale from registers, in the cycle `checked`."""
        return self.is_vector & self.cmd[RELATIVE.field("scaled").lsb]

    def placed(self, m: Module, bases: dict[str, Value], scale: dict[str, Value]) -> Value:
        """The command from its first cycle on: bases of operands added, `scale` in its place."""
        whole, at = [], 0
        names = (*bases, *scale)
        for field in sorted((RELATIVE.field(name) for name in names), key=lambda f: f.lsb):
            end = field.lsb + field.width
            place = Signal(field.width, name=f"{field.name}_place")
            own = self.cmd[field.lsb : end]
            if field.name in bases:
                value = own + bases[field.name]
            else:
                value = Mux(self.is_scaled, scale[field.name][: field.width], own)
            with m.If(self.checked):
                m.d.sync += place.eq(value)
            whole += [self.cmd[at : field.lsb], place]
            at = end
        return Cat(*whole, self.cmd[at:])

    def _look_at_transfer(self, bus_bits: int) -> None:
        load = fields(self.cmd, "LOAD")
        empty, odd, end = Signal(), Signal(), Signal(len(load.beats) + bus_bits + 1)
        self.empty, self.odd, self.end = empty, odd, end
        self.decode += [
            empty.eq(load.beats == 0),
            odd.eq(load.sram[:bus_bits].any()),
            end.eq(load.sram + (load.beats << bus_bits)),
        ]

    def is_one_of(self, what: str, names: Sequence[str]) -> Signal:
        """Whether the command is one of `names`, decoded like `is_`."""
        signal = Signal(name=what)
        self.decode.append(signal.eq(is_opcode(self.cmd, *names)))
        return signal

    def move_number(self, m: Module, numbers: SramNumbers, address: Signal) -> None:
        """What the unit that moves numbers in SRAM is told of the command."""
        load, store = self.is_["LOADS"], self.is_["STORES"]
        moves = self.first & ~self.refused
        m.d.comb += [
            numbers.address.eq(address),
            numbers.kind.eq(fields(self.cmd, "LOADS").type),
            numbers.load.eq(load),
            numbers.reads.eq(moves & load),
            numbers.writes.eq(moves & store & ~numbers.bad),
            numbers.word.eq(self.right),
            self.nowhere.eq(self.first & (load | store) & numbers.bad),
        ]
