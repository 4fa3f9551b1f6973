"""Graphs of one operator, for tests of its rules and integers."""

import numpy as np

from npu.model.activation import Activation
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.verify import verify


def quantised(scale, zero_point=0):
    return Quantization(np.atleast_1d(np.asarray(scale, np.float32)), zero_point)


def activation(scale, zero_point=0, shape=(1, 4), dtype="int8", is_state=False):
    return Tensor("t", shape, dtype, quantised(scale, zero_point), None, is_state)


def constant(data, scale=None):
    return Tensor(
        "c", data.shape, str(data.dtype), None if scale is None else quantised(scale), data
    )


def unary(kind, source, output):
    graph = Graph("m", (source, output), (kind("op", 0, 1),), (0,), (1,))
    verify(graph)
    return graph, graph.operators[0]


def binary(kind, a, b, output, clamp=Activation.NONE):
    graph = Graph("m", (a, b, output), (kind("op", 0, 1, 2, clamp),), (0, 1), (2,))
    verify(graph)
    return graph, graph.operators[0]
