"""A looped vector command: gathers its operands, computes as any vector command, scatters."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from npu.chip.isa import OPERANDS, Command
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin import vector
from npu.twin.walk import Loop, Walk, check_order, pieces


class Accesses(NamedTuple):
    """Reads and writes of vector SRAM by a vector command."""

    reads: int
    writes: int


class LoopedCommand:
    """A command with its operands found.

    Parameters
    ----------
    cmd : a vector command with the flag `looped`.
    loop : what is held.
    sram, table : of the chip.

    Raises MachineError for an element outside SRAM or misaligned, and (without a status) where an
    element writes what a later one reads.

    Attributes
    ----------
    total : its elements.
    accesses : of SRAM; every element of an operand is one.
    """

    def __init__(self, cmd: Command, loop: Loop, sram: np.ndarray, table: np.ndarray) -> None:
        n = cmd.values["n"]
        if n == 0:
            raise MachineError("a vector of no elements", Status.ADDRESS)
        self._cmd, self._sram, self._table = cmd, sram, table
        self.total = n * loop.repeats
        counts = n, *loop.counts
        self._walks = {
            key: Walk(cmd.values[key], counts, loop.strides[key], kind)
            for key, kind in zip(OPERANDS, cmd.operand_types, strict=True)
            if kind is not None
        }
        self._row = n if cmd.opcode.name == "VDOT" else 1
        if self._row > 1:
            # One element a row; `dst_0` is for nobody.
            dst = self._walks["dst"]
            self._walks["dst"] = dst._replace(counts=(1, *loop.counts))
        for walk in self._walks.values():
            walk.check(len(sram))
        self._dst = self._walks.get("dst")
        if self._dst is not None:
            sources = [walk for key, walk in self._walks.items() if key != "dst"]
            check_order(sources, self._dst)
        writes = 0 if self._dst is None else self._dst.total
        reads = sum(walk.total for walk in self._walks.values()) - writes
        self.accesses = Accesses(reads, writes)

    def run(self) -> int | None:
        """Do the work; returns the scalar result of VARGMAX, None of the others."""
        if self._dst is None:
            return self._argmax()
        target = self._view(self._dst)
        for first, end in pieces(self.total, self._row):
            a, b = self._operands(first, end)
            first, end = first // self._row, end // self._row
            dst = np.zeros(end - first, target.dtype)
            vector.bind(self._cmd, a, b, dst, self._table)()
            # Of equal places the last is left.
            target[self._dst.elements(first, end)] = dst
        return None

    def _argmax(self) -> int:
        best, index = -(1 << 15), 0
        for first, end in pieces(self.total):
            a, b = self._operands(first, end)
            found = vector.bind(self._cmd, a, b, b, self._table)()
            assert found is not None
            if a[found] > best:
                best, index = a[found], first + found
        return index % vector.ARGMAX_MODULUS

    def written(self) -> np.ndarray:
        """What lies at the destination, byte by byte in the order of addresses."""
        if self._dst is None:
            return np.zeros(0, np.uint8)
        touched = np.zeros(len(self._sram), bool)
        for first, end in pieces(self._dst.total):
            touched[self._dst.bytes(first, end)] = True
        return self._sram[touched]

    def _operands(self, first: int, end: int) -> Iterator[np.ndarray]:
        for key in ("a", "b"):
            walk = self._walks.get(key)
            if walk is None:
                yield np.zeros(0, np.int8)
            else:
                yield self._view(walk)[walk.elements(first, end)]

    def _view(self, walk: Walk) -> np.ndarray:
        return self._sram.view(vector.NUMPY[walk.kind])
