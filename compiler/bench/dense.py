"""The dense products of a graph: what an array of multipliers without use for zeros would do."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from npu.model.graph import Graph
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.svdf import Svdf
from npu.model.references import Operator


class Dense(NamedTuple):
    """So many vectors by a matrix (rows, columns), each vector of `columns` numbers."""

    vectors: int
    rows: int
    columns: int

    @property
    def macs(self) -> int:
        """Multiplications, zeros too."""
        return math.prod(self)


def dense_products(graph: Graph) -> Counter[Dense]:
    """How often a call of a verified graph does which product; those of no size are left out."""
    found: Counter[Dense] = Counter()
    for op in graph.operators:
        for product, times in _products(graph, op):
            if product.macs:
                found[product] += times
    return found


def _products(graph: Graph, op: Operator) -> Iterator[tuple[Dense, int]]:
    shapes = [tensor.shape for tensor in graph.tensors]
    match op:
        case FullyConnected():
            rows, columns = shapes[op.weights]
            yield Dense(graph.tensors[op.output].size // max(rows, 1), rows, columns), 1
        case Conv2D():
            rows, *window = shapes[op.weights]
            yield Dense(math.prod(shapes[op.output][:3]), rows, math.prod(window)), 1
        case DepthwiseConv2D():
            _, height, width, channels = shapes[op.weights]
            yield Dense(math.prod(shapes[op.output][:3]), 1, height * width), channels
        case TransposeConv():
            *spread, columns = shapes[op.weights]
            yield Dense(math.prod(shapes[op.input][:3]), math.prod(spread), columns), 1
        case BatchMatMul():
            *batch, vectors, rows = shapes[op.output]
            columns = shapes[op.a][-2 if op.transpose_a else -1]
            yield Dense(vectors, rows, columns), math.prod(batch)
        case Lstm():
            steps = graph.tensors[op.output].size // max(shapes[op.output][-1], 1)
            for index in op.input_weights:
                yield Dense(steps, *shapes[index]), 1
            for index in op.recurrent_weights:
                # One step behind the other.
                yield Dense(1, *shapes[index]), steps
        case Svdf():
            rows, columns = shapes[op.feature_weights]
            yield Dense(graph.tensors[op.input].size // max(columns, 1), rows, columns), 1
