"""What a part of a program has moved, and the energy of that: from its counts."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from npu.analysis.energy import Activity, Costs, Powered, energy_uj
from npu.chip.counters import Counters
from npu.chip.params import ChipParams
from npu.chip.weight_format import PARAM_WORD, WORD_BITS
from npu.twin.state import Events

MEMORIES = ("external read", "external written", "banks", "sram", "param")
"""Memories and directions of `memory_bytes`: what lanes and units read, and write on the chip."""


@dataclass(frozen=True)
class Counted:
    """Counts of a part of a run, as a machine has those of all of it."""

    counters: Counters
    events: Events

    @classmethod
    def of(cls, counts: Mapping[str, int], cycles: int) -> "Counted":
        """Of counts by name; `cycles` that the part took."""
        return cls(
            Counters(**{"cycles": cycles} | _of(Counters, counts)), Events(**_of(Events, counts))
        )

    def memory_bytes(self, params: ChipParams) -> dict[str, int]:
        """Bytes that were moved, by MEMORIES; an access of SRAM counts as a bus word."""
        counters, events, bus = self.counters, self.events, params.bus_bytes
        moved = (
            counters.bytes_read,
            counters.bytes_written,
            events.bank_reads * WORD_BITS // 8 + events.bank_writes * bus,
            (events.sram_reads + events.sram_writes) * bus,
            events.param_reads * PARAM_WORD + events.param_writes * bus,
        )
        return dict(zip(MEMORIES, moved, strict=True))

    def energy_uj(self, params: ChipParams, powered: Powered) -> dict[str, float]:
        """Microjoules by component and their "total", as `npu.analysis.energy` reckons them."""
        machine: Any = self
        return energy_uj(Costs.of(params), Activity.of(machine), powered)


def _of(kind: Any, counts: Mapping[str, int]) -> dict[str, int]:
    names = {field.name for field in fields(kind)}
    return {name: count for name, count in counts.items() if name in names}
