"""The assertions about the chip's ports (`zeroskip_sva.sv`), bound to the exported module.

They are written from the AXI specification and the register table's rules, and know the ports
alone. Verilator (`--assert`), commercial simulators and formal tools take them; Icarus has no SVA.
"""

from pathlib import Path

from npu.chip.params import ChipParams

SOURCE = Path(__file__).with_name("zeroskip_sva.sv")


def assertions(params: ChipParams) -> str:
    """The text for a chip: the module, and a `bind` with the chip's parameters."""
    words = -(-params.sram_bytes // params.bus_bytes)
    values = {
        "BUS_BYTES": params.bus_bytes,
        "BURST_BEATS": params.dma_burst_beats,
        "WRITE_BURSTS": params.dma_outstanding,
        "SRAM_WORDS": words,
        "SRAM_BITS": max(1, (words - 1).bit_length()),
    }
    given = ", ".join(f".{name}({value})" for name, value in values.items())
    return (
        SOURCE.read_text(encoding="utf-8") + f"\nbind zeroskip zeroskip_sva #({given}) sva (.*);\n"
    )
