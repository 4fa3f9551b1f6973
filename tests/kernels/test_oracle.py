"""Live comparison with TensorFlow Lite Micro, where it is installed, on inputs never recorded."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from tests.tflite_builder import random_model, write

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
KINDS = [
    "ADD",
    "FULLY_CONNECTED",
    "LOGISTIC",
    "MAXIMUM",
    "MUL",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "TANH",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
]


def assert_equal_to_oracle(path: Path, rng: np.random.Generator, calls: int) -> None:
    graph = read_tflite(path)
    ours = Interpreter(graph)
    # The default arena is sized for large models only.
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 22)
    for call in range(calls):
        inputs = []
        for position, index in enumerate(graph.inputs):
            tensor = graph.tensors[index]
            if tensor.dtype == "int32":
                x = rng.integers(0, 28, tensor.shape, np.int32)
            elif tensor.size == 256 and call == 0:
                x = np.arange(-128, 128, dtype=np.int8).reshape(tensor.shape)
            else:
                x = rng.integers(-128, 128, tensor.shape, np.int8)
            oracle.set_input(x, position)
            inputs.append(x)
        oracle.invoke()
        for position, output in enumerate(ours.invoke(inputs)):
            np.testing.assert_array_equal(output, oracle.get_output(position))


@pytest.mark.parametrize("name", ["joint", "lstm_stream", "predictor", "fc_wide"])
def test_fixtures_on_new_inputs(name):
    assert_equal_to_oracle(VECTORS / f"{name}.tflite", np.random.default_rng(5), 6)


@pytest.mark.parametrize("name", ["encoder", "decoder", "joiner"])
def test_zoo_on_new_inputs(zoo, name):
    path = zoo / "commands_rnnt" / f"{name}.tflite"
    assert_equal_to_oracle(path, np.random.default_rng(6), 10)


@pytest.mark.parametrize("kind", KINDS)
def test_random_operators(tmp_path, kind):
    rng = np.random.default_rng(sum(kind.encode()))
    for index in range(25):
        path = tmp_path / f"{kind}_{index}.tflite"
        path.write_bytes(write(random_model(kind, rng)))
        assert_equal_to_oracle(path, rng, 3)
