"""What a chip draws while nothing moves, by state, and what it takes to wake up.

active         the clock runs: its energy is counted by cycle, and everything leaks
clock_gated    no clock: everything leaks
retention      memories at the voltage at which they just keep what they hold, logic without a
               supply; waking charges them again
off            no supply: what the memories held has to be loaded again
"""

from dataclasses import dataclass

from npu.chip.params import KIB, ChipParams
from npu.chip.technology.constants import CONSTANTS
from npu.chip.technology.logic import logic
from npu.chip.technology.macros import macros
from npu.chip.technology.scaling import energy_scale
from npu.chip.technology.sram import POINTS, Sram

_GATE_MEMORY = 64 * KIB
"""A gate equivalent leaks like a bit of a memory of this size: the same kind of transistors."""


@dataclass(frozen=True)
class PowerStates:
    """Of a chip at its node and voltage.

    Attributes
    ----------
    memory_uw, logic_uw : leakage at full voltage.
    active_uw : of both, or the chip's own `leakage_mw`.
    idle_uw : by state, what the chip draws while it waits.
    wake_uj : by state, one way back to `active`; "off" leaves out what loading takes.
    """

    memory_uw: float
    logic_uw: float
    active_uw: float
    idle_uw: dict[str, float]
    wake_uj: dict[str, float]


def power_states(params: ChipParams) -> PowerStates:
    """Of a chip; leakage that its `energy_pj` states is shared as the derived one is."""
    technology = params.technology
    memory = Sram(technology.node_nm, technology.voltage)
    each = macros(params).values()
    bits = sum(8 * macro.copies * macro.capacity for macro in each)
    gates = logic(params).total
    in_memory = sum(macro.copies * memory.leakage_uw(macro.capacity) for macro in each)
    in_logic = gates * memory.leakage_uw(_GATE_MEMORY) / (8 * _GATE_MEMORY)
    given, share = params.energy_pj.leakage_mw, 1.0
    if given is not None:
        share = 1e3 * given / (in_memory + in_logic)
    in_memory, in_logic = share * in_memory, share * in_logic
    kept, gated = CONSTANTS["retention_share"].value, CONSTANTS["gated_share"].value
    wake = CONSTANTS["wake_bit"]
    charge = wake.value * energy_scale(
        wake.node_nm, wake.voltage, technology.node_nm, technology.voltage
    )
    return PowerStates(
        memory_uw=in_memory,
        logic_uw=in_logic,
        active_uw=in_memory + in_logic,
        idle_uw={
            "clock_gated": in_memory + in_logic,
            "retention": kept * in_memory + gated * in_logic,
            "off": gated * (in_memory + in_logic),
        },
        wake_uj={
            "clock_gated": 0.0,
            "retention": charge * (bits + gates) / 1e6,
            "off": charge * (bits + gates) / 1e6,
        },
    )


def temperature_k() -> float:
    """At which leakage is stated."""
    return POINTS.temperature_k
