"""Leaves out what nobody reads, bit by bit and through all modules."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from rtl.verilog.netlist import PINS_IN, Bit, Bits, Cell, Module, macro_of

# Every bit of the result needs the same bits of the operands alone.
BITWISE = frozenset(("$and", "$or", "$xor", "$xnor", "$not", "$mux", "$pmux"))
REGISTERS = frozenset(("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe"))
# A bit of the result needs the bits of the operands up to itself.
CARRYING = frozenset(("$add", "$sub", "$mul", "$neg"))

Live = dict[str, set[int]]  # positions of live bits, by port


def extended(bits: Bits, width: int, signed: bool) -> Bits:
    """An operand with this width, cut or extended as Verilog does."""
    if len(bits) >= width:
        return bits[:width]
    return bits + (bits[-1] if signed and bits else "0",) * (width - len(bits))


def is_signed(cell: Cell) -> bool:
    """Whether the operands of a cell are extended with their signs."""
    return bool(cell.parameters.get("A_SIGNED", 0)) and bool(cell.parameters.get("B_SIGNED", 1))


def live_ports(modules: dict[str, Module], top: str) -> dict[str, Live]:
    """The positions of the ports' bits that are read, for every module that is used.

    All ports of `top` and outputs of memories count as read: a memory is the same wherever it lies.
    So do pins of macros.
    """
    outputs: dict[str, Live] = {name: defaultdict(set) for name in modules}
    inputs: dict[str, Live] = {name: defaultdict(set) for name in modules}
    for name, module in modules.items():
        for index, port in enumerate(module.ports):
            kept = not port.is_input or port.name == PINS_IN
            if name == top or (macro_of(name) and kept):
                side = inputs if port.is_input else outputs
                side[name][str(index)].update(range(len(port.bits)))
    users: dict[str, set[str]] = defaultdict(set)
    for name, module in modules.items():
        for cell in module.cells:
            if cell.is_instance:
                users[cell.kind].add(name)
    waiting = list(modules)
    while waiting:
        name = waiting.pop()  # those above others first
        module = modules[name]
        live = live_bits(module, outputs[name], inputs)
        changed = set()
        for cell in module.cells:
            if cell.is_instance:
                for position, bits in cell.outputs.items():
                    found = {i for i, bit in enumerate(bits) if bit in live}
                    if not found <= outputs[cell.kind][position]:
                        outputs[cell.kind][position] |= found
                        changed.add(cell.kind)
        for index, port in enumerate(module.ports):
            if port.is_input:
                found = {i for i, bit in enumerate(port.bits) if bit in live}
                if not found <= inputs[name][str(index)]:
                    inputs[name][str(index)] |= found
                    changed |= users[name]
        waiting += sorted(changed - set(waiting), key=list(modules).index)
    return {key: {**outputs[key], **inputs[key]} for key in modules}


def live_bits(module: Module, outputs: Live, inputs: dict[str, Live]) -> set[Bit]:
    """The bits that are needed for the live bits of a module's outputs.

    Parameters
    ----------
    outputs : live positions of the module's own outputs.
    inputs : live positions of the inputs of every module.
    """
    driver: dict[Bit, Cell] = {
        bit: cell for cell in module.cells for bits in cell.outputs.values() for bit in bits
    }
    live: set[Bit] = set()
    done: set[str] = set()  # cells of which every bit needs the same
    stack: list[Bit] = [
        port.bits[i]
        for index, port in enumerate(module.ports)
        if not port.is_input
        for i in outputs.get(str(index), ())
    ]
    while stack:
        bit = stack.pop()
        if isinstance(bit, str) or bit in live:
            continue
        live.add(bit)
        cell = driver.get(bit)
        if cell is None or cell.name in done:
            continue
        if cell.kind not in REGISTERS | BITWISE | CARRYING:
            done.add(cell.name)
        stack.extend(_needs(cell, bit, inputs))
    return live


def _needs(cell: Cell, bit: Bit, inputs: dict[str, Live]) -> Iterable[Bit]:
    """The bits that a bit of a cell's result needs."""
    if cell.is_instance:
        live = inputs[cell.kind]
        return [bits[i] for port, bits in cell.inputs.items() for i in live.get(port, ())]
    if cell.kind in REGISTERS:
        at = cell.outputs["Q"].index(bit)
        return [
            *(bits[at] if port == "D" else bits[0] for port, bits in cell.inputs.items()),
        ]
    if cell.kind in BITWISE or cell.kind in CARRYING:
        width = len(cell.outputs["Y"])
        at = cell.outputs["Y"].index(bit)
        first = at if cell.kind in BITWISE else 0
        needed: list[Bit] = list(cell.inputs.get("S", ()))
        for port in ("A", "B"):
            bits = cell.inputs.get(port, ())
            step = width if cell.kind == "$pmux" and port == "B" else len(bits)
            for start in range(0, len(bits), step or 1):
                word = extended(bits[start : start + step], width, is_signed(cell))
                needed += word[first : at + 1]
        return needed
    return [bit for bits in cell.inputs.values() for bit in bits]


def pruned(module: Module, live: set[Bit], ports: dict[str, Live]) -> Module:
    """The module without what is dead; words with dead bits become shorter, or several."""
    cells: list[Cell] = []
    for cell in module.cells:
        if not any(bit in live for bits in cell.outputs.values() for bit in bits):
            continue
        if cell.is_instance:
            cells.append(_instance(cell, ports[cell.kind]))
        elif cell.kind in REGISTERS or cell.kind in BITWISE:
            cells += _split(cell, live)
        elif cell.kind in CARRYING:
            cells.append(_shortened(cell, live))
        else:
            cells.append(cell)
    return replace(module, cells=tuple(cells))


def runs(positions: Iterable[int]) -> list[range]:
    """Ascending positions as ranges without gaps."""
    found: list[range] = []
    for at in sorted(positions):
        if found and found[-1].stop == at:
            found[-1] = range(found[-1].start, at + 1)
        else:
            found.append(range(at, at + 1))
    return found


def _instance(cell: Cell, live: Live) -> Cell:
    def kept(connections: dict[str, Bits]) -> dict[str, Bits]:
        return {port: bits for port, bits in connections.items() if live.get(port)}

    return replace(cell, inputs=kept(cell.inputs), outputs=kept(cell.outputs))


def _split(cell: Cell, live: set[Bit]) -> list[Cell]:
    """A cell whose bits do not know each other, one for every run of live bits."""
    [(result, bits)] = cell.outputs.items()
    width = len(bits)
    parts = []
    for run in runs(i for i, bit in enumerate(bits) if bit in live):
        cut = slice(run.start, run.stop)

        def part(port: str, bits: Bits, cut=cut) -> Bits:
            if port in ("S", "CLK", "EN", "SRST", "ARST"):
                return bits
            if port == "B" and cell.kind == "$pmux":
                words = [bits[i : i + width] for i in range(0, len(bits), width)]
                return tuple(bit for word in words for bit in word[cut])
            return extended(bits, width, is_signed(cell))[cut]

        parameters = dict(cell.parameters)
        for key in ("SRST_VALUE", "ARST_VALUE"):
            if key in parameters:
                value = f"{parameters[key]:0{width}b}"
                parameters[key] = int(value[width - run.stop : width - run.start], 2)
        inputs = {port: part(port, bits) for port, bits in cell.inputs.items()}
        parts.append(
            replace(cell, parameters=parameters, inputs=inputs, outputs={result: bits[cut]})
        )
    return parts


def _shortened(cell: Cell, live: set[Bit]) -> Cell:
    """A sum, difference or product without the dead bits on top."""
    bits = cell.outputs["Y"]
    width = 1 + max(i for i, bit in enumerate(bits) if bit in live)
    signed = is_signed(cell)
    inputs = {
        port: extended(bits, width, signed) if len(bits) > width else bits
        for port, bits in cell.inputs.items()
    }
    return replace(cell, inputs=inputs, outputs={"Y": bits[:width]})
