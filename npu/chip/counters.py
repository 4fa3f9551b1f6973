"""The chip's performance counters: the one list that registers, twin and drivers have."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from operator import add, sub
from typing import Self


class Counts:
    """Base of dataclasses of counts: sums, and differences of two snapshots."""

    def __sub__(self, earlier: Self) -> Self:
        return self._by_field(sub, earlier)

    def __add__(self, other: Self) -> Self:
        return self._by_field(add, other)

    def _by_field(self, function: Callable[[int, int], int], other: Self) -> Self:
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        return type(self)(*(function(getattr(self, n), getattr(other, n)) for n in names))


def _counter(summary: str) -> int:
    return field(default=0, metadata={"summary": summary})


@dataclass
class Counters(Counts):
    """Since the machine was made; of the chip, 32 bits each, wrapping, since they were cleared.

    The fields stand in the order of their registers, each with what it counts. The cycles of a unit
    are those in which it was busy.
    """

    cycles: int = _counter("cycles in which a program ran")
    commands: int = _counter("commands retired")
    sequencer_cycles: int = _counter("cycles of fetch and decode")
    matvec_cycles: int = _counter("cycles of matrix-vector commands")
    vector_cycles: int = _counter("cycles of vector commands")
    dma_cycles: int = _counter("cycles of commands that wait for their own transfer")
    wait_cycles: int = _counter("cycles in which a command waited for the DMA's queue or tags")
    transfer_cycles: int = _counter("cycles with an open transfer of a program")
    symbols: int = _counter("weights decoded, explicit zeros among them")
    macs: int = _counter("multiplications with a nonzero weight")
    macs_gated: int = _counter("of these, with a zero activation; they are multiplied all the same")
    stalled_turns: int = _counter("decode turns skipped because a result FIFO was full")
    bytes_read: int = _counter("bytes that programs read from external memory")
    bytes_written: int = _counter("bytes that programs wrote to external memory")

    def as_dict(self) -> dict[str, int]:
        return asdict(self)
