"""What a chip did between two moments, and the shares that every report gives of it.

    product_utilisation = macs / (matvec_cycles * lanes)    of the product's cycles
    run_utilisation     = macs / (cycles * lanes)           of the whole run
    wait_cycles         = cycles in which the running command waited for a transfer: its own, one
                          with its tag, or a place in the DMA's queue

`macs` are multiplications by a nonzero weight. The product's cycles are those of matrix-vector
commands, from their start to their last result; the run's are all from a start of the chip to its
halt. A layer's product can be busy while the run is not: of a matrix that is streamed from slow
memory, the run waits most of the time.
"""

from dataclasses import dataclass
from typing import Self, TypedDict

from npu.chip.counters import Counters, Counts


def utilisation(macs: float, cycles: float, lanes: int) -> float:
    """Share of the lanes' cycles that multiply by a nonzero weight; 0 where there are no cycles."""
    return macs / (cycles * lanes) if cycles else 0.0


class WorkReport(TypedDict):
    """Counts and shares by the names that every JSON has; see the module and `Work`."""

    macs: int
    matvec_cycles: int
    wait_cycles: int
    bytes_read: int
    bytes_written: int
    product_utilisation: float
    run_utilisation: float


@dataclass(frozen=True)
class Work(Counts):
    """Counts since the machine was made; differences of two snapshots are those in between.

    Attributes
    ----------
    cycles : in which a program ran.
    matvec_cycles : of matrix-vector commands.
    wait_cycles : in which a command waited for a transfer.
    macs : multiplications by a nonzero weight.
    bytes_read, bytes_written : over the bus, transfers behind other commands too.
    """

    cycles: int
    matvec_cycles: int
    wait_cycles: int
    macs: int
    bytes_read: int
    bytes_written: int

    @classmethod
    def of(cls, counters: Counters) -> Self:
        """What the chip's counters say."""
        return cls(
            cycles=counters.cycles,
            matvec_cycles=counters.matvec_cycles,
            wait_cycles=counters.wait_cycles + counters.dma_cycles,
            macs=counters.macs,
            bytes_read=counters.bytes_read,
            bytes_written=counters.bytes_written,
        )

    def report(self, lanes: int) -> WorkReport:
        """The counts and both utilisations."""
        return {
            "macs": self.macs,
            "matvec_cycles": self.matvec_cycles,
            "wait_cycles": self.wait_cycles,
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "product_utilisation": utilisation(self.macs, self.matvec_cycles, lanes),
            "run_utilisation": utilisation(self.macs, self.cycles, lanes),
        }
