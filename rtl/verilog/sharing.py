"""Modules that are equal become one: a chip of 64 lanes says once what a lane is.

Amaranth makes a module for every instance, and numbers names over the whole design.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from rtl.verilog.netlist import Bit, Bits, Cell, Module, Port, macro_of, told_name

# What Amaranth adds to a name that is taken.
_NUMBER = re.compile(r"(\$\d+)+$")


def plain(name: str) -> str:
    """A name without the numbers that count over the design."""
    return _NUMBER.sub("", name)


def share(modules: dict[str, Module], top: str) -> dict[str, Module]:
    """The modules below `top`, each once, those below others first.

    Ports of instances are named by their position: "0", "1", ...
    """
    kept: dict[str, Module] = {}
    by_key: dict[tuple, str] = {}
    shared: dict[str, str] = {}

    def settle(name: str) -> None:
        if name in shared:
            return
        module = modules[name]
        for cell in module.cells:
            if cell.is_instance:
                settle(cell.kind)
        module = _by_position(module, modules, shared)
        if macro_of(name):
            ports = (replace(port, name=told_name(module, port)) for port in module.ports)
            module = replace(module, ports=tuple(ports))
        key, module = _canonical(module)
        shared[name] = by_key.setdefault(key, name)
        kept.setdefault(shared[name], module)

    settle(top)
    return kept


def _by_position(module: Module, modules: dict[str, Module], shared: dict[str, str]) -> Module:
    def connect(cell: Cell) -> Cell:
        if not cell.is_instance:
            return cell
        inputs, outputs = {}, {}
        for index, port in enumerate(modules[cell.kind].ports):
            if port.is_input:
                inputs[str(index)] = cell.inputs[port.name]
            else:
                outputs[str(index)] = cell.outputs[port.name]
        return replace(cell, kind=shared[cell.kind], inputs=inputs, outputs=outputs)

    return replace(module, cells=tuple(map(connect, module.cells)))


def _canonical(module: Module) -> tuple[tuple, Module]:
    """What tells a module from others, and the module with cells and bits in an order of its own.

    Cells are ordered by the way from the outputs back to the inputs; what no output needs goes.
    """
    driver = {bit: cell for cell in module.cells for bits in cell.outputs.values() for bit in bits}
    number: dict[Bit, int] = {}
    order: list[Cell] = []
    seen: set[str] = set()

    def visit(bits: Iterable[Bit]) -> None:
        stack = list(reversed(tuple(bits)))
        while stack:
            bit = stack.pop()
            if isinstance(bit, str) or bit in number:
                continue
            number[bit] = len(number)
            cell = driver.get(bit)
            if cell is None or cell.name in seen:
                continue
            seen.add(cell.name)
            order.append(cell)
            for part in (*cell.outputs.values(), *cell.inputs.values()):
                stack.extend(reversed(part))

    for port in module.ports:
        visit(port.bits)

    def renumber(bits: Bits) -> Bits:
        return tuple(number.get(bit, "0") if isinstance(bit, int) else _known(bit) for bit in bits)

    ports = tuple(Port(port.name, port.is_input, renumber(port.bits)) for port in module.ports)
    cells = tuple(
        replace(
            cell,
            inputs={name: renumber(bits) for name, bits in cell.inputs.items()},
            outputs={name: renumber(bits) for name, bits in cell.outputs.items()},
        )
        for cell in order
    )
    names = tuple(
        (name, renumber(bits))
        for name, bits in module.names
        if bits and all(isinstance(bit, int) and bit in number for bit in bits)
    )
    initial: dict[Bit, str] = {
        number[bit]: value for bit, value in module.initial.items() if bit in number
    }
    key = (
        tuple((port.is_input, port.bits) for port in ports),
        tuple(
            (
                cell.kind,
                tuple(cell.parameters.items()),
                tuple(cell.inputs.items()),
                tuple(cell.outputs.items()),
            )
            for cell in cells
        ),
        frozenset((plain(name), bits) for name, bits in names),
        tuple(sorted(initial.items())),
    )
    return key, replace(module, ports=ports, cells=cells, names=names, initial=initial)


def _known(bit: str) -> str:
    """Constants as every simulator shall see them: what may be anything is 0."""
    return bit if bit in "01" else "0"
