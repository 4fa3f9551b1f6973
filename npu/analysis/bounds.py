"""What a model costs at least, from its graph alone: bounds of each operator's cycles on a chip.

Four bounds, none of which knows how the compiler works:

- *lanes*: nonzero weights times the positions that they are multiplied at, over lanes. Positions at
  a border count whole, as a lane does not know what lies outside. Of two activations every product
  counts, as nobody knows which are zero.
- *requantiser*: results of products, one a cycle (`REQUANTISED_PER_CYCLE`).
- *vector*: elements that operators without weights read or write, whatever is more, over the
  vector unit's width. A reshape, a variable and what the host does take none.
- *bus*: bytes of the weights over the bus, a byte a nonzero, each call again, where the model's are
  more than the banks hold. Beside the operators stand the model's inputs and outputs.

The bound of an operator is the largest of its own; the sum over operators, with inputs and outputs,
is what a chip that overlaps everything inside an operator, and nothing between operators, could
reach.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from npu.chip.params import ChipParams
from npu.model.graph import Graph, Tensor
from npu.model.operators.convolution import Conv2D, DepthwiseConv2D, TransposeConv
from npu.model.operators.matmul import BatchMatMul
from npu.model.operators.move import Reshape
from npu.model.operators.pool import AveragePool2D, MaxPool2D
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.retype import FromReal, Requantize, ToReal
from npu.model.operators.variable import AssignVariable, ReadVariable
from npu.model.references import Operator, operator_inputs, operator_outputs

REQUANTISED_PER_CYCLE = 1
LARGE_SHARE = 0.05
"""Of a model's cycles: operators with less say little about a chip."""

_LSTM_PASSES = 9
"""Elements of a step by unit: five functions, three products, a sum."""

_DTYPE_BYTES = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "int32": 4, "float32": 4, "int64": 8}


@dataclass(frozen=True)
class Work:
    """What an operator has to do in a call.

    Attributes
    ----------
    macs : multiplications by a nonzero weight.
    rows : results of products that are requantised.
    elements : that the vector unit handles.
    weights : nonzero weights, each once.
    """

    name: str
    macs: int = 0
    rows: int = 0
    elements: int = 0
    weights: int = 0

    def cycles(self, params: ChipParams, *, streamed: bool) -> dict[str, float]:
        """The bounds by name; `streamed`: the model's weights do not stay in the banks."""
        return {
            "lanes": self.macs / params.lanes,
            "requantiser": self.rows / REQUANTISED_PER_CYCLE,
            "vector": self.elements / params.vector_elements,
            "bus": self.weights / params.bus_bytes if streamed else 0.0,
        }


def works(graph: Graph) -> list[Work]:
    """The work of every operator of a verified graph, in its order."""
    return [_work(graph, op) for op in graph.operators]


def operator_bounds(graph: Graph, params: ChipParams) -> list[dict[str, float]]:
    """The bounds of every operator by name, in the graph's order."""
    found = works(graph)
    streamed = sum(work.weights for work in found) > params.lanes * params.bank_bytes
    return [work.cycles(params, streamed=streamed) for work in found]


def border_cycles(graph: Graph, params: ChipParams) -> float:
    """The bound of the bus for the model's inputs and outputs."""
    moved = sum(_n_bytes(graph.tensors[i]) for i in (*graph.inputs, *graph.outputs))
    return moved / params.bus_bytes


def total_cycles(graph: Graph, params: ChipParams) -> float:
    """The sum of every operator's largest bound, and of inputs and outputs."""
    bounds = operator_bounds(graph, params)
    return sum(max(each.values()) for each in bounds) + border_cycles(graph, params)


def _work(graph: Graph, op: Operator) -> Work:
    tensors = graph.tensors
    match op:
        case FullyConnected():
            vectors = tensors[op.output].size // max(tensors[op.weights].shape[0], 1)
            return _product(op, _nonzeros(tensors[op.weights]), vectors, tensors[op.output].size)
        case Conv2D() | DepthwiseConv2D():
            positions = math.prod(tensors[op.output].shape[:3])
            return _product(op, _nonzeros(tensors[op.weights]), positions, tensors[op.output].size)
        case TransposeConv():
            positions = math.prod(tensors[op.input].shape[:3])
            return _product(op, _nonzeros(tensors[op.weights]), positions, tensors[op.output].size)
        case BatchMatMul():
            output = tensors[op.output].size
            depth = tensors[op.a].shape[-2 if op.transpose_a else -1] if output else 0
            return Work(op.name, output * depth, output)
        case Lstm():
            return _lstm(graph, op)
        case AveragePool2D() | MaxPool2D():
            return Work(op.name, elements=tensors[op.output].size * math.prod(op.size))
        case Reshape() | ReadVariable() | AssignVariable() | Requantize() | FromReal() | ToReal():
            return Work(op.name)
    sizes = [tensors[i].size for i in _activations(graph, op)]
    return Work(op.name, elements=max(sizes, default=0))


def _product(op: Operator, nonzeros: int, positions: int, rows: int) -> Work:
    return Work(op.name, nonzeros * positions, rows, weights=nonzeros)


def _lstm(graph: Graph, op: Lstm) -> Work:
    nonzeros = sum(_nonzeros(graph.tensors[i]) for i in (*op.input_weights, *op.recurrent_weights))
    units = graph.tensors[op.output].shape[-1]
    steps = graph.tensors[op.output].size // max(units, 1)
    rows = 2 * len(op.input_weights) * units * steps
    return Work(op.name, nonzeros * steps, rows, _LSTM_PASSES * units * steps, nonzeros)


def _nonzeros(tensor: Tensor) -> int:
    """Of weights; all of what is computed."""
    return tensor.size if tensor.data is None else int(np.count_nonzero(tensor.data))


def _activations(graph: Graph, op: Operator) -> Iterator[int]:
    yield from operator_outputs(op)
    yield from (i for i in operator_inputs(op) if not graph.tensors[i].is_constant)


def _n_bytes(tensor: Tensor) -> int:
    return tensor.size * _DTYPE_BYTES[tensor.dtype]
