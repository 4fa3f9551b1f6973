"""Pins of memory macros, led through every module between the top and the block RAMs.

No component knows of them: they are added to the netlist. What goes in is the same for all block
RAMs; what comes out is a slice for each.
"""

import re
from dataclasses import asdict, dataclass, replace

from rtl.verilog.names import instance_names, module_names
from rtl.verilog.netlist import PINS_IN, PINS_OUT, Bits, Cell, Module, Port, is_ram

PREFIX = "ram_"
"""What the ports of modules above the block RAMs begin with."""


@dataclass(frozen=True)
class RamPins:
    """One block RAM of the design.

    Attributes
    ----------
    instance : its place, from the top module on, as simulators write it.
    module : the module whose body a macro replaces.
    width, depth : bits of a word, and words.
    low, high : its bits of `ram_pins_out`; both None where it has no outputs.
    """

    instance: str
    module: str
    width: int
    depth: int
    low: int | None
    high: int | None

    def to_dict(self) -> dict:
        """As JSON has it."""
        return asdict(self)


def with_pins(modules: dict[str, Module], inputs: int, outputs: int) -> dict[str, Module]:
    """Shared modules, those below others first, with the ports; the same ones if there are none.

    Parameters
    ----------
    inputs, outputs : pins of a block RAM, 0 or more of each.
    """
    if not inputs and not outputs:
        return modules
    made: dict[str, Module] = {}
    counts: dict[str, int] = {}
    for name, module in modules.items():
        below = [cell for cell in _instances(module) if counts[cell.kind]]
        counts[name] = 1 if is_ram(name) else sum(counts[cell.kind] for cell in below)
        if not counts[name]:
            made[name] = module
            continue
        free = 1 + max((bit for bit in _bits(module) if isinstance(bit, int)), default=-1)
        into = tuple(range(free, free + inputs))
        free += inputs
        if is_ram(name):
            made[name] = _with_ports(module, (PINS_IN, into), (PINS_OUT, ("0",) * outputs))
            continue
        out: Bits = ()
        cells = {cell.name: cell for cell in module.cells}
        for cell in below:
            its = tuple(range(free, free + outputs * counts[cell.kind]))
            free += len(its)
            out += its
            at = len(modules[cell.kind].ports)
            cells[cell.name] = replace(
                cell,
                inputs=cell.inputs | ({str(at): into} if inputs else {}),
                outputs=cell.outputs | ({str(at + bool(inputs)): its} if outputs else {}),
            )
        module = replace(module, cells=tuple(cells.values()))
        made[name] = _with_ports(module, (PREFIX + PINS_IN, into), (PREFIX + PINS_OUT, out))
    return made


def rams(modules: dict[str, Module], top: str, outputs: int) -> list[RamPins]:
    """The block RAMs in the order of their slices: a place's, in the order of instances' names."""
    names = module_names(modules, top)
    found: list[RamPins] = []

    def visit(kind: str, place: str) -> None:
        module = modules[kind]
        if is_ram(kind):
            [memory] = (cell for cell in module.cells if cell.kind == "$mem_v2")
            low = len(found) * outputs
            span = (low, low + outputs - 1) if outputs else (None, None)
            size = memory.number("WIDTH"), memory.number("SIZE")
            found.append(RamPins(place, names[kind], *size, *span))
        for cell in _instances(module):
            visit(cell.kind, f"{place}.{instance_names(module)[cell.name]}")

    visit(top, top)
    return found


def _instances(module: Module) -> list[Cell]:
    """Instances by name, numbers in them as numbers."""
    found = [cell for cell in module.cells if cell.is_instance]
    return sorted(found, key=lambda cell: [_number(t) for t in re.split(r"(\d+)", cell.name)])


def _number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)


def _bits(module: Module):
    for port in module.ports:
        yield from port.bits
    for cell in module.cells:
        for bits in (*cell.inputs.values(), *cell.outputs.values()):
            yield from bits


def _with_ports(module: Module, into: tuple[str, Bits], out: tuple[str, Bits]) -> Module:
    ports = [
        Port(name, is_input, bits)
        for is_input, (name, bits) in ((True, into), (False, out))
        if bits
    ]
    names = [(port.name, port.bits) for port in ports if port.bits[0] != "0"]
    return replace(module, ports=(*module.ports, *ports), names=(*module.names, *names))
