"""Functions of real numbers amid an integer model, beside TensorFlow Lite Micro."""

import os

import numpy as np
import pytest

from compiler.frontends import read_tflite
from compiler.frontends.tflite.examine import examine_tflite
from kernels import Interpreter
from npu.errors import ModelError, UnsupportedError
from npu.model.graph import Graph
from npu.model.operators.real_function import RealFunction
from npu.model.operators.retype import ToReal
from npu.model.operators.table import ViaReal
from npu.model.real import FUNCTIONS
from tests.tflite_builder import ModelSpec, OperatorSpec, write
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


FORMULAS = {
    "softplus": [
        ("ABS", "x"),
        ("NEG", 0),
        ("EXP", 1),
        ("ADD", 2, 1.0),
        ("LOG", 3),
        ("MAXIMUM", "x", 0.0),
        ("ADD", 4, 5),
    ],
    "swish": [("LOGISTIC", "x"), ("MUL", 0, "x")],
    "reciprocal": [("MAXIMUM", "x", 0.25), ("DIV", 1.0, 0)],
    "root": [("MAXIMUM", 0.0, "x"), ("SQRT", 0), ("SUB", 3.0, 1)],
    "inverse of a root": [("SQUARE", "x"), ("ADD", 0, 1.0), ("RSQRT", 1)],
    "bent": [("MUL", "x", 0.7), ("TANH", 0), ("MINIMUM", 1, 0.5)],
    "in whole numbers": [
        ("FLOOR", "x"),
        ("CEIL", 0),
        ("MUL", "x", 0.5),
        ("ROUND", 2),
        ("ADD", 1, 3),
    ],
    "of nothing": [("MUL", "x", 0.0), ("DIV", 1.0, 0), ("MUL", 1, 0.0), ("COS", 2)],
}
"""Parts by name; operands are the input, parts before by number, and constants."""


def formula(parts, scales, zero_points) -> ModelSpec:
    m = ModelSpec()
    source = m.tensor((1, 256), "int8", scales[0], zero_points[0])
    values = {"x": m.tensor((1, 256), "float32")}
    m.operator("DEQUANTIZE", [source], [values["x"]])
    for number, (kind, *operands) in enumerate(parts):
        read = [
            m.tensor((), "float32", data=np.array(operand, np.float32))
            if isinstance(operand, float)
            else values[operand]
            for operand in operands
        ]
        values[number] = m.tensor((1, 256), "float32")
        of = f"{kind.capitalize()}Options"
        options = (of, {}) if kind in ("ADD", "SUB", "MUL", "DIV") else None
        m.operator(kind, read, [values[number]], options)
    output = m.tensor((1, 256), "int8", scales[1], zero_points[1])
    m.operator("QUANTIZE", [values[len(parts) - 1]], [output])
    m.inputs, m.outputs = [source], [output]
    return m


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_is_one_table(tmp_path, name):
    rng = np.random.default_rng(sum(name.encode()))
    for _ in range(CASES):
        scales = tuple(np.exp(rng.uniform(np.log(1e-3), np.log(0.3), 2)).astype(np.float32))
        zero_points = tuple(int(z) for z in rng.integers(-128, 128, 2))
        graph, data = read(tmp_path, formula(FORMULAS[name], scales, zero_points))
        assert [type(op) for op in graph.operators] == [ViaReal]
        assert len(graph.tensors) == 2
        assert all(verdict.reason is None for verdict in examine_tflite(tmp_path / "island.tflite"))
        assert_equal(graph, data)


def test_a_part_that_others_read_stays(tmp_path):
    model = formula([("NEG", "x"), ("SQUARE", 0), ("SQUARE", 1)], (0.1, 0.5), (3, -7))
    model.outputs.append(3)
    graph, data = read(tmp_path, model)
    assert [type(op) for op in graph.operators] == [ToReal, RealFunction, RealFunction, ViaReal]
    assert_equal(graph, data)


def test_a_function_of_two_integers_is_no_table(tmp_path):
    model = formula([("MUL", "x", "x")], (0.1, 0.5), (3, -7))
    other = model.tensor((1, 256), "int8", 0.2, 1)
    real = model.tensor((1, 256), "float32")
    model.operators[1].inputs[1] = real
    model.operators.insert(0, OperatorSpec("DEQUANTIZE", [other], [real]))
    model.inputs.append(other)
    with pytest.raises(UnsupportedError, match="inputs and outputs are int8"):
        read(tmp_path, model)


def test_rows_of_constants_are_no_table(tmp_path):
    model = formula([("ADD", "x", 1.0)], (0.1, 0.5), (3, -7))
    row = model.tensor((256,), "float32", data=np.linspace(0, 1, 256, dtype=np.float32))
    model.operators[1].inputs[1] = row
    with pytest.raises(UnsupportedError, match="inputs and outputs are int8"):
        read(tmp_path, model)


def test_an_activation_is_no_part(tmp_path):
    model = formula([("ADD", "x", 1.0)], (0.1, 0.5), (3, -7))
    model.operators[1].options = ("AddOptions", {"FusedActivationFunction": 1})
    with pytest.raises(UnsupportedError, match="inputs and outputs are int8"):
        read(tmp_path, model)


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
