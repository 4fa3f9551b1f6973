"""Graphs in real numbers: what a graph of integers would compute if nothing were rounded.

Of the operators that workloads without gates and recurrent layers are made of. Weights and other
constants are what their integers mean, and a table is the function whose values it holds.
"""

from collections.abc import Callable, Sequence

import numpy as np

from npu.model.activation import Activation
from npu.model.graph import Graph
from npu.model.operators.binary import Add, Mul, Sub
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.move import Copy, Reshape
from npu.model.operators.normalise import Softmax
from npu.model.operators.product import FullyConnected
from npu.model.operators.reduce import Mean, Sum
from npu.model.operators.rescale import Quantize
from npu.model.operators.ring import CircularBuffer
from npu.model.operators.table import Logistic, Lookup, Rsqrt, Tanh
from npu.model.operators.variable import AssignVariable, ReadVariable
from npu.model.references import Operator, operator_outputs
from tests.written_graphs import places

Function = Callable[[np.ndarray], np.ndarray]


class RealGraph:
    """A graph with its states, which begin as zeros.

    Parameters
    ----------
    functions : those that a table of the graph may be of.

    Members
    -------
    values : of every tensor, as the last call left it.
    """

    def __init__(self, graph: Graph, functions: Sequence[Function] = ()) -> None:
        self.graph, self._functions = graph, functions
        self.values: dict[int, np.ndarray] = {}
        for index, tensor in enumerate(graph.tensors):
            if tensor.data is not None:
                self.values[index] = self.real(index, tensor.data)
            elif tensor.is_state:
                self.values[index] = np.zeros(tensor.shape)

    def real(self, index: int, data: np.ndarray) -> np.ndarray:
        """What integers of a tensor mean."""
        own = self.graph.tensors[index].quantization
        return data if own is None else (data.astype(float) - own.zero_point) * float(own.scale[0])

    def invoke(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """One call: integers in, the first output in real numbers."""
        for index, data in zip(self.graph.inputs, inputs, strict=True):
            self.values[index] = self.real(index, data)
        for op in self.graph.operators:
            self._run(op)
        return self.values[self.graph.outputs[0]]

    def _run(self, op: Operator) -> None:
        of = self.values
        match op:
            case AssignVariable():
                of[op.variable] = of[op.value].reshape(of[op.variable].shape)
                return
            case Copy():
                self._copy(op)
                return
            case CircularBuffer():
                shape = of[op.buffer].shape
                held = np.concatenate([of[op.buffer].ravel(), of[op.input].ravel()])
                of[op.buffer] = found = held[of[op.input].size :].reshape(shape)
            case _:
                found = self._answer(op)
        (output,) = operator_outputs(op)
        shape = self.graph.tensors[output].shape
        assert found.size == int(np.prod(shape))
        of[output] = found.reshape(shape)

    def _answer(self, op: Operator) -> np.ndarray:
        of = self.values
        match op:
            case FullyConnected(activation=Activation.NONE):
                made = of[op.input].reshape(-1, of[op.weights].shape[1]) @ of[op.weights].T
                return made if op.bias is None else made + of[op.bias]
            case Conv2D() | DepthwiseConv2D():
                return self._convolved(op)
            case BatchMatMul(transpose_a=False):
                b = of[op.b]
                return of[op.a] @ (b.swapaxes(-1, -2) if op.transpose_b else b)
            case Add():
                return of[op.a] + of[op.b]
            case Sub():
                return of[op.a] - of[op.b]
            case Mul():
                return of[op.a] * of[op.b]
            case Mean():
                return of[op.input].mean(axis=op.axes)
            case Sum():
                return of[op.input].sum(axis=op.axes)
            case Softmax():
                powers = np.exp(op.beta * (of[op.input] - of[op.input].max(-1, keepdims=True)))
                return powers / powers.sum(-1, keepdims=True)
            case Logistic():
                return 1 / (1 + np.exp(-of[op.input]))
            case Tanh():
                return np.tanh(of[op.input])
            case Rsqrt():
                return of[op.input] ** -0.5
            case Lookup():
                return self._function(op)(of[op.input])
            case ReadVariable():
                return of[op.variable]
            case Quantize() | Reshape():
                return of[op.input]
        raise AssertionError(f"{op.name}: a {type(op).__name__} is not run yet")

    def _function(self, op: Lookup) -> Function:
        """The one that is no more than half a step beside every entry."""
        given = self.real(op.input, np.arange(-128, 128))
        entries = self.real(op.output, np.frombuffer(op.table, np.int8))
        own = self.graph.tensors[op.output].quantization
        assert own is not None
        (found,) = (
            function
            for function in self._functions
            if np.abs(function(given) - entries).max() < 0.501 * float(own.scale[0])
        )
        return found

    def _convolved(self, op: Conv2D | DepthwiseConv2D) -> np.ndarray:
        assert op.activation is Activation.NONE and op.dilation == (1, 1)
        weights = self.values[op.weights]
        _, height, width, _ = weights.shape
        top, left, bottom, right = op.padding
        image = np.pad(self.values[op.input][0], ((top, bottom), (left, right), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(image, (height, width), axis=(0, 1))
        windows = windows[:: op.stride[0], :: op.stride[1]]
        depthwise = isinstance(op, DepthwiseConv2D)
        made = np.einsum("yxchw,zhwc->yxc" if depthwise else "yxchw,ohwc->yxo", windows, weights)
        return made if op.bias is None else made + self.values[op.bias]

    def _copy(self, op: Copy) -> None:
        for target, index in enumerate(op.outputs):
            fill = 0 if op.fill is None else op.fill
            tensor = self.graph.tensors[index]
            made = np.full(int(np.prod(tensor.shape)), self.real(index, np.array(fill)))
            for piece in op.pieces:
                if piece.target == target:
                    source = self.values[op.inputs[piece.source]].ravel()
                    made[places(piece.written)] = source[places(piece.read)]
            self.values[index] = made.reshape(tensor.shape)
