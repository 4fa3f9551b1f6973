"""A hierarchical netlist of word-level cells and single bits, as Yosys makes it from RTLIL."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from amaranth._toolchain.yosys import YosysError, find_yosys
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib import wiring

from npu import cache
from npu.errors import NpuError

# A bit is a number within its module, or a constant.
Bit = int | str
Bits = tuple[Bit, ...]

# `opt_dff` finds enables and resets of registers: `if` in the Verilog. No memory becomes a table of
# constants and no table a memory.
PASSES = (
    "proc -norom",
    "memory_collect",
    "opt_expr",
    "opt_merge",
    "opt_clean",
    "opt_dff",
    "opt_clean",
)
OLDEST_YOSYS = (0, 40)
CLOCK_GATE = "clock_gate"
_MACRO = re.compile(rf"(?:.*\.)?(ram_[a-z]+_\d+x\d+|{CLOCK_GATE})")
PINS_IN, PINS_OUT = "pins_in", "pins_out"
"""Ports of a macro's own, which its model does not use (`rtl.verilog.ram_pins`)."""
_DIRECTIONS = {wiring.In: PortDirection.Input, wiring.Out: PortDirection.Output}


@dataclass(frozen=True)
class Port:
    """A port of a module; `bits` are the module's."""

    name: str
    is_input: bool
    bits: Bits


@dataclass(frozen=True)
class Cell:
    """An operator, a register, a memory or an instance of a module of the design.

    Attributes
    ----------
    kind : Yosys's type (`$add`), or the module's name.
    inputs, outputs : bits by port, least significant first.
    """

    name: str
    kind: str
    parameters: dict[str, int | str]
    inputs: dict[str, Bits]
    outputs: dict[str, Bits]
    attributes: dict[str, int | str] = field(default_factory=dict)

    @property
    def is_instance(self) -> bool:
        return not self.kind.startswith("$")

    def number(self, parameter: str) -> int:
        value = self.parameters[parameter]
        assert isinstance(value, int), (self.kind, parameter, value)
        return value


@dataclass(frozen=True)
class Module:
    """A module.

    Attributes
    ----------
    names : the designer's names of bits, ports among them; several may name the same bits.
    initial : values of registers at power-on.
    component : what it was made from, for its readers.
    """

    name: str
    ports: tuple[Port, ...]
    cells: tuple[Cell, ...]
    names: tuple[tuple[str, Bits], ...]
    initial: dict[Bit, str]
    component: object | None = None


_REFUSED = re.compile(r"(\w[^:\n]*) \(os error \d+\)")
_OWN = re.compile(r"^(port|read)__|\$")


def macro_of(name: str) -> str | None:
    """What a module is called that is one of a library's, None of other modules.

    A memory (`rtl.memory.ram.BlockRam`) or a gate of a clock (`rtl.shared.clock_gate.ClockGate`).
    Such a module has the same name wherever it lies, and its ports theirs, in their order.
    """
    found = _MACRO.match(name)
    return found.group(1) if found else None


def is_ram(name: str) -> bool:
    """Whether a module is a memory of its own."""
    return macro_of(name) not in (None, CLOCK_GATE)


def read(
    component: wiring.Component, name: str, passes: Iterable[str] = PASSES
) -> dict[str, Module]:
    """The modules of an Amaranth component, the top module `name` among them.

    Raises NpuError where the operating system does not let Yosys run.
    """
    text, components = _rtlil(component, name)
    script = "\n".join((f"read_rtlil <<rtlil\n{text}\nrtlil", *passes, "write_json"))
    with cache.lent_to_tools():
        yosys = find_yosys(lambda version: version >= OLDEST_YOSYS)
        try:
            design = json.loads(yosys.run(["-q", "-"], script, ignore_warnings=True))
        except YosysError as error:
            # What the operating system refuses to WebAssembly is told so; all else is ours.
            refused = _REFUSED.search(str(error))
            if refused is None:
                raise
            raise NpuError(
                f"Yosys, which the Verilog is made with, cannot run: {refused[1].lower()}; give "
                "the process more room (memory, size of files, files: see ulimit -a)"
            ) from error
    return {
        name: _module(name, found, design, components.get(name))
        for name, found in design["modules"].items()
    }


def _rtlil(component: wiring.Component, name: str) -> tuple[str, dict[str, object]]:
    """A component's RTLIL, and from which component each of its modules was made."""
    ports = {
        "__".join(map(str, path)): (Value.cast(port), _DIRECTIONS[member.flow])
        for path, member, port in component.signature.flatten(component)
    }
    design = Fragment.get(component, None).prepare(ports, hierarchy=(name,))
    text, _ = rtlil.convert_fragment(design, name=name, emit_src=False)
    found: dict[str, object] = {}
    for fragment, about in design.fragments.items():
        made_by = [part for part in fragment.origins or () if isinstance(part, wiring.Component)]
        if made_by:
            found[".".join(about.name)] = made_by[0]
    return text, found


def _module(name: str, found: dict, design: dict, component: object | None) -> Module:
    ports = tuple(
        Port(port, about["direction"] == "input", tuple(about["bits"]))
        for port, about in found["ports"].items()
    )
    names, initial = [], {}
    for net, about in found["netnames"].items():
        bits = tuple(about["bits"])
        if not about["hide_name"]:
            names.append((net, bits))
        for bit, value in zip(bits, reversed(about["attributes"].get("init", "")), strict=False):
            if value in "01":
                initial[bit] = value
    cells = tuple(
        _cell(cell, about, design["modules"].get(about["type"]))
        for cell, about in found["cells"].items()
    )
    module = Module(name, ports, cells, tuple(names), initial, component)
    if macro_of(name):
        module = replace(module, ports=tuple(sorted(ports, key=lambda p: told_name(module, p))))
    return module


def told_name(module: Module, port: Port) -> str:
    """What the designer calls a port of a macro's module, where Amaranth has a name of its own."""
    told = [name for name, bits in module.names if bits == port.bits and not _OWN.search(name)]
    return min(told, default=port.name)


def _cell(name: str, found: dict, module: dict | None) -> Cell:
    def directed(wanted: str) -> dict[str, Bits]:
        directions = found.get("port_directions") or {
            port: about["direction"] for port, about in (module or {"ports": {}})["ports"].items()
        }
        return {
            port: tuple(bits)
            for port, bits in found["connections"].items()
            if directions[port] == wanted
        }

    return Cell(
        name,
        found["type"],
        {key: _value(value) for key, value in found["parameters"].items()},
        directed("input"),
        directed("output"),
        {key: _value(value) for key, value in found["attributes"].items()},
    )


def _value(text: str) -> int | str:
    """A parameter as JSON holds it: binary digits, or a word. What may be anything is 0."""
    return int(text.replace("x", "0"), 2) if text and not text.strip("01x") else text
