"""Runs a quantised graph call by call, with LSTM states that live from one call to the next."""

from collections.abc import Sequence

import numpy as np

from kernels.engines.program import Program
from kernels.gate import nested
from kernels.values import END, Values
from npu.model.graph import Graph
from npu.model.inputs import require_inputs
from npu.model.quantisation import integer_parameters
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
        self._inputs = [self._values[index] for index in graph.inputs]
        self._outputs = [self._values[index] for index in graph.outputs]
        operators = zip(
            graph.operators, integer_parameters(graph), PREPARE.functions(graph), strict=True
        )
        self._steps = nested(
            [prepare(self._values, op, params) for op, params, prepare in operators]
        )
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
        require_inputs(self.graph.name, self._inputs, inputs)
        for own, array in zip(self._inputs, inputs, strict=True):
            np.copyto(own, array)
        for step in self._steps:
            if step() is END:
                break
        return [output.copy() for output in self._outputs]

    def repeat(self, times: int) -> None:
        """So many calls on the inputs of the last one, for whoever measures: nothing is copied.

        Where all operators are one compiled program, so are the calls. Raises as `invoke` does.
        """
        if len(self._steps) == 1 and isinstance(program := self._steps[0], Program):
            program.repeat(times)
            return
        for _ in range(times):
            for step in self._steps:
                if step() is END:
                    break

    def states(self) -> list[np.ndarray]:
        """A copy of what lives from one call to the next, for `restore`."""
        return [value.copy() for value in self._values.states]

    def restore(self, states: Sequence[np.ndarray]) -> None:
        """Go on from where the states were taken, from this interpreter or one of its graph."""
        for value, state in zip(self._values.states, states, strict=True):
            np.copyto(value, state)

    def tensor(self, index: int) -> np.ndarray:
        """A copy of what a tensor holds after the last call; states and constants too."""
        return self._values[index].copy()
