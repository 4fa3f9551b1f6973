"""The contents of a graph's tensors while it runs."""

from collections.abc import Callable

import numpy as np

from npu.model.graph import Graph

Step = Callable[[], None]
"""An operator that is ready to run, on the values it was prepared for."""


class Values:
    """One array per tensor of a graph; operators are prepared on them, and keep them.

    Attributes
    ----------
    graph : a verified graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._arrays = [
            np.empty(t.shape, t.dtype) if t.data is None else t.data for t in graph.tensors
        ]

    def __getitem__(self, index: int) -> np.ndarray:
        """The contents of a tensor; constants cannot be written."""
        return self._arrays[index]

    def flat(self, index: int) -> np.ndarray:
        """The same as one vector."""
        return self._arrays[index].reshape(-1)

    def reset(self) -> None:
        """Every state becomes real zero, the start of an utterance."""
        for tensor, value in zip(self.graph.tensors, self._arrays, strict=True):
            if tensor.is_state:
                value.fill(0 if tensor.quantization is None else tensor.quantization.zero_point)
