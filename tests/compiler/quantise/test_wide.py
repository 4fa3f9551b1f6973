"""What is int16 between products: where, what it brings, and that TFLM, LiteRT and twin have it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import numpy_helper

from compiler.floats.samples import Samples
from compiler.frontends.onnx.quantised import Quantised, quantised_model, read_float
from compiler.quantise import wide
from compiler.quantise.weights import WeightPlan
from kernels import Interpreter
from npu.model.operators.binary import Add, Mul
from npu.model.operators.table import Logistic, Lookup, Tanh
from npu.model.operators.wide import WideAdd, WideLogistic, WideMul, WideSub, WideTanh
from tests.compiler.quantise.test_functions_of_values import node, quantised_of
from tests.on_the_twin import chip, differences

WIDTH, CALLS = 24, 40
INT8 = WeightPlan(wide=False)


def matrix(rows=WIDTH, columns=WIDTH, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(rows, columns)) / np.sqrt(rows)).astype(np.float32)


def calls(*shape, seed=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(CALLS, *(shape or (1, WIDTH)))).astype(np.float32)


def kinds(made: Quantised) -> list[type]:
    return [type(op) for op in made.graph.operators]


def joiner(tmp_path):
    nodes = [
        node("Add", ["a", "b"], ["sum"]),
        node("Tanh", ["sum"], ["bent"]),
        node("MatMul", ["bent", "w"], ["y"]),
    ]
    arrays = {"a": calls() / 4, "b": calls(seed=3) / 4}
    return quantised_of(tmp_path, nodes, arrays, {"w": matrix()})


GATED = [
    node("MatMul", ["x", "w"], ["p"]),
    node("MatMul", ["x", "v"], ["q"]),
    node("Add", ["p", "q"], ["sum"]),
    node("Sigmoid", ["sum"], ["gate"]),
    node("Sub", ["one", "gate"], ["rest"]),
    node("Tanh", ["p"], ["new"]),
    node("Mul", ["rest", "new"], ["y"]),
]
STORED = {"w": matrix(), "v": matrix(seed=4), "one": np.float32(1)}


def test_a_joiner_adds_and_bends_in_int16(tmp_path):
    made = joiner(tmp_path)
    assert [k for k in kinds(made) if k in (Add, Tanh, WideAdd, WideTanh)] == [WideAdd, WideTanh]
    plain = quantised_model(made.source, "minmax", plan=INT8)
    assert {Add, Tanh} <= set(kinds(plain))
    assert not any(t.dtype == "int16" for t in plain.graph.tensors)
    gain = made.noise()[-1].decibels - plain.noise()[-1].decibels
    assert gain > 1.5
    # The product takes TANH on a grid of what was seen, not on 1/128.
    (product,) = [op for op in made.graph.operators if type(op).__name__ == "FullyConnected"]
    most = max(abs(v) for v in (made.source.seen["bent"].least, made.source.seen["bent"].most))
    step = made.graph.tensors[product.input].quantization.scale[0]
    assert step < 1.02 * most / 127 < 1 / 128


def test_a_function_behind_a_sum_is_made_of_its_parts(tmp_path):
    made = quantised_of(tmp_path, GATED, {"x": calls()}, STORED)
    assert {WideAdd, WideLogistic, WideSub, WideTanh, WideMul} <= set(kinds(made))
    assert Lookup not in kinds(made)
    plain = quantised_model(made.source, "minmax", plan=INT8)
    assert Lookup in kinds(plain)
    assert made.noise()[-1].decibels > plain.noise()[-1].decibels


def test_one_that_int16_has_no_parts_for_stays_a_table(tmp_path):
    nodes = [*GATED[:3], node("Erf", ["sum"], ["y"])]
    found = kinds(quantised_of(tmp_path, nodes, {"x": calls()}, STORED))
    assert Lookup in found and Add in found and WideAdd not in found


@pytest.mark.parametrize("seed", range(3))
def test_everything_has_the_same_bits(tmp_path, seed):
    made = quantised_of(tmp_path, GATED, {"x": calls(seed=seed)}, STORED)
    place = tmp_path / "m.tflite"
    place.write_bytes(made.data)
    assert differences(place, np.random.default_rng(seed), chip(), calls=6) == 0
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    theirs = runtime.Interpreter.from_bytes(made.data, arena_size=1 << 20)
    kernels = Interpreter(made.graph)
    for x in made.grid("x").quantised(calls(seed=seed + 50)):
        theirs.set_input(x, 0)
        theirs.invoke()
        np.testing.assert_array_equal(kernels.invoke([x])[0], theirs.get_output(0))


def litert_answers(made: Quantised, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ours and LiteRT's, (calls, elements) each, in steps from zero."""
    litert = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="the extra `peers` is not installed"
    )
    theirs = litert.Interpreter(model_content=made.data, num_threads=1)
    theirs.allocate_tensors()
    (source,), (output,) = theirs.get_input_details(), theirs.get_output_details()
    kernels, zero = Interpreter(made.graph), made.grid("y").zero_point
    ours, found = [], []
    for x in given:
        theirs.set_tensor(source["index"], x)
        theirs.invoke()
        found.append(theirs.get_tensor(output["index"]).ravel().astype(float) - zero)
        ours.append(kernels.invoke([x])[0].ravel().astype(float) - zero)
    return np.array(ours), np.array(found)


def test_litert_runs_it_too(tmp_path):
    """Also a sum that is broadcast, which its way of scales that are powers of two does not."""
    nodes = [
        *GATED[:6],
        node("Mul", ["rest", "new"], ["z"]),
        node("Add", ["z", "row"], ["y"]),
    ]
    stored = STORED | {"row": matrix(1, WIDTH, seed=8)}
    made = quantised_of(tmp_path, nodes, {"x": calls(6, WIDTH)}, stored)
    assert kinds(made).count(WideAdd) == 2
    ours, found = litert_answers(made, made.grid("x").quantised(calls(6, WIDTH, seed=77)))
    assert np.max(np.abs(ours - found)) <= 2


def test_a_reshape_of_what_others_take_is_of_a_copy(tmp_path):
    """LiteRT gives a RESHAPE its input's memory, and lets who takes it write there."""
    nodes = [
        *GATED[:3],
        node("Reshape", ["sum", "shape"], ["pairs"]),
        node("Mul", ["pairs", "row"], ["weighed"]),
        node("Reshape", ["weighed", "back"], ["flat"]),
        node("Add", ["flat", "p"], ["more"]),
        node("Add", ["more", "sum"], ["z"]),
        node("MatMul", ["z", "w"], ["y"]),
    ]
    stored = STORED | {
        "shape": np.array([2, WIDTH // 2], np.int64),
        "back": np.array([1, WIDTH], np.int64),
        "row": matrix(2, 1, seed=8),
    }
    made = quantised_of(tmp_path, nodes, {"x": calls()}, stored)
    assert WideAdd in kinds(made)
    tensors = {t.name: t.dtype for t in made.graph.tensors}
    assert (tensors["sum"], tensors["pairs"]) == ("int16", "int16")
    ours, found = litert_answers(made, made.grid("x").quantised(calls(seed=78)))
    assert np.max(np.abs(ours - found)) <= 3


def test_where_nothing_is_to_be_had(tmp_path, monkeypatch):
    gate = [
        node("MatMul", ["x", "w"], ["p"]),
        node("MatMul", ["x", "v"], ["q"]),
        node("Sigmoid", ["p"], ["gate"]),
        node("Mul", ["gate", "q"], ["y"]),
    ]
    assert {Logistic, Mul} <= set(kinds(quantised_of(tmp_path, gate, {"x": calls()}, STORED)))
    # A row that a product adds is its bias, not a sum.
    biased = [
        node("MatMul", ["x", "w"], ["p"]),
        node("Add", ["p", "row"], ["q"]),
        node("Tanh", ["q"], ["r"]),
        node("MatMul", ["r", "v"], ["y"]),
    ]
    stored = STORED | {"row": matrix(1, WIDTH, seed=8)}
    assert Tanh in kinds(quantised_of(tmp_path, biased, {"x": calls()}, stored))
    # So are images, which take int16's memory twice, and scores of queries for keys.
    nodes = [node("Add", ["a", "b"], ["sum"]), node("Tanh", ["sum"], ["y"])]
    for shape, kind in (((1, 2, 8, 6), Add), ((1, 2, 1, 48), WideAdd)):
        arrays = {"a": calls(*shape), "b": calls(*shape, seed=3)}
        assert kind in kinds(quantised_of(tmp_path, nodes, arrays))
    monkeypatch.setattr(wide, "MOST_ELEMENTS", WIDTH - 1)
    assert {Add, Tanh} <= set(kinds(joiner(tmp_path)))


def test_a_file_with_grids_keeps_them(tmp_path):
    made = joiner(tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    scale, zero = np.float32(0.02), np.int8(0)
    model.graph.initializer.extend(
        [numpy_helper.from_array(np.array(v), n) for n, v in (("s", scale), ("o", zero))]
    )
    model.graph.node[1].input[0] = "d"
    model.graph.node.insert(1, node("QuantizeLinear", ["sum", "s", "o"], ["i"]))
    model.graph.node.insert(2, node("DequantizeLinear", ["i", "s", "o"], ["d"]))
    onnx.save(model, tmp_path / "grids.onnx")
    data = Samples({name: array for name, array in made.source.samples.arrays.items()})
    found = quantised_model(read_float(tmp_path / "grids.onnx", data), "minmax")
    assert WideAdd not in kinds(found) and Add in kinds(found)


def test_grids_hold_what_was_seen_and_as_much_again(tmp_path):
    made = quantised_of(tmp_path, GATED, {"x": calls()}, STORED)
    tensors = {t.name: t for t in made.graph.tensors}
    for name in ("sum", "rest"):
        of = made.source.seen[name]
        most, scale = max(abs(of.least), abs(of.most)), float(tensors[name].quantization.scale[0])
        assert tensors[name].dtype == "int16" and np.log2(scale) == round(np.log2(scale))
        assert 4 * most <= 32767 * scale
    # An addend that never was large does not make the sum coarse.
    assert 32767 * float(tensors["sum"].quantization.scale[0]) < 32 * max(
        abs(made.source.seen["sum"].least), abs(made.source.seen["sum"].most)
    )


def test_plain_plans_are_plain_either_way():
    assert WeightPlan().plain and INT8.plain and not replace(INT8, bits=4).plain


def test_a_sigmoid_of_a_sigmoid_has_steps_that_it_takes(tmp_path):
    nodes = [*GATED[:4], node("Sigmoid", ["gate"], ["y"])]
    made = quantised_of(tmp_path, nodes, {"x": calls()}, STORED)
    steps = [
        float(made.graph.tensors[op.input].quantization.scale[0])
        for op in made.graph.operators
        if isinstance(op, WideLogistic)
    ]
    assert steps[1] == 2.0**-14 and made.noise()[-1].decibels > 32
