"""The assertions about the chip's ports (`zeroskip_sva.sv`), bound to the exported module.

They are written from the AXI specification and the register table's rules, and know the ports
alone. Verilator (`--assert`), commercial simulators and formal tools take them; Icarus has no SVA.
"""

import re
from pathlib import Path

from npu.chip.params import ChipParams
from rtl.shared.options import PLAIN, Options

SOURCE = Path(__file__).with_name("zeroskip_sva.sv")


def assertions(params: ChipParams, options: Options = PLAIN) -> str:
    """The text for a chip: the module, and a `bind` with the chip's parameters.

    With two clocks there are two instances, each with the ports of its clock, the others idle.
    """
    words = -(-params.sram_bytes // params.bus_bytes)
    values = {
        "BUS_BYTES": params.bus_bytes,
        "BURST_BEATS": params.dma_burst_beats,
        "WRITE_BURSTS": params.dma_outstanding,
        "SRAM_WORDS": words,
        "SRAM_BITS": max(1, (words - 1).bit_length()),
    }
    text = SOURCE.read_text(encoding="utf-8")
    if not options.crossing:
        ports = [".rst(!rst_n)"] if options.reset == "async_low" else []
        return f"{text}\n{_bind('sva', values, ports)}"
    inputs = re.findall(r"^    input logic (?:\[.*\] )?(\w+)", text, re.MULTILINE)
    reset = ".rst(!rst_n)" if options.reset == "async_low" else ".rst(rst)"
    of_core = [name for name in inputs if name.startswith("debug_")]
    of_bus = [name for name in inputs if name.startswith(("m_axi_", "s_axil_", "irq"))]
    bus = [".clk(aclk)", reset, *(f".{name}('0)" for name in of_core)]
    core = [".clk(clk)", reset, *(f".{name}('0)" for name in of_bus)]
    apart = values | {"ONE_CLOCK": 0}
    return f"{text}\n{_bind('bus_sva', apart, bus)}{_bind('core_sva', apart, core)}"


def _bind(name: str, values: dict[str, int], ports: list[str]) -> str:
    given = ", ".join(f".{name}({value})" for name, value in values.items())
    return f"bind zeroskip zeroskip_sva #({given}) {name} ({', '.join([*ports, '.*'])});\n"
