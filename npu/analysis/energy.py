"""Energy of a run, estimated from what the twin counted and what a chip's events cost.

Everything that moves is an event of `Activity`, with a cost of the same name in
`npu.chip.technology.EventCosts`, which says what it stands for. Time costs too: what leaks while
the chip runs, what it draws in the state in which it waits, and waking it up. The constants have
published sources or are said to be assumptions; sums are estimates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from npu.chip.counters import Counts
from npu.chip.params import ChipParams
from npu.chip.technology import EventCosts, PowerStates, event_costs, power_states
from npu.twin.machine import Machine

PJ_PER_UJ = 1e6

CAUSES = {
    "multiply": {"mac": "symbols"},
    "decode": {"decode": "symbols"},
    "results": {"result": "rows"},
    "activations": {"activation_read": "symbols", "activation_write": "activation_words"},
    "banks": {"bank_read": "bank_reads"},
    "loading": {"bank_write": "bank_writes", "param_write": "param_writes"},
    "param": {"param_read": "param_reads"},
    "sram": {"sram_read": "sram_reads", "sram_write": "sram_writes"},
    "vector": {"vector_element": "vector_elements"},
    "program": {"command": "commands"},
    "external": {"external_byte": "external_bytes"},
    "clock": {"clock": "cycles"},
}
"""By what an energy is spent on: the costs that belong to it, each with the event that it is of.

Zeros are multiplied too: no operand is isolated. A lane reads its copy of the activations for every
weight that it decodes.
"""

STATES = ("leakage", "idle", "wake")
"""What time costs: leakage while the chip runs, what it draws while it waits, and waking it up."""


@dataclass(frozen=True)
class Activity(Counts):
    """Events that cost energy; differences of two snapshots are those in between.

    Attributes
    ----------
    cycles : in which a program ran.
    commands : fetched.
    symbols : weights decoded, explicit zeros among them; each is multiplied.
    rows : results that left the lanes.
    bank_reads : 32-bit words.
    bank_writes : bus words, of all lanes.
    activation_words : bus words that were written in all lanes.
    sram_reads, sram_writes : accesses of vector SRAM.
    param_reads, param_writes : 64-bit words, bus words.
    vector_elements : of vector commands.
    external_bytes : read and written over the bus.
    """

    cycles: int
    commands: int
    symbols: int
    rows: int
    bank_reads: int
    bank_writes: int
    activation_words: int
    sram_reads: int
    sram_writes: int
    param_reads: int
    param_writes: int
    vector_elements: int
    external_bytes: int

    @classmethod
    def of(cls, machine: Machine) -> Self:
        """Everything since the machine was made."""
        c, events = machine.counters, machine.events
        return cls(
            cycles=c.cycles,
            commands=c.commands,
            symbols=c.symbols,
            rows=events.rows,
            bank_reads=events.bank_reads,
            bank_writes=events.bank_writes,
            activation_words=events.activation_words,
            sram_reads=events.sram_reads,
            sram_writes=events.sram_writes,
            param_reads=events.param_reads,
            param_writes=events.param_writes,
            vector_elements=events.vector_elements,
            external_bytes=c.bytes_read + c.bytes_written,
        )


@dataclass(frozen=True)
class Powered(Counts):
    """How long a chip is powered, and how it waits.

    Attributes
    ----------
    active_seconds : in which a program runs.
    idle_seconds : in which the chip waits in its `technology.idle` state.
    wakes : how often it comes back from there.
    """

    active_seconds: float
    idle_seconds: float = 0.0
    wakes: int = 0

    @property
    def seconds(self) -> float:
        """All of the time."""
        return self.active_seconds + self.idle_seconds


def listening(sound_seconds: float, busy_seconds: float, wakes: int) -> Powered:
    """A chip that hears sound as it comes: until both have ended.

    An overloaded chip works longer than the sound lasts, and never waits.
    """
    idle = max(0.0, sound_seconds - busy_seconds)
    return Powered(busy_seconds, idle, wakes if idle else 0)


@dataclass(frozen=True)
class Costs:
    """What a chip's events cost, what it draws, and the state that it waits in."""

    events: EventCosts
    power: PowerStates
    idle: str

    @classmethod
    def of(cls, params: ChipParams) -> Self:
        """Of a chip."""
        return cls(event_costs(params), power_states(params), params.technology.idle)


def energy_uj(costs: Costs, activity: Activity, powered: Powered) -> dict[str, float]:
    """Microjoules by cause (CAUSES, STATES), and their "total".

    Of a part of a run as of all of it: what its events cost, and its share of the time.
    """
    found = {
        cause: sum(
            getattr(costs.events, cost) * getattr(activity, event) for cost, event in of.items()
        )
        / PJ_PER_UJ
        for cause, of in CAUSES.items()
    }
    found["leakage"] = costs.power.active_uw * powered.active_seconds
    found |= _waiting_uj(costs, powered)
    return {**found, "total": sum(found.values())}


def _waiting_uj(costs: Costs, powered: Powered) -> dict[str, float]:
    return {
        "idle": costs.power.idle_uw[costs.idle] * powered.idle_seconds,
        "wake": costs.power.wake_uj[costs.idle] * powered.wakes,
    }


def always_on_uw(
    costs: Costs, working_uj: float, period_seconds: float, busy_seconds: float
) -> float:
    """Mean power of a chip that is called again and again, and waits between.

    working_uj : of a call, which takes `busy_seconds`, leakage with it.
    """
    powered = listening(period_seconds, busy_seconds, 1)
    return (working_uj + sum(_waiting_uj(costs, powered).values())) / powered.seconds


def largest(energy: dict[str, float], count: int = 3) -> Sequence[tuple[str, float]]:
    """The causes that take most, with their microjoules, from the largest on."""
    causes = ((cause, each) for cause, each in energy.items() if cause != "total")
    return sorted(causes, key=lambda pair: -pair[1])[:count]


def activity_of(machine: object) -> Activity | None:
    """What a machine has done so far; None where it counts no events, as the RTL's does not."""
    return Activity.of(machine) if isinstance(machine, Machine) else None
