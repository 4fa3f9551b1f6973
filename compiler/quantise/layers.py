"""A layer as operators of a model of TFLite, in the form of TensorFlow 2.21's converter.

Each function appends to a ModelSpec what turns one value into another.
"""

from typing import NamedTuple

import numpy as np

from compiler.quantise.parts import TimeStack, TrainedDense, TrainedLstm
from compiler.quantise.ranges import Grid, bias_integers, bias_steps, integers_of
from compiler.tflite_writer import ModelSpec

GATES = ("input", "forget", "cell", "output")

FULLY_CONNECTED_VERSION = 5
"""What the converter gives one with KeepNumDims."""

_RELU, _TANH = 1, 4
"""The schema's numbers of activations."""


class Value(NamedTuple):
    """A tensor of shape (1, frames, width) in a ModelSpec: its index there, and its grid."""

    tensor: int
    frames: int
    width: int
    grid: Grid


def activation(m: ModelSpec, name: str, frames: int, width: int, grid: Grid) -> Value:
    """A new value, which nothing computes yet."""
    tensor = m.tensor((1, frames, width), scale=grid.scale, zero_point=grid.zero_point, name=name)
    return Value(tensor, frames, width, grid)


def layer(
    m: ModelSpec, name: str, source: Value, of: TrainedLstm | TrainedDense | TimeStack
) -> Value:
    """Any layer. Raises ModelError for a bias that int32 does not hold."""
    match of:
        case TimeStack():
            return time_stack(m, name, source, of)
        case TrainedDense():
            return dense(m, name, source, of)
        case TrainedLstm():
            return lstm(m, name, source, of)


def time_stack(m: ModelSpec, name: str, source: Value, of: TimeStack) -> Value:
    """RESHAPE: the same integers in fewer frames."""
    frames, width = source.frames // of.frames, source.width * of.frames
    shape = m.tensor(
        (3,), "int32", (), data=np.array([1, frames, width], np.int32), name=f"{name}/shape"
    )
    output = activation(m, name, frames, width, source.grid)
    m.operator("RESHAPE", [source.tensor, shape], [output.tensor])
    return output


def dense(m: ModelSpec, name: str, source: Value, of: TrainedDense) -> Value:
    """FULLY_CONNECTED with a step for each row, or one for all."""
    data = integers_of(of.weights, of.steps)
    weights = m.tensor(data.shape, scale=of.steps, data=data, name=f"{name}/weights")
    bias = -1
    if of.bias is not None:
        steps = bias_steps(source.grid.scale, of.steps)
        data_of_bias = bias_integers(of.bias, steps, name)
        bias = m.tensor((of.rows,), "int32", steps, data=data_of_bias, name=f"{name}/bias")
    output = activation(m, name, source.frames, of.rows, of.output)
    options = {"FusedActivationFunction": _RELU if of.relu else 0, "KeepNumDims": True}
    m.operator(
        "FULLY_CONNECTED",
        [source.tensor, weights, bias],
        [output.tensor],
        ("FullyConnectedOptions", options),
        version=FULLY_CONNECTED_VERSION,
    )
    return output


def lstm(m: ModelSpec, name: str, source: Value, of: TrainedLstm) -> Value:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, 8x8->16: 24 inputs, of which peepholes and so on are absent."""
    of_inputs = [
        _gate(m, f"{name}/input_weights/{gate}", of.input_weights[n], of.input_steps[n])
        for n, gate in enumerate(GATES)
    ]
    recurrent = [
        _gate(m, f"{name}/recurrent_weights/{gate}", of.recurrent_weights[n], of.recurrent_steps[n])
        for n, gate in enumerate(GATES)
    ]
    biases = []
    for n, gate in enumerate(GATES):
        steps = bias_steps(source.grid.scale, of.input_steps[n : n + 1])
        data = bias_integers(of.bias[n], steps, f"{name}, {gate} gate")
        biases.append(m.tensor((of.units,), "int32", steps, data=data, name=f"{name}/bias/{gate}"))
    grid = {"scale": of.hidden.scale, "zero_point": of.hidden.zero_point}
    state = {"is_variable": True}
    hidden = m.tensor((1, of.units), **grid, **state, name=f"{name}/hidden")
    step = np.float32(2.0**of.cell_exponent)
    cell = m.tensor((1, of.units), "int16", step, **state, name=f"{name}/cell")
    within = [
        m.tensor((0,), "float32", name=f"{name}/input_to_{gate}_intermediate", no_buffer=True)
        for gate in GATES
    ]
    effective = f"{name}/effective_hidden_scale_intermediate"
    within.append(m.tensor((0,), **grid, name=effective, no_buffer=True))
    output = activation(m, name, source.frames, of.units, of.hidden)
    operands = [source.tensor, *of_inputs, *recurrent, -1, -1, -1, *biases, -1, -1, hidden, cell]
    options = {
        "FusedActivationFunction": _TANH,
        "CellClip": float(of.cell_clip),
        "AsymmetricQuantizeInputs": False,
        "TimeMajor": False,
    }
    m.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [*operands, -1, -1, -1, -1],
        [output.tensor],
        ("UnidirectionalSequenceLSTMOptions", options),
        intermediates=within,
    )
    return output


def _gate(m: ModelSpec, name: str, weights: np.ndarray, step: np.float32) -> int:
    data = integers_of(weights, np.atleast_1d(step))
    return m.tensor(data.shape, scale=step, data=data, name=name)
