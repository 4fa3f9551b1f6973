"""Silicon of a chip: memory macros and placed gates, at its node. An estimate, without pads."""

from dataclasses import dataclass

from npu.chip.params import ChipParams
from npu.chip.technology.constants import CONSTANTS
from npu.chip.technology.logic import logic
from npu.chip.technology.macros import macros
from npu.chip.technology.scaling import area_scale
from npu.chip.technology.sram import Sram

_UM2 = 1e6  # of a square millimetre


@dataclass(frozen=True)
class Area:
    """Square millimetres.

    Attributes
    ----------
    memories : by name, all of a kind together, as they are placed.
    gates : of the chip's logic.
    logic_mm2, total_mm2 : of the logic, and of all.
    access_ns : the slowest memory's, at the voltage of the model; longer than a clock period is a
        memory that the clock would not wait for.
    """

    memories: dict[str, float]
    gates: float
    logic_mm2: float
    total_mm2: float
    access_ns: float


def asic_area(params: ChipParams) -> Area:
    """Of a chip at its node."""
    technology = params.technology
    memory = Sram(technology.node_nm, technology.voltage)
    of = macros(params)
    nand2, placed = CONSTANTS["nand2"], CONSTANTS["placement"].value
    gates = logic(params).total
    each = area_scale(nand2.node_nm, technology.node_nm) * nand2.value / placed
    memories = {
        name: macro.copies
        * memory.area_um2(macro.capacity, macro.read)
        / CONSTANTS["macro_placement"].value
        / _UM2
        for name, macro in of.items()
    }
    return Area(
        memories=memories,
        gates=gates,
        logic_mm2=gates * each / _UM2,
        total_mm2=sum(memories.values()) + gates * each / _UM2,
        access_ns=max(memory.access_ns(macro.capacity) for macro in of.values()),
    )
