"""A memory as Verilog: its declaration, its write ports and its read ports."""

from collections.abc import Callable

from amaranth.utils import ceil_log2

from rtl.verilog.blocks import if_, indent
from rtl.verilog.names import Scope, identifier
from rtl.verilog.netlist import Bit, Bits, Cell
from rtl.verilog.nets import REG, WIRE

FEW_WORDS = 4  # set to zero one by one


class Memory:
    """The text of one memory.

    Parameters
    ----------
    cell : a `$mem_v2`.
    scope : the names of the module; the memory takes its own from it.

    Attributes
    ----------
    declaration : lines, with what it holds at power-on.
    """

    def __init__(self, cell: Cell, scope: Scope) -> None:
        assert not cell.number("OFFSET") and not cell.number("RD_TRANSPARENCY_MASK")
        self._cell = cell
        self._width, self._size = cell.number("WIDTH"), cell.number("SIZE")
        self._name = scope.take(identifier(cell.name))
        span = f"[{self._width - 1}:0] " if self._width > 1 else ""
        content = cell.number("INIT")
        if self._size == 1:  # tools warn of a memory that is none
            self.declaration = [
                f"  reg {span}{self._name};",
                f"  initial {self._name} = {self._width}'h{content:x};",
            ]
        else:
            marks = [f"  (* {key} = {_attribute(v)} *)" for key, v in cell.attributes.items()]
            self.declaration = [
                *marks,
                f"  reg {span}{self._name} [0:{self._size - 1}];",
                *self._fill(content, scope),
            ]

    def _fill(self, content: int, scope: Scope) -> list[str]:
        """What the memory holds at power-on.

        Zeros are for simulators, so that nothing they show is unknown. Block RAM begins with zeros
        by itself, and synthesis tools take minutes to unroll such loops.
        """
        name, width, size = self._name, self._width, self._size
        if content or size <= FEW_WORDS:
            values = [content >> i * width & (1 << width) - 1 for i in range(size)]
            lines = [f"    {name}[{i}] = {width}'h{value:x};" for i, value in enumerate(values)]
            return ["  initial begin", *lines, "  end"]
        index = scope.take("index")
        return [
            "`ifndef SYNTHESIS",
            f"  integer {index};",
            "  initial begin",
            f"    for ({index} = 0; {index} < {size}; {index} = {index} + 1)",
            f"      {name}[{index}[{ceil_log2(size) - 1}:0]] = {width}'h0;",
            "  end",
            "`endif",
        ]

    def _at(self, address: str) -> str:
        return f"{self._name}[{address}]" if self._size > 1 else self._name

    def writes(self, value: Callable[[Bits], str]) -> list[str]:
        """A clocked block per write port; `value` gives bits as an operand."""
        number, inputs, width = self._cell.number, self._cell.inputs, self._width
        text = []
        for port in range(number("WR_PORTS")):
            assert number("WR_CLK_ENABLE") >> port & 1 and number("WR_CLK_POLARITY") >> port & 1
            at = self._at(value(_word(inputs["WR_ADDR"], port, number("ABITS"))))
            data = _word(inputs["WR_DATA"], port, width)
            enables = _word(inputs["WR_EN"], port, width)
            clock = value(_word(inputs["WR_CLK"], port, 1))
            starts = [i for i in range(width) if not i or enables[i] != enables[i - 1]]
            lines = []
            for low, end in zip(starts, [*starts[1:], width], strict=True):
                part = f"[{end - 1}:{low}]" if end - low > 1 else f"[{low}]"
                part = "" if end - low == width else part
                condition = "" if enables[low] == "1" else value(enables[low : low + 1])
                lines += if_(condition, [f"{at}{part} <= {value(data[low:end])};"])
            text += [f"  always @(posedge {clock}) begin", *indent(lines, 4), "  end"]
        return text

    def reads(
        self,
        value: Callable[[Bits], str],
        target: Callable[[Bits, str], str],
        live: set[Bit],
    ) -> list[str]:
        """The read ports that somebody reads; `target` gives what a result is assigned to."""
        number, inputs = self._cell.number, self._cell.inputs
        text = []
        for port in range(number("RD_PORTS")):
            data = _word(self._cell.outputs["RD_DATA"], port, self._width)
            if not any(bit in live for bit in data):
                continue
            at = self._at(value(_word(inputs["RD_ADDR"], port, number("ABITS"))))
            if not number("RD_CLK_ENABLE") >> port & 1:
                text.append(f"  assign {target(data, WIRE)} = {at};")
                continue
            assert number("RD_CLK_POLARITY") >> port & 1
            clock = value(_word(inputs["RD_CLK"], port, 1))
            enable = _word(inputs["RD_EN"], port, 1)
            read = [f"{target(data, REG)} <= {at};"]
            condition = "" if enable == ("1",) else value(enable)
            text += [f"  always @(posedge {clock})", *indent(if_(condition, read), 4)]
        return text


def _word(bits: Bits, index: int, length: int) -> Bits:
    return bits[index * length : (index + 1) * length]


def _attribute(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
