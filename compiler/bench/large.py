"""A transducer as large as those that people train, made here: the zoo's with a wider encoder.

Three recurrent layers and a linear one, as the zoo's encoder has, of so many units that all three
graphs have 45.3 M parameters, 75 % of them zeros. Weights are random: what it hears makes no sense,
but takes the time and the memory of one that was trained. Decoder, joiner, front end and symbols
are the zoo's.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from compiler.frontends.models import Model, load_model
from compiler.tflite_writer import ModelSpec, write
from npu.files import write_atomic
from npu.model.graph import Tensor

UNITS, SMALL_UNITS = 1360, 16
ZEROS = 0.75
SEED = 1
_LAPLACE = 20.0
"""Of the weights that are no zeros, before they are whole numbers."""

_HIDDEN = np.float32(1 / 128)
_TANH = 4
"""The schema's number of the activation."""


class Size(NamedTuple):
    """Of a model: its parameters, and the share of zeros among its weights."""

    parameters: int
    zeros: float


def write_transducer(folder: Path, like: Path, units: int) -> Size:
    """Write a transducer into a folder that is there; its encoder has so many units a layer.

    like : the folder of the zoo's transducer.

    Raises NpuError where it cannot be written.
    """
    for path in like.iterdir():
        if path.is_file() and path.suffix in (".tflite", ".json", ".txt"):
            shutil.copy(path, folder / path.name)
    encoder = load_model(like).graphs["encoder"]
    source, target = (encoder.tensors[ends[0]] for ends in (encoder.inputs, encoder.outputs))
    write_atomic(folder / "encoder.tflite", write(_encoder(source, target, units)))
    return _size(load_model(folder))


def _size(model: Model) -> Size:
    data = [t.data for g in model.graphs.values() for t in g.tensors if t.data is not None]
    weights = [each for each in data if each.dtype == np.int8]
    zeros = sum(each.size - np.count_nonzero(each) for each in weights)
    return Size(sum(each.size for each in data), zeros / sum(each.size for each in weights))


def _encoder(source: Tensor, target: Tensor, units: int) -> ModelSpec:
    """Between an input of frames and an output as the zoo's encoder has them."""
    rng, spec = np.random.default_rng(SEED), ModelSpec()
    _, frames, features = source.shape
    here = spec.tensor(source.shape, **_quantization(source))
    spec.inputs = [here]
    here = _lstm(spec, rng, here, features, units, 1.0)
    here = _lstm(spec, rng, here, units, units, 0.3)
    stacked = spec.tensor((1, 1, frames * units), scale=_HIDDEN)
    shape = spec.tensor((3,), "int32", data=np.array([1, 1, frames * units], np.int32))
    spec.operator("RESHAPE", [here, shape], [stacked], ("ReshapeOptions", {}))
    here = _lstm(spec, rng, stacked, frames * units, units, 0.3)
    out = spec.tensor(target.shape, **_quantization(target))
    weights, bias = _matrix(spec, rng, target.shape[-1], units, here, 0.3)
    options = {"FusedActivationFunction": 0, "KeepNumDims": True}
    spec.operator(
        "FULLY_CONNECTED", [here, weights, bias], [out], ("FullyConnectedOptions", options)
    )
    spec.outputs = [out]
    return spec


def _quantization(tensor: Tensor) -> dict[str, object]:
    assert tensor.quantization is not None, "encoders take and give integers"
    return {
        "scale": np.float32(tensor.quantization.scale[0]),
        "zero_point": tensor.quantization.zero_point,
    }


def _lstm(
    spec: ModelSpec, rng: np.random.Generator, source: int, columns: int, units: int, rms: float
) -> int:
    """Append a recurrent layer; `rms` is of the values that come. Returns its output."""
    inputs = [_matrix(spec, rng, units, columns, source, rms) for _ in range(4)]
    steps = spec.tensors[source].shape[1]
    output = spec.tensor((1, steps, units), scale=_HIDDEN)
    recurrent = [_matrix(spec, rng, units, units, output, 0.3)[0] for _ in range(4)]
    hidden = spec.tensor((1, units), scale=_HIDDEN, is_variable=True)
    cell = spec.tensor((1, units), "int16", 2.0**-11, is_variable=True)
    options = {
        "FusedActivationFunction": _TANH,
        "CellClip": 0.0,
        "AsymmetricQuantizeInputs": False,
        "TimeMajor": False,
    }
    weights, biases = [w for w, _ in inputs], [b for _, b in inputs]
    operands = [source, *weights, *recurrent, -1, -1, -1, *biases, -1, -1, hidden, cell]
    spec.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [*operands, -1, -1, -1, -1],
        [output],
        ("UnidirectionalSequenceLSTMOptions", options),
    )
    return output


def _matrix(
    spec: ModelSpec, rng: np.random.Generator, rows: int, columns: int, source: int, rms: float
) -> tuple[int, int]:
    """Weights with which values of `rms` make sums of about 1, and a bias of zeros."""
    data = np.clip(np.rint(rng.laplace(0, _LAPLACE, (rows, columns))), -127, 127).astype(np.int8)
    data[data == 0] = 1
    data[rng.random((rows, columns)) < ZEROS] = 0
    spread = float(np.sqrt(columns * np.mean(np.square(data, dtype=np.int32))))
    scale = np.float32(1 / (rms * max(spread, 1.0)))
    weights = spec.tensor((rows, columns), scale=scale, data=data)
    bias_scale = np.float32(spec.tensors[source].scale * scale)
    return weights, spec.tensor((rows,), "int32", bias_scale, data=np.zeros(rows, np.int32))
