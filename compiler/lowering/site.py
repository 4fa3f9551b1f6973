"""Where a graph is lowered: its tensors in SRAM, and the segment that its operators add to."""

from collections.abc import Sequence

import numpy as np

from compiler.lowering.host import host_input
from compiler.lowering.ir import (
    Buffer,
    ChipOperator,
    LoadConstant,
    LoadInput,
    Matrix,
    MatVec,
    Segment,
    Vector,
    View,
)
from compiler.lowering.sums import Splitter
from npu.chip.isa import ElementType
from npu.chip.params import ChipParams
from npu.errors import CapacityError, UnsupportedError
from npu.model.graph import Graph, Tensor
from npu.model.layer import Layer
from npu.model.operators.gather import Gather
from npu.model.operators.retype import FromReal
from npu.model.quantisation import integer_parameters
from npu.model.references import operator_inputs
from npu.model.registry import Registry

LOWER = Registry("compiler.lowering", "LOWER")
"""By kind of operator: a function of a site, an operator and its integer parameters."""

_ELEMENTS = {
    "int8": ElementType.INT8,
    "uint8": ElementType.INT8,
    "bool": ElementType.INT8,
    "int16": ElementType.INT16,
    "int32": ElementType.INT32,
    "int64": ElementType.INT32,
    "float32": ElementType.INT32,
}
"""How the chip sees what a tensor holds: floats are only moved, an int64 is two words."""


def _count(tensor: Tensor) -> int:
    """Elements as the chip sees them."""
    return tensor.size * (2 if tensor.dtype == "int64" else 1)


def picks_rows(graph: Graph, op: Gather, params: ChipParams) -> bool:
    """Whether a GATHER loads rows of a constant from external memory, index by index.

    The table takes no SRAM then, but each index takes commands of its own.
    """
    table = graph.tensors[op.table]
    return (
        table.data is not None
        and table.dtype == "int8"
        and op.axis == op.batch_dims == 0
        and graph.tensors[op.indices].data is None
        and (graph.tensors[op.indices].size == 1 or table.size > params.sram_bytes // 4)
    )


def only_indices(graph: Graph, index: int, params: ChipParams) -> bool:
    """Whether an input is read one number at a time, by what picks rows of constant tables."""
    readers = [op for op in graph.operators if index in operator_inputs(op)]
    return (
        graph.tensors[index].dtype == "int32"
        and index not in graph.outputs
        and bool(readers)
        and all(
            isinstance(op, Gather) and op.indices == index and picks_rows(graph, op, params)
            for op in readers
        )
    )


def _quantised(graph: Graph, index: int) -> bool:
    """Whether an input is read by what makes integers of real numbers."""
    return any(isinstance(op, FromReal) and op.input == index for op in graph.operators)


class GraphLowering:
    """Lowers one graph into one segment.

    Attributes
    ----------
    reals : real inputs and outputs, with the tensor of integers that the host has for each.
    matrices : those that several operators may share, by what they are made of.

    Parameters
    ----------
    graph : a verified graph.
    params : the chip, for widths.
    segment : receives the operators.
    bound : buffers that stand for graph inputs; the others are loaded from the host.
    index_register : register that holds the index of the graph's Gather, if the host does not
        write it.
    step_blocks : blocks of steps that sequences are divided into, where fewer take more SRAM and
        less cycles; None for step by step.

    Raises UnsupportedError where the chip cannot do what the graph asks, CapacityError for a tensor
    that alone is too large for it.
    """

    def __init__(
        self,
        graph: Graph,
        params: ChipParams,
        segment: Segment,
        bound: dict[int, Buffer] | None = None,
        index_register: int | None = None,
        step_blocks: int | None = 1,
    ) -> None:
        self.graph = graph
        self.params = params
        self.segment = segment
        self.index_register = index_register
        self.step_blocks = step_blocks
        self.buffers: list[Buffer] = []
        self.resets: list[tuple[Buffer, int | np.ndarray]] = []
        self._kept: set[int] = set()
        self._placed: dict[int, Buffer] = dict(bound or {})
        self.reals: dict[int, int] = {}
        self.matrices: dict[tuple, Matrix] = {}
        self._layer = ""
        self._splitter = Splitter(params, self.new_buffer)
        for index in graph.inputs:
            if index not in self._placed and not (
                self.only_indices(index) or _quantised(graph, index)
            ):
                self._layer = "input"
                buffer = self.new(index)
                self.add(LoadInput(host_input(segment.name, index), buffer))
        parameters, functions = integer_parameters(graph), LOWER.functions(graph)
        for op, integers, lower in zip(graph.operators, parameters, functions, strict=True):
            self._layer = op.name
            lower(self, op, integers)

    def buffer(self, index: int) -> Buffer:
        """Where a tensor of the graph lies; a constant is loaded."""
        buffer = self._placed.get(index)
        if buffer is not None:
            return buffer
        tensor = self.graph.tensors[index]
        if tensor.data is None or tensor.dtype not in _ELEMENTS:
            raise self.unsupported(
                f"operand {tensor.name!r} is {tensor.dtype}; the chip takes int8 there"
            )
        buffer = self.new_buffer(tensor.name, _count(tensor), _ELEMENTS[tensor.dtype])
        self.add(LoadConstant(tensor.data, buffer))
        return buffer

    def only_indices(self, index: int) -> bool:
        """Whether a graph's input passes through a register, and has no buffer."""
        return only_indices(self.graph, index, self.params)

    def add(self, operator: ChipOperator) -> None:
        """Append a chip operator that works for the operator being lowered."""
        layer = Layer(self.segment.name, self._layer)
        for part in self._splitter.split(operator) if isinstance(operator, MatVec) else (operator,):
            self.segment.add(part, layer)

    def unary(
        self,
        opcode: str,
        source: int,
        output: int,
        fields: dict[str, int] | None = None,
        table: np.ndarray | None = None,
    ) -> None:
        """Append a vector command from one whole tensor to another."""
        a = self.buffer(source)
        dst = self.new(output)
        self.add(Vector(opcode, a.n, dst.whole(), a.whole(), fields=fields or {}, table=table))

    def layer(self, part: str = "", rows: Sequence[int] = ()) -> Layer:
        """What a matrix of the operator is."""
        return Layer(self.segment.name, self._layer, part, rows=tuple(rows))

    def unsupported(self, what: str) -> UnsupportedError:
        """The error that the chip cannot do what the operator asks."""
        return UnsupportedError(f"{self.graph.name}: {self._layer}: {what}")

    def constant(self, index: int) -> np.ndarray:
        """The contents of a tensor that must be part of the model."""
        tensor = self.graph.tensors[index]
        if tensor.data is None:
            raise self.unsupported(f"{tensor.name!r} must be a constant of the model")
        return tensor.data

    def new_buffer(self, name: str, n: int, element: ElementType) -> Buffer:
        """A buffer that is no tensor of the graph. Raises CapacityError for one too large."""
        n_bytes = self.params.align(n * element.n_bytes)
        # Before anything is done for its elements.
        if n_bytes > self.params.sram_bytes:
            raise CapacityError(
                f"{self.graph.name}: {self._layer}: {name!r} needs {n_bytes} bytes of "
                f"vector SRAM, chip {self.params.name!r} has {self.params.sram_bytes}; "
                "take a chip with a larger sram_bytes"
            )
        buffer = Buffer(f"{self.graph.name}: {name}", n, element, n_bytes)
        self.buffers.append(buffer)
        return buffer

    def new(self, index: int) -> Buffer:
        """A buffer for a tensor."""
        tensor = self.graph.tensors[index]
        if tensor.dtype not in _ELEMENTS:
            raise self.unsupported(f"{tensor.name!r} is {tensor.dtype}; the chip has no such type")
        buffer = self.new_buffer(tensor.name, _count(tensor), _ELEMENTS[tensor.dtype])
        self.place(index, buffer)
        return buffer

    def state(self, index: int) -> Buffer:
        """Where a state lies from one call to the next."""
        if index not in self._placed:
            tensor, buffer = self.graph.tensors[index], self.new(index)
            buffer.persistent = True
            dtype = np.dtype(tensor.dtype)
            zero = 0 if tensor.quantization is None else tensor.quantization.zero_point
            if tensor.initial is not None:
                self.resets.append((buffer, tensor.initial))
            elif buffer.element is ElementType.INT32:
                self.resets.append((buffer, np.full(tensor.shape, zero, dtype)))
            else:
                bits = np.array([zero]).astype(dtype).view(f"i{dtype.itemsize}")
                self.resets.append((buffer, int(bits[0])))
        return self._placed[index]

    def keep(self, index: int) -> None:
        """Let a tensor keep its place, and what it holds, from one call to the next."""
        self._kept.add(index)
        if index in self._placed:
            self._placed[index].persistent = True

    def place(self, index: int, buffer: Buffer) -> None:
        """Say where a tensor lies."""
        self._placed[index] = buffer
        buffer.persistent |= index in self._kept

    def aligned(self, view: View) -> bool:
        """Whether a view begins on a bus word."""
        return view.offset % self.params.bus_bytes == 0
