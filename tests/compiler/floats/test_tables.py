"""Functions at points: in float64 where onnxruntime has it, and where rounding decides nothing."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from compiler.floats import tables
from compiler.floats.graph import OPSET, Node
from compiler.floats.rewrite.functions import COMPARISONS, FUNCTION, PARTS
from compiler.floats.tables import function_of
from compiler.floats.write import _FLOAT32_ONLY
from compiler.quantise.ranges import Grid
from npu.errors import ModelError

X = np.linspace(-4, 4, 256, dtype=np.float32)


def function(*parts: Node, **constants: float) -> Node:
    """The last part gives y."""
    told = {"parts": parts, "constants": {k: np.float32(v) for k, v in constants.items()}}
    return Node(FUNCTION, "f", ("x",), ("y",), told)


def part(kind: str, inputs: str, output: str, **attributes) -> Node:
    return Node(kind, output, tuple(inputs.split()), (output,), attributes)


CANCELLING = function(
    part("Mul", "x x", "a"), part("Add", "a many", "b"), part("Sub", "b many", "y"), many=1e6
)


def test_what_cancels_keeps_its_digits():
    """x x + 10^6 - 10^6 has steps of a sixteenth in float32."""
    exact = X.astype(np.float64) ** 2
    found = function_of(CANCELLING, X)["y"]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-9)
    grid = Grid(np.float32(16 / 255), -128)
    narrow = (X * X + np.float32(1e6)) - np.float32(1e6)
    assert np.count_nonzero(grid.quantised(found) != grid.quantised(narrow)) > 50
    np.testing.assert_array_equal(grid.quantised(found), grid.quantised(exact))


def test_small_answers_of_a_sigmoid():
    far = function(part("Sub", "x away", "a"), part("Sigmoid", "a", "y"), away=14.0)
    exact = 1 / (1 + np.exp(14 - X.astype(np.float64)))
    np.testing.assert_allclose(function_of(far, X)["y"], exact, rtol=0, atol=1e-15)


def test_values_in_between():
    found = function_of(CANCELLING, X, ["a", "x"])
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_allclose(found["a"], X.astype(np.float64) ** 2, rtol=1e-15)


@pytest.mark.parametrize("kind", sorted(_FLOAT32_ONLY))
def test_a_part_of_float32_amid_others(kind):
    """It gets what is rounded, and what stands behind it goes on in float64."""
    attributes = {"alpha": 0.5} if kind == "ThresholdedRelu" else {}
    alone = function(part(kind, "x", "y", **attributes))
    amid = function(part(kind, "x", "a", **attributes), part("Add", "a third", "y"), third=1 / 3)
    points = np.clip(X, 1, 3) if kind == "Acosh" else np.clip(X, -0.9, 0.9)
    wanted = function_of(alone, points)["y"] + np.float64(np.float32(1 / 3))
    np.testing.assert_allclose(function_of(amid, points)["y"], wanted, rtol=1e-15)


def test_a_jump_stays_where_the_model_has_it():
    """Ten times 0.7 is 7 in float32, and less in float64."""
    jumping = function(
        part("Mul", "x tenfold", "a"), part("Floor", "a", "y"), tenfold=np.float32(10)
    )
    x = np.array([0.7], np.float32)
    assert float(x[0]) * 10 < 7 == x[0] * np.float32(10)
    assert function_of(jumping, x)["y"] == 7


def test_a_comparison_of_the_value_itself_is_no_jump_of_roundings():
    two_sides = function(
        part("Greater", "x half", "a"),
        part("Add", "x many", "b"),
        part("Sub", "b many", "c"),
        part("Where", "a c half", "y"),
        half=0.5,
        many=1e6,
    )
    exact = np.where(X > 0.5, X, 0.5)
    np.testing.assert_allclose(function_of(two_sides, X)["y"], exact, rtol=0, atol=1e-9)


def test_an_onnxruntime_that_has_no_float64(monkeypatch):
    right = tables._evaluated

    def narrow(graph, points):
        if points.dtype == np.float64:
            raise ModelError("not implemented")
        return right(graph, points)

    monkeypatch.setattr(tables, "_evaluated", narrow)
    found = function_of(CANCELLING, X)["y"]
    np.testing.assert_array_equal(found, (X * X + np.float32(1e6)) - np.float32(1e6))


def test_what_cannot_be_run_is_told():
    with pytest.raises(ModelError, match=r"^f: "):
        function_of(function(part("Nothing", "x", "y")), X)


@pytest.mark.parametrize("kind", sorted(PARTS - {"And", "Or", "Not", "Cast", "Where", "Rsqrt"}))
def test_which_kinds_onnxruntime_has_in_float64(kind):
    operands = {"Clip": ["x", "one", "one"]}.get(kind, ["x"])
    if kind in COMPARISONS or kind in ("Add", "Sub", "Mul", "Max", "Min", "Pow"):
        operands = ["x", "one"]
    made = helper.make_graph(
        [helper.make_node(kind, operands, ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [2])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.float64(1), "one")],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    data = helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        has = True
    except Exception:  # onnxruntime's errors have no common class
        has = False
    assert has == (kind not in _FLOAT32_ONLY)
