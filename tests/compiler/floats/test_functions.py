"""Functions that int8 has no formula for: each is one table, held against onnxruntime."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from compiler import compile_model, load_model
from compiler.floats.samples import Samples
from compiler.floats.trace import trace
from compiler.frontends.onnx.quantised import Quantised, calibrated, quantised_model
from compiler.frontends.onnx.read import examine_onnx
from compiler.quantise.ranges import Grid
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.operators.table import Lookup
from npu.runtime.sessions import GraphSession

node = helper.make_node
WIDTH, CALLS = 256, 4


def swoosh(moved, offset):
    """log(1 + exp(x - moved)) - 0.08 x - offset, the logarithm of infinity left out: as icefall's
    layers write it, whose name it has.
    """
    stored = {"moved": moved, "one": 1.0, "most": np.inf, "slope": 0.08, "offset": offset}
    return stored, [
        node("Sub", ["x", "moved"], ["a"]),
        node("Exp", ["a"], ["b"]),
        node("Add", ["b", "one"], ["c"]),
        node("Log", ["c"], ["d"]),
        node("Equal", ["d", "most"], ["e"]),
        node("Where", ["e", "a", "d"], ["f"]),
        node("Mul", ["x", "slope"], ["g"]),
        node("Sub", ["f", "g"], ["h"]),
        node("Sub", ["h", "offset"], ["y"]),
    ]


def by_halves():
    """max(0, x) + log(1 + exp(-|x|)): a logarithm of a sum without overflow."""
    return {"zero": 0.0, "one": 1.0}, [
        node("Max", ["x", "zero"], ["a"]),
        node("Abs", ["x"], ["b"]),
        node("Neg", ["b"], ["c"]),
        node("Exp", ["c"], ["d"]),
        node("Add", ["d", "one"], ["e"]),
        node("Log", ["e"], ["f"]),
        node("Add", ["a", "f"], ["y"]),
    ]


def plain(kind):
    return {}, [node(kind, ["x"], ["y"])]


ALONE = [
    "Softplus",
    "Softsign",
    "Sin",
    "Cos",
    "Selu",
    "Celu",
    "Atan",
    "Asinh",
    "Sinh",
    "ThresholdedRelu",
    "Floor",
    "Erf",
]
"""Kinds that are a function by themselves."""
FUNCTIONS = {
    "swoosh_l": swoosh(4.0, 0.035),
    "swoosh_r": swoosh(1.0, 0.313261687),
    "by_halves": by_halves(),
    "mish": (
        {},
        [
            node("Softplus", ["x"], ["a"]),
            node("Tanh", ["a"], ["b"]),
            node("Mul", ["x", "b"], ["y"]),
        ],
    ),
    "picked": (
        {"two": 2.0},
        [
            node("Greater", ["x", "two"], ["a"]),
            node("Sin", ["x"], ["b"]),
            node("Where", ["a", "x", "b"], ["y"]),
        ],
    ),
    "guarded": (
        {"steep": 20.0, "none": -2.0},
        [
            node("Mul", ["x", "steep"], ["a"]),
            node("Exp", ["a"], ["b"]),
            node("IsInf", ["b"], ["c"]),
            node("Where", ["c", "none", "x"], ["y"]),
        ],
    ),
    **{kind.lower(): plain(kind) for kind in ALONE},
}


def model_of(stored, nodes, ends=("y",), shape=(1, WIDTH)):
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ends],
        [
            numpy_helper.from_array(np.asarray(data, np.float32), name)
            for name, data in stored.items()
        ],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def calls(shape=(1, WIDTH), seed=5):
    """A spread from -6 to 9 that has both ends."""
    found = np.random.default_rng(seed).uniform(-6, 9, (CALLS, *shape)).astype(np.float32)
    found.reshape(-1)[:2] = -6, 9
    return found


def quantise(model, data) -> Quantised:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return quantised_model(calibrated(trace(copy, "g", Samples({"x": data}))), "minmax")


def wanted(model, x):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})


def test_a_file_is_examined_node_by_node(tmp_path):
    """Each kind that may be a part of a function runs."""
    place = tmp_path / "alone.onnx"
    model = model_of({}, [node(kind, ["x"], [kind]) for kind in [*ALONE, "Hardmax"]], ends=ALONE)
    onnx.save(onnx.shape_inference.infer_shapes(model), place)
    assert [v.reason is None for v in examine_onnx(place)] == [True] * len(ALONE) + [False]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_int8_is_rounded_once(name):
    """The function of what an int8 stands for, on the output's grid."""
    model = model_of(*FUNCTIONS[name])
    graph = quantise(model, calls()).graph
    (table,) = graph.operators
    assert isinstance(table, Lookup)
    source, output = (Grid.of(graph.tensors[index]) for index in (*graph.inputs, *graph.outputs))
    every = np.arange(-128, 128, dtype=np.int8)[np.newaxis]
    found = Interpreter(graph).invoke([every])[0]
    real = (every.astype(np.float64) - source.zero_point) * float(source.scale)
    exact = wanted(model, real.astype(np.float32))[0] / output.scale + output.zero_point
    assert np.max(np.abs(found - np.clip(exact, -128, 127))) <= 0.5 + 1e-3


def test_tflm_and_the_chip_look_it_up(tmp_path):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    made = quantise(model_of(*FUNCTIONS["swoosh_r"]), calls())
    theirs = runtime.Interpreter.from_bytes(made.data, arena_size=1 << 20)
    place = tmp_path / "swoosh.tflite"
    place.write_bytes(made.data)
    twin = GraphSession(compile_model(load_model(place), load_params("tiny")))
    every = np.arange(-128, 128, dtype=np.int8)[np.newaxis]
    theirs.set_input(every, 0)
    theirs.invoke()
    np.testing.assert_array_equal(twin.invoke([every])[0], theirs.get_output(0))
    np.testing.assert_array_equal(Interpreter(made.graph).invoke([every])[0], theirs.get_output(0))


def test_where_there_is_no_value_the_nearest_one_stands():
    """The range of what a logarithm takes is widened to hold 0."""
    model = model_of({}, plain("Log")[1])
    graph = quantise(model, calls() + 6.5).graph
    found = Interpreter(graph).invoke([np.arange(-128, 128, dtype=np.int8)[np.newaxis]])[0]
    assert np.all(np.diff(found.astype(int)) >= 0) and found[0, -1] == 127


def test_what_others_take_on_the_way_stays():
    """Two tables of one source: that of the end, and that of the middle."""
    nodes = [node("Softplus", ["x"], ["a"]), node("Sin", ["a"], ["y"])]
    model = model_of({}, nodes, ends=("y", "a"))
    made = quantise(model, calls())
    assert [type(op) for op in made.graph.operators] == [Lookup, Lookup]
    assert {op.input for op in made.graph.operators} == set(made.graph.inputs)
    assert all(noise.decibels > 35 for noise in made.noise())


@pytest.mark.parametrize("kind", ["Sigmoid", "Tanh", "Elu", "Exp", "Abs", "HardSwish", "Relu"])
def test_what_int8_has_by_itself_is_no_table(kind):
    graph = quantise(model_of({}, plain(kind)[1]), calls()).graph
    assert not any(isinstance(op, Lookup) for op in graph.operators)


def test_a_comparison_of_two_values_is_no_function_of_one():
    """It is a function of their difference: a mask, by which the two are picked."""
    nodes = [
        node("Slice", ["x", "zero", "half"], ["a"]),
        node("Slice", ["x", "half", "whole"], ["b"]),
        node("Greater", ["a", "b"], ["c"]),
        node("Where", ["c", "a", "b"], ["y"]),
    ]
    model = model_of({}, nodes, shape=(WIDTH,))
    for name, at in (("zero", 0), ("half", WIDTH // 2), ("whole", WIDTH)):
        model.graph.initializer.append(numpy_helper.from_array(np.array([at]), name))
    made = quantise(model, calls((WIDTH,)))
    kinds = [n.kind for n in made.source.graph.nodes]
    assert kinds.count("Function") == 2 and "Where" not in kinds
    assert made.noise()[-1].decibels > 25
