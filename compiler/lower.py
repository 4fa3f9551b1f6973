"""Lowering: a verified quantised graph becomes chip operators on laid-out buffers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compiler.ir import (
    Buffer,
    ChipOperator,
    GatherRow,
    LoadInput,
    Matrix,
    MatVec,
    Segment,
    Vector,
    View,
)
from compiler.registers import INDEX
from npu.chip.isa import ElementType
from npu.chip.params import ChipParams
from npu.errors import CapacityError, UnsupportedError
from npu.model.border import crossing
from npu.model.graph import (
    Add,
    FullyConnected,
    Gather,
    Graph,
    Logistic,
    Lstm,
    Mul,
    Operator,
    Quantize,
    Relu,
    Relu6,
    Reshape,
    Tanh,
    Tensor,
)
from npu.model.layer import Layer
from npu.model.numerics import quantize_multiplier
from npu.model.quantisation import (
    MatVecParams,
    MulParams,
    RescaleParams,
    add_params,
    fully_connected_params,
    lookup_table,
    lstm_params,
    mul_params,
    rescale_params,
)

# Gates in SRAM: the three with a sigmoid side by side, so that one command does them.
GATE_ORDER = (0, 1, 3, 2)
_ELEMENTS = {"int8": ElementType.INT8, "int16": ElementType.INT16}
_INT16 = {"a_type": 1, "b_type": 1}


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
                buffer = self._new(index)
                self._add(LoadInput(host_input(segment.name, index), buffer))
        for op in graph.operators:
            self._layer = op.name
            self._lower(op)

    def buffer(self, index: int) -> Buffer:
        """Where a tensor of the graph lies."""
        buffer = self._placed.get(index)
        if buffer is None:
            tensor = self.graph.tensors[index]
            kind = "a constant" if tensor.is_constant else tensor.dtype
            raise UnsupportedError(
                f"{self.graph.name}: {self._layer}: operand {tensor.name!r} is {kind}; the chip "
                "takes int8 activations there"
            )
        return buffer

    # --- helpers --------------------------------------------------------------------------------
    def _add(self, operator: ChipOperator) -> None:
        self.segment.add(operator, Layer(self.segment.name, self._layer))

    def _matrix_layer(self, part: str, layout: int, weights: Sequence[np.ndarray]) -> Layer:
        """What a matrix is; input vectors that lie differently in SRAM need a matrix each."""
        rows = tuple(map(len, weights))
        return Layer(self.segment.name, self._layer, part, layout, rows)

    def _buffer(self, name: str, rows: int, width: int, element: ElementType) -> Buffer:
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

    def _new(self, index: int, like: Buffer | None = None) -> Buffer:
        """A buffer for a tensor: rows along its last dimension, or laid out like another."""
        tensor = self.graph.tensors[index]
        width = like.width if like is not None else (tensor.shape[-1] if tensor.shape else 1)
        buffer = self._buffer(tensor.name, tensor.size // width, width, _ELEMENTS[tensor.dtype])
        self._placed[index] = buffer
        return buffer

    def _row(self, buffer: Buffer, n: int, index: int) -> tuple[View, np.ndarray]:
        """Elements index*n .. of the logical tensor: a view, and each element's place in it."""
        at, places = index * n, np.arange(n)
        if n % buffer.width == 0:
            first = at // buffer.width
            places = places // buffer.width * buffer.stride + places % buffer.width
            return View(buffer, first * buffer.stride, int(places[-1]) + 1), places
        offset = at // buffer.width * buffer.stride + at % buffer.width
        if buffer.width % n or offset % self.params.bus_bytes:
            raise UnsupportedError(
                f"{self.graph.name}: {self._layer}: rows of {n} elements cut out of rows of "
                f"{buffer.width} do not start on a bus word ({self.params.bus_bytes} bytes); "
                "keep the last dimension, or make it a multiple of the bus width"
            )
        return View(buffer, offset, n), places

    def _same_layout(self, a: Buffer, b: Buffer) -> None:
        if (a.rows, a.width) != (b.rows, b.width):
            raise UnsupportedError(
                f"{self.graph.name}: {self._layer}: operands lie in rows of {a.width} and "
                f"{b.width} elements; the chip adds and multiplies equal layouts only"
            )

    # --- operators ------------------------------------------------------------------------------
    def _lower(self, op: Operator) -> None:
        match op:
            case FullyConnected():
                self._fully_connected(op)
            case Lstm():
                self._lstm(op)
            case Gather():
                self._gather(op)
            case Add():
                p = add_params(self.graph, op)
                fields = {
                    **{"a_zero": p.a_zero_point, "a_multiplier": p.a_multiplier},
                    **{"a_shift": p.a_shift, "b_zero": p.b_zero_point},
                    **{"b_multiplier": p.b_multiplier, "b_shift": p.b_shift},
                    **{"multiplier": p.multiplier, "shift": p.shift},
                    **{"dst_zero": p.output_zero_point, "lo": p.lo, "hi": p.hi},
                }
                self._binary("VADD", op, fields)
            case Mul():
                self._binary("VMUL", op, _mul_fields(mul_params(self.graph, op)))
            case Tanh() | Logistic():
                self._unary("VLUT", op, {}, lookup_table(self.graph, op))
            case Relu() | Relu6() | Quantize():
                self._unary("VRESCALE", op, _rescale_fields(rescale_params(self.graph, op)))
            case Reshape():
                self._placed[op.output] = self.buffer(op.input)

    def _binary(self, opcode: str, op: Add | Mul, fields: dict[str, int]) -> None:
        a, b = self.buffer(op.a), self.buffer(op.b)
        self._same_layout(a, b)
        dst = self._new(op.output, like=a)
        self._add(Vector(opcode, a.whole().n, dst.whole(), a.whole(), b.whole(), fields))

    def _unary(
        self,
        opcode: str,
        op: Tanh | Logistic | Relu | Relu6 | Quantize,
        fields: dict[str, int],
        table: np.ndarray | None = None,
    ) -> None:
        a = self.buffer(op.input)
        dst = self._new(op.output, like=a)
        self._add(Vector(opcode, a.whole().n, dst.whole(), a.whole(), fields=fields, table=table))

    def _fully_connected(self, op: FullyConnected) -> None:
        weights = _constant(self.graph.tensors[op.weights])
        bias = None if op.bias is None else self.graph.tensors[op.bias].data
        p = fully_connected_params(self.graph, op)
        src, dst = self.buffer(op.input), self._new(op.output)
        n_rows, n_columns = weights.shape
        matrices: dict[bytes, Matrix] = {}
        for index in range(dst.rows):
            view, places = self._row(src, n_columns, index)
            matrix = matrices.setdefault(
                places.tobytes(),
                _matrix(
                    self._matrix_layer("", len(matrices), [weights]),
                    *([weights], [bias], [p]),
                    *(np.arange(n_rows), places, view.n),
                ),
            )
            self._add(_matvec(matrix, view, dst.row(index), p))

    def _gather(self, op: Gather) -> None:
        table = _constant(self.graph.tensors[op.table])
        dst = self._new(op.output)
        count = self.graph.tensors[op.indices].size
        if self.index_register is not None and count == 1:
            self._add(GatherRow(table, self.index_register, dst.row(0)))
            return
        if op.indices not in self.graph.inputs:
            raise UnsupportedError(
                f"{self.graph.name}: {self._layer}: indices must be an input of the model"
            )
        for index in range(count):
            key = host_input(self.segment.name, op.indices)
            self._add(LoadInput(key, rd=INDEX, element=index))
            self._add(GatherRow(table, INDEX, dst.row(index)))

    def _lstm(self, op: Lstm) -> None:
        tensors = self.graph.tensors
        p = lstm_params(self.graph, op)
        src = self.buffer(op.input)
        out = self._new(op.output)
        # The last output row is the hidden state: it stays until the next call reads it.
        out.persistent = True
        hidden_quantization = tensors[op.hidden_state].quantization
        assert hidden_quantization is not None
        self.resets.append((out, hidden_quantization.zero_point))
        width = out.width
        cell = self._buffer("cell state", 1, width, ElementType.INT16)
        cell.persistent = True
        self.resets.append((cell, 0))
        gates = self._buffer("gates", 4, width, ElementType.INT16)
        recurrent = self._buffer("recurrent gates", 4, width, ElementType.INT16)
        step = gates.stride // ElementType.INT16.n_bytes
        destination = np.concatenate([np.arange(width) + g * step for g in range(4)])

        def stacked(
            part: str,
            layout: int,
            weights: Sequence[int],
            biases: Sequence[int | None],
            params: Sequence[MatVecParams],
            places: np.ndarray,
            columns: int,
        ) -> Matrix:
            gates = [_constant(tensors[weights[g]]) for g in GATE_ORDER]
            return _matrix(
                self._matrix_layer(part, layout, gates),
                gates,
                [None if (b := biases[g]) is None else tensors[b].data for g in GATE_ORDER],
                [params[g] for g in GATE_ORDER],
                destination,
                places,
                columns,
            )

        n_input = tensors[op.input_weights[0]].shape[1]
        layouts = [self._row(src, n_input, t) for t in range(out.rows)]
        matrices: dict[bytes, Matrix] = {}
        for view, places in layouts:
            key = places.tobytes()
            if key not in matrices:
                matrices[key] = stacked(
                    "input", len(matrices), op.input_weights, op.biases, p.input, places, view.n
                )
        none = (None,) * 4
        from_hidden = stacked(
            "recurrent", 0, op.recurrent_weights, none, p.recurrent, np.arange(width), width
        )
        i, f, o, g = (gates.row(k) for k in range(4))
        # Once summed, the recurrent products are used up: their first row becomes scratch space.
        whole, c, s = gates.whole(), cell.row(0), recurrent.row(0)
        sigmoid = dict(zip(("multiplier", "shift"), p.sigmoid, strict=True))
        gate_tanh = dict(zip(("multiplier", "shift"), p.gate_tanh, strict=True))
        cell_tanh = dict(zip(("multiplier", "shift"), p.cell_tanh, strict=True))
        for t in range(out.rows):
            view, places = layouts[t]
            previous = out.row(t - 1 if t else out.rows - 1)
            self._add(_matvec(matrices[places.tobytes()], view, whole, p.input[0]))
            self._add(_matvec(from_hidden, previous, recurrent.whole(), p.recurrent[0]))
            self._add(Vector("VADDS", whole.n, whole, whole, recurrent.whole()))
            three = gates.whole().part(0, 2 * step + width)
            self._add(Vector("VSIGMOID", three.n, three, three, fields=sigmoid))
            self._add(Vector("VTANH", width, g, g, fields=gate_tanh))
            self._add(_gate_mul(width, c, f, c, p.forget_mul))
            self._add(_gate_mul(width, s, i, g, p.input_mul))
            self._add(Vector("VADDS", width, c, c, s))
            if p.cell_clip:
                self._add(Vector("VRESCALE", width, c, c, fields=_clip_fields(p.cell_clip)))
            self._add(Vector("VTANH", width, s, c, fields=cell_tanh))
            self._add(_gate_mul(width, out.row(t), s, o, p.output_mul))


def host_input(role: str, index: int) -> str:
    """Key of the host-side tensor behind a graph input; names need not be unique, indices are."""
    return f"{role}: input {index}"


def host_output(role: str, position: int) -> str:
    """Key of the host-side tensor behind an output; one tensor may be an output twice."""
    return f"{role}: output {position}"


def cross_border(lowering: GraphLowering, index: int, target: Tensor, where: str) -> Buffer:
    """The tensor in the quantisation of a graph's input, by TFLM's QUANTIZE if it differs."""
    source = lowering.buffer(index)
    rescale = crossing(lowering.graph.tensors[index], target, where)
    if rescale is None:
        return source
    dst = replace(source, name=f"{where}: requantised", persistent=False, address=-1)
    lowering.buffers.append(dst)
    fields = _rescale_fields(rescale)
    lowering.segment.add(
        Vector("VRESCALE", source.whole().n, dst.whole(), source.whole(), fields=fields),
        Layer(lowering.segment.name, where),
    )
    return dst


def _constant(tensor: Tensor) -> np.ndarray:
    if tensor.data is None:
        raise UnsupportedError(f"{tensor.name!r} must be a constant of the model")
    return tensor.data


def _matrix(
    layer: Layer,
    weights: list[np.ndarray],
    biases: list[np.ndarray | None],
    params: list[MatVecParams],
    destination: np.ndarray,
    places: np.ndarray,
    columns: int,
) -> Matrix:
    """Stack matrices that read the same input; column j of the input lies at places[j]."""
    stacked = np.concatenate(weights)
    physical = np.zeros((len(stacked), columns), np.int8)
    physical[:, places] = stacked
    bias = [np.zeros(len(w)) if b is None else b for w, b in zip(weights, biases, strict=True)]
    return Matrix(
        layer,
        physical,
        np.concatenate(bias).astype(np.int64),
        destination.astype(np.int64),
        np.concatenate([p.multipliers for p in params]).astype(np.int64),
        np.concatenate([p.shifts for p in params]).astype(np.int64),
        len(places),
        tuple(weights),
    )


def _matvec(matrix: Matrix, src: View, dst: View, p: MatVecParams) -> MatVec:
    return MatVec(matrix, src, dst, p.input_zero_point, p.output_zero_point, p.lo, p.hi)


def _mul_fields(p: MulParams) -> dict[str, int]:
    return {
        **{"a_zero": p.a_zero_point, "b_zero": p.b_zero_point, "dst_zero": p.output_zero_point},
        **{"multiplier": p.multiplier, "shift": p.shift, "lo": p.lo, "hi": p.hi},
    }


def _gate_mul(n: int, dst: View, a: View, b: View, p: MulParams) -> Vector:
    fields = {**_mul_fields(p), **_INT16, "dst_type": int(dst.buffer.element)}
    return Vector("VMUL", n, dst, a, b, fields)


def _rescale_fields(p: RescaleParams) -> dict[str, int]:
    return {
        **{"a_zero": p.input_zero_point, "dst_zero": p.output_zero_point},
        **{"multiplier": p.multiplier, "shift": p.shift, "lo": p.lo, "hi": p.hi},
    }


def _clip_fields(limit: int) -> dict[str, int]:
    multiplier, shift = quantize_multiplier(1.0)
    return {
        **{"a_type": 1, "dst_type": 1, "lo": -limit, "hi": limit},
        **{"multiplier": multiplier, "shift": shift},
    }
