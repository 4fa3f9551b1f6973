"""Functions of real numbers amid an integer model, beside TensorFlow Lite Micro."""

import os

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import ModelError
from npu.model.graph import Graph
from npu.model.operators.real_function import RealFunction
from npu.model.operators.retype import FromReal, ToReal
from npu.model.operators.table import ViaReal
from npu.model.real import FUNCTIONS
from tests.tflite_builder import ModelSpec, write
from tests.tflite_math import island

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)

CASES = int(os.environ.get("ISLAND_CASES", "5"))
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)


def read(tmp_path, model: ModelSpec) -> tuple[Graph, bytes]:
    path = tmp_path / "island.tflite"
    path.write_bytes(write(model))
    return read_tflite(path), path.read_bytes()


def assert_equal(graph: Graph, data: bytes, outputs: int = 1) -> None:
    oracle = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
    oracle.set_input(EVERY, 0)
    oracle.invoke()
    for position, found in enumerate(Interpreter(graph).invoke([EVERY])):
        np.testing.assert_array_equal(found, oracle.get_output(position))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_island_is_one_table(tmp_path, function):
    rng = np.random.default_rng(sum(function.encode()))
    for _ in range(CASES):
        scales = tuple(np.exp(rng.uniform(np.log(1e-3), np.log(0.3), 2)).astype(np.float32))
        zero_points = tuple(int(z) for z in rng.integers(-128, 128, 2))
        graph, data = read(tmp_path, island(function, scales, zero_points))
        assert [type(op) for op in graph.operators] == [ViaReal]
        assert_equal(graph, data)


def test_a_real_number_that_others_read_stays(tmp_path):
    model = island("SQUARE", (0.1, 0.5), (3, -128))
    model.outputs.append(2)
    graph, data = read(tmp_path, model)
    assert [type(op) for op in graph.operators] == [ToReal, RealFunction, ViaReal]
    assert_equal(graph, data)


def test_two_functions_in_a_row_are_no_table(tmp_path):
    model = island("NEG", (0.1, 0.5), (3, -7))
    squared = model.tensor((1, 256), "float32")
    model.operators[2].inputs = [squared]
    last = model.operators.pop()
    model.operator("SQUARE", [2], [squared])
    model.operators.append(last)
    graph, data = read(tmp_path, model)
    assert [type(op) for op in graph.operators] == [ToReal, RealFunction, RealFunction, FromReal]
    assert_equal(graph, data)


def test_a_value_without_an_integer_is_refused(tmp_path):
    graph, _ = read(tmp_path, island("SQUARE", (1e10, 1e-10), (0, 0)))
    with pytest.raises(ModelError, match="within 2\\^31 steps"):
        Interpreter(graph)


def test_a_shape_is_known_before_the_model_runs(tmp_path):
    m = ModelSpec()
    source = m.tensor((1, 256), "int8", 0.1, 0)
    sizes = m.tensor((2,), "int32")
    output = m.tensor((1, 256), "int8", 0.1, 0)
    m.operator("SHAPE", [source], [sizes], ("ShapeOptions", {"OutType": 2}))
    m.operator("RESHAPE", [source, sizes], [output])
    m.inputs, m.outputs = [source], [output]
    graph, data = read(tmp_path, m)
    assert [op.name for op in graph.operators] == ["operator 1 (RESHAPE)"]
    assert_equal(graph, data)
