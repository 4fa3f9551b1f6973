"""Writes the chip as plain Verilog, with what a hardware engineer needs to use it.

The text is the same, byte by byte, for the same parameters.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from amaranth.hdl import Const, Module, ResetSignal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu import __version__
from npu.chip import isa, timing
from npu.chip.params import ChipParams
from npu.chip.status import Status
from rtl import clocking, verilog, views
from rtl.clocking.crossing import Crossing
from rtl.control.registers import ADDRESS_BITS, RULES, Register, of_chip
from rtl.driver import build as driver
from rtl.exports.bench import bench_files
from rtl.exports.core import core_file, package_script
from rtl.exports.example import Example
from rtl.exports.header import header
from rtl.exports.sdc import constraints
from rtl.shared.options import PLAIN, Options, is_plain
from rtl.sva import assertions
from rtl.top import Chip

TOP = "zeroskip"
# Names of the flat ports: manager and subordinate buses as AXI tools expect them, the others by
# their path.
PREFIXES = {"axi": "m_axi", "axil": "s_axil"}
BUSES = tuple(PREFIXES)
HOST_READYS = ("s_axil_awready", "s_axil_wready", "s_axil_arready")
# An example for LiteX, which reads ports and sizes from the JSON beside it.
LITEX = Path(__file__).parent / "exports" / "zeroskip_litex.py"
# Ports of the top module, in this order, by what their names begin with.
GROUPS = {
    **clocking.clock_ports(PLAIN),
    "s_axil_": "AXI4-Lite subordinate, 32-bit data: the registers",
    "m_axi_": "AXI4 manager: external memory. Bursts INCR of whole bus words, ID 0",
    "irq": "Interrupt, level, active high",
    "debug_": "What a test bench sees of the chip; leave it open in a product",
}
TEST = {"test_enable": "Every clock runs while it is high, as a scan chain wants it; else 0"}
RAM_PINS = {"ram_pins_": "Pins of memory macros: in for all block RAMs, out a slice for each"}


def groups(options: Options) -> dict[str, str]:
    """GROUPS, as these options have them, and those that they add, `debug_` last."""
    *others, debug = [(name, of) for name, of in GROUPS.items() if name not in ("clk", "rst")]
    pins = RAM_PINS if any(options.ram_pins) else {}
    test = TEST if options.clock_gating else {}
    return clocking.clock_ports(options) | dict([*others, *pins.items(), *test.items(), debug])


@dataclass(frozen=True)
class Waiver:
    """A message of `verilator --lint-only -Wall` about the export that shall not come.

    Attributes
    ----------
    rule : Verilator's name of the message.
    match : pattern of its text, with the signal or module in it.
    reason : why it is right as it is.
    """

    rule: str
    match: str
    reason: str


WAIVERS = (
    Waiver(
        "DECLFILENAME",
        f"*'{TOP}_chip'",
        "One file holds all modules, the top module first.",
    ),
    Waiver(
        "UNUSEDSIGNAL",
        "*'m_axi_?id'",
        "AXI4 answers carry an ID; all transactions have ID 0, so that answers come in order.",
    ),
    Waiver(
        "UNUSEDSIGNAL",
        "*'m_axi_?resp'*",
        "Bit 1 of an AXI4 response says that it is an error; which one does not matter.",
    ),
    Waiver(
        "UNUSEDSIGNAL",
        "*'s_axil_a?addr'*",
        "AXI4-Lite addresses count bytes; registers are words of 4.",
    ),
    Waiver(
        "UNUSEDSIGNAL",
        "*'s_axil_a?prot'",
        "AXI4-Lite requests carry their privilege; every access may do everything.",
    ),
)
RESET_WAIVERS = (
    Waiver(
        "SYNCASYNCNET",
        f"*'{TOP}.*_rst'*",
        "A synchronous reset of one clock is synchronised to the other one.",
    ),
    Waiver(
        "SYNCASYNCNET", "*'rst'*", "The assertions sample what is an asynchronous reset inside."
    ),
)
LOW_WAIVERS = (replace(RESET_WAIVERS[1], match=f"*'{TOP}.reset*'*"),)

# Of an export with pins of memory macros.
PIN_WAIVER = Waiver(
    "UNUSEDSIGNAL",
    "*'pins_in'",
    "Pins of a memory macro; the model that a macro takes the place of does not use them.",
)


def _flat_names(path: tuple[str | int, ...], port) -> Iterator[tuple[str, Value]]:
    """Flat names of a port: an AXI channel gives one for every field, `debug.pc` just one."""
    bus, *rest = map(str, path)
    name = PREFIXES.get(bus, bus)
    if bus not in BUSES:
        yield "_".join((name, *rest)), Value.cast(port)
        return
    channel, signal = rest
    if signal == "payload":
        for field, _ in data.Layout.cast(port.shape()):
            yield f"{name}_{channel}{field}", Value.cast(port[field])
    else:
        yield f"{name}_{channel}{signal}", Value.cast(port)


class FlatChip(wiring.Component):
    """The chip with a port for every signal: `m_axi_awaddr`, `s_axil_rdata`, `debug_retire`, `irq`.

    Parameters
    ----------
    params : ChipParams.
    options : Options.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._options = options
        self._chip = Chip(params, options)
        self._crossing = Crossing(params, ADDRESS_BITS) if options.crossing else None
        self._pairs: list[tuple[str, Value, bool]] = []
        for path, member, port in self._outside():
            self._pairs += ((*pair, member.flow is Out) for pair in _flat_names(path, port))
        clocks = {} if is_plain(options) else clocking.members(options)
        super().__init__(
            {
                **clocks,
                **{
                    name: (Out if is_output else In)(value.shape())
                    for name, value, is_output in self._pairs
                },
            }
        )

    def _outside(self) -> Iterator[tuple]:
        """What the world sees, as `Signature.flatten` gives it."""
        for found in self._chip.signature.flatten(self._chip):
            if self._crossing is None or found[0][0] == "debug":
                yield found
        if self._crossing is not None:
            for found in self._crossing.signature.flatten(self._crossing):
                if not str(found[0][0]).startswith("inner_"):
                    yield found

    def elaborate(self, platform) -> Module:
        m = Module()
        options, chip, crossing = self._options, self._chip, self._crossing
        m.submodules.chip = chip
        awake: Value = Const(1)
        if not is_plain(options):
            ports = {name: getattr(self, name) for name in clocking.clock_ports(options)}
            clocking.add_domains(m, options, ports)
        if crossing is not None:
            m.submodules.crossing = crossing
            wiring.connect(m, chip.axi, crossing.inner_axi)
            wiring.connect(m, crossing.inner_axil, chip.axil)
            m.d.comb += crossing.inner_irq.eq(chip.irq)
        elif options.reset == "async_low":
            # Inside, the reset ends later than outside; what would be taken meanwhile is lost.
            awake = ~ResetSignal()
        for name, value, is_output in self._pairs:
            port = getattr(self, name)
            if name in HOST_READYS and not is_plain(options):
                value = value & awake
            m.d.comb += port.eq(value) if is_output else value.eq(port)
        return m


def to_verilog(params: ChipParams, options: Options = PLAIN, anonymous: bool = False) -> str:
    """The chip's Verilog, module `zeroskip`; what is there more than once is written once.

    anonymous : leave out the comment that names the chip: the text is the same for all chips of
        the same `ChipParams.hardware`.
    """
    return _verilog(params, options, anonymous)[0]


def _verilog(
    params: ChipParams, options: Options, anonymous: bool = False
) -> tuple[str, list[verilog.RamPins]]:
    """The text, and the block RAMs whose pins are ports."""
    modules = verilog.with_pins(verilog.shared(FlatChip(params, options), TOP), *options.ram_pins)
    rams = verilog.rams(modules, TOP, options.ram_pins[1]) if any(options.ram_pins) else []
    titles = groups(options)
    head = verilog.HEADER if anonymous else header(TOP, params, titles, rams)
    return verilog.written(modules, TOP, head, titles, clocking.signals(options)), rams


def ports(text: str) -> list[dict]:
    """Ports of the top module in its Verilog, in their order: name, direction (in, out), width."""
    declared = text.partition(f"\nmodule {TOP} (\n")[2].partition("\n);\n")[0]
    found = re.findall(
        r"^  (in|out)put (?:wire |reg )?(?:\[(\d+):0\] )?(\w+)", declared, re.MULTILINE
    )
    return [
        {"name": name, "direction": way, "width": int(high or 0) + 1} for way, high, name in found
    ]


def input_ports(text: str) -> list[str]:
    """Names of the top module's inputs in its Verilog, without the clocks."""
    names = [port["name"] for port in ports(text) if port["direction"] == "in"]
    return [name for name in names if name not in ("clk", "aclk")]


def output_ports(text: str) -> list[str]:
    """Names of the top module's outputs in its Verilog."""
    return [port["name"] for port in ports(text) if port["direction"] == "out"]


def waivers(options: Options) -> tuple[Waiver, ...]:
    """WAIVERS of a chip with these options."""
    found = WAIVERS + ((PIN_WAIVER,) if options.ram_pins[0] else ())
    if is_plain(options):
        return found
    first = replace(WAIVERS[0], match=f"*'{TOP}_reset*'")
    resets = RESET_WAIVERS if options.crossing else ()
    return (first, *found[1:], *(LOW_WAIVERS if options.reset == "async_low" else resets))


def waiver_file(options: Options = PLAIN) -> str:
    """The waivers as a configuration of Verilator: read before the Verilog."""
    lines = ["`verilator_config"]
    for waiver in waivers(options):
        off = f'lint_off -rule {waiver.rule} -file "*{TOP}.v" -match "{waiver.match}"'
        lines += ["", f"// {waiver.reason}", off]
    return "\n".join([*lines, ""])


def _register(register: Register) -> dict:
    return {
        "name": register.name,
        "offset": register.offset,
        "access": register.access,
        "summary": register.summary,
        "reset": register.reset,
        "fields": [vars(field) for field in register.fields],
    }


def description(params: ChipParams, text: str, options: Options = PLAIN) -> dict:
    """What there is to know of a chip with Verilog `text`, ready for JSON.

    Parameters, options, ports, register map, status codes, instruction table and latencies.
    """
    latencies = {
        name: value
        for name, value in vars(timing).items()
        if name.isupper() and isinstance(value, int)
    }
    return {
        "top": TOP,
        "version": __version__,
        "parameters": params.model_dump(mode="json"),
        "fingerprint": params.fingerprint,
        "fingerprint_hex": f"{params.fingerprint:#010x}",
        "options": asdict(options),
        "ports": ports(text),
        "register_rules": RULES,
        "registers": [_register(register) for register in of_chip(params.fingerprint)],
        "status": {status.name: int(status) for status in Status},
        "commands": {
            opcode.name: {
                "code": opcode.code,
                "summary": opcode.summary,
                "fields": [
                    {"name": f.name, "lsb": f.lsb, "width": f.width, "signed": f.signed}
                    for f in opcode.fields
                ],
            }
            for opcode in isa.OPCODES.values()
        },
        "latencies": latencies,
    }


def export(
    params: ChipParams, folder: Path, example: Example | None = None, options: Options = PLAIN
) -> list[Path]:
    """Write the Verilog and what goes with it into `folder`; returns the files, the Verilog first.

    Assertions, JSON, views of the register table, a driver, file list, lint waivers, constraints,
    core file, packaging script and a module for LiteX; with an example the bench that runs it.
    Existing files of these names are replaced. The folder is made if it is not there.
    """
    folder = Path(folder)
    text, rams = _verilog(params, options)
    about = description(params, text, options)
    if rams:
        about["ram_pins"] = [ram.to_dict() for ram in rams]
    texts = {
        f"{TOP}.v": text,
        f"{TOP}.json": json.dumps(about, indent=2) + "\n",
        f"{TOP}.f": f"{TOP}.v\n",
        f"{TOP}.vlt": waiver_file(options),
        f"{TOP}.sdc": constraints(
            params, input_ports(text), outputs=output_ports(text), options=options
        ),
        f"{TOP}.core": core_file(TOP, params, example is not None),
        **views.texts(of_chip(params.fingerprint)),
        **driver.sources(driver.OWN),
        f"{TOP}_sva.sv": assertions(params, options),
        "package_ip.tcl": package_script(TOP, params, options),
        LITEX.name: LITEX.read_text(encoding="utf-8"),
    }
    if example is not None:
        texts |= bench_files(example, options)
    files = []
    for name, content in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        files.append(path)
    return files
