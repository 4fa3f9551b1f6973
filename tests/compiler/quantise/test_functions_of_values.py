"""Functions of one value as tables: beside onnxruntime, TFLM, LiteRT and the twin."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import Quantised, quantised_model, read_float
from compiler.frontends.tflite.read import read_tflite
from kernels import Interpreter
from npu.errors import UnsupportedError
from npu.model.operators.table import Lookup
from tests.on_the_twin import chip, differences

node = helper.make_node
EVERY = np.arange(-128, 128)
CALLS = 6


def model_of(nodes, shapes, stored, version=17):
    """A model in which the last node gives `y`; `shapes` are those of its inputs."""
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in stored.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def quantised_of(tmp_path, nodes, arrays, stored=None, version=17) -> Quantised:
    shapes = {name: array.shape[1:] for name, array in arrays.items()}
    path = tmp_path / "model.onnx"
    onnx.save(model_of(nodes, shapes, stored or {}, version), path)
    return quantised_model(read_float(path, Samples(arrays)), "minmax")


def on_the_grid(scale: float, shift: int = 0) -> np.ndarray:
    """A call of all values of a grid, which calibration finds as it is."""
    return (scale * (EVERY + shift)).astype(np.float32).reshape(1, 1, 256)


ONE, TWO, HALF = np.float32(1), np.float32(2), np.float32(0.5)
X = ["x"]
FUNCTIONS = {
    "gelu": (
        [
            node("Div", ["x", "root"], ["a"]),
            node("Erf", ["a"], ["b"]),
            node("Add", ["b", "one"], ["c"]),
            node("Mul", ["x", "c"], ["d"]),
            node("Mul", ["d", "half"], ["y"]),
        ],
        0,
    ),
    "swish": ([node("Sigmoid", X, ["s"]), node("Mul", ["x", "s"], ["y"])], 0),
    "erf": ([node("Erf", X, ["y"])], 0),
    "softplus": ([node("Softplus", X, ["y"])], 0),
    "softsign": ([node("Softsign", X, ["y"])], 0),
    "mish": (
        [
            node("Softplus", X, ["a"]),
            node("Tanh", ["a"], ["b"]),
            node("Mul", ["x", "b"], ["y"]),
        ],
        0,
    ),
    "selu": ([node("Selu", X, ["y"], alpha=1.5, gamma=1.2)], 0),
    "celu": ([node("Celu", X, ["y"], alpha=1.5)], 0),
    "sine of a product": ([node("Mul", ["x", "half"], ["a"]), node("Sin", ["a"], ["y"])], 0),
    "logarithm": ([node("Add", ["x", "one"], ["a"]), node("Log", ["a"], ["y"])], 128),
    "root": ([node("Sqrt", X, ["y"])], 128),
    "reciprocal": ([node("Add", ["x", "one"], ["a"]), node("Div", ["two", "a"], ["y"])], 128),
    "power": ([node("Pow", ["x", "exponent"], ["y"])], 128),
    "fifth power": ([node("Pow", ["x", "five"], ["y"])], 0),
    "base": ([node("Pow", ["half", "x"], ["y"])], 0),
    "kept from 0": (
        [
            node("Clip", ["x", "half"], ["a"]),
            node("Log", ["a"], ["b"]),
            node("Mul", ["b", "two"], ["y"]),
        ],
        0,
    ),
    "two sides": (
        [
            node("Greater", ["x", "half"], ["a"]),
            node("Where", ["a", "x", "two"], ["y"]),
        ],
        0,
    ),
    "between": (
        [
            node("GreaterOrEqual", ["x", "one"], ["a"]),
            node("LessOrEqual", ["x", "two"], ["b"]),
            node("And", ["a", "b"], ["c"]),
            node("Not", ["c"], ["d"]),
            node("Where", ["d", "half", "two"], ["y"]),
        ],
        0,
    ),
    "equal": ([node("Equal", ["x", "one"], ["a"]), node("Cast", ["a"], ["y"], to=1)], 0),
}
"""Nodes, and how far the grid of `x` is moved up."""
STORED = {
    "one": ONE,
    "two": TWO,
    "half": HALF,
    "root": np.float32(np.sqrt(2)),
    "exponent": np.float32(1.7),
    "five": np.float32(5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_one_table(name, tmp_path):
    """Where its input lies on a grid nothing but the output is rounded."""
    nodes, shift = FUNCTIONS[name]
    made = quantised_of(tmp_path, nodes, {"x": on_the_grid(1 / 32, shift)}, STORED)
    assert [type(op) for op in made.graph.operators] == [Lookup]
    assert made.noise()[-1].worst <= 0.501
    path = tmp_path / "model.tflite"
    path.write_bytes(made.data)
    assert differences(path, np.random.default_rng(3), chip()) == 0


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_table_is_what_tflm_and_litert_pick(name, tmp_path):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="the extra `peers` is not installed"
    )
    nodes, shift = FUNCTIONS[name]
    made = quantised_of(tmp_path, nodes, {"x": on_the_grid(1 / 23, shift)}, STORED)
    every = EVERY.astype(np.int8).reshape(1, 1, 256)[0]
    (found,) = Interpreter(made.graph).invoke([every])
    oracle = runtime.Interpreter.from_bytes(made.data, arena_size=1 << 20)
    oracle.set_input(every, 0)
    oracle.invoke()
    np.testing.assert_array_equal(found, oracle.get_output(0))
    theirs = litert.Interpreter(model_content=made.data, num_threads=1)
    theirs.allocate_tensors()
    theirs.set_tensor(theirs.get_input_details()[0]["index"], every)
    theirs.invoke()
    np.testing.assert_array_equal(found, theirs.get_tensor(theirs.get_output_details()[0]["index"]))


def random(shape, least=-2.0, most=2.0, seed=1):
    return np.random.default_rng(seed).uniform(least, most, (CALLS, *shape)).astype(np.float32)


OF_SEVERAL = {
    "quotient": (
        [node("Add", ["z", "two"], ["a"]), node("Div", ["x", "a"], ["y"])],
        {"x": random((4, 8)), "z": random((4, 8), -1, 1, 2)},
        2.5,
    ),
    "quotient of a sum": (
        [
            node("Exp", X, ["e"]),
            node("ReduceSum", ["e", "last"], ["s"]),
            node("Div", ["e", "s"], ["y"]),
        ],
        {"x": random((4, 8))},
        3,
    ),
    "where one is larger": (
        [node("Greater", ["x", "z"], ["a"]), node("Where", ["a", "x", "half"], ["y"])],
        {"x": random((4, 8)), "z": random((4, 8), seed=2).round(1)},
        None,
    ),
    "bounds of a call": (
        [
            node("ReduceMax", X, ["m"], keepdims=0),
            node("Sub", ["m", "one"], ["a"]),
            node("Clip", ["x", "a"], ["y"]),
        ],
        {"x": random((4, 8))},
        1.5,
    ),
    "the smaller one": (
        [node("Min", ["x", "endless", "z"], ["y"])],
        {"x": random((4, 8)), "z": random((4, 8), seed=2)},
        1.1,
    ),
    "a table that others read": (
        [
            node("Sigmoid", X, ["s"]),
            node("Mul", ["x", "s"], ["w"]),
            node("Add", ["w", "z"], ["v"]),
            node("Mul", ["v", "s"], ["y"]),
        ],
        {"x": random((4, 8)), "z": random((4, 8), seed=2)},
        2.5,
    ),
}
"""Nodes, data, and the most steps that an answer may be away; None where a step of a condition is
the whole difference of what it picks from."""


@pytest.mark.parametrize("name", OF_SEVERAL)
def test_of_several_values(name, tmp_path):
    nodes, arrays, most = OF_SEVERAL[name]
    stored = STORED | {"last": np.array([-1]), "endless": np.float32(3.4e38)}
    made = quantised_of(tmp_path, nodes, arrays, stored)
    noise = made.noise()[-1]
    assert noise.decibels > 20
    if most is not None:
        assert noise.worst <= most
    path = tmp_path / "model.tflite"
    path.write_bytes(made.data)
    assert differences(path, np.random.default_rng(3), chip()) == 0


@pytest.mark.parametrize(("kind", "least"), [("Softmax", 20), ("LogSoftmax", 30)])
def test_rows_beyond_tflms_sums(kind, least, tmp_path):
    """Of more than 4,095 exponentials, in the operators that a softmax is made of."""
    x = random((2, 4200), -6, 0)
    x[:, 0, 7] = 6
    x[:, 1, 4000:4003] = 5
    made = quantised_of(tmp_path, [node(kind, X, ["y"], axis=1)], {"x": x}, version=13)
    assert "Softmax" not in {n.kind for n in made.source.graph.nodes}
    assert made.noise()[-1].decibels > least
    path = tmp_path / "model.tflite"
    path.write_bytes(made.data)
    assert differences(path, np.random.default_rng(3), chip(), calls=3) == 0


def test_what_a_table_takes_is_kept_within_what_was_seen(tmp_path):
    """The grid of the input holds 0, of which there is no logarithm."""
    x = random((4, 8), 0.5, 6)
    made = quantised_of(tmp_path, [node("Log", X, ["y"])], {"x": x})
    (answer,) = Interpreter(made.graph).invoke([np.full((4, 8), -128, np.int8)])
    output = made.graph.tensors[made.graph.outputs[0]].quantization
    real = (answer.astype(int) - output.zero_point) * output.scale[0]
    np.testing.assert_allclose(real, np.log(x.min()), atol=0.02)


def test_a_divisor_on_both_sides_of_0_is_refused(tmp_path):
    nodes = [node("Div", ["x", "z"], ["y"])]
    arrays = {"x": random((4, 8)), "z": random((4, 8), seed=2)}
    with pytest.raises(UnsupportedError, match=r"Function.*was -1.9\d+ to 1.9\d+ and passes 0"):
        quantised_of(tmp_path, nodes, arrays)


def test_a_condition_on_symbols_is_refused(tmp_path):
    nodes = [
        node("Cast", X, ["n"], to=TensorProto.INT64),
        node("Greater", ["n", "three"], ["a"]),
        node("Where", ["a", "x", "half"], ["y"]),
    ]
    with pytest.raises(UnsupportedError, match=r"Where.*no comparison of real numbers"):
        quantised_of(tmp_path, nodes, {"x": random((4, 8))}, STORED | {"three": np.int64(3)})


def test_many_layers_of_gelu_answer_as_the_file_does(tmp_path):
    """What is a little off in each of them would be far off behind the last."""
    rng = np.random.default_rng(4)
    nodes, stored, here = [], dict(STORED), "x"
    for layer in range(24):
        stored[f"w{layer}"] = (0.4 * rng.normal(size=(16, 16))).astype(np.float32)
        made = [f"{part}{layer}" for part in ("p", "a", "b", "c", "d", "g", "s")]
        p, a, b, c, d, g, s = made
        last = "y" if layer == 23 else s
        nodes += [
            node("MatMul", [here, f"w{layer}"], [p]),
            node("Div", [p, "root"], [a]),
            node("Erf", [a], [b]),
            node("Add", [b, "one"], [c]),
            node("Mul", [p, c], [d]),
            node("Mul", [d, "half"], [g]),
            node("Add", [here, g], [last]),
        ]
        here = s
    made_of = quantised_of(tmp_path, nodes, {"x": random((2, 16))}, stored)
    (found,) = {n.kind for n in made_of.source.graph.nodes} - {"MatMul", "Add"}
    assert found == "Function"
    assert made_of.noise()[-1].decibels > 25


def test_a_file_says_what_its_tables_hold(tmp_path):
    """What is written is read again as one operator, which any frontend of TFLite understands."""
    nodes, _ = FUNCTIONS["swish"]
    made = quantised_of(tmp_path, nodes, {"x": on_the_grid(1 / 32)}, STORED)
    path = tmp_path / "model.tflite"
    path.write_bytes(made.data)
    (op,) = read_tflite(path).operators
    assert isinstance(op, Lookup)
    real = EVERY / np.float64(32)
    output = made.graph.tensors[made.graph.outputs[0]].quantization
    steps = real / (1 + np.exp(-real)) / output.scale[0] + output.zero_point
    held = np.frombuffer(op.table, np.int8)
    assert np.max(np.abs(held - np.clip(steps, -128, 127))) <= 0.5 + 1e-3
