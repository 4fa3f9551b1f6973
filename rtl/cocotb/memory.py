"""External memory on the chip's AXI4 port, with the timing of the specification."""

import numpy as np

from npu.chip.memory import BusSchedule
from npu.chip.params import ChipParams
from rtl.cocotb.clock import Cycles
from rtl.sim.bus import BusMemory, BusRules, Inputs, Outputs


def driven_by_chip(dut) -> Outputs:
    """What the flat chip drives on `m_axi` in this cycle."""
    outputs = Outputs()
    if dut.m_axi_arvalid.value:
        outputs.ar = (int(dut.m_axi_araddr.value), int(dut.m_axi_arlen.value) + 1)
    if dut.m_axi_awvalid.value:
        outputs.aw = (int(dut.m_axi_awaddr.value), int(dut.m_axi_awlen.value) + 1)
    if dut.m_axi_wvalid.value:
        last = bool(dut.m_axi_wlast.value)
        outputs.w = (int(dut.m_axi_wdata.value), int(dut.m_axi_wstrb.value), last)
    outputs.r_ready = bool(dut.m_axi_rready.value)
    outputs.b_ready = bool(dut.m_axi_bready.value)
    return outputs


def driven_by_memory(dut) -> Inputs:
    """What any memory drives on `m_axi` in this cycle, data apart."""
    return Inputs(
        ar_ready=bool(dut.m_axi_arready.value),
        aw_ready=bool(dut.m_axi_awready.value),
        w_ready=bool(dut.m_axi_wready.value),
        r_valid=bool(dut.m_axi_rvalid.value),
        r_last=bool(dut.m_axi_rvalid.value and dut.m_axi_rlast.value),
        b_valid=bool(dut.m_axi_bvalid.value),
    )


class Memory:
    """Answers `m_axi` of the flat chip, and asserts AXI4's rules on what the chip drives.

    The timing is that of `rtl.sim.bus.BusMemory`, several open write bursts included.

    Parameters
    ----------
    dut : module `zeroskip`.
    params : ChipParams of the exported chip.
    cycles : the bench's `Cycles`; drives the memory once per cycle.
    schedule : when the memory may act on each channel; default always.
    """

    def __init__(
        self, dut, params: ChipParams, cycles: Cycles, schedule: BusSchedule | None = None
    ) -> None:
        self._dut = dut
        self._bus = BusMemory(params, np.zeros(0, np.uint8), schedule)
        self._rules = BusRules(params)
        self._inputs = self._bus.drive(0)
        for name in ("m_axi_rid", "m_axi_bid"):
            getattr(dut, name).value = 0
        self._drive(0)
        cycles.watchers.append(self._clock)
        cycles.drivers.append(self._drive)

    def attach(self, data: np.ndarray) -> None:
        """Make `data` (uint8) the contents; the chip reads and writes this very array."""
        self._bus.data = data

    def _drive(self, cycle: int) -> None:
        self._inputs = i = self._bus.drive(cycle)
        dut = self._dut
        dut.m_axi_arready.value = int(i.ar_ready)
        dut.m_axi_awready.value = int(i.aw_ready)
        dut.m_axi_wready.value = int(i.w_ready)
        dut.m_axi_rvalid.value = int(i.r_valid)
        dut.m_axi_rdata.value = i.r_data
        dut.m_axi_rresp.value = i.r_resp
        dut.m_axi_rlast.value = int(i.r_last)
        dut.m_axi_bvalid.value = int(i.b_valid)
        dut.m_axi_bresp.value = i.b_resp

    def _clock(self, cycle: int) -> None:
        if self._dut.rst.value:
            return
        outputs = driven_by_chip(self._dut)
        self._rules.check(self._inputs, outputs)
        self._bus.clock(cycle, outputs)
