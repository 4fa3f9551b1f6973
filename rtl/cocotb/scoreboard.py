"""Retire records from the chip's debug port, and their comparison with the twin's."""

from collections.abc import Callable, Iterator, Sequence
from zlib import crc32

import numpy as np
from cocotb.types import LogicArray
from cocotb.utils import get_sim_time

from npu.chip import isa
from npu.chip.params import ChipParams
from npu.chip.trace import Retire, first_difference
from rtl.cocotb.clock import Cycles


def _bytes(word: LogicArray, enables: int) -> Iterator[tuple[int, int]]:
    """Position and value of every enabled byte; the others may be undefined."""
    bits = str(word)
    for i in range(enables.bit_length()):
        if enables >> i & 1:
            end = len(bits) - 8 * i
            yield i, int(bits[end - 8 : end], 2)


class Scoreboard:
    """Collects what the chip retires.

    Parameters
    ----------
    dut : module `zeroskip`.
    program : the raw program, for the commands' names.
    params : ChipParams of the exported chip.
    cycles : the bench's `Cycles`; nothing is recorded until it is armed.

    Attributes
    ----------
    records : list of Retire.
    times_ns : simulation time of the last cycle of each.
    sram : (sram_bytes,) uint8, vector SRAM as the chip has written it.
    observers : called with every record.
    """

    def __init__(self, dut, program: bytes, params: ChipParams, cycles: Cycles) -> None:
        self.records: list[Retire] = []
        self.times_ns: list[float] = []
        self.sram = np.zeros(params.sram_bytes, np.uint8)
        self.observers: list[Callable[[Retire], None]] = []
        self._dut = dut
        self._commands = isa.decode_program(program)
        self._bus_bytes = params.bus_bytes
        self._cycles = cycles
        self._start = 0
        self._sram: dict[int, int] = {}  # what the present command wrote, by address
        self._sent = bytearray()  # to external memory or a register, in order
        cycles.watchers.append(self._watch)

    def _watch(self, cycle: int) -> None:
        if not self._cycles.armed:
            return
        dut = self._dut
        if dut.m_axi_wvalid.value and dut.m_axi_wready.value:
            strobes = int(dut.m_axi_wstrb.value)
            self._sent += bytes(value for _, value in _bytes(dut.m_axi_wdata.value, strobes))
        if enables := int(dut.debug_sram_en.value):
            base = int(dut.debug_sram_addr.value) * self._bus_bytes
            for i, value in _bytes(dut.debug_sram_data.value, enables):
                self._sram[base + i] = self.sram[base + i] = value
        if dut.debug_register_en.value and int(dut.debug_register_index.value):
            self._sent += int(dut.debug_register_value.value).to_bytes(4, "little")
        if dut.debug_start.value:
            self._start = cycle
        if dut.debug_retire.value:
            self._retire(int(dut.debug_pc.value), cycle)

    def _retire(self, pc: int, cycle: int) -> None:
        written = bytes(self._sram[address] for address in sorted(self._sram)) + self._sent
        name = self._commands[pc].opcode.name
        self.records.append(Retire(pc, name, self._start, cycle, crc32(written)))
        self.times_ns.append(get_sim_time("ns"))
        self._sram.clear()
        self._sent.clear()
        for observe in self.observers:
            observe(self.records[-1])

    def disassembly(self, pc: int) -> str:
        """A command of the program, as text."""
        return str(self._commands[pc]) if pc < len(self._commands) else "outside the program"

    def check(self, expected: Sequence[Retire]) -> None:
        """Raises AssertionError at the first record that differs: both sides and where to look."""
        found = first_difference(expected, self.records)
        if found is None:
            return
        at = "the end" if found.right is None else f"{self.times_ns[found.index]:g} ns"
        raise AssertionError(
            f"record {found.index}, {self.disassembly(found.known.pc)}, at {at}:\n"
            f"  twin {found.left}\n  rtl  {found.right}"
        )
