"""The contents of a graph's tensors while it runs."""

from collections.abc import Callable

import numpy as np

from npu.model.graph import Graph, Tensor
from npu.model.references import operator_operands

END = object()
"""What a step returns that ends its call: nothing behind it runs."""

Step = Callable[[], object]
"""An operator that is ready to run, on the values it was prepared for."""


class Values:
    """One array per tensor of a graph; operators are prepared on them, and keep them.

    Attributes
    ----------
    graph : a verified graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # A loop that is compiled for activations takes no array that is read-only.
        operands = {index for op in graph.operators for index in operator_operands(op)}
        self._arrays = [_array(t, index in operands) for index, t in enumerate(graph.tensors)]

    def __getitem__(self, index: int) -> np.ndarray:
        """The contents of a tensor."""
        return self._arrays[index]

    def flat(self, index: int) -> np.ndarray:
        """The same as one vector."""
        return self._arrays[index].reshape(-1)

    @property
    def states(self) -> list[np.ndarray]:
        """What lives from one call to the next."""
        tensors = zip(self.graph.tensors, self._arrays, strict=True)
        return [value for tensor, value in tensors if tensor.is_state or tensor.initial is not None]

    def reset(self) -> None:
        """Every state becomes what it begins with, most of them real zero."""
        for tensor, value in zip(self.graph.tensors, self._arrays, strict=True):
            if tensor.initial is not None:
                np.copyto(value, tensor.initial)
            elif tensor.is_state:
                value.fill(0 if tensor.quantization is None else tensor.quantization.zero_point)


def _array(tensor: Tensor, operand: bool) -> np.ndarray:
    if tensor.data is None:
        # Of a call that ends early, outputs are what they were: zero at first.
        return np.zeros(tensor.shape, tensor.dtype)
    return tensor.data.copy() if operand else tensor.data
