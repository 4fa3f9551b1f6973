"""Equality in every element with what TensorFlow Lite Micro answered, recorded."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from kernels.engines.sparse import SparseMatrix
from npu.model import quantisation
from npu.model.graph import Graph
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
ELEMENTS = {
    "conv1d": 64,
    "fc_relu": 80,
    "fc_wide": 8192,
    "joint": 640,
    "lstm_320": 5120,
    "lstm_small": 1280,
    "lstm_stream": 696,
    "maxout": 320,
    "predictor": 1536,
    "windows": 1620,
}


def differences(graph: Graph, vectors: Path) -> tuple[int, int]:
    """(elements compared, elements that differ) over all recorded calls."""
    interpreter = Interpreter(graph)
    with np.load(vectors) as recorded:
        inputs = [recorded[k] for k in sorted(recorded) if k.startswith("input")]
        found = np.stack([interpreter.invoke(list(call))[0] for call in zip(*inputs, strict=True)])
        assert found.shape == recorded["output"].shape
        return found.size, int(np.count_nonzero(found != recorded["output"]))


@pytest.mark.parametrize("name", ELEMENTS)
def test_recorded(name):
    graph = read_tflite(VECTORS / f"{name}.tflite")
    assert differences(graph, VECTORS / f"{name}.npz") == (ELEMENTS[name], 0)


def test_recorded_zoo_encoder_on_random_inputs(zoo):
    graph = read_tflite(zoo / "commands_rnnt" / "encoder.tflite")
    assert differences(graph, VECTORS / "zoo_encoder_random.npz") == (2560, 0)


@pytest.mark.parametrize("name", ["fc_wide", "lstm_stream"])
def test_sparse_form_has_the_same_bits(name, monkeypatch):
    monkeypatch.setattr("kernels.engines.sparse.DenseMatrix", SparseMatrix)
    graph = read_tflite(VECTORS / f"{name}.tflite")
    assert differences(graph, VECTORS / f"{name}.npz") == (ELEMENTS[name], 0)


def with_flipped_weight(graph: Graph, tensor: int) -> Graph:
    data = graph.tensors[tensor].data.copy()
    row, column = np.argwhere(data == 0)[0]
    data[row, column] = 127
    tensors = list(graph.tensors)
    tensors[tensor] = replace(graph.tensors[tensor], data=data)
    return replace(graph, tensors=tuple(tensors))


@pytest.mark.parametrize("name", ["fc_relu", "lstm_small"])
def test_a_planted_weight_is_noticed(name):
    graph = read_tflite(VECTORS / f"{name}.tflite")
    op = graph.operators[0]
    assert isinstance(op, FullyConnected | Lstm)
    tensor = op.weights if isinstance(op, FullyConnected) else op.input_weights[1]
    assert differences(with_flipped_weight(graph, tensor), VECTORS / f"{name}.npz")[1] > 0


def test_a_planted_multiplier_is_noticed(zoo, monkeypatch):
    """Multipliers off by what float32 instead of double makes of them."""

    exact = quantisation.multiplier

    def rounded(real: float, where: str) -> tuple[int, int]:
        return exact(float(np.float32(real)), where)

    monkeypatch.setattr(quantisation, "multiplier", rounded)
    graph = read_tflite(zoo / "commands_rnnt" / "encoder.tflite")
    assert differences(graph, VECTORS / "zoo_encoder_random.npz")[1] > 0


def test_a_planted_rounding_is_noticed(monkeypatch):
    """One step of rounding added to every accumulator, as a floor instead of a round would."""
    from kernels.engines import dense

    def shifted(weights, bias, zero_point):
        return original(weights, bias, zero_point) - 64

    original = dense.folded_bias
    monkeypatch.setattr(dense, "folded_bias", shifted)
    graph = read_tflite(VECTORS / "joint.tflite")
    assert differences(graph, VECTORS / "joint.npz")[1] > 0
