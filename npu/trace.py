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
    written : digest (CRC-32) of the bytes or the register value that it wrote; 0 if none.
    """

    pc: int
    name: str
    start: int
    end: int
    written: int

    def as_dict(self) -> dict:
        return asdict(self)
