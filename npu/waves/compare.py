"""Waveforms of twin and RTL side by side: every signal in every cycle of the chip."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from npu.waves.signals import ACTIVE, PS_PER_CYCLE, RUNNING
from npu.waves.vcd import Dump, read


class WaveDifference(NamedTuple):
    """The first cycle in which a signal differs, and what both sides have there.

    Attributes
    ----------
    rtl : None where the RTL has ended before.
    rtl_ps : where in the RTL's file that is.
    """

    cycle: int
    signal: str
    twin: int
    rtl: int | None
    rtl_ps: int


class WaveComparison(NamedTuple):
    """What was compared.

    Attributes
    ----------
    signals, cycles : how many of both.
    difference : None where all is equal.
    """

    signals: int
    cycles: int
    difference: WaveDifference | None


def compare(twin: Path, rtl: Path, widths: dict[str, int]) -> WaveComparison:
    """Compare two files in all signals of `signals.widths`.

    The RTL's cycles are those in which it says that it is active. Transfers that are open when the
    last program halts may end behind the end of either file. Raises NpuError for a file that cannot
    be read, or lacks a signal.
    """
    left, right = read(twin, widths), read(rtl, widths)
    times = _active(right)
    cycles = min(len(times), left.end // PS_PER_CYCLE)
    times = times[:cycles]
    at = PS_PER_CYCLE * np.arange(cycles)
    first = _early_end(left, right, cycles)
    for name in widths:
        mine, its = left.waves[name].at(at), right.waves[name].at(times)
        unequal = np.flatnonzero(mine != its)
        if len(unequal) and (first is None or unequal[0] < first.cycle):
            cycle = int(unequal[0])
            place = int(times[cycle])
            first = WaveDifference(cycle, name, int(mine[cycle]), int(its[cycle]), place)
    return WaveComparison(len(widths), cycles, first)


def _early_end(twin: Dump, rtl: Dump, cycles: int) -> WaveDifference | None:
    """Where the RTL has ended while a program runs on the twin."""
    behind = np.arange(PS_PER_CYCLE * cycles, twin.end, PS_PER_CYCLE)
    runs = np.flatnonzero(twin.waves[RUNNING].at(behind))
    if not len(runs):
        return None
    return WaveDifference(cycles + int(runs[0]), RUNNING, 1, None, rtl.end)


def _active(rtl: Dump) -> np.ndarray:
    """The beginnings, in ps, of the RTL's cycles in which it is active."""
    # Where the clock rises last, only what changes then is in the file.
    cycles = np.arange(0, rtl.end, PS_PER_CYCLE)
    return cycles[rtl.waves[ACTIVE].at(cycles) != 0]
