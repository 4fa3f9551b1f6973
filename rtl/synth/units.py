"""What can be synthesised. Imports the hardware only when it is built."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from npu.chip.params import ChipParams
from rtl.shared.options import PLAIN, Options, is_plain

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component

    from rtl.synth.timed import Timed

CHIP = "chip"
UNITS = {
    "decoder": "rtl.lane.decoder.StreamDecoder",
    "lane": "rtl.lane.lane.Lane",
    "requantiser": "rtl.matvec.requantiser.Requantiser",
    "matvec": "rtl.matvec.matvec.MatVec",
    "vector": "rtl.vector.vector.VectorUnit",
    "sequencer": "rtl.sequencer.sequencer.Sequencer",
    "dma": "rtl.dma.dma.Dma",
    "control": "rtl.control.control.Control",
    CHIP: "rtl.top.Chip",
}
"""Component of every unit by name; a later one may contain earlier ones."""
WITHOUT_OPTIONS = ("requantiser", "vector", "dma")
"""Units that options do not change."""


def build(params: ChipParams, name: str, options: Options = PLAIN) -> Timed:
    """The unit `name` of a chip between registers, the chip's debug port left open.

    Raises KeyError for a name outside UNITS.
    """
    from rtl.synth.timed import Timed

    made = component(params, name, options)
    clocks = tuple(port for port in ("clk", "aclk") if port in made.signature.members)
    return Timed(made, open_ports=("debug",) if name == CHIP else (), clocks=clocks)


def component(params: ChipParams, name: str, options: Options = PLAIN) -> Component:
    """The unit `name` of a chip by itself. Raises KeyError for a name outside UNITS.

    A chip with a reset or a clock of its own is the export's top module.
    """
    if name == CHIP and not is_plain(options):
        return import_module("rtl.export").FlatChip(params, options)
    module, _, kind = UNITS[name].rpartition(".")
    create = getattr(import_module(module), kind)
    size = params.threads if name == "decoder" else params
    return create(size) if name in WITHOUT_OPTIONS else create(size, options)
