"""Whether the parts of a trained transducer fit together; every message names the part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import CELL_EXPONENTS
from compiler.train.export.network import CONTEXT, LstmPredictor, TrainedTransducer
from npu.errors import ModelError

Layer = TrainedLstm | TrainedDense | TimeStack


def check(trained: TrainedTransducer) -> None:
    """Raise ModelError for shapes that do not fit, steps that are none, or weights not finite."""
    _require(
        trained.frames_per_call >= 1, f"a call takes frames, not {trained.frames_per_call} of them"
    )
    _require(len(trained.encoder) > 0, "the encoder has no layers")
    first = trained.encoder[0]
    width = 0 if isinstance(first, TimeStack) else first.inputs
    _require(width > 0, "encoder layer 0 must take the features; stack them in the front end")
    _require(
        not isinstance(trained.encoder[-1], TimeStack),
        "the encoder's last layer is a stack; the last must be dense, or an LSTM",
    )
    frames, encoded = _chain("encoder", trained.encoder, trained.frames_per_call, width)
    _require(frames == 1, f"the encoder gives {frames} frames a call; stack all of them into one")
    predicted = _predictor(trained)
    joint = trained.joiner.output
    for side, found in (("encoder", encoded), ("predictor", predicted)):
        _require(
            found == joint.inputs,
            f"the {side} gives {found} values, the joiner takes {joint.inputs}",
        )
    _layer("joiner", joint, joint.inputs)


def _predictor(trained: TrainedTransducer) -> int:
    """Checks it. Returns the width of what it gives."""
    predictor = trained.predictor
    table = predictor.embedding.table
    _require(table.ndim == 2, f"the embedding must be (symbols, width), not {table.shape}")
    _finite("the embedding", table)
    _require(
        len(table) == trained.symbols,
        f"the embedding has {len(table)} symbols, the joiner gives {trained.symbols}",
    )
    _require(len(predictor.layers) > 0, "the predictor has no layers")
    stateless = not isinstance(predictor, LstmPredictor)
    width = table.shape[1] * (CONTEXT if stateless else 1)
    return _chain("predictor", predictor.layers, 1, width)[1]


def _chain(part: str, layers: Sequence[Layer], frames: int, width: int) -> tuple[int, int]:
    """Checks layers one behind the other. Returns frames and width behind the last."""
    for number, layer in enumerate(layers):
        where = f"{part} layer {number}"
        if isinstance(layer, TimeStack):
            _require(
                layer.frames >= 1 and frames % layer.frames == 0,
                f"{where}: {frames} frames a call cannot be stacked by {layer.frames}",
            )
            frames, width = frames // layer.frames, width * layer.frames
        else:
            width = _layer(where, layer, width)
    return frames, width


def _layer(where: str, layer: TrainedLstm | TrainedDense, width: int) -> int:
    """Checks a layer behind so many values. Returns how many it gives."""
    if isinstance(layer, TrainedDense):
        _shape(where, "weights", layer.weights, (layer.rows, width))
        _steps(where, "steps", layer.steps, (layer.rows,), (1,))
        if layer.bias is not None:
            _shape(where, "bias", layer.bias, (layer.rows,))
        return layer.rows
    units = layer.units
    _shape(where, "input weights", layer.input_weights, (4, units, width))
    _shape(where, "recurrent weights", layer.recurrent_weights, (4, units, units))
    _shape(where, "bias", layer.bias, (4, units))
    _steps(where, "input steps", layer.input_steps, (4,))
    _steps(where, "recurrent steps", layer.recurrent_steps, (4,))
    _require(
        layer.cell_exponent in CELL_EXPONENTS,
        f"{where}: the cell exponent must be {CELL_EXPONENTS[0]} to {CELL_EXPONENTS[-1]}, not "
        f"{layer.cell_exponent}",
    )
    _require(
        np.isfinite(layer.cell_clip) and layer.cell_clip >= 0,
        f"{where}: the cell clip must be 0 or more, not {layer.cell_clip}",
    )
    return units


def _shape(where: str, what: str, array: np.ndarray, *shapes: tuple[int, ...]) -> None:
    wanted = " or ".join(map(str, shapes))
    _require(array.shape in shapes, f"{where}: {what} must be {wanted}, not {array.shape}")
    _finite(f"{where}: {what}", array)


def _steps(where: str, what: str, array: np.ndarray, *shapes: tuple[int, ...]) -> None:
    _shape(where, what, array, *shapes)
    _require(np.min(array) > 0, f"{where}: {what} must be above 0, not {np.min(array)}")


def _finite(what: str, array: ArrayLike) -> None:
    _require(np.all(np.isfinite(array)), f"{what}: a value is not finite; training diverged")


def _require(condition: bool | np.bool, problem: str) -> None:
    if not condition:
        raise ModelError(problem)
