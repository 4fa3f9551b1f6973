"""UNIDIRECTIONAL_SEQUENCE_LSTM: 24 inputs by position, their constraints, and the conversion."""

from typing import Any

from tflite.ActivationFunctionType import ActivationFunctionType
from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.site import Site
from npu.model.operators.recurrent import Lstm

_INPUT_WEIGHTS = range(1, 5)
_RECURRENT_WEIGHTS = range(5, 9)
_PEEPHOLES = range(9, 12)
_BIASES = range(12, 16)
_PROJECTION = range(16, 18)
_HIDDEN, _CELL = 18, 19
_LAYER_NORM = range(20, 24)


def inputs(site: Site) -> bool:
    """there are 24 inputs, with weights and biases of all four gates and both states"""
    return len(site.inputs) == 24 and site.given(
        0,
        *_INPUT_WEIGHTS,
        *_RECURRENT_WEIGHTS,
        *_BIASES,
        _HIDDEN,
        _CELL,
    )


def no_peephole(site: Site) -> bool:
    """there are no peephole connections"""
    return not any(site.given(p) for p in _PEEPHOLES)


def no_projection(site: Site) -> bool:
    """there is no projection"""
    return not any(site.given(p) for p in _PROJECTION)


def no_layer_norm(site: Site) -> bool:
    """there is no layer normalisation"""
    return not any(site.given(p) for p in _LAYER_NORM)


def types(site: Site) -> bool:
    """activations and weights are int8, biases int32, the cell state int16 (8x8->16)"""
    int8 = (0, *_INPUT_WEIGHTS, *_RECURRENT_WEIGHTS, _HIDDEN)
    return (
        all(site.input(p).type == TensorType.INT8 for p in int8)
        and all(site.input(p).type == TensorType.INT32 for p in _BIASES)
        and site.input(_CELL).type == TensorType.INT16
        and site.tensors[site.outputs[0]].type == TensorType.INT8
    )


def constant_weights(site: Site) -> bool:
    """weights and biases are constant, and each weight matrix has one scale"""
    weights = (*_INPUT_WEIGHTS, *_RECURRENT_WEIGHTS)
    return all(site.input(p).is_constant for p in (*weights, *_BIASES)) and all(
        site.input(p).scales == 1 for p in weights
    )


def variable_states(site: Site) -> bool:
    """hidden and cell state are variable tensors"""
    return site.input(_HIDDEN).is_variable and site.input(_CELL).is_variable


def tanh_cell(site: Site) -> bool:
    """the activation of the cell is TANH"""
    return site.activation() == ActivationFunctionType.TANH


def no_diagonal(site: Site) -> bool:
    """recurrent weights are full matrices, not diagonals"""
    return site.options is None or not site.options.DiagonalRecurrentTensors()


CONSTRAINTS = (
    inputs,
    no_peephole,
    no_projection,
    no_layer_norm,
    types,
    constant_weights,
    variable_states,
    tanh_cell,
    no_diagonal,
)


def convert(name: str, site: Site, tensor: Number) -> Lstm:
    """Both states are tensors of the graph; peepholes, projection and normalisation are absent."""

    def gates(positions: range) -> Any:
        return tuple(tensor(site.inputs[p]) for p in positions)

    return Lstm(
        name,
        tensor(site.inputs[0]),
        gates(_INPUT_WEIGHTS),
        gates(_RECURRENT_WEIGHTS),
        gates(_BIASES),
        tensor(site.inputs[_HIDDEN]),
        tensor(site.inputs[_CELL]),
        tensor(site.outputs[0]),
        0.0 if site.options is None else float(site.options.CellClip()),
        site.options is not None and bool(site.options.TimeMajor()),
    )
