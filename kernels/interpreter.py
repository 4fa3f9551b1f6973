"""Runs a quantised graph call by call, with LSTM states that live from one call to the next."""

from collections.abc import Sequence

import numpy as np

from kernels.values import Values
from npu.errors import InputError
from npu.model.graph import Graph
from npu.model.quantisation import integer_parameters, place
from npu.model.registry import Registry
from npu.model.verify import verify

PREPARE = Registry("kernels", "PREPARE")
"""By kind of operator: a function of values, operator and integer parameters that gives a step."""


class Interpreter:
    """A graph with parameters, weights and buffers prepared once.

    Parameters
    ----------
    graph : the model; it is verified here

    Raises
    ------
    ModelError
        If the graph is not legal, or its scales cannot be expressed.
    UnsupportedError
        If nothing says how to run an operator.
    """

    def __init__(self, graph: Graph):
        verify(graph)
        self.graph = graph
        self._values = Values(graph)
        self._steps = [
            PREPARE.find(type(op), place(graph, op))(self._values, op, params)
            for op, params in zip(graph.operators, integer_parameters(graph), strict=True)
        ]
        self.reset()

    def reset(self) -> None:
        """Forget everything: each state becomes real zero, the start of an utterance."""
        self._values.reset()

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
