"""What a chip costs in energy, power and silicon, from its parameters and published constants.

The constants lie in data files here, each with node, voltage, kind, source and conditions
(`constants`). Memories are a model fitted to CACTI's (`sram`), logic is counted in gates that Yosys
found (`logic`); both are brought to a chip's node and voltage (`scaling`). Out of these come the
energy of every event (`costs`), the power of every state (`power`) and the area (`area`): all of
them estimates.
"""

from npu.chip.technology.area import Area, asic_area
from npu.chip.technology.constants import CONSTANTS, Constant
from npu.chip.technology.costs import EventCosts, event_costs
from npu.chip.technology.power import PowerStates, power_states

__all__ = [
    "CONSTANTS",
    "Area",
    "Constant",
    "EventCosts",
    "PowerStates",
    "asic_area",
    "event_costs",
    "power_states",
]
