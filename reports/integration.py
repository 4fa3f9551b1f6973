"""Regenerate the tables of `rtl/INTEGRATION.md`: `python -m reports.integration`.

A block `<!-- NAME -->` ... `<!-- /NAME -->` gets the table of that name: the ports of the export,
the register map with its errors, the parameters with what each costs.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from amaranth.hdl import Fragment, Shape
from amaranth.lib.wiring import Out

from npu.chip.params import ChipParams, load_params
from npu.chip.technology.area import asic_area
from npu.chip.technology.macros import macros
from rtl.export import FlatChip
from rtl.views import markdown

PAGE = Path(__file__).parent.parent / "rtl" / "INTEGRATION.md"
CHIP = "edge"

CHANNELS = {
    "m_axi_aw": "write address",
    "m_axi_w": "write data",
    "m_axi_b": "write response",
    "m_axi_ar": "read address",
    "m_axi_r": "read data",
    "s_axil_aw": "write address",
    "s_axil_w": "write data",
    "s_axil_b": "write response",
    "s_axil_ar": "read address",
    "s_axil_r": "read data",
}
"""Groups of ports by how their names begin, the longer ones first where one begins another."""

ALONE = {
    "irq": "interrupt, a level",
    "debug": "for test benches: retire records, writes of vector SRAM and registers; leave it open",
}

COSTS = {
    "lanes": "multipliers; rows are dealt to them",
    "threads": "rows that a lane decodes in turns",
    "bank_bytes": "weights that stay on the chip, for each lane",
    "param_bytes": "scales, row records and tables that stay",
    "sram_bytes": "activations and states",
    "program_bytes": "commands",
    "activation_entries": "longest input vector of a product taken at once, copied for each lane",
    "result_fifo": "rows that a lane finishes before it has to wait",
    "vector_elements": "elements of vector commands in a cycle",
    "bus_bytes": "width of the bus, and of what memories write at once",
    "dma_burst_beats": "longest burst",
    "dma_outstanding": "bursts in flight, reads or writes: what hides a memory's latency",
    "dma_queue": "transfers that a program has asked for and not yet got",
}
"""The parameters that change the Verilog, with what each is for."""


def signals_table() -> str:
    """Every port, those of a channel together. Widths of buses are those of CHIP."""
    params = load_params(CHIP)
    lines = [
        f"Widths are those of `{CHIP}`; what depends on the parameters is marked.",
        "",
        "| ports, with bits where there are several | direction | what |",
        "|---|---|---|",
        "| `clk` | in | clock |",
        "| `rst` | in | reset, high-active, synchronous |",
    ]
    other = {name: bits for name, bits, _ in _ports(_other(params))}
    rows: dict[str, list[str]] = {}
    for name, bits, is_output in _ports(params):
        group, what = _group(name)
        mark = "" if other[name] == bits else " (depends)"
        port = f"`{name}`" if mark == "" and bits == 1 else f"`{name}` {bits}{mark}"
        rows.setdefault(f"{group}|{'out' if is_output else 'in'}|{what}", []).append(port)
    for key, ports in rows.items():
        _, direction, what = key.split("|")
        lines.append(f"| {', '.join(ports)} | {direction} | {what} |")
    return "\n".join(lines) + "\n"


def _other(params: ChipParams) -> ChipParams:
    """A chip in which everything that decides about a width is another."""
    return params.model_copy(
        update={"bus_bytes": 2 * params.bus_bytes, "sram_bytes": 4 * params.sram_bytes}
    )


def _ports(params: ChipParams) -> Iterator[tuple[str, int, bool]]:
    chip = FlatChip(params)
    # Amaranth warns of a component that is made and never used.
    Fragment.get(chip, None)
    for name, member in chip.signature.members.items():
        yield name, Shape.cast(member.shape).width, member.flow is Out


def _group(name: str) -> tuple[str, str]:
    for start, what in ALONE.items():
        if name.startswith(start):
            return start, what
    start = max((channel for channel in CHANNELS if name.startswith(channel)), key=len)
    return start, CHANNELS[start]


def registers_table() -> str:
    """The page of the register map, a level deeper."""
    _, _, text = markdown.text().partition("\n\n")
    return re.sub(r"^## ", "### ", text, flags=re.MULTILINE)


def parameters_table() -> str:
    """What twice of a parameter costs on CHIP, or saves half of one that may not grow."""
    params = load_params(CHIP)
    area = asic_area(params)
    node = f"{area.total_mm2:.2f} mm2 at {params.technology.node_nm} nm, an estimate"
    lines = [
        f"What another value of one costs `{CHIP}` ({node}), all else as it is.",
        "",
        f"| parameter | of `{CHIP}` | what for | instead | memory | area |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for name, what in COSTS.items():
        value = getattr(params, name)
        most = name == "vector_elements" and 2 * value == params.bus_bytes
        changed = value // 2 if most else 2 * value
        other = params.model_copy(update={name: changed})
        memory = _memory_kib(other) - _memory_kib(params)
        grown = asic_area(other).total_mm2 - area.total_mm2
        silicon = f"{grown:+.2f} mm2" if abs(grown) >= 0.005 else "little, not modelled"
        lines.append(
            f"| `{name}` | {value:,} | {what} | {changed:,} | {memory:+g} KiB | {silicon} |"
        )
    return "\n".join(lines) + "\n"


def _memory_kib(params: ChipParams) -> float:
    """Memory on the chip, copies counted."""
    return sum(macro.copies * macro.capacity for macro in macros(params).values()) / 1024


BLOCKS = {
    "signals": signals_table,
    "registers": registers_table,
    "parameters": parameters_table,
}


def with_tables(text: str) -> str:
    """The guide with the tables of today."""
    for name, table in BLOCKS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table()}{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
