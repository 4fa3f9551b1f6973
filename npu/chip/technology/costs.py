"""What every event of a chip costs, in picojoules: from its parameters, node and voltage.

A memory's access costs what `npu.chip.technology.sram` says of one of its size. A unit that works
for a cycle costs what a gate of a published processor costs in a cycle, times the unit's gates; the
part of it that is the clock's is spent in every cycle by all gates of the chip, for nothing in the
chip gates a clock before it halts. The multiplication itself is Horowitz's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

from npu.chip import timing
from npu.chip.params import ChipParams
from npu.chip.technology.constants import CONSTANTS, Constant
from npu.chip.technology.logic import logic
from npu.chip.technology.macros import Macro, macros
from npu.chip.technology.scaling import energy_scale
from npu.chip.technology.sram import Sram

BITS = 8


@dataclass(frozen=True)
class EventCosts:
    """Picojoules.

    Attributes
    ----------
    mac : a multiplication and its addition.
    decode : a lane that decodes a weight: its logic, the clock left out.
    result : a row that goes through the requantiser.
    activation_read : a lane's read of one activation.
    activation_write : a bus word of activations that is written in all lanes.
    bank_read, bank_write : a 32-bit word out of a bank, a bus word into one.
    sram_read, sram_write : a bus word of vector SRAM; a write goes to both copies.
    param_read, param_write : a 64-bit word out of parameter memory, a bus word into it.
    vector_element : an element in the vector unit's logic.
    command : fetched from program memory, and decoded.
    external_byte : over the bus and in external memory, with the DMA's logic.
    clock : a cycle of the chip's clock.
    """

    mac: float
    decode: float
    result: float
    activation_read: float
    activation_write: float
    bank_read: float
    bank_write: float
    sram_read: float
    sram_write: float
    param_read: float
    param_write: float
    vector_element: float
    command: float
    external_byte: float
    clock: float

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return ((field.name, getattr(self, field.name)) for field in fields(self))


def event_costs(params: ChipParams) -> EventCosts:
    """Of a chip at its node and voltage; its `energy_pj` comes before what is derived."""
    p, technology = params, params.technology
    memory = Sram(technology.node_nm, technology.voltage)
    of, gates = macros(p), logic(p)
    working = (1 - CONSTANTS["clock_share"].value) * gate_cycle_pj(p)
    external = BITS * CONSTANTS[f"external_{technology.external}"].value
    derived = EventCosts(
        mac=scaled(CONSTANTS["multiply_8"], p) + scaled(CONSTANTS["add_32"], p),
        decode=gates.lane * working,
        result=gates.requantiser * working,
        activation_read=_read(memory, of["activations"]),
        activation_write=p.lanes * _write(memory, of["activations"]),
        bank_read=_read(memory, of["banks"]),
        bank_write=_write(memory, of["banks"]),
        sram_read=_read(memory, of["sram"]),
        sram_write=of["sram"].copies * _write(memory, of["sram"]),
        param_read=_read(memory, of["param"]),
        param_write=_write(memory, of["param"]),
        vector_element=gates.vector * working / p.vector_elements,
        command=_read(memory, of["program"]) + timing.DECODE * gates.sequencer * working,
        external_byte=external + gates.dma * working / p.bus_bytes,
        clock=CONSTANTS["clock_share"].value * gate_cycle_pj(p) * gates.total,
    )
    given = {name: value for name, value in p.energy_pj if value is not None}
    given.pop("leakage_mw", None)
    return replace(derived, **given)


def gate_cycle_pj(params: ChipParams) -> float:
    """A gate equivalent of logic that works, for a cycle, with its part of the clock."""
    return scaled(CONSTANTS["cpu_cycle"], params) / CONSTANTS["cpu_gates"].value


def scaled(constant: Constant, params: ChipParams) -> float:
    """A constant of logic at a chip's node and voltage."""
    technology = params.technology
    scale = energy_scale(constant.node_nm, constant.voltage, technology.node_nm, technology.voltage)
    return constant.value * scale


def _read(memory: Sram, macro: Macro) -> float:
    return memory.read_pj(macro.capacity, macro.read)


def _write(memory: Sram, macro: Macro) -> float:
    return memory.write_pj(macro.capacity, macro.write)
