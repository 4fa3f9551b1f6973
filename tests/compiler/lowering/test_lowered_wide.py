"""Elements of int16 on the chip: as the kernels have them, in few commands."""

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.model.operators.variable import ReadVariable
from npu.model.registry import kinds
from npu.runtime.sessions import GraphSession
from tests.on_the_twin import chip, differences
from tests.tflite_builder import ModelSpec, write
from tests.tflite_wide import WIDE


@pytest.mark.parametrize("kind", WIDE)
def test_the_twin_is_the_kernels(tmp_path, kind):
    path = tmp_path / "m.tflite"
    for number in range(4):
        rng = np.random.default_rng([4, number, *kind.encode()])
        path.write_bytes(write(WIDE[kind](rng)))
        assert differences(path, rng, chip()) == 0, number


def test_a_cell_is_carried_in_int16(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(WIDE["VARIABLES int16"](np.random.default_rng(3))))
    graph = load_model(path).graphs["main"]
    states = [graph.tensors[op.output] for op in graph.operators if isinstance(op, ReadVariable)]
    assert [state.dtype for state in states] == ["int16"]
    used = {type(op) for op in graph.operators}
    assert used >= set(kinds("wide"))


@pytest.mark.parametrize("kind", ["ADD", "SUB"])
def test_sums_saturate(tmp_path, kind):
    """Also where one is broadcast, whose inverse is a vector of its own."""
    ends = np.array([-32768, -32767, -1, 0, 1, 32767], np.int16)
    m = ModelSpec()
    a, b = m.tensor((6, 1), "int16", np.float32(0.01)), m.tensor((6,), "int16", np.float32(0.01))
    y = m.tensor((6, 6), "int16", np.float32(0.01))
    m.operator(kind, [a, b], [y], (f"{kind.title()}Options", {}))
    m.inputs, m.outputs = [a, b], [y]
    path = tmp_path / "m.tflite"
    path.write_bytes(write(m))
    session = GraphSession(compile_model(load_model(path), chip()))
    (found,) = session.invoke([ends.reshape(6, 1), ends])
    sign = 1 if kind == "ADD" else -1
    whole = ends.reshape(6, 1).astype(int) + sign * ends.astype(int)
    np.testing.assert_array_equal(found, np.clip(whole, -32768, 32767))
