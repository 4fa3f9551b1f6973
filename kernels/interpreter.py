"""Runs a quantised graph call by call, with LSTM states that live from one call to the next."""

from collections.abc import Callable, Sequence
from dataclasses import astuple

import numpy as np

from kernels import vector
from kernels.lstm import LstmLayer
from kernels.sparse import prepare_matrix
from npu.errors import InputError
from npu.model.graph import (
    Add,
    FullyConnected,
    Gather,
    Graph,
    Lstm,
    Mul,
    Operator,
    Reshape,
    verify,
)
from npu.model.quantisation import add_params, fully_connected_params, lookup_table, mul_params

Step = Callable[[], None]


class Interpreter:
    """A graph with parameters, weights and buffers prepared once.

    Parameters
    ----------
    graph : the model; it is verified here

    Raises
    ------
    ModelError
        If the graph is not legal, or its scales cannot be expressed.
    """

    def __init__(self, graph: Graph):
        verify(graph)
        self.graph = graph
        self._values = [
            np.empty(t.shape, t.dtype) if t.data is None else t.data for t in graph.tensors
        ]
        self._steps = [self._prepare(op) for op in graph.operators]
        self.reset()

    def reset(self) -> None:
        """Forget everything: each state becomes real zero, the start of an utterance."""
        for tensor, value in zip(self.graph.tensors, self._values, strict=True):
            if tensor.is_state:
                value.fill(0 if tensor.quantization is None else tensor.quantization.zero_point)

    def invoke(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One call of the model.

        Parameters
        ----------
        inputs : one array per graph input, of its exact shape and type

        Returns
        -------
        one fresh array per graph output

        Raises
        ------
        InputError
            If the inputs do not fit, or an index lies outside of its table.
        """
        graph = self.graph
        if len(inputs) != len(graph.inputs):
            raise InputError(f"{graph.name} takes {len(graph.inputs)} inputs, not {len(inputs)}")
        for position, (index, array) in enumerate(zip(graph.inputs, inputs, strict=True)):
            tensor = graph.tensors[index]
            if array.shape != tensor.shape or array.dtype != tensor.dtype:
                raise InputError(
                    f"input {position} of {graph.name} must be {tensor.dtype} "
                    f"{list(tensor.shape)}, not {array.dtype} {list(array.shape)}"
                )
        for index, array in zip(graph.inputs, inputs, strict=True):
            np.copyto(self._values[index], array)
        for step in self._steps:
            step()
        return [self._values[index].copy() for index in graph.outputs]

    def tensor(self, index: int) -> np.ndarray:
        """A copy of what a tensor holds after the last call; states and constants too."""
        return self._values[index].copy()

    def _prepare(self, op: Operator) -> Step:
        match op:
            case FullyConnected():
                return self._prepare_fully_connected(op)
            case Lstm():
                return self._prepare_lstm(op)
            case Gather():
                return self._prepare_gather(op)
            case Add():
                return self._prepare_binary(vector.add, op, astuple(add_params(self.graph, op)))
            case Mul():
                return self._prepare_binary(vector.mul, op, astuple(mul_params(self.graph, op)))
            case Reshape():
                source, output = self._flat(op.input), self._flat(op.output)
                return lambda: np.copyto(output, source)
            case _:
                table = lookup_table(self.graph, op)
                source, output = self._flat(op.input), self._flat(op.output)
                return lambda: vector.look_up(table, source, output)

    def _flat(self, index: int) -> np.ndarray:
        return self._values[index].reshape(-1)

    def _prepare_fully_connected(self, op: FullyConnected) -> Step:
        weights = self._values[op.weights]
        bias = None if op.bias is None else self._values[op.bias]
        matrix = prepare_matrix(weights, bias, fully_connected_params(self.graph, op))
        inputs = self._values[op.input].reshape(-1, weights.shape[1])
        outputs = self._values[op.output].reshape(-1, weights.shape[0])
        return lambda: matrix.multiply(inputs, outputs)

    def _prepare_lstm(self, op: Lstm) -> Step:
        layer = LstmLayer(self.graph, op)
        inputs, outputs = self._values[op.input][0], self._values[op.output][0]
        hidden, cell = self._values[op.hidden_state], self._values[op.cell_state]
        return lambda: layer.run(inputs, hidden, cell, outputs)

    def _prepare_gather(self, op: Gather) -> Step:
        table, indices, output = (self._values[i] for i in (op.table, op.indices, op.output))

        def gather() -> None:
            outside = indices[(indices < 0) | (indices >= len(table))]
            if outside.size:
                raise InputError(
                    f"{self.graph.name}: {op.name}: an index must be 0 to {len(table) - 1}, "
                    f"not {outside[0]}"
                )
            np.copyto(output, table[indices])

        return gather

    def _prepare_binary(self, function: Callable, op: Add | Mul, params: tuple) -> Step:
        a, b, output = (self._flat(i) for i in (op.a, op.b, op.output))
        return lambda: function(a, b, params, output)
