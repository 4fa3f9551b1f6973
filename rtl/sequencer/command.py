"""What the sequencer knows of the command at hand."""

from collections.abc import Sequence

from amaranth.hdl import Signal, signed

from npu.chip.isa import OPCODES, TAGGED
from rtl.shared.commands import COMMAND_BITS, is_opcode, unit_opcodes
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
    decode : statements of the cycle in which it is decoded.
    """

    def __init__(self) -> None:
        self.cmd = Signal(COMMAND_BITS)
        self.first = Signal()
        self.left = Signal(signed(32))
        self.right = Signal(signed(32))
        self.outside = Signal()
        self.status, self.refused = Signal(STATUS_BITS), Signal()
        self.taken = Signal()
        self.is_ = {name: Signal(name=f"is_{name.lower()}") for name in OPCODES}
        self.decode = [signal.eq(is_opcode(self.cmd, name)) for name, signal in self.is_.items()]
        self.is_transfer = self.is_one_of("is_transfer", unit_opcodes("dma"))
        self.tagged = self.is_one_of("tagged", TAGGED)
        self.is_matvec = self.is_one_of("is_matvec", unit_opcodes("matvec"))
        self.is_vector = self.is_one_of("is_vector", unit_opcodes("vector"))

    def is_one_of(self, what: str, names: Sequence[str]) -> Signal:
        """Whether the command is one of `names`, decoded like `is_`."""
        signal = Signal(name=what)
        self.decode.append(signal.eq(is_opcode(self.cmd, *names)))
        return signal
