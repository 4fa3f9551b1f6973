"""Chip operators: what a graph becomes before memory is allocated.

A program is a few *segments* (straight lines of chip operators) that `compiler.passes.emit` joins
with control flow. Operators read and write *views* of SRAM buffers; a buffer is a tensor, its
elements one behind the other as TFLite has them. Buffers begin on bus words, views anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from npu.chip.isa import ElementType
from npu.errors import CapacityError
from npu.model.layer import Layer


class LayerError(CapacityError):
    """A layer of the model does not fit the chip; `reason` says why, without the layer's name."""

    def __init__(self, layer: Layer, reason: str) -> None:
        super().__init__(f"{layer}: {reason}")
        self.layer, self.reason = layer, reason


@dataclass(eq=False)
class Buffer:
    """A vector in SRAM.

    Attributes
    ----------
    name : for reports and messages.
    n : elements.
    element : type of an element.
    n_bytes : what it takes of SRAM, whole bus words.
    persistent : keeps its contents from one start of the chip to the next.
    address : SRAM byte address, set by `compiler.passes.allocate`.
    """

    name: str
    n: int
    element: ElementType
    n_bytes: int
    persistent: bool = False
    address: int = -1

    def whole(self) -> "View":
        """All elements."""
        return View(self, 0, self.n)

    def part(self, first: int, n: int) -> "View":
        """Elements first .. first + n."""
        return self.whole().part(first, n)


@dataclass(frozen=True, eq=False)
class View:
    """`n` elements of a buffer from byte `offset`; `as_element`: seen as those of another type."""

    buffer: Buffer
    offset: int
    n: int
    as_element: ElementType | None = None

    @property
    def element(self) -> ElementType:
        """Type of an element."""
        return self.buffer.element if self.as_element is None else self.as_element

    def part(self, first: int, n: int) -> "View":
        """Elements first .. first + n of this view."""
        return replace(self, offset=self.offset + first * self.element.n_bytes, n=n)

    def halves(self) -> "View":
        """The same int32 as int16."""
        return replace(self, n=2 * self.n, as_element=ElementType.INT16)

    @property
    def address(self) -> int:
        return self.buffer.address + self.offset


@dataclass(frozen=True)
class Window:
    """How a product gathers its vector: the fields of WINDOW (design record 0010), in bytes.

    `ny` x `nx` segments of `length` bytes; those of a row are `dx` apart, rows `dy` rows and
    `pitch` bytes. The first one begins at byte `x` of row `y` of a tensor of `height` rows of
    `width` bytes; what lies outside reads as zero point.
    """

    length: int
    width: int
    height: int = 1
    ny: int = 1
    nx: int = 1
    x: int = 0
    y: int = 0
    dx: int = 0
    dy: int = 0
    pitch: int = 0


@dataclass(frozen=True)
class Positions:
    """Where a product is taken: the fields of POSITIONS (design record 0010), in bytes and rows."""

    count_x: int = 1
    count_y: int = 1
    a_x: int = 0
    a_y: int = 0
    y_step: int = 0
    dst_x: int = 0
    dst_y: int = 0


@dataclass(frozen=True)
class Loops:
    """The walk of a vector command: the fields of VLOOP (design record 0010).

    Attributes
    ----------
    counts : turns of the middle and of the outer loop.
    dst, a, b : strides in bytes of each operand, from the innermost loop on.
    """

    counts: tuple[int, int]
    dst: tuple[int, int, int] = (0, 0, 0)
    a: tuple[int, int, int] = (0, 0, 0)
    b: tuple[int, int, int] = (0, 0, 0)

    def fields(self) -> dict[str, int]:
        """Of the command."""
        fields = {f"count_{k + 1}": count for k, count in enumerate(self.counts)}
        for name in ("a", "b", "dst"):
            fields |= {f"{name}_{k}": stride for k, stride in enumerate(getattr(self, name))}
        return fields


class Travel(NamedTuple):
    """How an operand moves in the loop around its command: bytes a turn, and turns."""

    step: int
    turns: int


@dataclass(eq=False)
class Matrix:
    """A weight matrix with everything that its rows need, in logical row order.

    Attributes
    ----------
    layer : what it is part of, with the rows of each of its `operands`.
    weights : (rows, columns) int8; columns are places of the input view.
    bias : (rows,) int64, int32 range.
    destination : (rows,) int64, element of the output view that a row becomes.
    multipliers, shifts : (rows,) int64.
    columns_used : columns that hold an input element (padding between segments is not).
    operands : the operator's own matrices, (rows, columns_used) int8 each, that `weights` stacks:
        the gates of an LSTM. By default `weights` is the only one.
    """

    layer: Layer
    weights: np.ndarray
    bias: np.ndarray
    destination: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    columns_used: int
    operands: tuple[np.ndarray, ...] = ()

    def __post_init__(self) -> None:
        self.operands = self.operands or (self.weights,)


@dataclass(frozen=True, eq=False)
class MatVec:
    """dst = requantise(matrix @ (src - src_zero)), at one position or many.

    With a `window`, `src` begins with the first window's first byte, maybe before its buffer; the
    matrix's columns are bus words of segments. `dst` is where the first position's rows go.
    `travel`: operands, by the command's names, that move in a loop; their base says how far.

    With `raw` int32 sums are stored instead, with `add` those that are there are added; the sum of
    an element at byte n of `dst` lies at byte 4 n of `sums`, which may begin before its buffer.
    """

    matrix: Matrix
    src: View
    dst: View
    src_zero: int
    dst_zero: int
    lo: int
    hi: int
    window: Window | None = None
    positions: Positions = Positions()
    travel: Mapping[str, Travel] = field(default_factory=dict)
    sums: View | None = None
    raw: bool = False
    add: bool = False


@dataclass(frozen=True, eq=False)
class Vector:
    """A vector command of `npu.chip.isa`: operand views and the other fields by name.

    `n` elements, of the innermost of its `loops` if it has some; `table` is the look-up table of a
    VLUT; `rd` the register of a VARGMAX; `travel` as of a product.
    """

    opcode: str
    n: int
    dst: View | None = None
    a: View | None = None
    b: View | None = None
    fields: dict[str, int] = field(default_factory=dict)
    table: np.ndarray | None = None
    loops: Loops | None = None
    travel: Mapping[str, Travel] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class LoadConstant:
    """Bring a constant of the model from external memory into a buffer."""

    data: np.ndarray
    dst: Buffer


@dataclass(frozen=True, eq=False)
class LoadInput:
    """Bring a host-written tensor into its buffer (int32: its `element` into register `rd`)."""

    tensor: str
    dst: Buffer | None = None
    rd: int = 0
    element: int = 0


@dataclass(frozen=True, eq=False)
class StoreOutput:
    """Write a buffer to a tensor that the host reads."""

    tensor: str
    src: Buffer


@dataclass(frozen=True, eq=False)
class GatherRow:
    """Load row [register] of a constant table in external memory into dst."""

    table: np.ndarray
    register: int
    dst: View


CALL_END = "end of the call"
"""The label in front of what stores a segment's outputs: a routine may go there."""


@dataclass(frozen=True, eq=False)
class Line:
    """A line of a routine: a command, or a label where `opcode` is "".

    `to` is the label that it branches to, or that it is; the addresses of `views` are added to the
    fields of their names.
    """

    opcode: str
    fields: dict[str, int]
    to: str | None = None
    views: Mapping[str, View] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Routine:
    """A scalar program with labels of its own, see `compiler.lowering.routine`."""

    lines: tuple[Line, ...]
    reads: tuple[Buffer, ...]
    writes: tuple[Buffer, ...]


@dataclass(frozen=True, eq=False)
class LoopStart:
    """What follows runs `turns` times, until its LoopEnd; no loop is inside of another.

    The register `count` counts down; `bases` are registers that begin at 0, with what is added to
    each behind every turn.
    """

    turns: int
    count: int
    bases: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class LoopEnd:
    """The end of a loop. What it touches keeps its place until here, as a next turn may need it."""

    start: LoopStart
    touched: tuple[Buffer, ...]


@dataclass(frozen=True, eq=False)
class GateStart:
    """What follows, up to its GateElse, runs if the int8 at `condition` is `threshold` or more, and
    otherwise what stands from there up to its GateEnd; no gate is inside of a loop.
    """

    condition: View
    threshold: int


@dataclass(frozen=True, eq=False)
class GateElse:
    """Between both ways of a gate."""

    start: GateStart


@dataclass(frozen=True, eq=False)
class GateEnd:
    """Behind both ways of a gate."""

    start: GateStart


StraightOperator = MatVec | Vector | LoadConstant | LoadInput | StoreOutput | GatherRow | Routine
GateOperator = GateStart | GateElse | GateEnd
ChipOperator = StraightOperator | LoopStart | LoopEnd | GateOperator


@dataclass(eq=False)
class Segment:
    """Operators that run one after the other, and the layer that each belongs to."""

    name: str
    operators: list[ChipOperator] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def add(self, operator: ChipOperator, layer: Layer) -> None:
        self.operators.append(operator)
        self.layers.append(layer)


@dataclass(eq=False)
class ChipModule:
    """What `compiler.lowering` produces: segments by name and all buffers.

    `resets`: persistent buffers with the value, or all values, that start an utterance. `hot`:
    segments whose matrices stay in the banks first, most important first.
    """

    segments: dict[str, Segment]
    buffers: list[Buffer]
    resets: list[tuple[Buffer, int | np.ndarray]]
    hot: tuple[str, ...] = ()


def operands(op: ChipOperator) -> tuple[list[Buffer], list[Buffer]]:
    """Buffers that an operator reads, and those that it writes."""
    match op:
        case MatVec(sums=View() as sums):
            reads = [op.src.buffer, sums.buffer] if op.add else [op.src.buffer]
            return reads, [sums.buffer if op.raw else op.dst.buffer]
        case MatVec():
            return [op.src.buffer], [op.dst.buffer]
        case Vector():
            reads = [v.buffer for v in (op.a, op.b) if v is not None]
            return reads, [op.dst.buffer] if op.dst is not None else []
        case LoadInput():
            return [], [op.dst] if op.dst is not None else []
        case LoadConstant():
            return [], [op.dst]
        case StoreOutput():
            return [op.src], []
        case GatherRow():
            return [], [op.dst.buffer]
        case Routine():
            return list(op.reads), list(op.writes)
        case GateStart():
            return [op.condition.buffer], []
        case LoopStart() | GateElse() | GateEnd():
            return [], []
        case LoopEnd():
            return list(op.touched), []
