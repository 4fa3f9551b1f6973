"""The retire record: what a command did and when. Lockstep compares these, twin against RTL."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Retire:
    """One executed command.

    Attributes
    ----------
    pc : index of the command in the program.
    name : opcode.
    start, end : first and last cycle in which the command's unit worked.
    written : digest (CRC-32) of what it wrote into SRAM or external memory, byte by byte in the
        order of addresses, or into a register (int32); 0 if nothing. Banks, parameter memory, the
        look-up table and r0 do not count.
    """

    pc: int
    name: str
    start: int
    end: int
    written: int

    def as_dict(self) -> dict:
        return asdict(self)
