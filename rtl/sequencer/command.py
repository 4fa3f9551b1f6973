"""What the sequencer knows of the command at hand."""

from collections.abc import Sequence

from amaranth.hdl import Signal, signed
from amaranth.utils import exact_log2

from npu.chip.isa import OPCODES, TAGGED, WRITES_REGISTER
from npu.chip.params import ChipParams
from rtl.shared.commands import COMMAND_BITS, fields, is_opcode, unit_opcodes
from rtl.shared.interfaces import STATUS_BITS


class Command:
    """The command at hand, and what is known of it.

    Attributes
    ----------
    cmd : the command.
    first : it is in its first cycle.
    left, right : its registers rs1 and rs2.
    outside : it lies outside the program.
    refused, status : whether it is refused, and why.
    taken : the branch is taken.
    is_ : whether it is the opcode, by name.
    writes_register, is_transfer, tagged, is_matvec, is_vector : whether it is one of those.
    empty, odd, end : of a transfer, that it has no beats, that its local address is misaligned, and
        the address behind it.
    decode : statements of the cycle in which it is decoded.
    """

    def __init__(self, params: ChipParams) -> None:
        self.cmd = Signal(COMMAND_BITS)
        self.first = Signal()
        self.left = Signal(signed(32))
        self.right = Signal(signed(32))
        self.outside = Signal()
        self.status, self.refused = Signal(STATUS_BITS), Signal()
        self.taken = Signal()
        self.is_ = {name: Signal(name=f"is_{name.lower()}") for name in OPCODES}
        self.decode = [signal.eq(is_opcode(self.cmd, name)) for name, signal in self.is_.items()]
        self.writes_register = self.is_one_of("writes_register", WRITES_REGISTER)
        self._look_at_transfer(exact_log2(params.bus_bytes))
        self.is_transfer = self.is_one_of("is_transfer", unit_opcodes("dma"))
        self.tagged = self.is_one_of("tagged", TAGGED)
        self.is_matvec = self.is_one_of("is_matvec", unit_opcodes("matvec"))
        self.is_vector = self.is_one_of("is_vector", unit_opcodes("vector"))

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
