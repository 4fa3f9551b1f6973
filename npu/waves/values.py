"""Every signal in every cycle, of what a twin's probe has noted."""

from collections.abc import Iterator

import numpy as np

from npu.chip.memory import BusSchedule
from npu.chip.params import ChipParams
from npu.twin.probe import Probe
from npu.waves import signals
from npu.waves.bus import bus
from npu.waves.commands import sequencer
from npu.waves.lanes import lanes


def values(
    probe: Probe, params: ChipParams, schedule: BusSchedule
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values, (probe.cycles,) bool or int64, of all that `signals.widths` names.

    schedule : the memory's.
    """
    cycles = probe.cycles
    shown = sequencer(probe, cycles) | bus(probe, params, schedule, cycles)
    shown[signals.ACTIVE] = shown[signals.RUNNING] | shown[signals.DMA_BUSY]
    yield from shown.items()
    yield from lanes(probe, params, cycles)
