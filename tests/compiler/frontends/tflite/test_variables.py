"""Resource variables: what becomes of them, and which forms are refused."""

import numpy as np
import pytest

from compiler.frontends import examine_tflite, read_tflite
from kernels import Interpreter
from npu.errors import NpuError
from npu.model.operators.variable import AssignVariable, ReadVariable
from tests.tflite_builder import ModelSpec, write

NAMED = ("VarHandleOptions", {"SharedName": "v"})
ONCE = ("CallOnceOptions", {"InitSubgraphIndex": 1})


def counter(*, once: bool = True, assigned: bool = True, behind: bool = False) -> ModelSpec:
    """Gives what the last call got; the first, where there is an initialisation, 1, 2, 3."""
    m = ModelSpec()
    x, y = (m.tensor((1, 3), "int8", 0.5, 4) for _ in range(2))
    handle = m.tensor((1,), "resource")
    if once and not behind:
        m.operator("CALL_ONCE", [], [], ONCE)
    m.operator("VAR_HANDLE", [], [handle], NAMED)
    m.operator("READ_VARIABLE", [handle], [y])
    if once and behind:
        m.operator("CALL_ONCE", [], [], ONCE)
    if assigned:
        m.operator("ASSIGN_VARIABLE", [handle, x], [])
    m.inputs, m.outputs = [x], [y]
    if once:
        m.others = [initialisation()]
    return m


def initialisation() -> ModelSpec:
    m = ModelSpec()
    handle = m.tensor((1,), "resource")
    value = m.tensor((1, 3), "int8", 0.5, 4, np.array([[1, 2, 3]], np.int8))
    m.operator("VAR_HANDLE", [], [handle], NAMED)
    m.operator("ASSIGN_VARIABLE", [handle, value], [])
    return m


def read(tmp_path, spec: ModelSpec):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec))
    return read_tflite(path)


@pytest.mark.parametrize(("once", "first"), [(True, [1, 2, 3]), (False, [4, 4, 4])])
def test_a_variable_is_a_state(tmp_path, once, first):
    graph = read(tmp_path, counter(once=once))
    assert [type(op) for op in graph.operators] == [ReadVariable, AssignVariable]
    (state,) = [t for t in graph.tensors if t.is_state]
    assert (state.name, state.shape, state.dtype) == ("v", (1, 3), "int8")
    ours = Interpreter(graph)
    x = np.array([[7, 8, 9]], np.int8)
    found = [ours.invoke([x])[0].tolist() for _ in range(2)]
    assert found == [[first], x.tolist()]
    assert all(v.reason is None for v in examine_tflite(tmp_path / "m.tflite"))


def filled(value: int) -> ModelSpec:
    """A counter that begins with the same number in all elements, as `npu quantize` writes it."""
    m = counter()
    begin = ModelSpec()
    handle = begin.tensor((1,), "resource")
    shape = begin.tensor((2,), "int32", data=np.array([1, 3], np.int32))
    number = begin.tensor((), "int8", 0.5, 4, np.array(value, np.int8))
    whole = begin.tensor((1, 3), "int8", 0.5, 4)
    begin.operator("VAR_HANDLE", [], [handle], NAMED)
    begin.operator("FILL", [shape, number], [whole], ("FillOptions", {}))
    begin.operator("ASSIGN_VARIABLE", [handle, whole], [])
    m.others = [begin]
    return m


@pytest.mark.parametrize("value", [4, 5])
def test_a_state_of_zero_points_has_no_contents(tmp_path, value):
    """Nothing is stored of it: a chip resets it as one that nobody assigns."""
    graph = read(tmp_path, filled(value))
    (state,) = [t for t in graph.tensors if t.is_state]
    assert (state.initial is None) == (value == 4)
    assert Interpreter(graph).invoke([np.zeros((1, 3), np.int8)])[0].tolist() == [[value] * 3]


def wild(change) -> ModelSpec:
    spec = counter()
    change(spec)
    return spec


def computes(spec: ModelSpec) -> None:
    spec.others[0].tensors[1].data = None


def other_shape(spec: ModelSpec) -> None:
    spec.others[0].tensors[1].shape = (1, 2)
    spec.others[0].tensors[1].data = np.zeros((1, 2), np.int8)


def zero_points_of_another_shape(spec: ModelSpec) -> None:
    spec.others[0].tensors[1].shape = (1, 2)
    spec.others[0].tensors[1].data = np.full((1, 2), 4, np.int8)


def no_subgraph(spec: ModelSpec) -> None:
    spec.operators[0].options = ("CallOnceOptions", {"InitSubgraphIndex": 7})


def no_handle(spec: ModelSpec) -> None:
    spec.operators[2].inputs = [0]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (counter(once=False, assigned=False), "nothing assigns its variable 'v'"),
        (counter(behind=True), "it stands before all that reads or assigns a variable"),
        (wild(computes), "subgraph 1, operator 1 .* what is: constants are assigned"),
        (wild(other_shape), r"its contents must be int8 \[1, 3\], not int8 \[1, 2\]"),
        (
            wild(zero_points_of_another_shape),
            r"its contents must be int8 \[1, 3\], not int8 \[1, 2\]",
        ),
        (wild(no_subgraph), "there is no subgraph 7 to call"),
        (wild(no_handle), "its variable comes from a VAR_HANDLE of the same subgraph"),
    ],
)
def test_refused(tmp_path, spec, message):
    with pytest.raises(NpuError, match=message):
        read(tmp_path, spec)
