"""A transducer's folder back to floats: what its integers stand for, on the same grids."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.frontends.models import TRANSDUCER_GRAPHS, Model
from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import Grid
from compiler.train.export.network import (
    LstmPredictor,
    StatelessPredictor,
    TrainedEmbedding,
    TrainedJoiner,
    TrainedTransducer,
)
from npu.errors import ModelError
from npu.model.activation import Activation
from npu.model.graph import Graph, Tensor
from npu.model.operators.binary import Add
from npu.model.operators.gather import Gather
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.variable import ReadVariable
from npu.model.references import Operator

Layer = TrainedLstm | TrainedDense | TimeStack


def trained_of(model: Model) -> TrainedTransducer:
    """Weights and biases as floats, scales as they are.

    `write_transducer` makes the same integers of it again.

    Raises ModelError for a single graph, and for a transducer of another form than
    `write_transducer` writes.
    """
    if not model.is_transducer:
        raise ModelError(f"{model.name} is a single graph, not a transducer")
    encoder, decoder, joiner = (model.graphs[role] for role in TRANSDUCER_GRAPHS)
    source = encoder.tensors[encoder.inputs[0]]
    match decoder.operators[0], joiner.operators:
        case Gather() as gather, [Add() as add, _, FullyConnected() as last]:
            table = decoder.tensors[gather.table]
        case _:
            raise ModelError(f"{model.name} is a transducer of a form that is not written here")
    embedding = TrainedEmbedding(_real(table), _grid(table))
    # A stateless predictor keeps the last embedding in a variable; its products come behind.
    stateless = any(isinstance(each, ReadVariable) for each in decoder.operators)
    products = (FullyConnected,) if stateless else (FullyConnected, Lstm)
    layers = [_layer(decoder, op) for op in decoder.operators[1:] if isinstance(op, products)]
    predictor: LstmPredictor | StatelessPredictor
    if stateless:
        dense = tuple(each for each in layers if isinstance(each, TrainedDense))
        predictor = StatelessPredictor(embedding, dense)
    else:
        recurrent = tuple(each for each in layers if not isinstance(each, TimeStack))
        predictor = LstmPredictor(embedding, recurrent)
    output = _layer(joiner, last)
    assert isinstance(output, TrainedDense)
    return TrainedTransducer(
        _grid(source),
        source.shape[1],
        tuple(_layer(encoder, op) for op in encoder.operators),
        predictor,
        TrainedJoiner(_grid(joiner.tensors[add.output]), output),
    )


def _layer(graph: Graph, op: Operator) -> Layer:
    t = graph.tensors
    match op:
        case Reshape():
            return TimeStack(t[op.input].shape[1] // t[op.output].shape[1])
        case FullyConnected():
            bias = None if op.bias is None else _real(t[op.bias])
            weights, relu = t[op.weights], op.activation == Activation.RELU
            return TrainedDense(_real(weights), bias, _scale(weights), _grid(t[op.output]), relu)
        case Lstm():
            return TrainedLstm(
                np.array([_real(t[w]) for w in op.input_weights]),
                np.array([_real(t[w]) for w in op.recurrent_weights]),
                np.array([_real(t[b]) for b in op.biases if b is not None]),
                _steps(graph, op.input_weights),
                _steps(graph, op.recurrent_weights),
                _grid(t[op.hidden_state]),
                int(np.log2(_scale(t[op.cell_state])[0])),
                op.cell_clip,
            )
        case _:
            raise ModelError(f"{op.name}: is no layer of a transducer that is written here")


def _steps(graph: Graph, gates: Sequence[int]) -> NDArray[np.float32]:
    return np.concatenate([_scale(graph.tensors[each]) for each in gates])


def _scale(tensor: Tensor) -> NDArray[np.float32]:
    assert tensor.quantization is not None
    return tensor.quantization.scale


def _grid(tensor: Tensor) -> Grid:
    grid = Grid.of(tensor)
    assert grid is not None
    return grid


def _real(tensor: Tensor) -> NDArray[np.float32]:
    """What integers stand for, in float32 as training has it."""
    assert tensor.data is not None and tensor.quantization is not None
    steps = _scale(tensor).astype(np.float64).reshape(-1, *(1,) * (tensor.data.ndim - 1))
    shifted = tensor.data.astype(np.int64) - tensor.quantization.zero_point
    return (shifted * steps).astype(np.float32)
