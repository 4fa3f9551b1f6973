"""The text of a module."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from rtl.verilog import comments, expressions
from rtl.verilog.blocks import LATCH_AND_AND, constant, else_, if_, indent
from rtl.verilog.folding import folded
from rtl.verilog.liveness import REGISTERS
from rtl.verilog.memory import Memory
from rtl.verilog.names import identifier
from rtl.verilog.netlist import Bit, Bits, Cell, Module
from rtl.verilog.nets import INPUT, REG, WIRE, Net, Nets

MAX_INLINE = 60  # characters of an operand that is not worth a name
HINTS = {
    "$add": "sum",
    "$and": "both",
    "$eq": "equal",
    "$ge": "at_least",
    "$gt": "above",
    "$le": "at_most",
    "$logic_not": "none",
    "$lt": "below",
    "$mul": "product",
    "$mux": "chosen",
    "$ne": "differs",
    "$neg": "negative",
    "$not": "inverse",
    "$or": "either",
    "$pmux": "chosen",
    "$reduce_and": "all",
    "$reduce_bool": "any",
    "$reduce_or": "any",
    "$reduce_xor": "parity",
    "$sub": "difference",
    "$xor": "odd",
}
SHIFTED = "shifted"


class Writer:
    """The text of one module."""

    def __init__(
        self,
        module: Module,
        nets: Nets,
        live: set[Bit],
        names: dict[str, str],
        written: dict[str, Nets],
        instances: dict[str, str],
    ) -> None:
        self._module, self._nets, self._live = module, nets, live
        self._instances = instances
        self._names, self._written = names, written
        self._inline: dict[Bit, tuple[Bits, str]] = {}
        self._body: list[str] = []
        self._memories: list[str] = []

    def text(self, groups: Mapping[str, str], domains: Mapping[str, str]) -> str:
        cells = self._module.cells
        operators = [cell for cell in cells if cell.kind in expressions.KINDS]
        single = self._single(operators)
        for cell in cells:
            if cell.kind not in expressions.KINDS:
                for bits in cell.outputs.values():
                    self._name_private(bits, cell)
        for cell in _ordered(operators):
            self._operator(cell, single)
        for cell in cells:
            if cell.kind == "$mem_v2":
                self._memory(cell)
        self._registers([cell for cell in cells if cell.kind in REGISTERS])
        for cell in cells:
            if cell.is_instance:
                self._instance(cell)
        for net, bits in self._nets.joined:
            self._body.append(f"  assign {net.name} = {self._value(bits)};")
        known = expressions.KINDS | REGISTERS | {"$mem_v2"}
        strange = {cell.kind for cell in cells if not cell.is_instance} - known
        assert not strange, f"{self._module.name}: no Verilog for {strange}"
        return self._assemble(groups, domains)

    def clock_gate(self, domains: Mapping[str, str]) -> str:
        """The module of a gate: what it was elaborated from has no latch."""
        text = self._assemble({}, domains)
        return text.partition("\n);\n")[0] + "\n);\n" + LATCH_AND_AND

    def _assemble(self, groups: Mapping[str, str], domains: Mapping[str, str]) -> str:
        pins = sorted(self._nets.pins, key=lambda pin: (int(pin.port), pin.at.start))
        starts, titles = list(groups), dict(enumerate(groups.values()))
        of = {pin.net.name: _group(pin.net.name, starts) for pin in pins}
        pins.sort(key=lambda pin: of[pin.net.name])
        name = self._names[self._module.name]
        shown = [] if groups else pins
        lines = comments.before(name, self._module.component, shown, domains)
        lines.append(f"module {name} (")
        for pin, following in zip_longest(pins, pins[1:]):
            if (title := titles.pop(of[pin.net.name], None)) is not None:
                lines.append(f"  // {title}")
            output = "output " if pin.net.is_output else ""
            lines.append(f"  {output}{pin.net.declaration}{',' if following else ''}")
        lines.append(");")
        lines += [
            f"  {net.declaration};"
            for net in self._nets.nets
            if net.kind != INPUT and not net.is_output and net.name
        ]
        lines += self._memories + self._initial() + self._body
        lines = [part for line in "\n".join(lines).split("\n") for part in folded(line)]
        return "\n".join([*lines, "endmodule"]) + "\n"

    def _initial(self) -> list[str]:
        values = []
        for net in self._nets.nets:
            known = [self._module.initial.get(bit) for bit in net.bits]
            if net.kind == REG and net.name and None not in known:
                values.append(f"    {net.name} = {constant(''.join(map(str, known)))};")
        return ["  initial begin", *values, "  end"] if values else []

    # --- values ---------------------------------------------------------------------------------
    def _value(self, bits: Bits) -> str:
        """Bits as an operand, as wide as they are many."""
        parts = []
        at = 0
        while at < len(bits):
            length, text = self._segment(bits, at)
            parts.append(text)
            at += length
        return parts[0] if len(parts) == 1 else "{" + ", ".join(reversed(parts)) + "}"

    def _segment(self, bits: Bits, at: int) -> tuple[int, str]:
        """The longest piece of a value at a place that is one term: (how many bits, text)."""
        bit = bits[at]
        end = at + 1
        if isinstance(bit, str):
            while end < len(bits) and isinstance(bits[end], str):
                end += 1
            return end - at, constant("".join(map(str, bits[at:end])))
        if bit in self._inline:
            word, text = self._inline[bit]
            assert bits[at : at + len(word)] == word
            return len(word), f"({text})"
        while end < len(bits) and bits[end] == bit:
            end += 1
        if end - at > 1:
            return end - at, f"{{{end - at}{{{self._select(bits[at : at + 1])}}}}}"
        net = self._nets.where[bit]
        first = net.bits.index(bit)
        while end < len(bits) and bits[at : end + 1] == net.bits[first : first + end + 1 - at]:
            end += 1
        # The last bit may begin a repetition, which is a term of its own.
        if end - at > 1 and bits[end - 1 : end + 1] == (bits[end - 1],) * 2:
            end -= 1
        return end - at, self._select(bits[at:end])

    def _select(self, bits: Bits) -> str:
        """A part of a net."""
        net = self._nets.where[bits[0]]
        assert net.name, bits
        if len(bits) == len(net.bits):
            return net.name
        low = net.low + net.bits.index(bits[0])
        return (
            f"{net.name}[{low}]" if len(bits) == 1 else f"{net.name}[{low + len(bits) - 1}:{low}]"
        )

    def _target(self, bits: Bits, kind: str) -> str:
        """What a result is assigned to; bits that nobody reads go to a net of their own."""
        parts = []
        at = 0
        while at < len(bits):
            end = at + 1
            net = self._nets.where.get(bits[at]) if bits[at] in self._live else None
            if net is None:
                while end < len(bits) and bits[end] not in self._live:
                    end += 1
                parts.append(self._nets.spare(end - at, kind).name)
            else:
                while end < len(bits) and self._nets.where.get(bits[end]) is net:
                    end += 1
                parts.append(self._select(bits[at:end]))
            at = end
        return parts[0] if len(parts) == 1 else "{" + ", ".join(reversed(parts)) + "}"

    def _name_private(self, bits: Bits, cell: Cell) -> None:
        if cell.is_instance or cell.kind == "$mem_v2":
            hint = f"{identifier(cell.name)}_data"
        elif cell.kind in REGISTERS:
            hint = "held"
        else:
            hint = HINTS.get(cell.kind, SHIFTED)
        for bit in bits:
            net = self._nets.private.pop(bit, None)
            if net is not None:
                self._nets.name_private(net, hint)

    # --- operators ------------------------------------------------------------------------------
    def _single(self, operators: list[Cell]) -> set[Bit]:
        """First bits of unnamed results that are read once, and as a whole."""
        words: dict[Bit, tuple[Bit, Bits]] = {}
        for cell in operators:
            bits = cell.outputs["Y"]
            net = self._nets.private.get(bits[0])
            if net is not None and net.bits == bits:
                words.update({bit: (bits[0], bits) for bit in bits})
        reads: Counter[Bit] = Counter()
        wrong: set[Bit] = set()
        for bits, whole in self._read():
            at = 0
            while at < len(bits):
                found = words.get(bits[at])
                if found is None:
                    at += 1
                elif not whole and bits[at : at + len(found[1])] == found[1]:
                    reads[found[0]] += 1
                    at += len(found[1])
                else:
                    wrong.add(found[0])
                    at += 1
        return {first for first, count in reads.items() if count == 1} - wrong

    def _read(self) -> Iterator[tuple[Bits, bool]]:
        """All words that are read, and whether they must have a name of their own."""
        for cell in self._module.cells:
            if cell.is_instance:
                for pin in self._written[cell.kind].pins:
                    if pin.port in cell.inputs:
                        yield cell.inputs[pin.port][pin.at.start : pin.at.stop], False
            elif cell.kind in expressions.KINDS:
                for index, bits in enumerate(expressions.operands(cell)):
                    yield bits, index == 0 and expressions.selects(cell)
            elif cell.kind == "$mem_v2":
                for bits in cell.inputs.values():
                    yield bits, True
            else:
                for port, bits in cell.inputs.items():
                    yield bits, port != "D"
        for _, bits in self._nets.joined:
            yield bits, False

    def _operator(self, cell: Cell, single: set[Bit]) -> None:
        values = []
        for index, bits in enumerate(expressions.operands(cell)):
            if index == 0 and expressions.selects(cell):
                values.append(self._named(bits))
            else:
                values.append(self._value(bits))
        text = expressions.text(cell, values)
        result = cell.outputs["Y"]
        if result[0] in single and len(text) <= MAX_INLINE:
            self._inline[result[0]] = result, text
            self._nets.private.pop(result[0])
            return
        self._name_private(result, cell)
        self._body.append(f"  assign {self._target(result, WIRE)} = {text};")

    def _named(self, bits: Bits) -> str:
        """Bits as a net: the net that they are, or a new one."""
        net = self._nets.where.get(bits[0])
        if net is not None and net.bits == bits and net.low == 0:
            return net.name
        value = self._value(bits)
        padded = Net("", WIRE, 0, bits)
        self._nets.nets.append(padded)
        self._nets.name_private(padded, "padded")
        self._body.append(f"  assign {padded.name} = {value};")
        return padded.name

    # --- state ----------------------------------------------------------------------------------
    def _registers(self, cells: list[Cell]) -> None:
        groups: dict[tuple, list[Cell]] = defaultdict(list)
        for cell in cells:
            assert cell.parameters["CLK_POLARITY"] == 1
            conditions = (cell.inputs.get("EN"), cell.parameters.get("EN_POLARITY"))
            kind = "ARST" if "ARST" in cell.inputs else "SRST"
            reset = (cell.inputs.get(kind), cell.parameters.get(f"{kind}_POLARITY"))
            key = cell.inputs["CLK"], cell.kind == "$sdffce", conditions, reset, kind == "ARST"
            groups[key].append(cell)
        for (clock, enabled_reset, enable, reset, is_async), members in groups.items():
            data, values = [], []
            for cell in members:
                target = self._target(cell.outputs["Q"], REG)
                data.append(f"{target} <= {self._value(cell.inputs['D'])};")
                if reset[0]:
                    width = len(cell.outputs["Q"])
                    number = cell.number("ARST_VALUE" if is_async else "SRST_VALUE")
                    values.append(f"{target} <= {constant(f'{number:0{width}b}'[::-1])};")
            edges = f"posedge {self._value(clock)}"
            if is_async:
                edge = "posedge" if reset[1] else "negedge"
                edges += f" or {edge} {self._value(reset[0])}"
            block = [f"  always @({edges})"]
            en = self._condition(*enable) if enable[0] else ""
            rst = self._condition(*reset) if reset[0] else ""
            if rst and enabled_reset:
                inner = [*if_(rst, values), *else_(if_("", data))]
                block += indent(if_(en, inner), 4)
            elif rst:
                block += indent([*if_(rst, values), *else_(if_(en, data))], 4)
            else:
                block += indent(if_(en, data), 4)
            self._body += block

    def _condition(self, bits: Bits, polarity: int) -> str:
        value = self._value(bits)
        return value if polarity else f"~{value}"

    def _memory(self, cell: Cell) -> None:
        memory = Memory(cell, self._nets.scope)
        self._memories += memory.declaration
        self._body += memory.writes(self._value)
        self._body += memory.reads(self._value, self._target, self._live)

    # --- instances ------------------------------------------------------------------------------
    def _instance(self, cell: Cell) -> None:
        connections = []
        for pin in sorted(self._written[cell.kind].pins, key=lambda p: (int(p.port), p.at.start)):
            part = slice(pin.at.start, pin.at.stop)
            if pin.port in cell.inputs:
                value = self._value(cell.inputs[pin.port][part])
            else:
                value = self._target(cell.outputs[pin.port][part], WIRE)
            connections.append(f"    .{pin.net.name}({value})")
        kind, name = self._names[cell.kind], self._instances[cell.name]
        self._body += [f"  {kind} {name} (", ",\n".join(connections), "  );"]


def _group(name: str, starts: list[str]) -> int:
    """The first of the groups that a port's name begins with, or one behind them all."""
    return next((i for i, start in enumerate(starts) if name.startswith(start)), len(starts))


def _ordered(cells: list[Cell]) -> list[Cell]:
    """Operators behind those whose results they read."""
    driver = {bit: cell for cell in cells for bit in cell.outputs["Y"]}
    done: set[int] = set()
    order: list[Cell] = []
    for first in reversed(cells):
        stack = [(first, False)]
        while stack:
            cell, ready = stack.pop()
            if ready:
                order.append(cell)
            elif id(cell) not in done:
                done.add(id(cell))
                stack.append((cell, True))
                for bits in cell.inputs.values():
                    stack += ((driver[bit], False) for bit in bits if bit in driver)
    return order
