"""IF of a file: exact thresholds, and what stands in its graphs."""

from functools import partial

import numpy as np
import pytest

from compiler import Model, compile_model
from compiler.frontends import examine_tflite, read_tflite
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.operators.gate import Gate, GateElse, GateEnd
from npu.model.operators.table import Lookup
from npu.model.operators.variable import AssignVariable
from npu.runtime.sessions import GraphSession
from tests.live import run_all, side_by_side
from tests.public.oracle import answers
from tests.tflite_branches import (
    COMPARISONS,
    GRID,
    WIDTH,
    adds,
    branch,
    chosen,
    comparison,
    handle,
    random_branches,
    row,
)
from tests.tflite_builder import ModelSpec, TensorSpec, write

EVERY = np.arange(-128, 128).astype(np.int8)


def read(tmp_path, spec: ModelSpec):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec))
    return read_tflite(path)


def kinds(graph) -> list[type]:
    return [type(op) for op in graph.operators]


def oracle(spec: ModelSpec, calls):
    pytest.importorskip("tflite_micro", reason="the extra `oracle` is not installed")
    return answers(write(spec), calls, len(spec.outputs))


def assert_equal(tmp_path, spec: ModelSpec, calls) -> None:
    ours = Interpreter(read(tmp_path, spec))
    for call, wanted in zip(calls, oracle(spec, calls), strict=True):
        for found, theirs in zip(ours.invoke(call), wanted, strict=True):
            np.testing.assert_array_equal(found, theirs)


def every_condition() -> list[list[np.ndarray]]:
    x = np.arange(WIDTH).astype(np.int8).reshape(1, WIDTH)
    return [[x, condition.reshape(1, 1)] for condition in EVERY]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("kind", COMPARISONS)
@pytest.mark.parametrize("scale", [0.0007, 0.003, 0.05, 0.999])
def test_all_integers_decide_as_in_tensorflow_lite_micro(tmp_path, kind, turned, scale):
    """At a scale of 0.0007 six integers are one number of the comparison."""
    constant = (-11, 1.02 * scale if scale < 0.9 else scale, 4)
    spec = chosen(kind, constant, (scale, -7), turned=turned)
    assert_equal(tmp_path, spec, every_condition())


@pytest.mark.parametrize(
    ("kind", "threshold"), [("GREATER", 6), ("GREATER_EQUAL", 5), ("LESS", 5), ("LESS_EQUAL", 6)]
)
def test_a_threshold_of_the_integer_itself(tmp_path, kind, threshold):
    graph = read(tmp_path, chosen(kind))
    assert kinds(graph)[0] is Gate and Lookup not in kinds(graph)
    assert graph.operators[0].threshold == threshold
    assert [kind for kind in kinds(graph) if kind in (GateElse, GateEnd)] == [GateElse, GateEnd]


@pytest.mark.parametrize("kind", ["EQUAL", "NOT_EQUAL"])
def test_equality_is_a_table_in_front(tmp_path, kind):
    assert kinds(read(tmp_path, chosen(kind)))[:2] == [Lookup, Gate]


@pytest.mark.parametrize(("kind", "value"), [("LESS", -128), ("GREATER_EQUAL", -128)])
def test_what_always_goes_one_way_is_no_gate(tmp_path, kind, value):
    spec = chosen(kind, (value, *GRID))
    assert Gate not in kinds(read(tmp_path, spec))
    assert_equal(tmp_path, spec, every_condition()[::50])


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize("compared", [True, False])
def test_a_constant_condition_leaves_one_way(tmp_path, value, compared):
    m = ModelSpec()
    x, y = row(m), row(m)
    if compared:
        known = m.tensor((1,), scale=np.float32(0.01), data=np.array([3], np.int8))
        decided = comparison(m, "GREATER", known, (2 if value else 4, 0.01, 0))
    else:
        decided = m.tensor((1,), "bool", data=np.array([value]))
    branch(m, decided, [x], [y], (1, 2))
    m.inputs, m.outputs, m.others = [x], [y], [adds(43), adds(-57)]
    assert Gate not in kinds(read(tmp_path, m))
    assert_equal(tmp_path, m, [[call[0]] for call in every_condition()[:2]])


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_random_branches_on_kernels_and_twin(first):
    pytest.importorskip("tflite_micro", reason="the extra `oracle` is not installed")

    def one(seed: int, path):
        rng = np.random.default_rng(seed)
        return side_by_side(random_branches(rng), load_params("tiny"), rng, path)

    verdicts = list(run_all([partial(one, seed) for seed in range(first, first + 4)]))
    assert [verdict.text() for verdict in verdicts] == ["equal"] * 4


def remembering(*, handed: bool) -> ModelSpec:
    """Gives a variable; a graph that runs where the second input is not negative assigns it.

    handed : the graph is given the variable's handle
    """
    m = ModelSpec()
    x, c, y = row(m), m.tensor((1, 1), scale=np.float32(0.01)), row(m)
    m.inputs, m.outputs = [x, c], [y]
    m.operator("CALL_ONCE", [], [], ("CallOnceOptions", {"InitSubgraphIndex": 1}))
    variable, same = handle(m, "v"), row(m)
    given = [variable, x] if handed else [x]
    branch(m, comparison(m, "GREATER_EQUAL", c, (0, 0.01, 0)), given, [same], (2, 3))
    held = row(m)
    m.operator("READ_VARIABLE", [variable], [held])
    m.operator("ADD", [held, same], [y], ("AddOptions", {}))
    once = ModelSpec()
    value = row(once, np.arange(WIDTH).astype(np.int8).reshape(1, WIDTH))
    once.operator("ASSIGN_VARIABLE", [handle(once, "v"), value], [])
    graphs = []
    for assigns in (True, False):
        way = ModelSpec()
        inside = way.tensor((1,), "resource") if handed else None
        source, made = row(way), row(way)
        way.inputs = [source] if inside is None else [inside, source]
        if assigns:
            inside = handle(way, "v") if inside is None else inside
            way.operator("ASSIGN_VARIABLE", [inside, source], [])
        way.operator("RELU", [source], [made])
        way.outputs = [made]
        graphs.append(way)
    m.others = [once, *graphs]
    return m


@pytest.mark.parametrize("handed", [False, True])
def test_a_variable_that_one_graph_assigns(tmp_path, handed):
    spec = remembering(handed=handed)
    assert kinds(read(tmp_path, spec)).count(AssignVariable) == 1
    assert all(v.reason is None for v in examine_tflite(tmp_path / "m.tflite"))
    rng = np.random.default_rng(1)
    calls = [
        [rng.integers(-128, 128, shape).astype(np.int8) for shape in ((1, WIDTH), (1, 1))]
        for _ in range(30)
    ]
    assert_equal(tmp_path, spec, calls)


def test_a_comparison_that_graphs_are_handed(tmp_path):
    """An IF inside is decided by what was compared outside."""
    m = chosen()
    inner = ModelSpec()
    x, decided, y = row(inner), inner.tensor((1, 1), "bool"), row(inner)
    branch(inner, decided, [x], [y], (1, 2))
    inner.inputs, inner.outputs = [decided, x], [y]
    other = ModelSpec()
    x, decided, y = row(other), other.tensor((1, 1), "bool"), row(other)
    other.operator("RELU", [x], [y])
    other.inputs, other.outputs = [decided, x], [y]
    m.others += [inner, other]
    m.operators.pop()
    branch(m, m.operators[-1].outputs[0], [m.operators[-1].outputs[0], 0], [2], (3, 4))
    graph = read(tmp_path, m)
    assert kinds(graph).count(Gate) == 2
    assert_equal(tmp_path, m, every_condition()[::9])


@pytest.mark.parametrize(("dtype", "scale"), [("int16", 0.0002), ("int32", 0.0001)])
def test_wider_integers_are_handed_on(tmp_path, dtype, scale):
    """Each graph gives what it has made of int8, and takes an int8 as it is."""
    m = chosen()
    m.tensors[2] = TensorSpec((1, WIDTH), dtype, np.float32(scale))
    for way, factor in zip(m.others, (1, 2), strict=True):
        way.tensors[1].scale = np.float32(0.05 * factor)
        made = way.tensor((1, WIDTH), dtype, np.float32(scale))
        way.operator("QUANTIZE", [1], [made], ("QuantizeOptions", {}))
        way.outputs = [made]
    assert_equal(tmp_path, m, every_condition()[::15])
    graph = read(tmp_path, m)
    image = compile_model(Model("m", {"main": graph}, None, None, {}), load_params("tiny"))
    session, kernels = GraphSession(image), Interpreter(graph)
    for call in every_condition()[::15]:
        np.testing.assert_array_equal(session.invoke(call)[0], kernels.invoke(call)[0])
