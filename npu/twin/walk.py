"""Walks of looped vector commands through SRAM: three loops, each operand with strides of its own.

The elements of a walk are counted in the order in which the chip takes them. Nothing here is as
long as a command says: what is worked out for every element comes in pieces of at most PIECE.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from npu.chip.isa import OPERANDS, Command, ElementType
from npu.chip.status import Status
from npu.errors import MachineError

PIECE = 1 << 16
"""Elements that are handled together; more than a command has in its inner loop."""
MOST_COMPARED = 1 << 22
"""Elements of a command whose destination is compared with its sources one by one."""


class Loop(NamedTuple):
    """What VLOOP sets: counts of the two outer loops, strides of every operand, inner loop first.

    Strides count bytes.
    """

    counts: tuple[int, int]
    strides: dict[str, tuple[int, int, int]]

    @classmethod
    def of(cls, cmd: Command) -> "Loop":
        """Raises MachineError where a count is 0."""
        v = cmd.values
        counts = v["count_1"], v["count_2"]
        if 0 in counts:
            raise MachineError("a loop of no rounds", Status.ADDRESS)
        strides = {key: (v[f"{key}_0"], v[f"{key}_1"], v[f"{key}_2"]) for key in OPERANDS}
        return cls(counts, strides)

    @property
    def repeats(self) -> int:
        """How often the inner loop runs."""
        return self.counts[0] * self.counts[1]


class Walk(NamedTuple):
    """Where the elements of one operand lie.

    Attributes
    ----------
    start : byte address of the first.
    counts, strides : of the three loops, the inner one first.
    kind : of each element.
    """

    start: int
    counts: tuple[int, int, int]
    strides: tuple[int, int, int]
    kind: ElementType

    @property
    def total(self) -> int:
        """Elements."""
        return self.counts[0] * self.counts[1] * self.counts[2]

    @property
    def span(self) -> tuple[int, int]:
        """Lowest address, and the one behind the highest byte."""
        ways = [(n - 1) * stride for n, stride in zip(self.counts, self.strides, strict=True)]
        low = self.start + sum(min(0, way) for way in ways)
        return low, self.start + sum(max(0, way) for way in ways) + self.kind.n_bytes

    @property
    def never_twice(self) -> bool:
        """Whether no byte is come to twice, as far as the strides alone say: False may be wrong."""
        reach = self.kind.n_bytes
        for stride, n in sorted(zip(map(abs, self.strides), self.counts, strict=True)):
            if n > 1:
                if stride < reach:
                    return False
                reach += (n - 1) * stride
        return True

    def check(self, sram_bytes: int) -> None:
        """Raise MachineError unless every element is aligned and inside SRAM."""
        steps = [stride for n, stride in zip(self.counts, self.strides, strict=True) if n > 1]
        if any(at % self.kind.n_bytes for at in (self.start, *steps)):
            raise MachineError(
                f"elements from {self.start:#x} on in steps of {steps} bytes: not all addresses "
                f"are multiples of {self.kind.n_bytes}",
                Status.ADDRESS,
            )
        low, end = self.span
        if low < 0 or end > sram_bytes:
            raise MachineError(f"elements at {low:#x} to {end:#x} lie outside SRAM", Status.ADDRESS)

    def elements(self, first: int, end: int) -> np.ndarray:
        """(end - first,) int64: of elements `first` to `end`, their address in elements."""
        n, count_1, _ = self.counts
        outer, i0 = np.divmod(np.arange(first, end), n)
        i2, i1 = np.divmod(outer, count_1)
        s0, s1, s2 = self.strides
        return (self.start + i0 * s0 + i1 * s1 + i2 * s2) // self.kind.n_bytes

    def bytes(self, first: int, end: int) -> np.ndarray:
        """(end - first, n_bytes) int64: addresses of their bytes."""
        size = self.kind.n_bytes
        return self.elements(first, end)[:, None] * size + np.arange(size)


def pieces(total: int, whole: int = 1) -> Iterator[tuple[int, int]]:
    """(first, end) of pieces that cover `total` elements, each a multiple of `whole`."""
    size = max(1, PIECE // whole) * whole
    for first in range(0, total, size):
        yield first, min(total, first + size)


def check_order(sources: Sequence[Walk], dst: Walk) -> None:
    """Raise MachineError (without a status) where an element writes what a later one reads.

    The chip computes something then, but not what the command says: a later element is read before
    an earlier one is written. A source and a destination that are the same walk without a repeated
    address are in order. `sources` and `dst` have as many elements, or each of `dst` stands for as
    many of the sources, and is written behind the last of them.
    """
    for source in sources:
        (low, end), (dst_low, dst_end) = source.span, dst.span
        if dst_end <= low or end <= dst_low or (source == dst and source.never_twice):
            continue
        each = source.total // dst.total
        if source.total > MOST_COMPARED:
            raise MachineError("the destination overlaps a source, in too many elements to compare")
        base = min(low, dst_low)
        read = np.full(max(end, dst_end) - base, -1)
        for first, last in pieces(source.total):
            read[source.bytes(first, last) - base] = np.arange(first, last)[:, None]
        written = np.full_like(read, source.total)
        for first, last in reversed(list(pieces(dst.total))):
            order = (np.arange(first, last)[::-1] + 1) * each - 1
            written[dst.bytes(first, last)[::-1] - base] = order[:, None]
        if (written < read).any():
            raise MachineError("an element writes what a later one reads")
