"""Graphs of our own as models of TFLite, for TensorFlow Lite Micro to run.

Of the operators that workloads are made of. A gate becomes what TFLite has for it: IF, on a
comparison with its threshold, with a graph for each way.
"""

from collections.abc import Sequence

import numpy as np
from flatbuffers import flexbuffers

from compiler.tflite_writer import ModelSpec, write
from npu.model.activation import Activation
from npu.model.boxes import Box
from npu.model.graph import Graph
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.gate import Gate, Ways, ways
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.move import Copy, Reshape
from npu.model.operators.normalise import Softmax
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.reduce import Mean, Sum
from npu.model.operators.rescale import Quantize, Relu
from npu.model.operators.ring import CircularBuffer
from npu.model.operators.svdf import Svdf
from npu.model.operators.table import Logistic, Lookup, Rsqrt, Tanh
from npu.model.operators.variable import AssignVariable, ReadVariable
from npu.model.references import Operator, operator_inputs, operator_outputs

_FUSED = {Activation.NONE: 0, Activation.RELU: 1}
_VALID = 1
_FUNCTIONS = {Logistic: "LOGISTIC", Tanh: "TANH", Rsqrt: "RSQRT", Relu: "RELU"}


def written(graph: Graph) -> bytes:
    """The flatbuffer of a graph."""
    others: list[ModelSpec] = []
    maker = _Maker(graph, others)
    maker.all(graph.operators)
    maker.spec.inputs = [maker.at(index) for index in graph.inputs]
    maker.spec.outputs = [maker.at(index) for index in graph.outputs]
    maker.spec.others = others
    return write(maker.spec)


class _Maker:
    """A subgraph that grows; `others` are those that belong to gates."""

    def __init__(self, graph: Graph, others: list[ModelSpec]) -> None:
        self.spec, self._graph, self._others = ModelSpec(), graph, others
        self._places: dict[int, int] = {}

    def at(self, index: int) -> int:
        """A tensor of the graph, in this subgraph."""
        if index not in self._places:
            self._places[index] = self._tensor(index, self._graph.tensors[index].shape)
        return self._places[index]

    def _tensor(self, index: int, shape: Sequence[int]) -> int:
        own = self._graph.tensors[index]
        scale = None if own.quantization is None else own.quantization.scale
        zero = 0 if own.quantization is None else own.quantization.zero_point
        return self.spec.tensor(tuple(shape), own.dtype, scale, zero, own.data, own.is_state)

    def _constant(self, data: Sequence[int]) -> int:
        found = np.array(data, np.int32)
        return self.spec.tensor(found.shape, "int32", data=found)

    def _reshaped(self, source: int, of: int, shape: Sequence[int]) -> int:
        """A tensor under another shape; `of`: whose quantisation it has."""
        made = self._tensor(of, shape)
        self.spec.operator("RESHAPE", [source, self._constant(shape)], [made])
        return made

    def all(self, operators: Sequence[Operator]) -> None:
        """Operators one behind the other."""
        behind = 0
        for place, op in enumerate(operators):
            if isinstance(op, Gate):
                found = ways(self._graph, op)
                behind = 1 + next(k for k, each in enumerate(operators) if each is found.end)
                self._gate(op, found)
            elif place >= behind:
                self._one(op)

    def _gate(self, op: Gate, found: Ways) -> None:
        end, inside = found.end, (*found.open, *found.closed)
        own = {index for each in inside for index in operator_outputs(each)}
        tensors = self._graph.tensors
        read = {i for each in inside for i in operator_inputs(each)}
        read |= {*end.values, *end.otherwise}
        given = sorted(i for i in read - own if not (tensors[i].is_constant or tensors[i].is_state))
        both = [_Maker(self._graph, self._others) for _ in range(2)]
        parts = ((found.open, end.values), (found.closed, end.otherwise))
        for way, (steps, results) in zip(both, parts, strict=True):
            # Those of gates inside come first.
            way.all(steps)
            way.spec.inputs = [way.at(index) for index in given]
            for result, output in zip(results, end.outputs, strict=True):
                # An output of its own, as a graph may only hand on what comes in.
                shape = tensors[output].shape
                way.spec.outputs.append(way._reshaped(way.at(result), output, shape))
        numbers = [len(self._others) + 1, len(self._others) + 2]
        self._others += [way.spec for way in both]
        condition = tensors[op.condition]
        threshold = self._tensor(op.condition, condition.shape)
        self.spec.tensors[threshold].data = np.full(condition.shape, op.threshold, np.int8)
        decided = self.spec.tensor(condition.shape, "bool")
        inputs = [self.at(op.condition), threshold]
        self.spec.operator("GREATER_EQUAL", inputs, [decided], ("GreaterEqualOptions", {}))
        options = {"ThenSubgraphIndex": numbers[0], "ElseSubgraphIndex": numbers[1]}
        outputs = [self.at(index) for index in end.outputs]
        inputs = [decided, *map(self.at, given)]
        self.spec.operator("IF", inputs, outputs, ("IfOptions", options))

    def _one(self, op: Operator) -> None:
        at, add = self.at, self.spec.operator
        match op:
            case FullyConnected():
                options = {"FusedActivationFunction": _FUSED[op.activation], "KeepNumDims": True}
                inputs = [at(op.input), at(op.weights), -1 if op.bias is None else at(op.bias)]
                add("FULLY_CONNECTED", inputs, [at(op.output)], ("FullyConnectedOptions", options))
            case Add() | Sub() | Mul():
                kind = type(op).__name__
                options = {"FusedActivationFunction": _FUSED[op.activation]}
                inputs = [at(op.a), at(op.b)]
                add(kind.upper(), inputs, [at(op.output)], (f"{kind}Options", options))
            case Conv2D() | DepthwiseConv2D():
                self._convolution(op)
            case Svdf():
                operands = (op.input, op.feature_weights, op.time_weights, op.bias, op.state)
                options = {"Rank": op.rank, "FusedActivationFunction": 1}
                add("SVDF", [*map(at, operands)], [at(op.output)], ("SVDFOptions", options))
            case Lstm():
                gates = [*map(at, (*op.input_weights, *op.recurrent_weights))]
                rest = [-1, -1, at(op.hidden_state), at(op.cell_state), -1, -1, -1, -1]
                inputs = [at(op.input), *gates, -1, -1, -1, *map(at, op.biases), *rest]
                options = {"FusedActivationFunction": 4}
                kind = "UNIDIRECTIONAL_SEQUENCE_LSTM"
                name = "UnidirectionalSequenceLSTMOptions"
                add(kind, inputs, [at(op.output)], (name, options))
            case CircularBuffer():
                self._ring(op)
            case Copy():
                self._copy(op)
            case Reshape():
                shape = self._constant(self._graph.tensors[op.output].shape)
                add("RESHAPE", [at(op.input), shape], [at(op.output)])
            case Quantize():
                add("QUANTIZE", [at(op.input)], [at(op.output)], ("QuantizeOptions", {}))
            case Softmax():
                options = {"Beta": op.beta}
                add("SOFTMAX", [at(op.input)], [at(op.output)], ("SoftmaxOptions", options))
            case BatchMatMul():
                options = {"AdjX": op.transpose_a, "AdjY": op.transpose_b}
                inputs = [at(op.a), at(op.b)]
                add("BATCH_MATMUL", inputs, [at(op.output)], ("BatchMatMulOptions", options))
            case Mean() | Sum():
                inputs = [at(op.input), self._constant(op.axes)]
                source, made = (self._graph.tensors[i].shape for i in (op.input, op.output))
                options = {"KeepDims": len(source) == len(made)}
                kind = type(op).__name__.upper()
                add(kind, inputs, [at(op.output)], ("ReducerOptions", options))
            case ReadVariable():
                options = ("ReadVariableOptions", {})
                add("READ_VARIABLE", [self._handle(op.variable)], [at(op.output)], options)
            case AssignVariable():
                inputs = [self._handle(op.variable), at(op.value)]
                add("ASSIGN_VARIABLE", inputs, [], ("AssignVariableOptions", {}))
            case Lookup():
                self._lookup(op)
            case Logistic() | Tanh() | Rsqrt() | Relu():
                add(_FUNCTIONS[type(op)], [at(op.input)], [at(op.output)])
            case _:
                raise AssertionError(f"{op.name}: a {type(op).__name__} is not written yet")

    def _convolution(self, op: Conv2D | DepthwiseConv2D) -> None:
        source = self.at(op.input)
        if any(op.padding):
            top, left, bottom, right = op.padding
            batch, height, width, channels = self._graph.tensors[op.input].shape
            shape = (batch, height + top + bottom, width + left + right, channels)
            padded = self._tensor(op.input, shape)
            borders = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
            at = self.spec.tensor(borders.shape, "int32", data=borders)
            self.spec.operator("PAD", [source, at], [padded], ("PadOptions", {}))
            source = padded
        options = {
            "Padding": _VALID,
            "StrideH": op.stride[0],
            "StrideW": op.stride[1],
            "DilationHFactor": op.dilation[0],
            "DilationWFactor": op.dilation[1],
            "FusedActivationFunction": _FUSED[op.activation],
        }
        name = "Conv2DOptions"
        kind = "CONV_2D"
        if isinstance(op, DepthwiseConv2D):
            kind, name = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
            options["DepthMultiplier"] = 1
        inputs = [source, self.at(op.weights), self.at(op.bias)]
        self.spec.operator(kind, inputs, [self.at(op.output)], (name, options))

    def _ring(self, op: CircularBuffer) -> None:
        """TFLM takes and gives images, and its output is the state."""
        width = self._graph.tensors[op.input].size
        slots = self._graph.tensors[op.output].size // width
        frame = self._reshaped(self.at(op.input), op.input, (1, 1, 1, width))
        held = self._tensor(op.output, (1, slots, 1, width))
        self.spec.tensors[held].is_variable = True
        options = bytes(flexbuffers.Dumps({"cycles_max": op.cycles}))
        self.spec.operator("CIRCULAR_BUFFER", [frame], [held], options)
        shape = self._constant(self._graph.tensors[op.output].shape)
        self.spec.operator("RESHAPE", [held, shape], [self.at(op.output)])

    def _handle(self, variable: int) -> int:
        """What names a variable."""
        if variable not in self._places:
            self._places[variable] = handle = self.spec.tensor((), "resource")
            names = {"Container": "", "SharedName": f"state{variable}"}
            self.spec.operator("VAR_HANDLE", [], [handle], ("VarHandleOptions", names))
        return self._places[variable]

    def _lookup(self, op: Lookup) -> None:
        """A QUANTIZE that makes indices, and a GATHER of the table."""
        source, made = (self._graph.tensors[i] for i in (op.input, op.output))
        assert source.quantization is not None and made.quantization is not None
        grid = source.quantization
        index = self.spec.tensor(source.shape, "int32", grid.scale, grid.zero_point + 128)
        data = np.frombuffer(op.table, np.int8)
        own = made.quantization
        table = self.spec.tensor(data.shape, "int8", own.scale, own.zero_point, data)
        self.spec.operator("QUANTIZE", [self.at(op.input)], [index], ("QuantizeOptions", {}))
        outputs = [self.at(op.output)]
        self.spec.operator("GATHER", [table, index], outputs, ("GatherOptions", {"Axis": 0}))

    def _copy(self, op: Copy) -> None:
        """As rows of one number each, picked from all inputs one behind the other, then `fill`."""
        tensors = self._graph.tensors
        starts = np.cumsum([0, *(tensors[index].size for index in op.inputs)])
        whole = int(starts[-1])
        flat = [self._reshaped(self.at(i), i, (tensors[i].size,)) for i in op.inputs]
        if op.fill is not None:
            flat.append(self._tensor(op.inputs[0], (1,)))
            self.spec.tensors[flat[-1]].data = np.array([op.fill], np.int8)
        source = flat[0]
        if len(flat) > 1:
            source = self._tensor(op.inputs[0], (whole + (op.fill is not None),))
            self.spec.operator("CONCATENATION", flat, [source], ("ConcatenationOptions", {}))
        for target, index in enumerate(op.outputs):
            picks = np.full(tensors[index].size, 0 if op.fill is None else whole, np.int32)
            for piece in op.pieces:
                if piece.target == target:
                    picks[places(piece.written)] = starts[piece.source] + places(piece.read)
            made = self._tensor(index, picks.shape)
            inputs = [source, self._constant(picks.tolist())]
            self.spec.operator("GATHER", inputs, [made], ("GatherOptions", {}))
            shape = self._constant(tensors[index].shape)
            self.spec.operator("RESHAPE", [made, shape], [self.at(index)])


def places(box: Box) -> np.ndarray:
    """Where the elements of a box lie, in order."""
    steps = (np.arange(n) * s for n, s in zip(box.sizes, box.strides, strict=True))
    grid = np.zeros((), np.int64)
    for axis in steps:
        grid = grid[..., np.newaxis] + axis
    return box.offset + grid.reshape(-1)
