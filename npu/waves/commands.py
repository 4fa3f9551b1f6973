"""What the sequencer shows: which command runs, and what it waits for."""

import numpy as np

from npu.twin.probe import Probe
from npu.waves import signals
from npu.waves.spans import high, pulses


def sequencer(probe: Probe, cycles: int) -> dict[str, np.ndarray]:
    """The sequencer's signals, (cycles,) each, by name."""
    commands, waited = probe.commands, [t for t in probe.transfers if t.waited]
    running = high(cycles, _runs(probe))
    working = high(cycles, [(c.start, c.end) for c in commands])
    waits = [(c.start, c.end - 1) for c in commands if c.name == "WAIT"]
    # Every command of the DMA has a transfer.
    asking = (c for c in commands if c.unit == "dma")
    waits += [(c.start, t.taken - 1) for c, t in zip(asking, probe.transfers, strict=True)]
    return {
        signals.RUNNING: running,
        signals.START: pulses(cycles, [c.start for c in commands]),
        signals.RETIRE: pulses(cycles, [c.end for c in commands]),
        signals.PC: _counter(probe, cycles),
        signals.FETCHING: running & ~working,
        signals.WAITING: high(cycles, waits),
        signals.TRANSFER_BUSY: high(cycles, [(t.taken, t.done) for t in waited]),
        signals.MATVEC_BUSY: high(cycles, _of(probe, "matvec")),
        signals.VECTOR_BUSY: high(cycles, _of(probe, "vector")),
    }


def _of(probe: Probe, unit: str) -> list[tuple[int, int]]:
    return [(c.start, c.end) for c in probe.commands if c.unit == unit]


def _runs(probe: Probe) -> list[tuple[int, int]]:
    """First and last cycle of every start that has come to its HALT."""
    halts = [c.end for c in probe.commands if c.name == "HALT"]
    return list(zip(probe.starts, halts, strict=False))


def _counter(probe: Probe, cycles: int) -> np.ndarray:
    """(cycles,) int64, the program counter: a command's from the cycle behind the one before."""
    begins, counts = [0], [0]
    starts = iter([*probe.starts, cycles])
    begin = next(starts)
    for command in probe.commands:
        # The first of a start has its place before it is fetched.
        begins.append(begin)
        counts.append(command.pc)
        begin = command.end + 1
        if command.name == "HALT":
            begins.append(begin)
            counts.append(command.pc + 1)
            begin = next(starts)
    changes = np.array(begins), np.array(counts)
    return changes[1][np.searchsorted(changes[0], np.arange(cycles), "right") - 1]
