"""The retire record: what a command did and when. Lockstep compares these, twin against RTL.

`first_difference` compares two of anything that comes in order: records, bytes, elements.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


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


@dataclass(frozen=True)
class Difference(Generic[T]):
    """Where two sides part ways.

    Attributes
    ----------
    index : of the first entry that is not the same.
    left, right : what either side has there, None where it has ended.
    """

    index: int
    left: T | None
    right: T | None

    @property
    def known(self) -> T:
        """The left side's entry, the right one's where the left has ended."""
        known = self.right if self.left is None else self.left
        assert known is not None, "one side has an entry"
        return known


def first_difference(left: Iterable[T], right: Iterable[T]) -> Difference[T] | None:
    """The first entry that two sides do not share, None where all are equal.

    left, right : entries in order, none of them None; arrays are compared element by element in the
        order in which they lie in memory, whatever their shapes.
    """
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return _first_element(left.reshape(-1), right.reshape(-1))
    for index, (a, b) in enumerate(zip_longest(left, right)):
        if a != b:
            return Difference(index, a, b)
    return None


def _first_element(left: np.ndarray, right: np.ndarray) -> Difference | None:
    common = min(left.size, right.size)
    unequal = left[:common] != right[:common]
    index = int(np.argmax(unequal)) if unequal.any() else common
    if index == left.size == right.size:
        return None
    return Difference(
        index, *(side[index].item() if index < side.size else None for side in (left, right))
    )


def first_cycle(left: Retire | None, right: Retire | None) -> int:
    """The first cycle in which two records of one place, not both None, say different things."""
    if left is None or right is None:
        known = left or right
        assert known is not None, "one side has a record"
        return known.start
    if (left.pc, left.start) != (right.pc, right.start):
        return min(left.start, right.start)
    return min(left.end, right.end)
