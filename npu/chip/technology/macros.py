"""The memories of a chip, as macros: what each holds, and what an access of it moves."""

from typing import NamedTuple

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.chip.weight_format import ACTIVATION_BITS, PARAM_WORD, WORD_BITS


class Macro(NamedTuple):
    """Equal memories of a chip; capacity and accesses in bytes, each memory for itself."""

    copies: int
    capacity: float
    read: float
    write: float


def macros(params: ChipParams) -> dict[str, Macro]:
    """By name. A lane has a bank and a copy of the activations; SRAM is there by read port."""
    p, entry = params, ACTIVATION_BITS / 8
    return {
        "banks": Macro(p.lanes, p.bank_bytes, WORD_BITS // 8, p.bus_bytes),
        "activations": Macro(p.lanes, p.activation_entries * entry, entry, p.bus_bytes * entry),
        "param": Macro(1, p.param_bytes, PARAM_WORD, p.bus_bytes),
        "sram": Macro(2, p.sram_bytes, p.bus_bytes, p.bus_bytes),
        "program": Macro(1, p.program_bytes, COMMAND_BYTES, p.bus_bytes),
    }
