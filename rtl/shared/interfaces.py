"""Signatures between the units, sized by `npu.chip.params.ChipParams`.

All units live in one clock domain `sync`, have a synchronous reset, and keep to these contracts:

- **Unit handshake** (`unit`): the sequencer raises `start` for one cycle, cycle S, with the command
  on `cmd` (stable until `done`). The unit raises `done` for one cycle, its last cycle E; `error`
  (npu.chip.status.Status, 0 = none) is valid with it. S and E are the `start` and `end` of the
  twin's retire record: E - S + 1 cycles, as `npu.chip.timing` says.
- **Memories** are read synchronously: address and `en` in one cycle, data in the next, held while
  `en` is low. At most one compute unit or the DMA works on the vector SRAM at a time; ports of idle
  units drive zeros, so that users of a memory are OR-ed together.
- Banks and parameter memory have a write port of their own for the DMA.
"""

from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from npu.chip.isa import COMMAND_BYTES, OPCODES, PC_BITS, TAGS
from npu.chip.params import ChipParams
from npu.chip.weight_format import PARAM_WORD

STATUS_BITS = 4


def unit() -> wiring.Signature:
    """Handshake of a unit that executes commands, seen from the sequencer."""
    return wiring.Signature(
        {
            "start": Out(1),
            "cmd": Out(8 * COMMAND_BYTES),
            "done": In(1),
            "error": In(STATUS_BITS),
        }
    )


def bus_bits(params: ChipParams) -> int:
    """Width of the external bus, of an SRAM word and of a bank's write port."""
    return 8 * params.bus_bytes


def sram_words(params: ChipParams) -> int:
    return params.sram_bytes // params.bus_bytes


def param_words(params: ChipParams) -> int:
    return params.param_bytes // PARAM_WORD


def sram_read(params: ChipParams) -> memory.ReadPort.Signature:
    """A read port of the vector SRAM, seen from the memory."""
    return memory.ReadPort.Signature(
        addr_width=ceil_log2(sram_words(params)), shape=bus_bits(params)
    )


def sram_write(params: ChipParams) -> memory.WritePort.Signature:
    """The write port of the vector SRAM (one enable per byte), seen from the memory."""
    return memory.WritePort.Signature(
        addr_width=ceil_log2(sram_words(params)), shape=bus_bits(params), granularity=8
    )


def param_read(params: ChipParams) -> memory.ReadPort.Signature:
    """The read port of parameter memory, one 64-bit word, seen from the memory."""
    return memory.ReadPort.Signature(
        addr_width=ceil_log2(param_words(params)), shape=8 * PARAM_WORD
    )


def param_pair(params: ChipParams) -> memory.ReadPort.Signature:
    """The read port of parameter memory, a 64-bit word and the one behind it (anything behind the
    last one), seen from the memory.
    """
    return memory.ReadPort.Signature(
        addr_width=ceil_log2(param_words(params)), shape=16 * PARAM_WORD
    )


def param_write(params: ChipParams) -> memory.WritePort.Signature:
    """DMA's port into parameter memory: whole bus words, seen from the memory."""
    return memory.WritePort.Signature(
        addr_width=ceil_log2(params.param_bytes // params.bus_bytes), shape=bus_bits(params)
    )


def program_read(params: ChipParams) -> memory.ReadPort.Signature:
    """The sequencer's port into program memory, one command, seen from the memory."""
    return memory.ReadPort.Signature(
        addr_width=ceil_log2(params.program_commands), shape=8 * COMMAND_BYTES
    )


def program_write(params: ChipParams) -> memory.WritePort.Signature:
    """DMA's port into program memory: whole bus words, seen from the memory."""
    return memory.WritePort.Signature(
        addr_width=ceil_log2(params.program_bytes // params.bus_bytes), shape=bus_bits(params)
    )


def bank_write(params: ChipParams) -> wiring.Signature:
    """DMA's port into the weight banks, seen from the banks: one bus word into lane `lane`."""
    return wiring.Signature(
        {
            "addr": In(ceil_log2(params.bank_bus_words)),
            "data": In(bus_bits(params)),
            "lane": In(max(1, ceil_log2(params.lanes))),
            "en": In(1),
        }
    )


def host() -> wiring.Signature:
    """The sequencer as the host sees it through the control block, seen from the control block.

    `start` for one cycle while not `running`: `running` rises in the next cycle, the first FETCH,
    at command `pc`. `running` falls in the cycle after HALT's, or after a command in error: then
    `error` (npu.chip.status.Status, 0 = none) and `error_pc` say why and where; both stay until
    reset. While not `running`, `write` puts `value` into register `index` in this cycle's end, and
    `read` shows register `index` (combinational, in every cycle).
    """
    return wiring.Signature(
        {
            "start": Out(1),
            "pc": Out(PC_BITS),
            "index": Out(4),
            "write": Out(1),
            "value": Out(32),
            "read": In(32),
            "running": In(1),
            "error": In(STATUS_BITS),
            "error_pc": In(PC_BITS),
        }
    )


# Kinds of transfer on `transfer`: the tagged ones first, then those of SRAM, then the registers'.
KINDS = tuple(
    opcode.name
    for opcode in sorted(
        (opcode for opcode in OPCODES.values() if opcode.unit == "dma"),
        key=lambda o: (not o.tagged, not o.has("sram"), not o.writes_register),
    )
)


def transfer() -> wiring.Signature:
    """Transfers from the sequencer to the DMA queue, seen from the sequencer.

    `valid` with a stable payload until `ready`; it is taken in a cycle with both. `kind` indexes
    KINDS; `local` is the bank address (bus words), parameter or SRAM byte address; `beats` the bus
    words, 1 for a register; `word` the register that STORE_REG writes, the command's index else.
    `open_tags` has a bit for every tag with an unfinished transfer (the bit falls in the cycle
    after the transfer's last, `npu.twin.dma.Transfer.done`; after an error it may stay). `done` is
    high for one cycle, the last, of every transfer that is not tagged (`kind` LOAD, STORE,
    LOAD_REG, STORE_REG); `result` is the word that LOAD_REG read. `error` (npu.chip.status.Status)
    is valid with `done`, for a tagged transfer at the latest in the cycle after its bit falls; it
    stays until reset, and nothing is taken any more. `error_pc` is then the `word` of the transfer
    that failed.
    """
    return wiring.Signature(
        {
            "valid": Out(1),
            "ready": In(1),
            "kind": Out(3),
            "address": Out(32),
            "local": Out(24),
            "beats": Out(24),
            "tag": Out(3),
            "word": Out(32),
            "open_tags": In(TAGS),
            "done": In(1),
            "result": In(32),
            "error": In(STATUS_BITS),
            "error_pc": In(PC_BITS),
        }
    )
