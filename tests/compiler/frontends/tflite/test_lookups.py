"""QUANTIZE and GATHER that together are a table, beside TensorFlow Lite Micro."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.model.operators.gather import Gather
from npu.model.operators.retype import Requantize
from npu.model.operators.table import Lookup
from tests.tflite_builder import ModelSpec, write

runtime = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
)
EVERY = np.arange(-128, 128, dtype=np.int8).reshape(4, 64)
ENTRIES = np.random.default_rng(7).integers(-128, 128, 256).astype(np.int8)


def table(index_scale=0.05, index_zero_point=131, entries=ENTRIES) -> ModelSpec:
    m = ModelSpec()
    source = m.tensor(EVERY.shape, "int8", 0.05, 3)
    index = m.tensor(EVERY.shape, "int32", index_scale, index_zero_point)
    stored = m.tensor(entries.shape, "int8", 0.1, -7, data=entries)
    output = m.tensor(EVERY.shape, "int8", 0.1, -7)
    m.operator("QUANTIZE", [source], [index])
    m.operator("GATHER", [stored, index], [output], ("GatherOptions", {"Axis": 0}))
    m.inputs, m.outputs = [source], [output]
    return m


def read(tmp_path, model):
    path = tmp_path / "table.tflite"
    path.write_bytes(write(model))
    graph = read_tflite(path)
    oracle = runtime.Interpreter.from_bytes(path.read_bytes(), arena_size=1 << 20)
    oracle.set_input(EVERY, 0)
    oracle.invoke()
    np.testing.assert_array_equal(Interpreter(graph).invoke([EVERY])[0], oracle.get_output(0))
    return [type(op) for op in graph.operators]


def test_both_are_one_table(tmp_path):
    assert read(tmp_path, table()) == [Lookup]


@pytest.mark.parametrize(
    "other",
    [
        {"index_scale": 0.1, "index_zero_point": 130},
        {"index_zero_point": 132, "entries": np.append(ENTRIES, np.int8(5))},
    ],
    ids=["another scale", "one further on"],
)
def test_other_indices_stay(tmp_path, other):
    assert read(tmp_path, table(**other)) == [Requantize, Gather]


def test_indices_that_others_take_stay(tmp_path):
    model = table()
    back = model.tensor(EVERY.shape, "int8", 0.05, 3)
    model.operator("QUANTIZE", [1], [back])
    model.outputs.append(back)
    assert read(tmp_path, model) == [Requantize, Lookup, Requantize]
