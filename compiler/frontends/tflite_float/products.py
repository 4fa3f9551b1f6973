"""Matrices, and LSTM layers with the states that they keep."""

import numpy as np
from tflite.ActivationFunctionType import ActivationFunctionType

from compiler.floats.graph import Array
from compiler.frontends.tflite_float.site import Rule, Site

_GATES = (0, 3, 1, 2)
"""Of ONNX's i, o, f, c among TFLite's i, f, c, o."""
_PEEPHOLES, _PROJECTION, _NORMS = (9, 10, 11), (16, 17), (20, 21, 22, 23)


def _fully_connected(site: Site) -> None:
    """Rows of weights; all axes but the last are rows of the input unless told to be kept."""
    told = site.options("FullyConnectedOptions")
    if told.WeightsFormat():
        raise site.refuse("its weights are shuffled for one kind of processor; convert it again")
    value, (_, width) = site.input(0), site.shape(1)
    if not told.KeepNumDims():
        value = site.emit("Reshape", [value, site.store([-1, width])])
    data = site.written.constant(site.inputs[1])
    weights = site.turned(site.input(1), (1, 0)) if data is None else site.store(data.T, np.float32)
    activation = told.FusedActivationFunction()
    if not site.given(2):
        site.finish("MatMul", [value, weights], activation)
        return
    product = site.emit("MatMul", [value, weights])
    site.finish("Add", [product, site.input(2)], activation)


def _batch_matmul(site: Site) -> None:
    told = site.options("BatchMatMulOptions")
    sides = []
    for position, turned in ((0, told.AdjX()), (1, told.AdjY())):
        rank = len(site.shape(position))
        order = [*range(rank - 2), rank - 1, rank - 2]
        sides.append(site.turned(site.input(position), order) if turned else site.input(position))
    site.finish("MatMul", sides)


def _lstm(site: Site) -> None:
    """A layer whose hidden and cell state stay from call to call, as in TFLite."""
    told = site.options("UnidirectionalSequenceLSTMOptions")
    asked = {
        "peephole weights": any(site.given(p) for p in _PEEPHOLES),
        "a projection": any(site.given(p) for p in _PROJECTION),
        "layer normalisation": any(site.given(p) for p in _NORMS),
        "an input gate that is coupled to its forget gate": not site.given(1),
        "another activation than tanh": told.FusedActivationFunction()
        != ActivationFunctionType.TANH,
        "a clipped projection": told.ProjClip() > 0,
        "diagonal recurrent weights": bool(told.DiagonalRecurrentTensors()),
    }
    if wrong := [what for what, found in asked.items() if found]:
        raise site.refuse(
            f"an LSTM with {wrong[0]} is not read from TFLite; an LSTM in other operators runs, as "
            "PyTorch and ONNX export it"
        )
    of_inputs = _gates(site, range(1, 5))
    recurrent = _gates(site, range(5, 9))
    bias = _gates(site, range(12, 16))
    units = recurrent.shape[-1]
    order = (1, 0, 2)
    value = site.input(0)
    if not told.TimeMajor():
        value = site.turned(value, order)
    states = [_state(site, what, units) for what in ("hidden", "cell")]
    if told.CellClip() > 0:
        site.written.clips[site.written.states[states[1]]] = float(told.CellClip())
    both = np.concatenate([bias.reshape(-1), np.zeros(4 * units)])
    steps = site.emit("Identity", [value])
    outputs = [f"{site.output}/steps", *(site.written.states[each] for each in states)]
    site.written.emit(
        "LSTM",
        [
            steps,
            site.store(of_inputs.reshape(1, 4 * units, -1), np.float32),
            site.store(recurrent.reshape(1, 4 * units, units), np.float32),
            site.store(both[None], np.float32),
            "",
            *states,
        ],
        outputs,
        site.name,
        {"hidden_size": units},
    )
    flat = site.emit("Squeeze", [outputs[0], site.store([1])])
    if told.TimeMajor():
        site.emit("Identity", [flat], site.output)
    else:
        site.turned(flat, order, site.output)


def _gates(site: Site, positions: range) -> Array:
    """What all four gates have, in ONNX's order."""
    found = [site.constant(p, "weights and biases") for p in positions]
    return np.stack([np.asarray(found[gate], np.float64) for gate in _GATES])


def _state(site: Site, what: str, units: int) -> str:
    name = f"{site.output}/{what}"
    site.written.states[name] = f"{name}/next"
    site.written.initial[name] = np.zeros((1, 1, units), np.float32)
    return name


RULES: dict[str, Rule] = {
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _batch_matmul,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
