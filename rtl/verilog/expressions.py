"""Operators as Verilog, with operands as wide as their results.

In Verilog, an operand takes the width of what surrounds it. Here every operand is extended or cut
beforehand, so that no text depends on that rule, and no tool warns of it.
"""

from amaranth.utils import ceil_log2

from rtl.verilog.liveness import extended, is_signed
from rtl.verilog.netlist import Bits, Cell

_SAME_WIDTH = {"$add": "+", "$sub": "-", "$mul": "*", "$and": "&", "$or": "|", "$xor": "^"}
_COMPARE = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
_REDUCE = {"$reduce_or": "|", "$reduce_bool": "|", "$reduce_and": "&", "$reduce_xor": "^"}
_UNARY = {"$not": "~", "$neg": "-", "$pos": ""}
_LEFT, _RIGHT = ("$shl", "$sshl"), ("$shr", "$sshr", "$shift", "$shiftx")
# Words that are looked up at any place; a longer one means an index that nobody meant.
MAX_SELECTED = 1 << 14

KINDS = frozenset(
    (*_SAME_WIDTH, *_COMPARE, *_REDUCE, *_UNARY, *_LEFT, *_RIGHT, "$logic_not", "$mux", "$pmux")
)


def selects(cell: Cell) -> bool:
    """Whether a cell takes a part of its first operand, which must then have a name."""
    return cell.kind in _RIGHT and len(cell.inputs["A"]) > len(cell.outputs["Y"])


def operands(cell: Cell) -> list[Bits]:
    """The operands in the order of `text`, with the widths that it needs."""
    kind, inputs, width = cell.kind, cell.inputs, len(cell.outputs["Y"])
    signed = is_signed(cell)
    if kind in _SAME_WIDTH or kind in _UNARY:
        return [extended(bits, width, signed) for bits in inputs.values()]
    if kind in _COMPARE:
        widest = max(map(len, inputs.values()))
        return [extended(inputs[port], widest, signed) for port in "AB"]
    if kind in _LEFT:
        return [extended(inputs["A"], width, signed), inputs["B"]]
    if kind in _RIGHT:
        assert not cell.parameters["B_SIGNED"], "shifts by a negative amount are not supported"
        fill = kind == "$sshr" and bool(cell.parameters["A_SIGNED"])
        if not selects(cell):
            return [extended(inputs["A"], width, fill), inputs["B"]]
        reach = (1 << len(inputs["B"])) - 1 + width
        assert reach <= MAX_SELECTED, f"a shift by {len(inputs['B'])} bits"
        index = extended(inputs["B"], ceil_log2(reach), False)
        return [extended(inputs["A"], reach, fill), index]
    if kind == "$mux":
        return [inputs["S"], inputs["B"], inputs["A"]]
    if kind == "$pmux":
        words = [inputs["B"][i : i + width] for i in range(0, len(inputs["B"]), width)]
        pairs = zip(inputs["S"], words, strict=True)
        return [part for select, word in pairs for part in ((select,), word)] + [inputs["A"]]
    return [inputs["A"]]


def text(cell: Cell, values: list[str]) -> str:
    """The operator with its operands' texts."""
    kind, width = cell.kind, len(cell.outputs["Y"])
    signed = is_signed(cell)
    if signed and (kind in ("$mul", "$lt", "$le", "$gt", "$ge")):
        values = [f"$signed({value})" for value in values]
    if kind in _SAME_WIDTH:
        return f" {_SAME_WIDTH[kind]} ".join(values)
    if kind in _COMPARE:
        return f" {_COMPARE[kind]} ".join(values)
    if kind in _UNARY:
        return _UNARY[kind] + values[0]
    if kind in _REDUCE:
        return _REDUCE[kind] + values[0]
    if kind == "$logic_not":
        operand = len(cell.inputs["A"])
        return f"~{values[0]}" if operand == 1 else f"{values[0]} == {operand}'h0"
    if kind in _LEFT:
        return f"{values[0]} << {values[1]}"
    if kind in _RIGHT:
        if selects(cell):
            return f"{values[0]}[{values[1]} +: {width}]"
        if kind == "$sshr" and cell.parameters["A_SIGNED"]:
            return f"$signed({values[0]}) >>> {values[1]}"
        return f"{values[0]} >> {values[1]}"
    *pairs, default = values
    chain = (f"{s} ? {value} : " for s, value in zip(pairs[::2], pairs[1::2], strict=True))
    return "".join(chain) + default
