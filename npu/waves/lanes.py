"""The lanes: when each has rows, and when it waits.

How many cycles behind a turn its traces show is said by `npu.chip.timing`; see `rtl.lane.lane`.
"""

from collections.abc import Iterator

import numpy as np

from npu.chip import timing
from npu.chip.lanes import ROW_END, SLOT_END, STALLED
from npu.chip.params import ChipParams
from npu.twin.probe import Probe, ProductNote
from npu.waves import signals
from npu.waves.spans import high, pulses

# From the cycle in which a position begins to be prepared to the first thread's rows being known:
# its directory word, and what the bank takes; two words a thread.
_KNOWN, _WORDS = 2 + timing.BANK_LATENCY, 2
# From a turn to the row that it ended on its way out, and to its having waited.
_ROW, _WAITED = timing.LANE_PIPELINE - 1, timing.LANE_PIPELINE - 2


def lanes(probe: Probe, params: ChipParams, cycles: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values, (cycles,) bool, of the signals of every lane."""
    for number in range(params.lanes):
        works, rows, waits = [], [], []
        for product in probe.products:
            log = product.course.log.turns[number]
            works += _works(product, number)
            rows += (product.first_turn + _ROW + _at(log, ROW_END, SLOT_END)).tolist()
            waits += (product.first_turn + _WAITED + _at(log, STALLED)).tolist()
        working, row = high(cycles, works), pulses(cycles, rows)
        found = (working, working | row, row, pulses(cycles, waits))
        for name, values in zip(signals.LANE, found, strict=True):
            yield signals.lane(number, name), values


def _works(product: ProductNote, number: int) -> list[tuple[int, int]]:
    """When a lane has rows: at every position from its first directory word to its last row."""
    course = product.course
    thread = int(course.first_filled[number])
    if thread < 0:
        return []
    begins = product.first_turn + course.log.begins
    begins[0] = product.start
    # The slots of a lane end one by one, each once at every position.
    ends = _at(course.log.turns[number], SLOT_END).reshape(len(begins), -1).max(axis=1)
    firsts = begins + _KNOWN + _WORDS * thread
    lasts = product.first_turn + ends + _ROW - 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _at(log: np.ndarray, *what: int) -> np.ndarray:
    """The cycles of a lane's log in which it does one of these things."""
    return np.flatnonzero(np.isin(log, what))
