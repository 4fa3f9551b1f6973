"""The three graphs of a trained transducer as models of TFLite."""

from collections.abc import Sequence

import numpy as np

from compiler.quantise.layers import Value, activation, layer
from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm, output_grid
from compiler.quantise.ranges import TANH
from compiler.quantise.variables import First, assign, begin, handle
from compiler.tflite_writer import ModelSpec, Signature
from compiler.train.export.network import CONTEXT, StatelessPredictor, TrainedTransducer

DESCRIPTION = "zeroskip"
_LAST = "last_symbol"


def encoder(trained: TrainedTransducer) -> ModelSpec:
    """Features (1, frames, width) int8 to the joiner's side, (1, 1, width) int8."""
    m = ModelSpec(name="main", description=DESCRIPTION)
    first = trained.encoder[0]
    assert not isinstance(first, TimeStack), "check() the network first"
    source = activation(m, "features", trained.frames_per_call, first.inputs, trained.features)
    output = _chain(m, source, trained.encoder)
    _finish(m, {"features": source.tensor}, {"encoder_out": output.tensor})
    return m


def decoder(trained: TrainedTransducer) -> ModelSpec:
    """A symbol (1, 1) int32 to the joiner's side, (1, 1, width) int8."""
    m = ModelSpec(name="main", description=DESCRIPTION)
    predictor = trained.predictor
    grid = predictor.embedding.grid
    symbols, width = predictor.embedding.table.shape
    symbol = m.tensor((1, 1), "int32", (), limit=symbols, name="symbol")
    table = m.tensor(
        (symbols, width),
        scale=grid.scale,
        zero_point=grid.zero_point,
        data=grid.quantised(predictor.embedding.table),
        name="embedding/table",
    )
    here = activation(m, "embedding", 1, width, grid)
    m.operator("GATHER", [table, symbol], [here.tensor], ("GatherOptions", {}), version=2)
    if isinstance(predictor, StatelessPredictor):
        here = _with_the_last(m, here)
    output = _chain(m, here, predictor.layers)
    _finish(m, {"symbol": symbol}, {"decoder_out": output.tensor})
    return m


def joiner(trained: TrainedTransducer) -> ModelSpec:
    """Both sides (1, 1, width) int8 to logits (1, 1, symbols) int8."""
    m = ModelSpec(name="main", description=DESCRIPTION)
    width = trained.joiner.output.inputs
    ends = {"encoder_out": trained.encoder[-1], "decoder_out": trained.predictor.layers[-1]}
    sides = {
        name: activation(m, name, 1, width, output_grid(last)).tensor for name, last in ends.items()
    }
    both = activation(m, "sum", 1, width, trained.joiner.sum)
    m.operator("ADD", list(sides.values()), [both.tensor], ("AddOptions", {}), version=2)
    bent = activation(m, "tanh", 1, width, TANH)
    m.operator("TANH", [both.tensor], [bent.tensor], version=2)
    output = layer(m, "logits", bent, trained.joiner.output)
    _finish(m, sides, {"logits": output.tensor})
    return m


def _chain(
    m: ModelSpec, here: Value, layers: Sequence[TrainedLstm | TrainedDense | TimeStack]
) -> Value:
    for number, each in enumerate(layers):
        kind = type(each).__name__.removeprefix("Trained").lower()
        here = layer(m, f"{kind}{number}", here, each)
    return here


def _with_the_last(m: ModelSpec, embedded: Value) -> Value:
    """The embedding of the call before, then this one's; a variable keeps it, and begins with 0."""
    width, grid = embedded.width, embedded.grid
    variable = handle(m, _LAST)
    last = activation(m, _LAST, 1, width, grid)
    m.operator("READ_VARIABLE", [variable], [last.tensor], ("ReadVariableOptions", {}))
    both = activation(m, "context", 1, CONTEXT * width, grid)
    options = {"Axis": 2, "FusedActivationFunction": 0}
    ends = [last.tensor, embedded.tensor]
    m.operator("CONCATENATION", ends, [both.tensor], ("ConcatenationOptions", options), version=2)
    assign(m, variable, embedded.tensor)
    begin(m, {_LAST: First(np.zeros((1, 1, width), np.float32), grid)})
    return both


def _finish(m: ModelSpec, inputs: dict[str, int], outputs: dict[str, int]) -> None:
    m.inputs, m.outputs = list(inputs.values()), list(outputs.values())
    m.signatures = [Signature("serving_default", 0, inputs, outputs)]
