"""What a part of a program has moved, and the energy of that: from its counts."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from npu.analysis.energy import Activity, energy_uj
from npu.chip.counters import Counters
from npu.chip.params import ChipParams
from npu.twin.state import Events

MEMORIES = ("external read", "external written", "sram", "param")
"""Memories and directions of `memory_bytes`; banks are read once for every product."""


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

    def memory_bytes(self) -> dict[str, int]:
        """Bytes that were moved, by MEMORIES."""
        counters, events = self.counters, self.events
        moved = (
            counters.bytes_read,
            counters.bytes_written,
            events.sram_bytes,
            events.param_bytes,
        )
        return dict(zip(MEMORIES, moved, strict=True))

    def energy_uj(
        self, params: ChipParams, bank_words: int, powered_seconds: float
    ) -> dict[str, float]:
        """Microjoules by component and their "total", as `npu.analysis.energy` reckons them.

        bank_words : 32-bit words that the lanes read from their banks.
        """
        machine: Any = self
        return energy_uj(params.energy_pj, Activity.of(machine, bank_words), powered_seconds)


def _of(kind: Any, counts: Mapping[str, int]) -> dict[str, int]:
    names = {field.name for field in fields(kind)}
    return {name: count for name, count in counts.items() if name in names}
