"""Where a graph is lowered: its tensors in SRAM, and the segment that its operators add to."""

from collections.abc import Sequence

import numpy as np

from compiler.lowering.host import host_input
from compiler.lowering.ir import Buffer, ChipOperator, LoadInput, Segment, Vector, View
from npu.chip.isa import ElementType
from npu.chip.params import ChipParams
from npu.errors import CapacityError, UnsupportedError
from npu.model.graph import Graph
from npu.model.layer import Layer
from npu.model.quantisation import integer_parameters
from npu.model.registry import Registry

LOWER = Registry("compiler.lowering", "LOWER")
"""By kind of operator: a function of a site, an operator and its integer parameters."""

NO_COMMAND = "the chip has no command for it yet; the kernels run it"
"""Reason of a room that refuses what only the kernels run."""

_ELEMENTS = {"int8": ElementType.INT8, "int16": ElementType.INT16}


class GraphLowering:
    """Lowers one graph into one segment.

    Parameters
    ----------
    graph : a verified graph.
    params : the chip, for widths.
    segment : receives the operators.
    bound : buffers that stand for graph inputs; the others are loaded from the host.
    index_register : register that holds the index of the graph's Gather, if the host does not
        write it.

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
    ) -> None:
        self.graph = graph
        self.params = params
        self.segment = segment
        self.index_register = index_register
        self.buffers: list[Buffer] = []
        self.resets: list[tuple[Buffer, int]] = []
        self._placed: dict[int, Buffer] = dict(bound or {})
        self._layer = ""
        for index in graph.inputs:
            if index not in self._placed and graph.tensors[index].dtype == "int8":
                self._layer = "input"
                buffer = self.new(index)
                self.add(LoadInput(host_input(segment.name, index), buffer))
        parameters, functions = integer_parameters(graph), LOWER.functions(graph)
        for op, integers, lower in zip(graph.operators, parameters, functions, strict=True):
            self._layer = op.name
            lower(self, op, integers)

    def buffer(self, index: int) -> Buffer:
        """Where a tensor of the graph lies."""
        buffer = self._placed.get(index)
        if buffer is None:
            tensor = self.graph.tensors[index]
            kind = "a constant" if tensor.is_constant else tensor.dtype
            raise self.unsupported(
                f"operand {tensor.name!r} is {kind}; the chip takes int8 activations there"
            )
        return buffer

    def add(self, operator: ChipOperator) -> None:
        """Append a chip operator that works for the operator being lowered."""
        self.segment.add(operator, Layer(self.segment.name, self._layer))

    def unary(
        self,
        opcode: str,
        source: int,
        output: int,
        fields: dict[str, int] | None = None,
        table: np.ndarray | None = None,
    ) -> None:
        """Append a vector command from one whole tensor to another, laid out alike."""
        a = self.buffer(source)
        dst = self.new(output, like=a)
        self.add(
            Vector(opcode, a.whole().n, dst.whole(), a.whole(), fields=fields or {}, table=table)
        )

    def layer(self, part: str = "", layout: int = 0, rows: Sequence[int] = ()) -> Layer:
        """What a matrix of the operator is; `layout` numbers those of other input vectors."""
        return Layer(self.segment.name, self._layer, part, layout, tuple(rows))

    def unsupported(self, what: str) -> UnsupportedError:
        """The error that the chip cannot do what the operator asks."""
        return UnsupportedError(f"{self.graph.name}: {self._layer}: {what}")

    def constant(self, index: int) -> np.ndarray:
        """The contents of a tensor that must be part of the model."""
        tensor = self.graph.tensors[index]
        if tensor.data is None:
            raise self.unsupported(f"{tensor.name!r} must be a constant of the model")
        return tensor.data

    def new_buffer(self, name: str, rows: int, width: int, element: ElementType) -> Buffer:
        """A buffer that is no tensor of the graph. Raises CapacityError for one too large."""
        stride = self.params.align(width * element.n_bytes)
        buffer = Buffer(f"{self.graph.name}: {name}", rows, width, element, stride)
        # Before a command or more for every row.
        if buffer.n_bytes > self.params.sram_bytes:
            raise CapacityError(
                f"{self.graph.name}: {self._layer}: {name!r} needs {buffer.n_bytes} bytes of "
                f"vector SRAM, chip {self.params.name!r} has {self.params.sram_bytes}; "
                "take a chip with a larger sram_bytes"
            )
        self.buffers.append(buffer)
        return buffer

    def new(self, index: int, like: Buffer | None = None) -> Buffer:
        """A buffer for a tensor: rows along its last dimension, or laid out like another."""
        tensor = self.graph.tensors[index]
        width = like.width if like is not None else (tensor.shape[-1] if tensor.shape else 1)
        buffer = self.new_buffer(tensor.name, tensor.size // width, width, _ELEMENTS[tensor.dtype])
        self.place(index, buffer)
        return buffer

    def place(self, index: int, buffer: Buffer) -> None:
        """Say where a tensor lies."""
        self._placed[index] = buffer

    def row(self, buffer: Buffer, n: int, index: int) -> tuple[View, np.ndarray]:
        """Elements index*n .. of the logical tensor: a view, and each element's place in it."""
        at, places = index * n, np.arange(n)
        if n % buffer.width == 0:
            first = at // buffer.width
            places = places // buffer.width * buffer.stride + places % buffer.width
            return View(buffer, first * buffer.stride, int(places[-1]) + 1), places
        offset = at // buffer.width * buffer.stride + at % buffer.width
        if buffer.width % n or offset % self.params.bus_bytes:
            raise self.unsupported(
                f"rows of {n} elements cut out of rows of "
                f"{buffer.width} do not start on a bus word ({self.params.bus_bytes} bytes); "
                "keep the last dimension, or make it a multiple of the bus width"
            )
        return View(buffer, offset, n), places

    def require_same_layout(self, a: Buffer, b: Buffer) -> None:
        """Raise UnsupportedError unless two buffers are laid out alike."""
        if (a.rows, a.width) != (b.rows, b.width):
            raise self.unsupported(
                f"operands lie in rows of {a.width} and {b.width} elements; the chip adds and "
                "multiplies equal layouts only"
            )
