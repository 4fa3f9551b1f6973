"""Equality in every element with what TensorFlow Lite Micro answered, recorded."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter, binary
from kernels.engines.sparse import SparseMatrix
from npu.model import int8_functions, quantisation, rows
from npu.model.graph import Graph
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
ELEMENTS = {
    "arithmetic": 2112,
    "conv1d": 64,
    "fc_relu": 80,
    "fc_wide": 8192,
    "joint": 640,
    "lstm_320": 5120,
    "lstm_small": 1280,
    "lstm_stream": 696,
    "maxout": 320,
    "moves": 558,
    "predictor": 1536,
    "products": 360,
    "states": 840,
    "windows": 1620,
}


def differences(graph: Graph, vectors: Path) -> tuple[int, int]:
    """(elements compared, elements that differ) over all recorded calls."""
    interpreter = Interpreter(graph)
    with np.load(vectors) as recorded:
        inputs = [recorded[k] for k in sorted(recorded) if k.startswith("input")]
        answers = [interpreter.invoke(list(call)) for call in zip(*inputs, strict=True)]
        compared = wrong = 0
        names = sorted(k for k in recorded if k.startswith("output"))
        assert len(names) == len(graph.outputs)
        for name, outputs in zip(names, zip(*answers, strict=True), strict=True):
            found = np.stack(outputs)
            assert (found.shape, found.dtype) == (recorded[name].shape, recorded[name].dtype)
            compared += found.size
            wrong += int(np.count_nonzero(found != recorded[name]))
        return compared, wrong


@pytest.mark.parametrize("name", ELEMENTS)
def test_recorded(name):
    graph = read_tflite(VECTORS / f"{name}.tflite")
    assert differences(graph, VECTORS / f"{name}.npz") == (ELEMENTS[name], 0)


def test_recorded_zoo_encoder_on_random_inputs(zoo):
    graph = read_tflite(zoo / "commands_rnnt" / "encoder.tflite")
    assert differences(graph, VECTORS / "zoo_encoder_random.npz") == (2560, 0)


@pytest.mark.parametrize("name", ["fc_wide", "lstm_stream"])
def test_sparse_form_has_the_same_bits(name, monkeypatch):
    monkeypatch.setattr("kernels.engines.sparse.VECTORS", False)
    monkeypatch.setattr("kernels.engines.sparse.DenseMatrix", SparseMatrix)
    graph = read_tflite(VECTORS / f"{name}.tflite")
    assert differences(graph, VECTORS / f"{name}.npz") == (ELEMENTS[name], 0)


def test_other_processors_have_the_same_bits():
    """Loops without vectors, operators one by one: what runs where there is no AVX2."""
    script = """
import llvmlite.binding as llvm
features = llvm.get_host_cpu_features()
for each in [name for name in features if name.startswith("avx")]:
    features[each] = False
llvm.get_host_cpu_features = lambda: features
from compiler.frontends import read_tflite
from kernels.engines.program import PROGRAMS
from tests.kernels.test_vectors import ELEMENTS, VECTORS, differences
assert not PROGRAMS
for name, elements in ELEMENTS.items():
    found = differences(read_tflite(VECTORS / f"{name}.tflite"), VECTORS / f"{name}.npz")
    assert found == (elements, 0), (name, found)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=VECTORS.parents[2],
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


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

    def rounded(real: float, where: str, once: bool = False) -> tuple[int, int]:
        return exact(float(np.float32(real)), where, once)

    monkeypatch.setattr(quantisation, "multiplier", rounded)
    graph = read_tflite(zoo / "commands_rnnt" / "encoder.tflite")
    assert differences(graph, VECTORS / "zoo_encoder_random.npz")[1] > 0


def test_a_planted_rounding_is_noticed(monkeypatch):
    """One step of rounding added to every accumulator, as a floor instead of a round would."""
    from kernels.engines import dense, slots

    def shifted(weights, bias, zero_point):
        return original(weights, bias, zero_point) - 64

    original = dense.folded_bias
    for form in (dense, slots):
        monkeypatch.setattr(form, "folded_bias", shifted)
    graph = read_tflite(VECTORS / "joint.tflite")
    assert differences(graph, VECTORS / "joint.npz")[1] > 0


def _table_with_one_step_more(monkeypatch):
    exact = int8_functions.leaky_relu_table

    def wrong(*arguments):
        return np.minimum(exact(*arguments), 126) + np.int8(1)

    monkeypatch.setattr(int8_functions, "leaky_relu_table", wrong)


def _reciprocal_with_a_lost_bit(monkeypatch):
    exact = rows.reciprocal

    def wrong(total, bits):
        factor, shift = exact(total, bits)
        return factor & ~(1 << 22), shift

    monkeypatch.setattr(rows, "reciprocal", wrong)


def _operand_repeated_along_another_axis(monkeypatch):
    def wrong(array, shape):
        return np.resize(array[..., ::-1], shape)

    monkeypatch.setattr(binary, "np", SimpleNamespace(**{**vars(np), "broadcast_to": wrong}))


@pytest.mark.parametrize(
    "plant",
    [
        _table_with_one_step_more,
        _reciprocal_with_a_lost_bit,
        _operand_repeated_along_another_axis,
    ],
)
def test_planted_arithmetic_is_noticed(plant, monkeypatch):
    plant(monkeypatch)
    graph = read_tflite(VECTORS / "arithmetic.tflite")
    assert differences(graph, VECTORS / "arithmetic.npz")[1] > 0


def test_a_planted_padding_is_noticed():
    """SAME with its odd column on the other side."""
    graph = read_tflite(VECTORS / "windows.tflite")
    top, left, bottom, right = graph.operators[1].padding
    assert left != right
    ops = list(graph.operators)
    ops[1] = replace(ops[1], padding=(top, right, bottom, left))
    assert differences(replace(graph, operators=tuple(ops)), VECTORS / "windows.npz")[1] > 0


def test_a_planted_zero_point_of_weights_is_noticed():
    graph = read_tflite(VECTORS / "products.tflite")
    tensors = list(graph.tensors)
    weights = tensors[graph.operators[0].weights]
    shifted = replace(weights.quantization, zero_point=weights.quantization.zero_point + 1)
    tensors[graph.operators[0].weights] = replace(weights, quantization=shifted)
    assert differences(replace(graph, tensors=tuple(tensors)), VECTORS / "products.npz")[1] > 0
