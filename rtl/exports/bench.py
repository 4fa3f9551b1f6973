"""The stand-alone bench of an export: Verilog, what it must know of the chip, and an example."""

from pathlib import Path

from npu.chip.params import ChipParams
from npu.chip.status import Status
from npu.chip.weight_format import VERSION
from rtl.control.registers import (
    ADDRESS_BITS,
    CONTROL,
    ID,
    IRQ,
    REGISTERS,
    STATUS,
)
from rtl.exports.example import FOLDER, Example, example_files
from rtl.shared.options import PLAIN, Options

HERE = Path(__file__).parent
# Of the bench, without a chip or an image.
SOURCES = ("zeroskip_tb.v", "zeroskip_memory.v")
CHIP_FACTS = f"{FOLDER}/zeroskip_chip.vh"


def chip_facts(params: ChipParams, options: Options = PLAIN) -> str:
    """The chip and its registers as Verilog macros, from the one register table."""
    values: dict[str, str] = {
        "BUS_BYTES": str(params.bus_bytes),
        "CLOCK_MHZ": repr(float(params.clock_mhz)),
        "LATENCY": str(params.memory_latency_cycles),
        "ADDRESS_BITS": str(ADDRESS_BITS),
        "ID_VALUE": f"32'h{ID:08x}",
        "VERSION_VALUE": f"32'd{VERSION}",
    }
    values |= {r.name: f"{ADDRESS_BITS}'h{r.offset:02x}" for r in REGISTERS}
    for register, fields in (("CONTROL", CONTROL), ("STATUS", STATUS), ("IRQ", IRQ)):
        for field in fields:
            name = f"{register}_{field.name.upper()}"
            if field.width == 1:
                values[name] = f"32'h{1 << field.lsb:x}"
            else:
                values[f"{name}_LSB"] = str(field.lsb)
    values |= {f"ERROR_{status.name}": f"32'd{int(status)}" for status in Status if status}
    if tied := _tied(options):
        values["OPTION_PORTS"] = tied
    lines = [f"`define ZS_{name} {value}" for name, value in values.items()]
    # What other ports the chip has.
    lines += ["`define ZS_RESET_LOW"] * (options.reset == "async_low")
    lines += ["`define ZS_CROSSING"] * options.crossing
    return "\n".join([f"// Chip {params.name!r} and its registers.", *lines]) + "\n"


def _tied(options: Options) -> str:
    """Connections of the ports that options add, each with a comma behind it: all of them idle."""
    inputs, outputs = options.ram_pins
    tied = [f".ram_pins_in({inputs}'d0), "] if inputs else []
    tied += [".ram_pins_out(), "] if outputs else []
    tied += [".test_enable(1'b0), "] if options.clock_gating else []
    return "".join(tied)


def bench_files(example: Example, options: Options = PLAIN) -> dict[str, str]:
    """Texts by their paths in an export."""
    sources = {f"{FOLDER}/{name}": (HERE / name).read_text(encoding="utf-8") for name in SOURCES}
    facts = chip_facts(example.image.params, options)
    return {**sources, CHIP_FACTS: facts, **example_files(example)}
