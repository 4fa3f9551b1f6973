"""What the instruction table is made of: opcodes, their fields, and the types of vectors."""

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property


class ElementType(IntEnum):
    """Type of an element in SRAM. Vector commands take the first two, LOADS and STORES all."""

    INT8 = 0
    INT16 = 1
    INT32 = 2

    @property
    def n_bytes(self) -> int:
        return 1 << self.value


SUM_BYTES = ElementType.INT32.n_bytes
"""Of a row's sum in SRAM, which a MATVEC stores or adds."""


@dataclass(frozen=True)
class Field:
    """A bit field of a command; `signed` fields hold two's complement numbers.

    `element`: of the address of a vector in SRAM, its type, or the name of the field that says it.
    """

    name: str
    lsb: int
    width: int
    signed: bool = False
    element: ElementType | str | None = None

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value that the field holds."""
        if self.signed:
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1

    def wrap(self, value: int) -> int:
        """What the field holds of a number: its low bits."""
        low, high = self.range
        return (value - low) % (high - low + 1) + low


@dataclass(frozen=True)
class Opcode:
    """A row of the instruction table."""

    name: str
    code: int
    unit: str
    summary: str
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """The field called `name`, one that the opcode has."""
        return next(f for f in self.fields if f.name == name)

    def has(self, name: str) -> bool:
        """Whether it has a field called `name`."""
        return any(f.name == name for f in self.fields)

    @cached_property
    def tagged(self) -> bool:
        """Whether it starts a transfer and does not wait for it."""
        return self.has("tag")

    @property
    def writes_register(self) -> bool:
        """Whether it has a result in a scalar register."""
        return self.has("rd")
