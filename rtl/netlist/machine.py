"""The chip's netlist behind the interface of the twin: the same calls, the same records."""

from pathlib import Path
from typing import TYPE_CHECKING

from npu.chip.machine import MachineFactory
from npu.chip.params import ChipParams
from npu.errors import MachineError
from rtl.netlist.cells import cell_models
from rtl.netlist.mapped import Netlist, chip_netlist
from rtl.shared.options import Options
from rtl.sim import verilate
from rtl.sim.machine import RtlMachine


class NetlistMachine(RtlMachine):
    """One chip after synthesis in Verilator; parameters and attributes are those of RtlMachine.

    Has no waveforms: hardly a signal of the RTL is left. Raises MachineError where some are asked
    for, SynthError where Yosys fails.
    """

    def _build(self, variant: verilate.Variant, progress: verilate.Progress) -> Path:
        if variant != verilate.Variant() or self._options != Options():
            raise MachineError(
                "a netlist has no waveforms, coverage, assertions or parity; leave them out"
            )
        return library(chip_netlist(self.params, progress), self.params, progress)


def library(
    netlist: Netlist, params: ChipParams, progress: verilate.Progress = lambda _: None
) -> Path:
    """The shared library for a netlist of a chip; built at the first call, in minutes.

    Raises BuildError, with what a cell's model refuses.
    """
    return verilate.build(cell_models() + netlist.verilog, params.bus_bytes, progress=progress)


if TYPE_CHECKING:
    _FACTORY: MachineFactory = NetlistMachine
