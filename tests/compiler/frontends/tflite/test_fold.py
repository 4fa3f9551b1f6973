"""What depends on constants only is worked out when a model is read."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import NpuError
from npu.model.operators.binary import Add
from tests.tflite_builder import ModelSpec, write


def spec() -> ModelSpec:
    """x + tanh(constant), and tanh(constant) itself."""
    m = ModelSpec()
    constant = np.array([[-128, -1, 0, 127]], np.int8)
    x = m.tensor((1, 4), scale=0.01)
    c = m.tensor((1, 4), scale=0.01, data=constant)
    t, y = (m.tensor((1, 4), scale=1 / 128) for _ in range(2))
    m.operator("TANH", [c], [t])
    m.operator("ADD", [x, t], [y], ("AddOptions", {}))
    m.inputs, m.outputs = [x], [y, t, x, c]
    return m


def test_a_constant_becomes_another(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(write(spec()))
    graph = read_tflite(path)
    (add,) = graph.operators
    assert isinstance(add, Add)
    assert graph.tensors[add.b].data.tolist() == [[-110, -1, 0, 109]]
    assert len(graph.tensors) == 4
    x = np.array([[1, 2, 3, 4]], np.int8)
    y, t, same, c = Interpreter(graph).invoke([x])
    assert y.tolist() == [[-109, 2, 4, 114]]
    assert t.tolist() == [[-110, -1, 0, 109]]
    assert same.tolist() == x.tolist() and c.tolist() == [[-128, -1, 0, 127]]


def test_what_is_not_legal_is_refused_there(tmp_path):
    m = spec()
    m.tensors[2].scale = 1 / 64
    path = tmp_path / "m.tflite"
    path.write_bytes(write(m))
    with pytest.raises(NpuError, match=r"^m.tflite: operator 0 \(TANH\): its output must have sca"):
        read_tflite(path)
