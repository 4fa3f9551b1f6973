"""Energy of a run, estimated from what the twin counted and the chip's `energy_pj`.

    energy = mac * symbols                      zeros are multiplied too: no operand is isolated
           + decode * symbols                   every run/value pair, padding included
           + activation_read * symbols          a lane reads its copy for every weight it decodes
           + bank_read_word * bank_words        each weight stream once per product
           + sram_byte * sram_bytes             vector SRAM and parameter memory
           + vector_element * vector_elements
           + external_byte * external_bytes     read and written over the bus
           + leakage_mw * seconds

The constants are picojoules per event. They are assumptions of the chip's description, so the
result ranks designs rather than predicts silicon.
"""

from dataclasses import dataclass
from typing import Self

from npu.chip.counters import Counts
from npu.chip.params import Energy
from npu.twin.machine import Machine

PJ_PER_UJ = 1e6
UJ_PER_MJ = 1e3


@dataclass(frozen=True)
class Activity(Counts):
    """Events that cost energy, and `macs`; differences of two snapshots are those in between."""

    macs: int
    symbols: int
    bank_words: int
    sram_bytes: int
    vector_elements: int
    external_bytes: int

    @classmethod
    def of(cls, machine: Machine, bank_words: int) -> Self:
        """Everything since the machine was made; `bank_words` as `Profile.bank_words` gives it."""
        counters, events = machine.counters, machine.events
        return cls(
            macs=counters.macs,
            symbols=counters.symbols,
            bank_words=bank_words,
            sram_bytes=events.sram_bytes + events.param_bytes,
            vector_elements=events.vector_elements,
            external_bytes=counters.bytes_read + counters.bytes_written,
        )


def powered_seconds(sound_seconds: float, busy_seconds: float) -> float:
    """How long a chip is powered that hears sound as it comes: until both have ended.

    An overloaded chip works longer than the sound lasts.
    """
    return max(sound_seconds, busy_seconds)


def energy_uj(events: Energy, activity: Activity, seconds: float) -> dict[str, float]:
    """Microjoules by cause, and their "total".

    Parameters
    ----------
    seconds : how long the chip is powered; in streaming, see `powered_seconds`.
    """
    picojoules = {
        "mac": events.mac * activity.symbols,
        "decode": events.decode * activity.symbols,
        "activations": events.activation_read * activity.symbols,
        "banks": events.bank_read_word * activity.bank_words,
        "sram": events.sram_byte * activity.sram_bytes,
        "vector": events.vector_element * activity.vector_elements,
        "external": events.external_byte * activity.external_bytes,
    }
    microjoules = {cause: value / PJ_PER_UJ for cause, value in picojoules.items()}
    microjoules["leakage"] = events.leakage_mw * seconds * UJ_PER_MJ
    return {**microjoules, "total": sum(microjoules.values())}
