"""The bus: valid and ready of every AXI channel, the manager's side and the memory's."""

import numpy as np

from npu.chip import timing
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams
from npu.twin.bus import (
    ADDRESSED,
    ANSWERED,
    ASKED,
    BEGUN,
    FILLED,
    NEVER,
    OFFERED,
    PUT,
    SHOWN,
    TAKEN,
)
from npu.twin.probe import Probe
from npu.waves import signals
from npu.waves.spans import high, pattern, pulses


def bus(
    probe: Probe, params: ChipParams, schedule: BusSchedule, cycles: int
) -> dict[str, np.ndarray]:
    """Valid and ready of all channels and the DMA's `busy`, (cycles,) bool each, by name."""
    return {
        signals.DMA_BUSY: high(cycles, [(t.taken, t.done) for t in probe.transfers]),
        **_reads(probe, schedule, cycles),
        **_writes(probe, params, schedule, cycles),
    }


def _reads(probe: Probe, schedule: BusSchedule, cycles: int) -> dict[str, np.ndarray]:
    logs = [t.beats for t in probe.transfers if not t.writes]
    beats = np.concatenate(logs) if logs else np.zeros((0, max(PUT, TAKEN) + 1), np.int64)
    bursts = beats[beats[:, ASKED] < NEVER]
    # No beat is taken between two transfers, while something is written, and while one that was
    # taken waits for the banks.
    starts = set(probe.starts)
    shut = []
    for transfer in probe.transfers:
        begins = transfer.start + timing.DMA_START
        if not transfer.writes:
            begins = int(transfer.beats[-1, TAKEN]) + 1
        gap = transfer.done + 1
        # Before a start the host has come and gone: the gap is over.
        shut.append((begins, gap - (gap in starts)))
    shut += [(taken + 1, put - 1) for taken, put in beats[:, [TAKEN, PUT]].tolist()]
    return {
        signals.axi("ar", "valid"): high(cycles, bursts[:, [SHOWN, ASKED]].tolist()),
        signals.axi("ar", "ready"): pattern(cycles, schedule.ar),
        signals.axi("r", "valid"): high(cycles, beats[:, [OFFERED, TAKEN]].tolist()),
        signals.axi("r", "ready"): ~high(cycles, shut),
    }


def _writes(
    probe: Probe, params: ChipParams, schedule: BusSchedule, cycles: int
) -> dict[str, np.ndarray]:
    logs = [t.beats for t in probe.transfers if t.writes]
    bursts = [burst for log in logs for burst in _bursts(log)]
    begun, addressed, first, filled, answered = np.array(bursts, np.int64).reshape(-1, 5).T
    # Between two beats the memory takes none for a while, but for an idle bus.
    apart = params.memory_cycles_per_beat - 1
    responses = dict(zip(filled.tolist(), answered.tolist(), strict=True))
    rests = [
        (cycle + 1, min(cycle + apart, responses.get(cycle, NEVER)))
        for log in logs
        for cycle in log[:, FILLED].tolist()
    ]

    def between(froms: np.ndarray, tos: np.ndarray) -> np.ndarray:
        return high(cycles, zip((froms + 1).tolist(), tos.tolist(), strict=True))

    aw, w = pattern(cycles, schedule.aw), pattern(cycles, schedule.w)
    ended, rested = np.maximum(addressed, filled), ~high(cycles, rests)
    address = aw & ~between(addressed, ended)
    data = w & ~between(filled, ended) & rested
    match schedule.order:
        case WriteOrder.ADDRESS_FIRST:
            data &= between(addressed, filled)
        case WriteOrder.DATA_FIRST:
            address = aw & between(filled, addressed)
        case WriteOrder.TOGETHER:
            address = aw & between(begun, addressed) & rested
            data = address | (data & between(first, filled))
    return {
        signals.axi("aw", "valid"): between(begun - 1, addressed),
        signals.axi("aw", "ready"): address,
        signals.axi("w", "valid"): between(begun - 1, filled),
        signals.axi("w", "ready"): data,
        signals.axi("b", "valid"): pulses(cycles, answered.tolist()),
        signals.axi("b", "ready"): np.ones(cycles, np.bool_),
    }


def _bursts(log: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """(begun, addressed, first beat, last beat, answered) of every burst of a write."""
    edges = np.flatnonzero(np.diff(log[:, BEGUN])) + 1
    return [
        (
            int(burst[0, BEGUN]),
            int(burst[0, ADDRESSED]),
            int(burst[0, FILLED]),
            int(burst[-1, FILLED]),
            int(burst[0, ANSWERED]),
        )
        for burst in np.split(log, edges)
    ]
