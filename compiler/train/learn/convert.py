"""The network as it is exported: float weights, and the grids of everything; and back."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import Grid
from compiler.train.export.network import (
    LstmPredictor,
    StatelessPredictor,
    TrainedEmbedding,
    TrainedJoiner,
    TrainedTransducer,
)
from compiler.train.learn.network import (
    FEATURE_SCALE,
    HIDDEN_SCALE,
    Dense,
    Layer,
    Range,
    Transducer,
)
from npu.errors import RecipeError

CELL_EXPONENT = -11
"""Of the cell state, which is clipped at 10: as TensorFlow's converter has it."""
FRAMES_PER_CALL = 2


def trained(network: Transducer) -> TrainedTransducer:
    """What a network has learnt. Raises ValueError before its grids are fixed."""
    if not network.fixed:
        raise ValueError("the network's grids are not fixed yet (quantisation.begin)")
    ranges = {name: _grid(each) for name, each in network.ranges.items()}
    encoder: list[TrainedLstm | TrainedDense | TimeStack] = []
    for n, layer in enumerate(network.lstms):
        if n == network.network.stack_before:
            encoder.append(TimeStack(FRAMES_PER_CALL))
        encoder.append(_lstm(layer))
    encoder.append(_dense(network.projection, ranges["encoder_out"]))
    embedding = TrainedEmbedding(_array(network.embedding), ranges["embedded"])
    last = _dense(network.predicted, ranges["decoder_out"])
    predictor: LstmPredictor | StatelessPredictor
    if isinstance(network.predictor, Layer):
        predictor = LstmPredictor(embedding, (_lstm(network.predictor), last))
    else:
        first = _dense(network.predictor, ranges["context"], relu=True)
        predictor = StatelessPredictor(embedding, (first, last))
    joiner = TrainedJoiner(ranges["joined"], _dense(network.joiner, ranges["logits"]))
    features = Grid(np.float32(FEATURE_SCALE))
    return TrainedTransducer(features, FRAMES_PER_CALL, tuple(encoder), predictor, joiner)


@torch.no_grad()
def take(network: Transducer, start: TrainedTransducer) -> None:
    """Make a trained transducer's weights those of a network; its zeros and grids are not taken.

    Raises RecipeError where a layer of the one is no layer of the other, or of another size.
    """
    own = [*network.lstms, network.projection, network.predictor, network.predicted, network.joiner]
    given = [each for each in start.encoder if not isinstance(each, TimeStack)]
    given += [*start.predictor.layers, start.joiner.output]
    pairs = [(network.embedding, start.predictor.embedding.table)]
    if len(own) != len(given):
        raise RecipeError(f"the model has {len(given)} layers, and the recipe {len(own)}")
    for layer, other in zip(own, given, strict=True):
        pairs += _pairs(layer, other)
    for parameter, values in pairs:
        if parameter.numel() != values.size:
            raise RecipeError(
                f"a tensor of the model has {values.size:,} values, and the recipe's "
                f"{parameter.numel():,}; give network the model's sizes"
            )
        parameter.copy_(torch.from_numpy(values.reshape(parameter.shape)))


def _pairs(
    layer: Layer | Dense, other: TrainedLstm | TrainedDense
) -> Iterator[tuple[torch.nn.Parameter, np.ndarray]]:
    match layer, other:
        case Layer(), TrainedLstm():
            yield layer.input.weight, other.input_weights
            yield layer.recurrent.weight, other.recurrent_weights
            yield layer.bias, other.bias
        case Dense(), TrainedDense():
            yield layer.matrix.weight, other.weights
            if layer.bias is not None and other.bias is not None:
                yield layer.bias, other.bias
        case _:
            raise RecipeError(
                f"a layer of the model is {type(other).__name__}, and of the recipe "
                f"{type(layer).__name__}"
            )


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float32)


def _grid(each: Range) -> Grid:
    scale, zero = each.quantisation()
    return Grid(np.float32(float(scale)), int(zero))


def _lstm(layer: Layer) -> TrainedLstm:
    units = layer.units
    return TrainedLstm(
        _array(layer.input()).reshape(4, units, -1),
        _array(layer.recurrent()).reshape(4, units, units),
        _array(layer.bias).reshape(4, units),
        _array(layer.input.steps),
        _array(layer.recurrent.steps),
        Grid(np.float32(HIDDEN_SCALE)),
        CELL_EXPONENT,
    )


def _dense(dense: Dense, output: Grid, relu: bool = False) -> TrainedDense:
    bias = None if dense.bias is None else _array(dense.bias)
    return TrainedDense(_array(dense.matrix()), bias, _array(dense.matrix.steps), output, relu)
